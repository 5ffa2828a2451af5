//! What libp2p-kad reports, as results of the control protocol. Nothing is added, judged or left out here.

use libp2p::PeerId;
use libp2p_kad::{self as kad, PutRecordError, QueryStats};
use serde_json::{Value, json};

use crate::{
    channel::{Answer, failed},
    params::base64url,
};

/// libp2p-kad selects no best record: the value is the one that all records hold, or it cannot tell.
pub fn got(records: &[kad::PeerRecord]) -> Answer {
    let agreed = records.windows(2).all(|two| two[0].record.value == two[1].record.value);
    let value = if agreed { records.first().map(|r| base64url(&r.record.value)) } else { None };
    let all: Vec<_> =
        records.iter().map(|r| json!({"peer": r.peer.map(|p| p.to_string()), "value": base64url(&r.record.value)})).collect();
    Ok(json!({"value": value, "records": all}))
}

/// It tells who the providers are, and keeps their addresses to itself.
pub fn provided(found: &[PeerId]) -> Answer {
    let all: Vec<_> = found.iter().map(|p| json!({"peer": p.to_string(), "addrs": null})).collect();
    Ok(json!({"providers": all}))
}

/// Who stored is told only when the quorum was missed, or when all had to. Without a quorum in the request we ask for all,
/// and a record that some have stored is no failure then.
pub fn put(demanded: bool, to: &[PeerId], result: kad::PutRecordResult) -> Answer {
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

pub fn counts(stats: QueryStats) -> Value {
    json!({
        "requests": stats.num_requests(), "successes": stats.num_successes(), "failures": stats.num_failures(),
        "hops": null, "duration": stats.duration().map(|d| d.as_millis() as u64),
    })
}

pub fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(T::to_string).collect()
}
