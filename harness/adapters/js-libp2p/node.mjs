// One js-libp2p node with a kad-dht; it may be started and stopped again and again.
import { readFileSync } from 'node:fs'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { ipnsSelector } from 'ipns/selector'
import { ipnsValidator } from 'ipns/validator'
import { createLibp2p } from 'libp2p'
import { badParam, bytes, count, failed, flag, manyOf, oneOf, optional, read, text } from './channel.mjs'

export const version = JSON.parse(readFileSync(new URL('./node_modules/@libp2p/kad-dht/package.json', import.meta.url))).version
export const literal = '/ipfs/kad/1.0.0'

// QUIC is a native module; where none was built for this machine, the transport is not offered.
const quic = await import('@chainsafe/libp2p-quic').then(module => module.quic, () => undefined)

// never is the longest time of a timer, 24.8 days: what runs by itself has no switch, only periods.
const never = 2 ** 31 - 1
const many = 100_000

const day = 24 * 60 * 60 * 1000
// How long kad-dht keeps a provider, when not told: PROVIDERS_VALIDITY in its constants.
const providerValidity = 2 * day

const period = optional((value, name) => {
  if (count(value, name) === 0) {
    throw badParam(name, '0 ms: expected a positive time')
  }
  return value
})

/** The parameters of start. */
const settings = {
  seed: (value, name) => {
    const seed = bytes(value, name)
    if (seed.length !== 32) {
      throw badParam(name, `${seed.length} bytes: expected 32`)
    }
    return seed
  },
  mode: oneOf('server', 'client'),
  protocol: optional(text, literal),
  k: optional(count), // 0 is as good as absent
  alpha: optional(count),
  listen: optional(text, '/ip4/127.0.0.1'),
  transports: optional(manyOf('tcp', ...(quic ? ['quic'] : [])), ['tcp']),
  namespaces: optional(manyOf('v', 'pk', 'ipns'), []),
  filter: optional(oneOf('none', 'public'), 'none'),
  background: optional(flag, false),
  expiry: optional((value, name) => {
    if (typeof value !== 'object') {
      throw badParam(name, 'expected an object')
    }
    const named = read(
      Object.fromEntries(Object.entries(value).map(([which, ms]) => [`expiry.${which}`, ms])),
      { 'expiry.provider': period, 'expiry.reprovide': period }
    )
    return { provider: named['expiry.provider'], reprovide: named['expiry.reprovide'] }
  }, {})
}

/** options are what hello says of start. */
export const options = [
  'protocol', 'k', 'alpha', 'listen', 'transports.tcp', ...(quic ? ['transports.quic'] : []), 'namespaces.pk', 'namespaces.ipns',
  'namespaces.v', 'filter.none', 'filter.public', 'background', 'expiry.provider', 'expiry.reprovide'
]

// The namespace v of every adapter: valid begins with "ok ", best is the greatest by bytes.
const validateV = (_key, value) => {
  if (!Buffer.from(value).subarray(0, 3).equals(Buffer.from('ok '))) {
    throw new Error('a value of namespace v begins with "ok "')
  }
}
const selectV = (_key, values) => values.reduce((best, value, i) => Buffer.compare(value, values[best]) > 0 ? i : best, 0)

