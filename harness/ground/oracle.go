package ground

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// oracle knows what no node does: where all servers stand. All instances can have it, since the identities follow from the
// seed.
type oracle struct {
	self    peer.ID
	servers []identity
}

func newOracle(self peer.ID, members []member) *oracle {
	o := &oracle{self: self}
	for _, m := range members {
		if !m.Client {
			o.servers = append(o.servers, identity{m.ID, m.key})
		}
	}
	return o
}

// nearest are the k servers nearest to a key of which is says so (nil: all), without oneself.
func (o *oracle) nearest(key []byte, k int, is func(peer.ID) bool) []peer.ID {
	target := sha256.Sum256(key)
	type ranked struct {
		id       peer.ID
		distance [32]byte
	}
	var all []ranked
	for _, s := range o.servers {
		if s.id == o.self || is != nil && !is(s.id) {
			continue
		}
		r := ranked{id: s.id}
		for i := range target {
			r.distance[i] = s.key[i] ^ target[i]
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b ranked) int { return bytes.Compare(a.distance[:], b.distance[:]) })
	ids := make([]peer.ID, min(k, len(all)))
	for i := range ids {
		ids[i] = all[i].id
	}
	return ids
}

// recall is the share of the truth that was found; of nothing to be found, all was.
func recall(found, truth []peer.ID) float64 {
	if len(truth) == 0 {
		return 1
	}
	n := 0
	for _, id := range truth {
		if slices.Contains(found, id) {
			n++
		}
	}
	return float64(n) / float64(len(truth))
}
