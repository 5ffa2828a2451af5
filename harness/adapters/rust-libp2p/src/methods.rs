//! The methods of the control protocol, each by what libp2p-kad has for it.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::dial_opts::{DialOpts, PeerCondition},
};
use libp2p_kad::{self as kad, Quorum, RecordKey};
use serde_json::json;

use crate::{
    adapter::{Operation, Outcome},
    channel::{Failure, bad_param, failed, unknown_method},
    node::{self, LITERAL, Node, OPTIONS},
    params::Params,
};

/// The most that a lookup yields, and that a record is stored at: the constant K_VALUE.
const K: u64 = kad::K_VALUE.get() as u64;

pub const METHODS: &[&str] = &[
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

/// What the adapter is and can do.
pub fn hello(mut params: Params) -> Result<Outcome, Failure> {
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

/// Begins a method that needs a started node.
pub fn call(node: &mut Node, method: &str, mut p: Params) -> Result<Outcome, Failure> {
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
