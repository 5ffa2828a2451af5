//! What is under way: a request begins in `take`, and what is not answered at once is answered from `on_event`.

use std::{collections::HashMap, time::Duration};

use libp2p::{
    PeerId, identify,
    swarm::{ConnectionId, SwarmEvent},
};
use libp2p_kad::{self as kad, GetProvidersOk, GetRecordOk, QueryId, QueryResult, QueryStats};
use serde_json::{Value, json};

use crate::{
    channel::{self, Failure, Request, answer, bad_param, failed, unknown_method},
    methods::{METHODS, call, hello},
    node::{BehaviourEvent, Node, Settings},
    params::Params,
    results::{counts, got, provided, put, texts},
};

/// How long connect waits for a peer that never says who it is; libp2p-kad does without, so this is no error.
const IDENTIFY: Duration = Duration::from_secs(5);

/// An operation under way, with what its query has found so far.
pub enum Operation {
    Bootstrap,
    Closest,
    Put { demanded: bool, to: Vec<PeerId> },
    Get(Vec<kad::PeerRecord>),
    Provide,
    Providers(Vec<PeerId>),
}

struct Dial {
    request: Value,
    peer: PeerId,
    connection: ConnectionId,
    until: Option<tokio::time::Instant>, // once connected: how long to wait for identify
}

#[derive(Default)]
pub struct Adapter {
    pub node: Option<Node>,
    queries: HashMap<QueryId, (Value, Operation)>,
    dials: Vec<Dial>,
}

/// What a request led to: an answer, or something that will be answered later.
pub enum Outcome {
    Now(Value),
    Query(QueryId, Operation),
    Dial(PeerId, ConnectionId),
}

impl Adapter {
    pub async fn take(&mut self, line: &[u8]) {
        let Request { id, method, params } = match channel::parse(line) {
            Ok(request) => request,
            Err((id, failure)) => return answer(&id, Err(failure)),
        };
        let params = Params(params);
        match match method.as_str() {
            "start" => self.start(params).await,
            "stop" => params.end("").map(|()| self.stop()),
            "cancel" => self.cancel(params),
            "hello" => hello(params),
            _ if !METHODS.contains(&method.as_str()) => Err(unknown_method(&method)),
            _ => match self.node.as_mut() {
                None => Err(failed("other", true, "not started")),
                Some(node) => call(node, &method, params),
            },
        } {
            Ok(Outcome::Now(result)) => answer(&id, Ok(result)),
            Ok(Outcome::Query(query, operation)) => _ = self.queries.insert(query, (id, operation)),
            Ok(Outcome::Dial(peer, connection)) => self.dials.push(Dial { request: id, peer, connection, until: None }),
            Err(failure) => answer(&id, Err(failure)),
        }
    }

    async fn start(&mut self, params: Params) -> Result<Outcome, Failure> {
        let settings = Settings::read(params)?;
        if self.node.is_some() {
            return Err(failed("other", true, "started already"));
        }
        let (node, addrs) = Node::start(settings).await?;
        let peer = *node.swarm.local_peer_id();
        self.node = Some(node);
        Ok(Outcome::Now(json!({"peer": peer.to_string(), "addrs": texts(&addrs)})))
    }

    fn stop(&mut self) -> Outcome {
        for (_, (request, _)) in self.queries.drain() {
            answer(&request, Err(failed("cancelled", false, "stopped")));
        }
        for dial in self.dials.drain(..) {
            answer(&dial.request, Err(failed("cancelled", false, "stopped")));
        }
        self.node = None;
        Outcome::Now(json!({}))
    }

    /// Ends an operation; one that is not running has ended by itself.
    fn cancel(&mut self, mut params: Params) -> Result<Outcome, Failure> {
        let which = params.0.remove("id").ok_or_else(|| bad_param("id", "expected that of a request"))?;
        params.end("")?;
        let cancelled = || Err(failed("cancelled", false, "cancelled"));
        let found = self.queries.iter().find(|(_, (request, _))| *request == which).map(|(query, _)| *query);
        if let (Some(query), Some(node)) = (found, self.node.as_mut()) {
            if let Some(mut running) = node.kad().query_mut(&query) {
                running.finish();
            }
            self.queries.remove(&query);
            answer(&which, cancelled());
        }
        for dial in self.dials.extract_if(.., |dial| dial.request == which) {
            answer(&dial.request, cancelled());
        }
        Ok(Outcome::Now(json!({})))
    }

