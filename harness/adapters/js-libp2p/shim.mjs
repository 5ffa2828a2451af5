// What libp2p expects of node 22 and node 20 lacks. It must be the first import of the program; a newer node has it, and
// keeps its own.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((yes, no) => { [resolve, reject] = [yes, no] })
  return { promise, resolve, reject }
}
