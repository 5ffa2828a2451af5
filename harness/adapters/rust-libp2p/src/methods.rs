//! The methods of the control protocol, each by what libp2p-kad has for it. What it reports is passed on: nothing is added,
//! judged or left out here. An operation begins in `call` and is answered from `on_event`.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId, identify,
    multiaddr::Protocol,
    swarm::{ConnectionId, SwarmEvent, dial_opts::DialOpts, dial_opts::PeerCondition},
};
use libp2p_kad::{
    self as kad, GetProvidersOk, GetRecordOk, PutRecordError, QueryId, QueryResult, QueryStats, Quorum, RecordKey,
};
use serde_json::{Value, json};

use crate::{
    channel::{self, Answer, Failure, Request, answer, bad_param, failed, unknown_method},
    node::{self, BehaviourEvent, LITERAL, Node, OPTIONS, Settings},
    params::{Params, base64url},
};

/// How long connect waits for a peer that never says who it is; libp2p-kad does without, so this is no error.
const IDENTIFY: Duration = Duration::from_secs(5);

/// The most that a lookup yields, and that a record is stored at: the constant K_VALUE.
const K: u64 = kad::K_VALUE.get() as u64;

const METHODS: &[&str] = &[
    "add_address",
    "bootstrap",
    "cancel",
    "connect",
    "get_closest_peers",
    "get_providers",
    "get_record",
    "hello",
    "put_record",
    "remove_address",
    "remove_peer",
    "remove_record",
    "set_mode",
    "start",
    "start_providing",
    "stop",
    "stop_providing",
    "table",
];

