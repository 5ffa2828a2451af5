package ground

// Mem is a network in memory (go-libp2p's mocknet) which all instances of a run in one process share.
type Mem struct{}
