package ground

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/target"
)

// An all-to-all exchange of a thousand addresses is a million messages. So identities come from the seed, which everybody
// has; each instance tells its address to the first alone, and that one publishes the list in few pieces.

// hello is what an instance tells about itself, and a line of the roster.
type hello struct {
	Seq    int    `json:"n"`
	Client bool   `json:"c,omitempty"`
	Addr   string `json:"a,omitempty"`
}

const (
	// rosterPiece of lines of at most maxLine bytes each are one item.
	rosterPiece = 200
	// maxLine is twice what /ip6/…/udp/65535/quic-v1 and its number take.
	maxLine = 140
)

// member is an instance as the others know it.
type member struct {
	ID     peer.ID
	key    [32]byte // where it stands
	Client bool
	Addr   ma.Multiaddr // nil: it has none
}

func (m *member) info() peer.AddrInfo {
	if m.Addr == nil {
		return peer.AddrInfo{ID: m.ID}
	}
	return peer.AddrInfo{ID: m.ID, Addrs: []ma.Multiaddr{m.Addr}}
}

// seedOf is the seed of an instance's identity.
func seedOf(seed uint64, seq int) [32]byte {
	b := []byte("kadbench testground identity")
	b = binary.BigEndian.AppendUint64(b, seed)
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(seq)))
}

// identity is an id, and where it stands.
type identity struct {
	id  peer.ID
	key [32]byte
}

// known keeps the identities of the last run's seed: making a thousand takes 25 ms, and a thousand instances of one process
// want the same.
var known struct {
	sync.Mutex
	seed uint64
	list []identity
}

// identities are those of the instances 1 to n.
func identities(seed uint64, n int) ([]identity, error) {
	known.Lock()
	defer known.Unlock()
	if known.seed != seed {
		known.seed, known.list = seed, nil
	}
	for seq := len(known.list) + 1; seq <= n; seq++ {
		s := seedOf(seed, seq)
		key, err := target.KeyFromSeed(s[:])
		if err != nil {
			return nil, err
		}
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			return nil, err
		}
		known.list = append(known.list, identity{id, sha256.Sum256([]byte(id))})
	}
	return known.list[:n:n], nil
}

// meet tells all instances about one another; it returns when all have come. The members are in the order of Seq.
func meet(ctx context.Context, in *Instance, seed uint64, h hello) ([]member, error) {
	line, err := json.Marshal(h)
	if err != nil || len(line) > maxLine {
		return nil, fmt.Errorf("address %s: expected a line of at most %d bytes (%v)", h.Addr, maxLine, err)
	}
	if err := in.Sync.Publish(ctx, "hello", h); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	if in.Seq == 1 {
		if err := publishRoster(ctx, in); err != nil {
			return nil, fmt.Errorf("roster: %w", err)
		}
	}
	ids, err := identities(seed, in.Count)
	if err != nil {
		return nil, err
	}
	all := make(roster, in.Count)
	err = in.Sync.Collect(ctx, "roster", (in.Count+rosterPiece-1)/rosterPiece, func(item []byte) error {
		var piece []hello
		if err := json.Unmarshal(item, &piece); err != nil {
			return err
		}
		for _, h := range piece {
			if err := all.put(h); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	members := make([]member, in.Count)
	for i, h := range all {
		m := &members[i]
		m.ID, m.key, m.Client = ids[i].id, ids[i].key, h.Client
		if h.Seq == 0 {
			return nil, fmt.Errorf("roster: nothing of instance %d, expected a line", i+1)
		}
		if h.Addr != "" {
			if m.Addr, err = ma.NewMultiaddr(h.Addr); err != nil {
				return nil, fmt.Errorf("roster: instance %d: %w", h.Seq, err)
			}
		}
	}
	return members, nil
}

// roster is the hellos by Seq - 1.
type roster []hello

func (r roster) put(h hello) error {
	if h.Seq < 1 || h.Seq > len(r) || r[h.Seq-1].Seq != 0 {
		return fmt.Errorf("hello of instance %d, expected each of 1 to %d once", h.Seq, len(r))
	}
	r[h.Seq-1] = h
	return nil
}

// publishRoster is the first instance's part.
func publishRoster(ctx context.Context, in *Instance) error {
	all := make(roster, in.Count)
	err := in.Sync.Collect(ctx, "hello", in.Count, func(item []byte) error {
		var h hello
		if err := json.Unmarshal(item, &h); err != nil {
			return err
		}
		return all.put(h)
	})
	for len(all) > 0 && err == nil {
		n := min(rosterPiece, len(all))
		err = in.Sync.Publish(ctx, "roster", all[:n])
		all = all[n:]
	}
	return err
}
