//! The adapter of rust-libp2p's libp2p-kad: the implementation as a program that speaks the control protocol
//! (docs/control-protocol.md) on stdin and stdout. One task does all: it takes a line, or an event of the swarm.

mod adapter;
mod channel;
mod methods;
mod node;
mod params;
mod results;

use adapter::Adapter;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut lines = channel::lines();
    let mut adapter = Adapter::default();
    loop {
        let deadline = adapter.next_deadline();
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => adapter.take(&line).await,
                None => break,
            },
            event = node::next_event(&mut adapter.node) => adapter.on_event(event),
            _ = tokio::time::sleep_until(deadline) => adapter.on_deadline(),
        }
    }
    // The reader and the swarm's tasks end with the process.
    std::process::exit(0);
}
