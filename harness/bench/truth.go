package bench

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad/wire"
)

// Truth knows which peers of a table are nearest to a key.
type Truth struct {
	k    int
	ids  [][]byte
	keys [][32]byte
}

// NewTruth is the truth about a table of these peers, of which an answer names the k nearest.
func NewTruth(table []peer.ID, k int) *Truth {
	t := &Truth{k: k}
	for _, id := range table {
		t.ids = append(t.ids, []byte(id))
		t.keys = append(t.keys, sha256.Sum256([]byte(id)))
	}
	return t
}

// holds says whether the body of an answer names exactly the nearest peers, each once and with an address, in whatever
// order.
func (t *Truth) holds(key, body []byte) bool {
	var m wire.Message
	if wire.Decode(body, &m) != nil || m.Type != wire.FindNode || len(m.CloserPeers) != min(t.k, len(t.ids)) {
		return false
	}
	target := sha256.Sum256(key)
	order := make([]int, len(t.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		for i := range target {
			if x, y := t.keys[a][i]^target[i], t.keys[b][i]^target[i]; x != y {
				return int(x) - int(y)
			}
		}
		return 0
	})
	missing := order[:len(m.CloserPeers)]
	for _, p := range m.CloserPeers {
		at := slices.IndexFunc(missing, func(i int) bool { return bytes.Equal(t.ids[i], p.ID) })
		if at < 0 || p.Addrs.Len() == 0 {
			return false
		}
		missing = slices.Delete(missing, at, at+1)
	}
	return true
}
