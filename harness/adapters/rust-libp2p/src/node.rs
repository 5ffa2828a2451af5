//! One swarm with a libp2p-kad behaviour; it is made by start and dropped by stop.

use std::{collections::HashSet, num::NonZeroUsize, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, identity::Keypair, noise, ping, swarm, swarm::SwarmEvent,
    tcp, tls, yamux,
};
use libp2p_kad::{self as kad, store::MemoryStore};

use crate::{
    channel::{Failure, bad_param, failed},
    params::Params,
};

pub const LITERAL: &str = "/ipfs/kad/1.0.0";

/// What hello says of start. `namespaces.any`: records of every namespace are kept, and validated by nobody.
pub const OPTIONS: &[&str] = &[
    "protocol",
    "alpha",
    "listen",
    "transports.tcp",
    "transports.quic",
    "namespaces.any",
    "filter.none",
    "background",
    "expiry.record",
    "expiry.provider",
    "expiry.republish",
    "expiry.reprovide",
    "expiry.refresh",
];

/// Without it a connection that nobody uses is closed after 10 s, in the middle of a case.
const IDLE: Duration = Duration::from_secs(600);

#[derive(swarm::NetworkBehaviour)]
pub struct Behaviour {
    pub kad: kad::Behaviour<MemoryStore>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

pub struct Node {
    pub swarm: Swarm<Behaviour>,
    protocol: StreamProtocol,
}

/// The parameters of start.
pub struct Settings {
    seed: [u8; 32],
    mode: kad::Mode,
    protocol: StreamProtocol,
    listen: Vec<Multiaddr>,
    config: kad::Config,
}

impl Settings {
    pub fn read(mut p: Params) -> Result<Settings, Failure> {
        let seed = p.bytes("seed")?;
        let seed = seed.try_into().map_err(|s: Vec<u8>| bad_param("seed", format!("{} bytes: expected 32", s.len())))?;
        let mode = mode(&mut p)?;
        let protocol = StreamProtocol::try_from_owned(p.text("protocol")?.unwrap_or_else(|| LITERAL.into()))
            .map_err(|e| bad_param("protocol", e))?;

        let at = p.text("listen")?.unwrap_or_else(|| "/ip4/127.0.0.1".into());
        let mut listen = Vec::new();
        for transport in p.texts("transports")?.unwrap_or_else(|| vec!["tcp".into()]) {
            let port = match transport.as_str() {
                "tcp" => "tcp/0",
                "quic" => "udp/0/quic-v1",
                other => return Err(bad_param("transports", format!("{other:?}: expected tcp or quic"))),
            };
            listen.push(format!("{at}/{port}").parse().map_err(|e| bad_param("listen", e))?);
        }

        // Bucket size and replication can be set, but an answer names up to 20 whatever they are, so no other k is honoured.
        match p.count("k")? {
            0 | 20 => {}
            k => return Err(bad_param("k", format!("{k}: an answer names up to 20, a constant"))),
        }
        if let Some(name) = p.texts("namespaces")?.unwrap_or_default().first() {
            return Err(bad_param("namespaces", format!("{name:?}: libp2p-kad validates no records")));
        }
        match p.text("filter")?.as_deref() {
            None | Some("none") => {}
            Some(other) => return Err(bad_param("filter", format!("{other:?}: expected none"))),
        }
        let config = config(&mut p, protocol.clone())?;
        p.end("")?;
        Ok(Settings { seed, mode, protocol, listen, config })
    }
}

pub fn mode(p: &mut Params) -> Result<kad::Mode, Failure> {
    match p.text("mode")?.as_deref() {
        Some("server") => Ok(kad::Mode::Server),
        Some("client") => Ok(kad::Mode::Client),
        other => Err(bad_param("mode", format!("{other:?}: expected server or client"))),
    }
}

fn config(p: &mut Params, protocol: StreamProtocol) -> Result<kad::Config, Failure> {
    let mut config = kad::Config::new(protocol);
    if let Some(alpha) = NonZeroUsize::new(p.count("alpha")? as usize) {
        config.set_parallelism(alpha);
    }
    // Whoever sets a period wants the job. That a table of less than 20 looks around 500 ms after each new peer cannot be
    // turned off.
    if !p.flag("background")? {
        config
            .set_replication_interval(None)
            .set_publication_interval(None)
            .set_provider_publication_interval(None)
            .set_periodic_bootstrap_interval(None);
    }
    let mut expiry = p.object("expiry")?;
    for name in ["record", "provider", "republish", "reprovide", "refresh"] {
        if !expiry.0.contains_key(name) {
            continue;
        }
        let param = format!("expiry.{name}");
        let ms = expiry.count(name).map_err(|_| bad_param(&param, "expected a time"))?;
        if ms == 0 {
            return Err(bad_param(&param, "0 ms: expected a positive time"));
        }
        let period = Some(Duration::from_millis(ms));
        match name {
            "record" => config.set_record_ttl(period),
            "provider" => config.set_provider_record_ttl(period),
            // One job does both: it runs at the replication interval, and at the other one publishes the own.
            "republish" => config.set_replication_interval(period).set_publication_interval(period),
            "reprovide" => config.set_provider_publication_interval(period),
            _ => config.set_periodic_bootstrap_interval(period),
        };
    }
    expiry.end("expiry.")?;
    Ok(config)
}

impl Node {
    /// Starts listening; the addresses are those where it can be dialled.
    pub async fn start(s: Settings) -> Result<(Node, Vec<Multiaddr>), Failure> {
        let other = |e: &dyn std::fmt::Display| failed("other", true, e);
        let key = Keypair::ed25519_from_bytes(s.seed).map_err(|e| bad_param("seed", e))?;
        let me = key.public().to_peer_id();
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), (tls::Config::new, noise::Config::new), yamux::Config::default)
            .map_err(|e| other(&e))?
            .with_quic()
            .with_behaviour(|key| Behaviour {
                kad: kad::Behaviour::with_config(me, MemoryStore::new(me), s.config),
                identify: identify::Behaviour::new(identify::Config::new("ipfs/0.1.0".into(), key.public())),
                ping: ping::Behaviour::default(),
            })
            .map_err(|e| other(&e))?
            .with_swarm_config(|c| c.with_idle_connection_timeout(IDLE))
            .build();
        swarm.behaviour_mut().kad.set_mode(Some(s.mode));

