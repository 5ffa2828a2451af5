import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { badParam, bytes, Channel, count, failed, manyOf, oneOf, optional, read, readLines } from './channel.mjs'

/** talk gives lines to a channel and returns its answers. */
async function talk (methods, ...lines) {
  const answers = []
  const channel = new Channel(methods, line => answers.push(JSON.parse(line)))
  await Promise.all(lines.map(line => channel.take(typeof line === 'string' ? line : JSON.stringify({ jsonrpc: '2.0', ...line }))))
  return answers
}

test('lines are put together from chunks, and the last may lack its end', async () => {
  const lines = []
  const text = '{"a":1}\r\n\n{"b":"é"}\n{"c":3}'
  await readLines(Readable.from([...Buffer.from(text)].map(byte => Buffer.of(byte))), line => lines.push(line))
  assert.deepEqual(lines, ['{"a":1}', '{"b":"é"}', '{"c":3}'])
})

test('a line that is too long ends the reading', async () => {
  const mebibyte = Buffer.alloc(1 << 20, 'x')
  await assert.rejects(readLines(Readable.from(Array(17).fill(mebibyte)), () => {}), /a line of more than 16777216 bytes/)
})

test('what is no request is answered by its code', async () => {
  const answers = await talk({}, 'rubbish', '[]', '{"jsonrpc":"2.0","id":1}', '{"id":1,"method":"x"}', { id: 'a', method: 'toString' })
  assert.deepEqual(answers.map(({ id, error }) => [id, error.code]).sort(),
    [[null, -32700], [null, -32600], [1, -32600], [1, -32600], ['a', -32601]].sort())
})

test('requests run side by side, and each is answered when it ends', async () => {
  const answered = []
  let release
  const methods = { slow: () => new Promise(resolve => { release = resolve }), fast: async () => ({}) }
  const channel = new Channel(methods, line => answered.push(JSON.parse(line).id))
  const slow = channel.take('{"jsonrpc":"2.0","id":1,"method":"slow"}')
  await channel.take('{"jsonrpc":"2.0","id":2,"method":"fast"}')
  assert.deepEqual(answered, [2])
  release({})
  await slow
  assert.deepEqual(answered, [2, 1])
})

test('cancel ends the request that it names, a number or a text', async () => {
  const wait = (_params, signal) => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(failed('cancelled', false, 'cancelled')))
  })
  const answers = await talk({ wait }, { id: 1, method: 'wait' }, { id: '1', method: 'wait' },
    { id: 2, method: 'cancel', params: { id: 1 } }, { id: 3, method: 'cancel', params: { id: '1' } },
    { id: 4, method: 'cancel', params: { id: 99 } })
  const kinds = new Map(answers.map(({ id, error }) => [id, error?.data.kind]))
  assert.deepEqual(kinds, new Map([[1, 'cancelled'], ['1', 'cancelled'], [2, undefined], [3, undefined], [4, undefined]]))
})

test('an error without a kind is other, and may have taken effect', async () => {
  const [{ error }] = await talk({ broken: async () => { throw new Error('out of order') } }, { id: 1, method: 'broken' })
  assert.deepEqual(error, { code: -32000, message: 'out of order', data: { kind: 'other', certain: false } })
})

test('parameters are read or refused by name', () => {
  const spec = { key: bytes, n: optional(count, 7), mode: optional(oneOf('a', 'b')), many: optional(manyOf('a', 'b'), []) }
  assert.deepEqual(read({ key: 'AQI' }, spec), { key: Uint8Array.of(1, 2), n: 7, mode: undefined, many: [] })
  for (const [param, params] of [
    ['params', [1]], ['colour', { key: '', colour: 'red' }], ['key', {}], ['key', { key: 'AQI=' }], ['key', { key: 'A' }], ['key', { key: 3 }],
    ['n', { key: '', n: -1 }], ['n', { key: '', n: 1.5 }], ['mode', { key: '', mode: 'c' }], ['many', { key: '', many: ['a', 'c'] }],
    ['many', { key: '', many: 'a' }]
  ]) {
    assert.throws(() => read(params, spec), ({ answer }) => answer.code === -32602 && answer.data.param === param, JSON.stringify(params))
  }
  assert.deepEqual(badParam('n', 'why').answer, { code: -32602, message: 'n: why', data: { param: 'n' } })
})
