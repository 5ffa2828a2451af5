// The methods of the control protocol, each by what kad-dht has for it. What it reports is passed on: nothing is added,
// judged or left out here.
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as digest from 'multiformats/hashes/digest'
import { badParam, base64url, bytes, count, Failure, failed, oneOf, optional, parsed, read } from './channel.mjs'
import { literal, options, refresh, version } from './node.mjs'

// identifyTimeout bounds connect's wait for a peer that never says who it is; kad-dht does without, so this is no error.
const identifyTimeout = 5000

const key = bytes
const peer = parsed(peerIdFromString)
const addr = parsed(multiaddr)
// A provider's key is a multihash; this library wants a CID.
const content = (value, name) => {
  const hash = bytes(value, name)
  try {
    return CID.createV1(raw.code, digest.decode(hash))
  } catch (err) {
    throw badParam(name, `expected a multihash: ${err.message}`)
  }
}

// kad-dht ends a query after this time, DEFAULT_QUERY_TIMEOUT in its constants, but only one that brings no signal.
const queryTimeout = 180_000

// The kind of an error, by the name that libp2p gave it.
const kinds = { NotFoundError: 'not_found', TimeoutError: 'timeout' }

/** operation is a method that needs a started node; it ends when it is cancelled, even if the library goes on. */
const operation = (node, spec, run) => async (params, cancelled) => {
  const p = read(params, spec)
  const now = node.running
  if (now === undefined) {
    throw failed('other', true, 'not started')
  }
  const signal = AbortSignal.any([cancelled, now.ended.signal])
  const late = AbortSignal.timeout(queryTimeout)
  const end = new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(failed('cancelled', false, 'cancelled')), { once: true })
  })
  try {
    return await Promise.race([run(now, p, AbortSignal.any([signal, late])), end])
  } catch (err) {
    if (signal.aborted) {
      throw failed('cancelled', false, 'cancelled')
    }
    if (late.aborted) {
      throw failed('timeout', false, `${err.name}: ${err.message}`)
    }
    throw err instanceof Failure ? err : failed(kinds[err.name] ?? 'other', err.name === 'NotFoundError', `${err.name}: ${err.message}`)
  }
}

/** asked counts what a query reports of its requests; what the own store has is reported as an answer of oneself. */
function asked ({ libp2p }) {
  const stats = { requests: 0, successes: 0, failures: null, hops: null, duration: null }
  const take = event => {
    stats.requests += event.name === 'SEND_QUERY' ? 1 : 0
    stats.successes += event.name === 'PEER_RESPONSE' && !libp2p.peerId.equals(event.from) ? 1 : 0
  }
  return { stats, take }
}

/** withAddrs is a peer of a result; kad-dht leaves out the addresses of those it knew before, which are in the peer store. */
async function withAddrs ({ libp2p }, { id, multiaddrs }) {
  if (multiaddrs.length === 0) {
    multiaddrs = (await libp2p.peerStore.getInfo(id).catch(() => ({ multiaddrs }))).multiaddrs
  }
  return { peer: id.toString(), addrs: multiaddrs.map(String) }
}