/// An operation under way, with what its query has found so far.
enum Operation {
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
enum Outcome {
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
                let peer = |p: &kad::PeerInfo| json!({"peer": p.peer_id.to_string(), "addrs": texts(&p.addrs)});
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

/// libp2p-kad selects no best record: the value is the one that all records hold, or it cannot tell.
fn got(records: &[kad::PeerRecord]) -> Answer {
    let agreed = records.windows(2).all(|two| two[0].record.value == two[1].record.value);
    let value = if agreed { records.first().map(|r| base64url(&r.record.value)) } else { None };
    let all: Vec<_> =
        records.iter().map(|r| json!({"peer": r.peer.map(|p| p.to_string()), "value": base64url(&r.record.value)})).collect();
    Ok(json!({"value": value, "records": all}))
}

/// It tells who the providers are, and keeps their addresses to itself.
fn provided(found: &[PeerId]) -> Answer {
    let all: Vec<_> = found.iter().map(|p| json!({"peer": p.to_string(), "addrs": null})).collect();
    Ok(json!({"providers": all}))
}

/// Who stored is told only when the quorum was missed, or when all had to. Without a quorum in the request we ask for all,
/// and a record that some have stored is no failure then.
fn put(demanded: bool, to: &[PeerId], result: kad::PutRecordResult) -> Answer {
    match result {
        Ok(_) if !demanded && !to.is_empty() => Ok(json!({"stored": texts(to)})),
        Ok(_) => Ok(json!({"stored": null})),
        Err(PutRecordError::QuorumFailed { success, .. }) if !demanded && !success.is_empty() => {
            Ok(json!({"stored": texts(&success)}))
        }
        Err(e @ PutRecordError::QuorumFailed { .. }) => Err(failed("quorum", false, e)),
        Err(e @ PutRecordError::Timeout { .. }) => Err(failed("timeout", false, e)),
    }
}

fn counts(stats: QueryStats) -> Value {
    json!({
        "requests": stats.num_requests(), "successes": stats.num_successes(), "failures": stats.num_failures(),
        "hops": null, "duration": stats.duration().map(|d| d.as_millis() as u64),
    })
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(T::to_string).collect()
}

fn hello(mut params: Params) -> Result<Outcome, Failure> {
    match params.count("version")? {
        1 => params.end("")?,
        other => return Err(bad_param("version", format!("{other}: this adapter speaks 1"))),
    }
    let mut options = OPTIONS.to_vec();
    options.extend(["get_closest_peers.n", "put_record.quorum", "put_record.to", "put_record.expires_in"]);
    Ok(Outcome::Now(json!({
        "name": "rust-libp2p", "version": version(), "language": "rust",
        "protocols": [LITERAL], "methods": METHODS, "options": options,
    })))
}

/// The version of libp2p-kad, as the manifest pins it.
fn version() -> &'static str {
    let manifest = include_str!("../Cargo.toml");
    manifest.lines().find_map(|line| line.strip_prefix("libp2p-kad = \"=")?.strip_suffix('"')).unwrap_or("unknown")
}

fn call(node: &mut Node, method: &str, mut p: Params) -> Result<Outcome, Failure> {
    let now = |result| Ok(Outcome::Now(result));
    match method {
        "connect" => {
            let addr = p.addr("addr")?;
            p.end("")?;
            let Some(Protocol::P2p(peer)) = addr.iter().last() else {
                return Err(bad_param("addr", "expected /p2p/ at its end"));
            };
            if node.swarm.is_connected(&peer) {
                return now(json!({"peer": peer.to_string()}));
            }
            let dial = DialOpts::peer_id(peer).addresses(vec![addr]).condition(PeerCondition::Always).build();
            let connection = dial.connection_id();
            node.swarm.dial(dial).map_err(|e| failed("other", true, e))?;
            Ok(Outcome::Dial(peer, connection))
        }
        "add_address" => {
            let (peer, addr) = at(p)?;
            let update = match node.kad().add_address(&peer, addr) {
                kad::RoutingUpdate::Success => "success",
                kad::RoutingUpdate::Pending => "pending",
                kad::RoutingUpdate::Failed => "failed",
            };
            now(json!({"update": update}))
        }
        "remove_address" => {
            let (peer, addr) = at(p)?;
            // It returns the entry with whose last address the peer went, and nothing for another address.
            let known = |node: &mut Node| {
                let full = addr.clone().with_p2p(peer).ok();
                let bucket = node.kad().kbucket(peer)?;
                Some(
                    bucket
                        .iter()
                        .any(|e| *e.node.key.preimage() == peer && e.node.value.iter().any(|a| Some(a) == full.as_ref())),
                )
            };
            let had = known(node).unwrap_or(false);
            let gone = node.kad().remove_address(&peer, &addr).is_some();
            let removed = gone || had && !known(node).unwrap_or(false);
            now(json!({"removed": removed}))
        }
        "remove_peer" => {
            let peer = p.peer("peer")?;
            p.end("")?;
            now(json!({"removed": node.kad().remove_peer(&peer).is_some()}))
        }
        "table" => {
            p.end("")?;
            let peers = |bucket: kad::KBucketRef<'_, _, _>| {
                bucket.iter().map(|e| kad::KBucketKey::<PeerId>::preimage(e.node.key).to_string()).collect::<Vec<_>>()
            };
            now(json!({"peers": node.kad().kbuckets().flat_map(peers).collect::<Vec<_>>()}))
        }
        "bootstrap" => {
            p.end("")?;
            let query = node.kad().bootstrap().map_err(|e| failed("no_peers", true, e))?;
            Ok(Outcome::Query(query, Operation::Bootstrap))
        }
        "get_closest_peers" => {
            let (key, n) = (p.bytes("key")?, p.count("n")?);
            p.end("")?;
            let query = match NonZeroUsize::new(n as usize) {
                None => node.kad().get_closest_peers(key),
                Some(n) if n <= kad::K_VALUE => node.kad().get_n_closest_peers(key, n),
                Some(n) => return Err(bad_param("n", format!("{n}: a lookup yields up to {K}"))),
            };
            Ok(Outcome::Query(query, Operation::Closest))
        }
        "put_record" => put_record(node, p),
        "get_record" => {
            let key = p.bytes("key")?;
            p.end("")?;
            Ok(Outcome::Query(node.kad().get_record(RecordKey::from(key)), Operation::Get(Vec::new())))
        }
        "remove_record" => {
            let key = p.bytes("key")?;
            p.end("")?;
            node.kad().remove_record(&RecordKey::from(key));
            now(json!({}))
        }
        "start_providing" => {
            let key = p.multihash("key")?;
            p.end("")?;
            let query = node.kad().start_providing(RecordKey::from(key)).map_err(|e| failed("other", true, e))?;
            Ok(Outcome::Query(query, Operation::Provide))
        }
        "stop_providing" => {
            let key = p.multihash("key")?;
            p.end("")?;
            node.kad().stop_providing(&RecordKey::from(key));
            now(json!({}))
        }
        "get_providers" => {
            let key = p.multihash("key")?;
            p.end("")?;
            Ok(Outcome::Query(node.kad().get_providers(RecordKey::from(key)), Operation::Providers(Vec::new())))
        }
        "set_mode" => {
            let mode = node::mode(&mut p)?;
            p.end("")?;
            node.kad().set_mode(Some(mode));
            now(json!({}))
        }
        other => Err(unknown_method(other)),
    }
}

fn at(mut p: Params) -> Result<(PeerId, Multiaddr), Failure> {
    let both = (p.peer("peer")?, p.addr("addr")?);
    p.end("")?;
    Ok(both)
}

fn put_record(node: &mut Node, mut p: Params) -> Result<Outcome, Failure> {
    let mut record = kad::Record::new(p.bytes("key")?, p.bytes("value")?);
    let (quorum, expires_in) = (p.count("quorum")?, p.count("expires_in")?);
    let to = p.texts("to")?.unwrap_or_default();
    let to: Vec<PeerId> = to.iter().map(|id| id.parse().map_err(|e| bad_param("to", e))).collect::<Result<_, _>>()?;
    p.end("")?;
    let most = if to.is_empty() { K } else { to.len() as u64 };
    if quorum > most {
        return Err(bad_param("quorum", format!("{quorum}: the record goes to {most}")));
    }
    if expires_in > 0 {
        record.expires = Some(Instant::now() + Duration::from_millis(expires_in));
    }
    let demanded = quorum > 0;
    let quorum = NonZeroUsize::new(quorum as usize).map_or(Quorum::All, Quorum::N);
    let query = if to.is_empty() {
        node.kad().put_record(record, quorum).map_err(|e| failed("invalid", true, e))?
    } else {
        node.kad().put_record_to(record, to.clone().into_iter(), quorum)
    };
    Ok(Outcome::Query(query, Operation::Put { demanded, to }))
}
