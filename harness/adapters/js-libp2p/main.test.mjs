// Two programs with a node each, on loopback: what an operation reports must be what happened.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

class Program {
  #waiting = new Map()
  #ids = 0

  constructor () {
    this.process = spawn(process.execPath, [fileURLToPath(new URL('./main.mjs', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.process.stdout }).on('line', line => {
      const { id, result, error } = JSON.parse(line)
      const { resolve, reject } = this.#waiting.get(id)
      error ? reject(Object.assign(new Error(error.message), error)) : resolve(result)
    })
  }

  call (method, params = {}) {
    const id = ++this.#ids
    this.process.stdin.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n')
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  async end () {
    this.process.stdin.end()
    const [code] = await once(this.process, 'exit')
    return code
  }
}

const base64url = value => Buffer.from(value).toString('base64url')
const seed = text => createHash('sha256').update(text).digest('base64url')

test('two nodes', { timeout: 60_000 }, async t => {
  const [a, b] = [new Program(), new Program()]
  t.after(() => [a, b].forEach(program => program.process.kill()))
  const start = { mode: 'server', namespaces: ['v'], protocol: '/test/kad/1.0.0' }
  const started = await Promise.all([a.call('start', { seed: seed('a'), ...start }), b.call('start', { seed: seed('b'), ...start })])
  const [idA, idB] = started.map(({ peer }) => peer)

  assert.deepEqual(await a.call('connect', { addr: started[1].addrs[0] }), { peer: idB })
  assert.deepEqual(await a.call('add_address', { peer: idB, addr: started[1].addrs[0] }), { update: 'success' })
  assert.deepEqual(await b.call('add_address', { peer: idA, addr: started[0].addrs[0] }), { update: 'success' })
  assert.deepEqual(await a.call('table'), { peers: [idB] })
  assert.deepEqual(await a.call('bootstrap'), {})

  const closest = await a.call('get_closest_peers', { key: base64url('key') })
  assert.deepEqual(closest.peers.map(({ peer }) => peer), [idB])
  assert.equal(closest.stats.requests, 1)

  const key = base64url('/v/colour')
  const put = await a.call('put_record', { key, value: base64url('ok blue') })
  assert.deepEqual(put.stored, [idB])
  const got = await b.call('get_record', { key })
  assert.deepEqual([got.value, got.records], [base64url('ok blue'),
    [{ peer: null, value: base64url('ok blue') }, { peer: idA, value: base64url('ok blue') }]])
  await assert.rejects(b.call('get_record', { key: base64url('/v/lost') }), { data: { kind: 'not_found', certain: true } })
  // b refuses what is not valid, so nobody stored it.
  assert.deepEqual((await a.call('put_record', { key, value: base64url('bad') })).stored, [])

  const content = Buffer.concat([Buffer.of(0x12, 32), createHash('sha256').update('content').digest()]).toString('base64url')
  assert.deepEqual((await a.call('start_providing', { key: content })).announced, [idB])
  const { providers } = await b.call('get_providers', { key: content })
  assert.deepEqual(providers.map(({ peer }) => peer), [idA])
  assert.deepEqual(await a.call('stop_providing', { key: content }), {})

  assert.equal((await a.call('find_peer', { peer: idB })).peer, idB)
  assert.deepEqual(await a.call('remove_peer', { peer: idB }), { removed: true })
  assert.deepEqual(await a.call('remove_peer', { peer: idB }), { removed: false })
  assert.deepEqual(await a.call('remove_address', { peer: idB, addr: '/ip4/127.0.0.1/tcp/9' }), { removed: false })
  assert.deepEqual(await a.call('stop'), {})
  await assert.rejects(a.call('table'), { code: -32000 })
  assert.deepEqual([await a.end(), await b.end()], [0, 0])
})
