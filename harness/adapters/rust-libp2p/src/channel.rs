//! The control protocol itself: requests in, answers out, JSON-RPC 2.0 with one object a line. Nothing here knows libp2p.

use std::io::{BufRead, Read, Write};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

/// The longest line that we read: a value of 4 MiB in base64, and room.
const LINE_LIMIT: u64 = 16 << 20;

/// An error that is answered: code, message and data of JSON-RPC.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub code: i32,
    pub message: String,
    pub data: Value,
}

pub type Answer = Result<Value, Failure>;

/// The answer to a parameter that we cannot honour.
pub fn bad_param(param: &str, why: impl std::fmt::Display) -> Failure {
    Failure { code: -32602, message: format!("{param}: {why}"), data: json!({"param": param}) }
}

/// The answer of an operation that failed; `certain` is false when it may have taken effect.
pub fn failed(kind: &str, certain: bool, why: impl std::fmt::Display) -> Failure {
    Failure { code: -32000, message: why.to_string(), data: json!({"kind": kind, "certain": certain}) }
}

pub fn unknown_method(method: &str) -> Failure {
    Failure { code: -32601, message: format!("unknown method {method}"), data: Value::Null }
}

pub struct Request {
    pub id: Value,
    pub method: String,
    pub params: Map<String, Value>,
}

/// Reads one line; an error is an answer, and the id it is for.
pub fn parse(line: &[u8]) -> Result<Request, (Value, Failure)> {
    let malformed = |code, message: String| Failure { code, message, data: Value::Null };
    let mut value: Value =
        serde_json::from_slice(line).map_err(|e| (Value::Null, malformed(-32700, format!("not JSON: {e}"))))?;
    let id = value.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    match (id, value["jsonrpc"].as_str(), value["method"].as_str().map(String::from)) {
        (Some(id), Some("2.0"), Some(method)) => match value["params"].take() {
            Value::Object(params) => Ok(Request { id, method, params }),
            Value::Null => Ok(Request { id, method, params: Map::new() }),
            _ => Err((id, bad_param("params", "expected an object"))),
        },
        (id, ..) => {
            let message = r#"expected {"jsonrpc":"2.0","id":…,"method":"…","params":{…}}"#;
            Err((id.unwrap_or(Value::Null), malformed(-32600, message.into())))
        }
    }
}

/// Writes the answer to a request.
pub fn answer(id: &Value, answer: Answer) {
    let mut reply = json!({"jsonrpc": "2.0", "id": id});
    match answer {
        Ok(result) => reply["result"] = result,
        Err(f) => {
            reply["error"] = json!({"code": f.code, "message": f.message});
            if !f.data.is_null() {
                reply["error"]["data"] = f.data;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{reply}").and_then(|()| out.flush()); // nobody reads: stdin ends as well
}

/// The lines of stdin, which a thread of its own reads. They end with stdin, or with a line that is too long.
pub fn lines() -> mpsc::Receiver<Vec<u8>> {
    let (tx, rx) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line) {
                Ok(n) if n > 0 && n < LINE_LIMIT as usize => {}
                _ => return,
            }
            if !line.trim_ascii().is_empty() && tx.blocking_send(line).is_err() {
                return;
            }
        }
    });
    rx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_answered_by_its_code() {
        for (line, id, code) in [
            ("rubbish", json!(null), -32700),
            (r#"{"jsonrpc":"2.0","id":1,"#, json!(null), -32700),
            ("[]", json!(null), -32600),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1), -32600),
            (r#"{"id":"a","method":"x"}"#, json!("a"), -32600),
            (r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#, json!(null), -32600),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#, json!(1), -32602),
        ] {
            let (answered, failure) = parse(line.as_bytes()).err().expect(line);
            assert_eq!((answered, failure.code), (id, code), "{line}");
        }
    }

    #[test]
    fn a_request_keeps_its_id() {
        let request = parse(br#"{"jsonrpc":"2.0","id":"a-1","method":"x","params":{"n":1}}"#).ok().unwrap();
        assert_eq!((request.id, request.method, request.params.len()), (json!("a-1"), "x".into(), 1));
        assert!(parse(br#"{"jsonrpc":"2.0","id":7,"method":"x"}"#).ok().unwrap().params.is_empty());
    }
}
