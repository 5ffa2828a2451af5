package sim

import (
	"math/bits"
	"runtime"
	"unsafe"

	"github.com/kadbench/kadbench/kad"
)

// heap is how many bytes the program has in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const (
	// perGhost is what one who is never there takes: its places in the lists of cores, nodes and indexes, and its slot, id,
	// address and place in the map of the directory (220 bytes).
	perGhost = uint64(unsafe.Sizeof(kad.Kademlia{})+unsafe.Sizeof(node{})+unsafe.Sizeof(indexed{})+8) + 220
	// perNode is what an idle node takes beside its table: an empty store and a place in another index come to that.
	perNode = perGhost + uint64(unsafe.Sizeof(kad.MemoryStore{})+unsafe.Sizeof(indexed{}))
	// perQuery is the query of one who has just come and looks for itself: its candidates, 24 bytes each in a slice that grew
	// by doubling, and what it found.
	perQuery = 3000
	// perRequest is a message under way: in the slab, in the queue, in a parcel, each of which grew by doubling.
	perRequest = 500
	// joining is for how long a newcomer looks for itself.
	joining = 30 * kad.Second
)

// Memory is how many bytes a world will take at the peak, as far as can be told beforehand: the nodes; for those that are there
// at a time (all, or the share that churn leaves) a table of 16 bytes for each of K·log2(N/K) peers and the rest of the near
// buckets; for those that come at once a query and its requests; and what the garbage collector has not given back. What
// it leaves out: 1 KB for each operation that runs, and the records, where a load stores many.
func (c Config) Memory() uint64 {
	k := c.kademlia(kad.ModeServer)
	size := k.BucketSize
	if size == 0 {
		size = k.K
	}
	n := uint64(max(c.Nodes, 1))
	up := n
	if away := c.Churn.Away; c.Churn.Kind != NoChurn && c.Churn.Median > 0 {
		if away <= 0 {
			away = c.Churn.Median
		}
		hi, lo := bits.Mul64(n, uint64(c.Churn.Median))
		up, _ = bits.Div64(hi, lo, uint64(c.Churn.Median)+uint64(away))
	}
	entries := uint64(0) // of one table
	for left := up / 2; left > 0; left /= 2 {
		entries += min(left, uint64(size))
	}
	table := 16*entries + 2*uint64(bits.Len64(n))
	ghosts := uint64(0)
	for _, a := range c.Adversaries {
		if a.Kind == Liar {
			ghosts = uint64(ghostsOf(c.Nodes))
		}
	}
	idle := n*perNode + ghosts*perGhost
	if c.Tables == Ideal && c.Churn.Kind == NoChurn {
		return (idle + up*table) * 5 / 4 // all is made at first, and hardly anything is thrown away
	}
	table += table * 2 / 5 // tables that grew by appending have room to spare
	come := uint64(0)      // at once
	if c.Tables == Grown {
		come = up
		if g := c.Growth; g.First > 0 && g.Every > 0 {
			come = min(up, uint64(g.First)+uint64(max(g.Batch, 1))*uint64(joining/g.Every+1))
		}
	}
	return (idle + up*table + come*(perQuery+uint64(k.Alpha)*perRequest)) * 3 / 2 // the collector runs when half has been added
}