/** The settings of kad-dht. No limit is on that a test of many streams would meet before the protocol's own. */
function dhtSettings (p) {
  const { provider = providerValidity, reprovide } = p.expiry
  if (reprovide > provider) {
    throw badParam('expiry.reprovide', `${reprovide} ms: a provider record is renewed before it expires, after ${provider} ms`)
  }
  const periods = [p.expiry.provider, reprovide].filter(ms => ms !== undefined)
  return {
    protocol: p.protocol,
    clientMode: p.mode === 'client',
    ...(p.k > 0 && { kBucketSize: p.k }),
    ...(p.alpha > 0 && { alpha: p.alpha }),
    validators: { ipns: ipnsValidator, ...(p.namespaces.includes('v') && { v: validateV }) },
    selectors: { ipns: ipnsSelector, ...(p.namespaces.includes('v') && { v: selectV }) },
    peerInfoMapper: p.filter === 'public' ? removePrivateAddressesMapper : passthroughMapper,
    allowQueryWithZeroPeers: true,
    maxInboundStreams: many,
    maxOutboundStreams: many,
    ...(!p.background && { initialQuerySelfInterval: never, querySelfInterval: never }),
    // One job sweeps what has expired and renews what soon will: eight times in the shortest period keep it near.
    reprovide: {
      validity: provider,
      ...(reprovide !== undefined
        ? { threshold: provider - reprovide }
        : !p.background || provider < day ? { threshold: 0 } : {}),
      ...(periods.length > 0
        ? { interval: Math.max(1, Math.floor(Math.min(...periods) / 8)) }
        : !p.background ? { interval: never } : {})
    }
  }
}

export class Node {
  /** running is the started node: {libp2p, dht, identified, ended}, or undefined. */
  running
  #busy = false

  async start (params) {
    const p = read(params, settings)
    const dht = dhtSettings(p)
    if (this.running || this.#busy) {
      throw failed('other', true, 'started already')
    }
    this.#busy = true
    try {
      this.running = await startNode(p, dht)
    } finally {
      this.#busy = false
    }
    const { libp2p } = this.running
    return { peer: libp2p.peerId.toString(), addrs: libp2p.getMultiaddrs().map(String) }
  }

  async stop () {
    const { libp2p, ended } = this.running ?? {}
    this.running = undefined
    ended?.abort()
    await libp2p?.stop()
  }
}

async function startNode (p, dhtOptions) {
  const over = { tcp: [tcp, 'tcp/0'], quic: [quic, 'udp/0/quic-v1'] }
  const wanted = [...new Set(p.transports)].map(name => over[name])
  const libp2p = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', p.seed),
    addresses: { listen: wanted.map(([, port]) => `${p.listen}/${port}`) },
    transports: wanted.map(([make]) => make()),
    connectionEncrypters: [noise(), tls()],
    streamMuxers: [yamux({ maxInboundStreams: many, maxOutboundStreams: many })],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { inboundConnectionThreshold: many, maxIncomingPendingConnections: many, maxConnections: many },
    connectionMonitor: { enabled: p.background },
    services: {
      identify: identify(),
      ping: ping({ maxInboundStreams: many, maxOutboundStreams: many }),
      dht: kadDHT(dhtOptions)
    }
  }).catch(err => { throw badParam('listen', err.message) })

  // connect waits for identify: the ids of the connections that have been.
  const identified = new Set()
  libp2p.addEventListener('peer:identify', ({ detail }) => identified.add(detail.connection.id))
  libp2p.addEventListener('connection:close', ({ detail }) => identified.delete(detail.id))
  try {
    await libp2p.start()
    await knowsItself(libp2p)
  } catch (err) {
    await libp2p.stop()
    throw badParam('listen', err.message)
  }
  return { libp2p, dht: libp2p.services.dht, identified, ended: new AbortController(), background: p.background }
}

/** knowsItself waits until a node has its own addresses in its peer store, a second after its start: kad-dht tells them from there. */
async function knowsItself ({ peerStore, peerId }) {
  const own = () => peerStore.getInfo(peerId).then(({ multiaddrs }) => multiaddrs.length > 0, () => false)
  for (const until = Date.now() + 5000; !await own() && Date.now() < until;) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/**
 * refresh looks for peers of each bucket. kad-dht does not tell when that has ended, but sets its timer for the next time
 * then; without background there is no next time.
 */
export async function refresh ({ dht, background, ended }) {
  const job = dht.routingTableRefresh
  job.refreshTimeoutId = undefined
  await dht.refreshRoutingTable()
  while (job.refreshTimeoutId === undefined && !ended.signal.aborted) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  if (!background) {
    job.stop()
  }
}
