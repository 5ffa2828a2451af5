//! Two programs with a node each, on loopback: what an operation reports must be what happened.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

struct Program {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn new() -> Program {
        let mut process = Command::new(env!("CARGO_BIN_EXE_kadbench-rust-libp2p"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Program { process, input, output }
    }

    /// The whole answer to a request; one is under way at a time.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params});
        writeln!(self.input.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("an answer");
        assert_eq!(answer["id"], method);
        answer
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    fn end(mut self) -> Option<i32> {
        self.input = None;
        self.process.wait().unwrap().code()
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn two_nodes() {
    let (mut a, mut b) = (Program::new(), Program::new());
    let start = |seed: u8| json!({"seed": text([seed; 32]), "mode": "server", "protocol": "/test/kad/1.0.0"});
    let (on_a, on_b) = (a.call("start", start(1)), b.call("start", start(2)));
    let (id_a, id_b) = (on_a["peer"].clone(), on_b["peer"].clone());

    assert_eq!(a.call("connect", json!({"addr": on_b["addrs"][0]})), json!({"peer": id_b}));
    assert_eq!(a.call("add_address", json!({"peer": id_b, "addr": on_b["addrs"][0]})), json!({"update": "success"}));
    assert_eq!(b.call("add_address", json!({"peer": id_a, "addr": on_a["addrs"][0]})), json!({"update": "success"}));
    assert_eq!(a.call("table", json!({})), json!({"peers": [id_b]}));
    assert_eq!(a.call("bootstrap", json!({})), json!({}));
    assert_eq!(a.call("get_closest_peers", json!({"key": text("key")}))["peers"][0]["peer"], id_b);
    assert_eq!(a.ask("get_closest_peers", json!({"key": text("key"), "n": 21}))["error"]["data"]["param"], "n");

    let key = text("/v/colour");
    let record = json!({"key": key, "value": text("blue")});
    assert_eq!(a.call("put_record", record)["stored"], json!([id_b]));
    let missed = a.ask("put_record", json!({"key": key, "value": text("blue"), "quorum": 2}));
    assert_eq!(missed["error"]["data"], json!({"kind": "quorum", "certain": false}));
    let got = b.call("get_record", json!({"key": key}));
    assert_eq!(got["value"], text("blue"));
    assert_eq!(got["records"], json!([{"peer": null, "value": text("blue")}, {"peer": id_a, "value": text("blue")}]));
    // Two values are known now, and libp2p-kad chooses none.
    assert_eq!(b.call("put_record", json!({"key": key, "value": text("red"), "to": [id_a]}))["stored"], json!([id_a]));
    assert_eq!(b.call("get_record", json!({"key": key}))["value"], json!(null));
    assert_eq!(a.ask("get_record", json!({"key": text("/v/lost")}))["error"]["data"]["kind"], "not_found");

    let content = text([&[0x12, 32], [7; 32].as_slice()].concat());
    assert_eq!(a.call("start_providing", json!({"key": content}))["announced"], json!(null));
    assert_eq!(b.call("get_providers", json!({"key": content}))["providers"][0]["peer"], id_a);

    assert_eq!(a.call("remove_address", json!({"peer": id_b, "addr": "/ip4/127.0.0.1/tcp/9"})), json!({"removed": false}));
    assert_eq!(a.call("remove_peer", json!({"peer": id_b})), json!({"removed": true}));
    assert_eq!(a.call("remove_peer", json!({"peer": id_b})), json!({"removed": false}));
    assert_eq!(a.call("stop", json!({})), json!({}));
    assert_eq!(a.ask("table", json!({}))["error"]["code"], -32000);
    assert_eq!((a.end(), b.end()), (Some(0), Some(0)));
}