        let mut waiting = HashSet::new();
        for addr in s.listen {
            waiting.insert(swarm.listen_on(addr).map_err(|e| bad_param("listen", e))?);
        }
        let mut addrs = Vec::new();
        while !waiting.is_empty() {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, address } => {
                    waiting.remove(&listener_id);
                    // What it announces as a provider are its external addresses alone.
                    swarm.add_external_address(address.clone());
                    addrs.push(address.with_p2p(me).map_err(|e| other(&e))?);
                }
                SwarmEvent::ListenerClosed { reason, .. } => return Err(bad_param("listen", format!("{reason:?}"))),
                _ => {}
            }
        }
        Ok((Node { swarm, protocol: s.protocol }, addrs))
    }

    pub fn kad(&mut self) -> &mut kad::Behaviour<MemoryStore> {
        &mut self.swarm.behaviour_mut().kad
    }

    /// libp2p-kad learns addresses from its own answers only: what identify tells of a server, the program hands on.
    pub fn identified(&mut self, peer: &PeerId, info: identify::Info) {
        if info.protocols.contains(&self.protocol) {
            for addr in info.listen_addrs {
                self.kad().add_address(peer, addr);
            }
        }
    }
}

/// The next event of the swarm; none comes while there is no node.
pub async fn next_event(node: &mut Option<Node>) -> SwarmEvent<BehaviourEvent> {
    match node {
        Some(node) => node.swarm.select_next_some().await,
        None => std::future::pending().await,
    }
}