export function methods (node) {
  const all = {
    hello: async params => {
      read(params, { version: oneOf(1) })
      return {
        name: 'js-libp2p',
        version,
        language: 'js',
        protocols: [literal],
        methods: ['cancel', ...Object.keys(all)].sort(),
        options: [...options, 'get_providers.limit']
      }
    },
    start: params => node.start(params),
    stop: async params => {
      read(params, {})
      await node.stop()
      return {}
    },

    connect: operation(node, { addr }, async ({ libp2p, identified }, { addr }, signal) => {
      const connection = await libp2p.dial(addr, { signal })
      for (const until = Date.now() + identifyTimeout; !identified.has(connection.id) && Date.now() < until;) {
        signal.throwIfAborted()
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      return { peer: connection.remotePeer.toString() }
    }),

    add_address: operation(node, { peer, addr }, async ({ libp2p, dht }, { peer, addr }, signal) => {
      await libp2p.peerStore.merge(peer, { multiaddrs: [addr] })
      await dht.routingTable.add(peer, { signal }) // asks the peer for a ping first
      return { update: await dht.routingTable.find(peer) === undefined ? 'failed' : 'success' }
    }),

    remove_address: operation(node, { peer, addr }, async ({ libp2p }, { peer, addr }) => {
      const { addresses } = await libp2p.peerStore.get(peer).catch(() => ({ addresses: [] }))
      const rest = addresses.filter(({ multiaddr }) => !multiaddr.equals(addr))
      if (rest.length === addresses.length) {
        return { removed: false }
      }
      await libp2p.peerStore.patch(peer, { addresses: rest })
      return { removed: true }
    }),

    remove_peer: operation(node, { peer }, async ({ dht }, { peer }) => {
      const had = await dht.routingTable.find(peer) !== undefined
      await dht.routingTable.remove(peer)
      return { removed: had }
    }),

    // kad-dht has two jobs for it, the lookup of itself and the refresh of the buckets.
    bootstrap: operation(node, {}, async now => {
      await now.dht.querySelf.querySelf()
      await refresh(now)
      return {}
    }),

    table: operation(node, {}, async ({ dht }) => ({
      peers: [...dht.routingTable.kb.toIterable()].map(({ peerId }) => peerId.toString())
    })),

    get_closest_peers: operation(node, { key }, async (now, { key }, signal) => {
      const { stats, take } = asked(now)
      const peers = []
      for await (const event of now.dht.getClosestPeers(key, { signal })) {
        take(event)
        if (event.name === 'FINAL_PEER') {
          peers.push(await withAddrs(now, event.peer))
        }
      }
      return { peers, stats }
    }),

    find_peer: operation(node, { peer }, async (now, { peer }, signal) => {
      const { stats, take } = asked(now)
      for await (const event of now.dht.findPeer(peer, { signal })) {
        take(event)
        if (event.name === 'FINAL_PEER') {
          return { ...await withAddrs(now, event.peer), stats }
        }
      }
      throw failed('not_found', true, 'no answer named the peer')
    }),

    // An answer without the record that was sent is followed by an error of the same peer.
    put_record: operation(node, { key, value: bytes }, async (now, { key, value }, signal) => {
      const { stats, take } = asked(now)
      const stored = new Set()
      for await (const event of now.dht.put(key, value, { signal })) {
        take(event)
        if (event.name === 'PEER_RESPONSE' && event.messageType === 'PUT_VALUE') {
          stored.add(event.from.toString())
        } else if (event.name === 'QUERY_ERROR') {
          stored.delete(event.from.toString())
        }
      }
      return { stored: [...stored], stats }
    }),

    // The last VALUE is the best; of those before it, kad-dht tells only in the answers that it has found valid. There is
    // no quorum, the lookup goes on to its end.
    get_record: operation(node, { key }, async (now, { key }, signal) => {
      const { stats, take } = asked(now)
      const own = await now.dht.contentFetching.getLocal(key).catch(() => undefined)
      const records = own === undefined ? [] : [{ peer: null, value: base64url(own.value) }]
      let value
      for await (const event of now.dht.get(key, { signal })) {
        take(event)
        if (event.name === 'PEER_RESPONSE' && event.messageType === 'GET_VALUE' && event.record !== undefined) {
          records.push({ peer: event.from.toString(), value: base64url(event.record.value) })
        } else if (event.name === 'VALUE') {
          value = base64url(event.value)
        }
      }
      if (value === undefined) {
        throw failed('not_found', true, 'no valid value was found')
      }
      return { value, records, stats }
    }),

    start_providing: operation(node, { key: content }, async (now, { key }, signal) => {
      const { stats, take } = asked(now)
      const announced = new Set()
      for await (const event of now.dht.provide(key, { signal })) {
        take(event)
        if (event.name === 'PEER_RESPONSE' && event.messageType === 'ADD_PROVIDER') {
          announced.add(event.from.toString())
        }
      }
      return { announced: [...announced], stats }
    }),

    stop_providing: operation(node, { key: content }, async ({ dht }, { key }) => {
      await dht.cancelReprovide(key)
      return {}
    }),

    // Whoever has enough leaves the loop, which ends the lookup; kad-dht itself ends it with k.
    get_providers: operation(node, { key: content, limit: optional(count, 0) }, async (now, { key, limit }, signal) => {
      const { stats, take } = asked(now)
      const providers = []
      for await (const event of now.dht.findProviders(key, { signal })) {
        take(event)
        if (event.name === 'PROVIDER') {
          for (const found of event.providers) {
            providers.push(await withAddrs(now, found))
          }
          if (limit > 0 && providers.length >= limit) {
            providers.length = limit
            break
          }
        }
      }
      return { providers, stats }
    }),

    set_mode: operation(node, { mode: oneOf('server', 'client') }, async ({ dht }, { mode }) => {
      await dht.setMode(mode)
      return {}
    })
  }
  return all
}
