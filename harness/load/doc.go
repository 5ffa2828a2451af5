// Package load will hold schedules: when each operation of a load is due, as data. A schedule is pure in its seed, so that
// the pacer of real sockets and the simulator drive the same load, and a latency is taken from the moment at which an
// operation was due. Nothing stands here yet; the language refuses the verbs that would need it.
package load
