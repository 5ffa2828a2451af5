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

// perNode is what an idle node takes beside its table: its core, an empty store, what the world knows of it, its slot, id,
// address and place in the map of the directory (220 bytes), its places in the indexes.
const perNode = uint64(unsafe.Sizeof(kad.Kademlia{})+unsafe.Sizeof(kad.MemoryStore{})+unsafe.Sizeof(node{})+2*unsafe.Sizeof(indexed{})+8) + 220

// Memory is how many bytes a world will take at the peak, as far as can be told beforehand: a table of 16 bytes for each of
// K·log2(N/K) peers and the rest of the near buckets, the nodes, and what the garbage collector has not given back. Lookups
// and messages under way come to it, by 1 KB for each operation that runs; records do, where a load stores many.
func (c Config) Memory() uint64 {
	k := c.kademlia(kad.ModeServer)
	size := k.BucketSize
	if size == 0 {
		size = k.K
	}
	n := uint64(max(c.Nodes, 1))
	entries := uint64(0) // of one table
	for left := n / 2; left > 0; left /= 2 {
		entries += min(left, uint64(size))
	}
	table := 16*entries + 2*uint64(bits.Len64(n))
	if c.Tables == Grown {
		table += table / 4 // slabs that grew by appending have room to spare
	}
	return n * (table + perNode) * 5 / 4
}
