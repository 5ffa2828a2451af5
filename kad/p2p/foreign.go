package p2p

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"fmt"
	"maps"
	"sync"

	record "github.com/libp2p/go-libp2p-record"

	"github.com/kadbench/kadbench/kad"
)

// Foreign makes a Validator of one of go-libp2p's, which has no ranks but chooses among values. It remembers the values of a
// key that it has seen, in the order that Select puts them in, and gives each a rank between those of its neighbours. Values
// that Select does not tell apart are ordered by their bytes, so that the best of several is the same in whichever order
// they come. A Select that contradicts itself gives some order, and each value still one rank.
//
// A node asks with a memory of its own, into which it puts what its store holds before each new value: so what is forgotten
// is never what the newcomer is compared with.
func Foreign(v record.Validator) kad.Validator { return newForeign(v, nil) }

// withMemory gives each foreign validator of a configuration, which other nodes may share, a memory of this node's own.
func (n *Node) withMemory(validators namespaces) namespaces {
	own := maps.Clone(validators)
	for ns, v := range own {
		if f, ok := v.(*foreign); ok {
			own[ns] = newForeign(f.v, n.heldRecord)
		}
	}
	return own
}

func (n *Node) heldRecord(key []byte) (kad.StoredRecord, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.core.Store().Get(key)
}

const (
	// foreignVersions of one key are remembered: more than are ever in flight at once from honest peers.
	foreignVersions = 64
	// foreignBytes are remembered of all values together: 16 MiB, which is a thousand keys of 256 bytes in all versions.
	foreignBytes = 16 << 20
)

// foreign is what Foreign makes.
type foreign struct {
	v    record.Validator
	held func(key []byte) (kad.StoredRecord, bool) // what the store holds; nil: there is none

	mu    sync.Mutex
	bytes int
	keys  map[string]*list.Element // of recent
	order *list.List               // of *versions, the key that was asked for last first
}

// versions are the values of a key, worst first.
type versions struct {
	key  string
	list []version
	asks uint64
}

type version struct {
	value, rank []byte
	asked       uint64 // when, in asks of its key
}

func newForeign(v record.Validator, held func(key []byte) (kad.StoredRecord, bool)) *foreign {
	return &foreign{v: v, held: held, keys: make(map[string]*list.Element), order: list.New()}
}

// Validate implements kad.Validator.
func (f *foreign) Validate(key, value []byte, _ kad.Time) ([]byte, error) {
	if err := f.v.Validate(string(key), value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	vs := f.versionsOf(key)
	if f.held != nil {
		if r, ok := f.held(key); ok && vs.find(r.Value) < 0 {
			i := 0
			for i < len(vs.list) && bytes.Compare(vs.list[i].rank, r.Rank) < 0 {
				i++
			}
			f.insert(vs, i, r.Value, r.Rank)
		}
	}
	vs.asks++
	i := vs.find(value)
	if i < 0 {
		i = f.place(vs, value)
		f.insert(vs, i, bytes.Clone(value), vs.between(i))
	}
	vs.list[i].asked = vs.asks
	rank := vs.list[i].rank
	f.forget(vs)
	return rank, nil
}

func (f *foreign) versionsOf(key []byte) *versions {
	if e := f.keys[string(key)]; e != nil {
		f.order.MoveToFront(e)
		return e.Value.(*versions)
	}
	vs := &versions{key: string(key)}
	f.keys[vs.key] = f.order.PushFront(vs)
	f.bytes += len(key)
	return vs
}

func (vs *versions) find(value []byte) int {
	for i := range vs.list {
		if bytes.Equal(vs.list[i].value, value) {
			return i
		}
	}
	return -1
}

// place is where a new value belongs: six comparisons for 64 versions.
func (f *foreign) place(vs *versions, value []byte) int {
	lo, hi := 0, len(vs.list)
	for lo < hi {
		if mid := (lo + hi) / 2; f.better(vs.key, value, vs.list[mid].value) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// better asks Select in both orders: many take the first of two that are equal.
func (f *foreign) better(key string, a, b []byte) bool {
	first, err1 := f.v.Select(key, [][]byte{a, b})
	second, err2 := f.v.Select(key, [][]byte{b, a})
	if err1 == nil && err2 == nil && (first == 0) == (second == 1) {
		return first == 0
	}
	return bytes.Compare(a, b) > 0
}

func (f *foreign) insert(vs *versions, i int, value, rank []byte) {
	vs.list = append(vs.list, version{})
	copy(vs.list[i+1:], vs.list[i:])
	vs.list[i] = version{value: value, rank: rank, asked: vs.asks}
	f.bytes += len(value) + len(rank)
}

// forget drops the versions that were not asked for longest, and then whole keys but the one that is being asked for.
func (f *foreign) forget(vs *versions) {
	for len(vs.list) > foreignVersions {
		oldest := 0
		for i := range vs.list {
			if vs.list[i].asked < vs.list[oldest].asked {
				oldest = i
			}
		}
		f.bytes -= len(vs.list[oldest].value) + len(vs.list[oldest].rank)
		vs.list = append(vs.list[:oldest], vs.list[oldest+1:]...)
	}
	for f.bytes > foreignBytes && f.order.Len() > 1 {
		old := f.order.Remove(f.order.Back()).(*versions)
		delete(f.keys, old.key)
		f.bytes -= len(old.key)
		for _, v := range old.list {
			f.bytes -= len(v.value) + len(v.rank)
		}
	}
}

// rankStep is how far the rank of a new best is from that of the best before: a counter of 64 bits has room for 2^43 of
// them. It is even and the first rank odd, so that none ends in 0, which between needs.
const (
	firstRank = 1<<63 + 1
	rankStep  = 1 << 20
)

// between is a rank for a value that is to stand at i.
func (vs *versions) between(i int) []byte {
	switch {
	case len(vs.list) == 0:
		return binary.BigEndian.AppendUint64(nil, firstRank)
	case i == len(vs.list):
		return stepped(vs.list[i-1].rank, rankStep)
	case i == 0:
		return stepped(vs.list[0].rank, -rankStep)
	}
	return midpoint(vs.list[i-1].rank, vs.list[i].rank)
}

// stepped is the rank a step above or below another.
func stepped(rank []byte, step int64) []byte {
	var n [8]byte
	copy(n[:], rank) // a midpoint may be shorter, or longer
	return binary.BigEndian.AppendUint64(nil, (binary.BigEndian.Uint64(n[:])+uint64(step))|1)
}

// midpoint is a string of bytes between two others, a < b, of which neither ends in 0; nor does it.
func midpoint(a, b []byte) []byte {
	var m []byte
	open := false // b bounds no more: what is there of m is less
	for i := 0; ; i++ {
		lo, hi := 0, 256
		if i < len(a) {
			lo = int(a[i])
		}
		if !open && i < len(b) {
			hi = int(b[i])
		}
		if hi-lo > 1 {
			return append(m, byte((lo+hi)/2))
		}
		m = append(m, byte(lo))
		open = open || hi > lo
	}
}
