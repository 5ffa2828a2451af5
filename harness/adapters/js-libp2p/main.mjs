// The adapter of js-libp2p's kad-dht: the implementation as a program that speaks the control protocol
// (docs/control-protocol.md) on stdin and stdout.
import './shim.mjs'
import { Channel, readLines } from './channel.mjs'
import { Node } from './node.mjs'
import { methods } from './methods.mjs'

// stdout is the channel's alone: whatever a library prints goes to stderr.
console.log = console.info = console.debug = console.error

const node = new Node()
const channel = new Channel(methods(node), line => process.stdout.write(line))
try {
  await readLines(process.stdin, line => channel.take(line))
} finally {
  channel.cancelAll()
  await node.stop()
}
process.exit(0)
