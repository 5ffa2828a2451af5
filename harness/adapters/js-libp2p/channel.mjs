// The control protocol itself: requests in, answers out, JSON-RPC 2.0 with one object a line. Nothing here knows libp2p.

// The longest line that we read: a value of 4 MiB in base64, and room.
const lineLimit = 16 << 20

/** An error that is answered: code, message and data of JSON-RPC. */
export class Failure extends Error {
  constructor (code, message, data) {
    super(message)
    this.answer = { code, message, ...(data && { data }) }
  }
}

/** badParam is the answer to a parameter that we cannot honour. */
export const badParam = (param, why) => new Failure(-32602, `${param}: ${why}`, { param })

/** failed is the answer of an operation; certain is false when it may have taken effect. */
export const failed = (kind, certain, message) => new Failure(-32000, message, { kind, certain })

/** readLines calls onLine with each line of a stream, and ends with it. The last line may lack its end. */
export async function readLines (stream, onLine) {
  let parts = []
  let size = 0
  const add = part => {
    parts.push(part)
    size += part.length
    if (size > lineLimit) {
      throw new Error(`a line of more than ${lineLimit} bytes`)
    }
  }
  const end = () => {
    const line = Buffer.concat(parts).toString('utf8').trim()
    parts = []
    size = 0
    if (line !== '') {
      onLine(line)
    }
  }
  for await (const chunk of stream) {
    let from = 0
    for (let at; (at = chunk.indexOf(10, from)) >= 0; from = at + 1) {
      add(chunk.subarray(from, at))
      end()
    }
    add(chunk.subarray(from))
  }
  end()
}

/** Channel answers each request when its method has ended; they run side by side. */
export class Channel {
  #methods
  #write
  #running = new Map() // an AbortController for each request, by its id in JSON

  /** methods: name to async (params, signal) => result. write takes an answer with its newline. */
  constructor (methods, write) {
    this.#methods = methods
    this.#write = write
  }

  /** take carries out one line; it returns when the answer is written. */
  async take (line) {
    let request
    try {
      request = JSON.parse(line)
    } catch (err) {
      return this.#answer(null, { error: { code: -32700, message: `not JSON: ${err.message}` } })
    }
    const { jsonrpc, id, method, params } = Object(request)
    if (jsonrpc !== '2.0' || typeof method !== 'string' || (typeof id !== 'string' && typeof id !== 'number')) {
      const message = 'expected {"jsonrpc":"2.0","id":…,"method":"…","params":{…}}'
      return this.#answer(id ?? null, { error: { code: -32600, message } })
    }
    try {
      this.#answer(id, { result: await this.#call(id, method, params) })
    } catch (err) {
      this.#answer(id, { error: (err instanceof Failure ? err : failed('other', false, String(err?.message ?? err))).answer })
    }
  }

  async #call (id, method, params) {
    if (method === 'cancel') {
      const { id: which } = read(params, { id: value => value })
      this.#running.get(JSON.stringify(which))?.abort()
      return {}
    }
    if (!Object.hasOwn(this.#methods, method)) {
      throw new Failure(-32601, `unknown method ${method}`)
    }
    const name = JSON.stringify(id)
    const controller = new AbortController()
    this.#running.set(name, controller)
    try {
      return await this.#methods[method](params, controller.signal)
    } finally {
      this.#running.delete(name)
    }
  }

  #answer (id, rest) {
    this.#write(JSON.stringify({ jsonrpc: '2.0', id, ...rest }) + '\n')
  }

  cancelAll () {
    this.#running.forEach(controller => controller.abort())
  }
}

/**
 * read takes a method's parameters. Each of spec's readers gets (value, name), and the value is undefined when it is
 * absent; a parameter without a reader is refused by name, never ignored.
 */
export function read (params, spec) {
  params ??= {}
  if (typeof params !== 'object' || Array.isArray(params)) {
    throw badParam('params', 'expected an object')
  }
  for (const name of Object.keys(params)) {
    if (!Object.hasOwn(spec, name)) {
      throw badParam(name, 'not honoured')
    }
  }
  return Object.fromEntries(Object.entries(spec).map(([name, reader]) => [name, reader(params[name], name)]))
}

/** The readers: each throws badParam for what is not as it should be. */
export const bytes = (value, name) => {
  if (typeof value !== 'string' || !/^[\w-]*$/.test(value) || value.length % 4 === 1) {
    throw badParam(name, `${JSON.stringify(value)?.slice(0, 60)}: expected unpadded base64url`)
  }
  return new Uint8Array(Buffer.from(value, 'base64url'))
}
export const count = (value, name) => {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw badParam(name, `${value}: expected a number that is not negative`)
  }
  return value
}
export const oneOf = (...allowed) => (value, name) => {
  if (!allowed.includes(value)) {
    throw badParam(name, `${JSON.stringify(value)}: expected ${allowed.join(' or ')}`)
  }
  return value
}
export const manyOf = (...allowed) => (value, name) => {
  if (!Array.isArray(value)) {
    throw badParam(name, 'expected a list')
  }
  return value.map(one => oneOf(...allowed)(one, name))
}
export const flag = oneOf(true, false)
export const text = (value, name) => {
  if (typeof value !== 'string' || value === '') {
    throw badParam(name, 'expected a text')
  }
  return value
}
/** optional lets a parameter be absent. */
export const optional = (reader, otherwise) => (value, name) => value === undefined ? otherwise : reader(value, name)
/** parsed reads a text by a function of the library. */
export const parsed = parse => (value, name) => {
  try {
    return parse(text(value, name))
  } catch (err) {
    throw badParam(name, err.message)
  }
}
/** base64url is the way of bytes to the other side. */
export const base64url = value => Buffer.from(value).toString('base64url')