    pub fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed { id, result, stats, step })) => {
                self.on_progress(id, result, stats, step.last)
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info })) => {
                if let Some(node) = self.node.as_mut() {
                    node.identified(&peer_id, info);
                }
                self.connected(|dial| dial.connection == connection_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Error { connection_id, .. })) => {
                self.connected(|dial| dial.connection == connection_id)
            }
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                for dial in self.dials.iter_mut().filter(|dial| dial.connection == connection_id) {
                    dial.until = Some(tokio::time::Instant::now() + IDENTIFY);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                for dial in self.dials.extract_if(.., |dial| dial.connection == connection_id) {
                    answer(&dial.request, Err(failed("other", true, &error)));
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                for dial in self.dials.extract_if(.., |dial| dial.connection == connection_id) {
                    answer(&dial.request, Err(failed("other", true, "the connection was closed")));
                }
            }
            _ => {}
        }
    }

    fn connected(&mut self, which: impl Fn(&Dial) -> bool) {
        for dial in self.dials.extract_if(.., |dial| which(dial)) {
            answer(&dial.request, Ok(json!({"peer": dial.peer.to_string()})));
        }
    }

    pub fn next_deadline(&self) -> tokio::time::Instant {
        let hour = tokio::time::Instant::now() + Duration::from_secs(3600);
        self.dials.iter().filter_map(|dial| dial.until).fold(hour, |a, b| a.min(b))
    }

    pub fn on_deadline(&mut self) {
        let now = tokio::time::Instant::now();
        self.connected(|dial| dial.until.is_some_and(|until| until <= now));
    }

    /// Takes what a query reports; the last report is its answer. A query that nobody asked for was libp2p-kad's own.
    fn on_progress(&mut self, query: QueryId, result: QueryResult, stats: QueryStats, last: bool) {
        let Some((_, operation)) = self.queries.get_mut(&query) else { return };
        let outcome = match (operation, result) {
            (Operation::Get(records), QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(record)))) => {
                records.push(record);
                got(records)
            }
            // The query found nothing more, or its time was up: what it found stands.
            (Operation::Get(records), QueryResult::GetRecord(_)) if !records.is_empty() => got(records),
            (Operation::Get(_), QueryResult::GetRecord(Err(kad::GetRecordError::Timeout { .. }))) => {
                Err(failed("timeout", true, "the request timed out"))
            }
            (Operation::Get(_), _) => Err(failed("not_found", true, "the record was not found")),

            (Operation::Providers(found), QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. }))) => {
                for provider in providers {
                    if !found.contains(&provider) {
                        found.push(provider);
                    }
                }
                provided(found)
            }
            (Operation::Providers(found), QueryResult::GetProviders(Err(e))) if found.is_empty() => {
                Err(failed("timeout", true, e))
            }
            (Operation::Providers(found), _) => provided(found),

            (Operation::Put { demanded, to }, QueryResult::PutRecord(result)) => put(*demanded, to, result),
            (Operation::Closest, QueryResult::GetClosestPeers(Ok(ok))) => {
                // It knows those addresses alone that came in the answers of this query.
                let addrs = |p: &kad::PeerInfo| (!p.addrs.is_empty()).then(|| texts(&p.addrs));
                let peer = |p: &kad::PeerInfo| json!({"peer": p.peer_id.to_string(), "addrs": addrs(p)});
                Ok(json!({"peers": ok.peers.iter().map(peer).collect::<Vec<_>>()}))
            }
            (Operation::Closest, QueryResult::GetClosestPeers(Err(e))) => Err(failed("timeout", true, e)),
            (Operation::Provide, QueryResult::StartProviding(Ok(_))) => Ok(json!({"announced": null})), // it does not tell whom
            (Operation::Provide, QueryResult::StartProviding(Err(e))) => Err(failed("timeout", false, e)),
            (Operation::Bootstrap, QueryResult::Bootstrap(Ok(_))) => Ok(json!({})),
            (Operation::Bootstrap, QueryResult::Bootstrap(Err(e))) => Err(failed("timeout", false, e)),
            _ => return,
        };
        if last && let Some((request, operation)) = self.queries.remove(&query) {
            let counted = !matches!(operation, Operation::Bootstrap);
            answer(
                &request,
                outcome.map(|mut result| {
                    if counted {
                        result["stats"] = counts(stats);
                    }
                    result
                }),
            );
        }
    }
}
