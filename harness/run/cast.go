package run

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sort"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/fixtures/keys"
)

// ErrCast: the ground pool has nobody like that.
var ErrCast = errors.New("cast")

// BucketLimit is how many puppets share one bucket of the target unless the plan asks for it: a bucket holds 20, and
// the rest is for peers of the harness and for strangers.
const BucketLimit = 15

// Identity is who a puppet is.
type Identity struct {
	Name  string
	Key   crypto.PrivKey
	ID    peer.ID
	Place [32]byte // SHA-256 of the id
}

// Wish says where an identity should lie.
type Wish struct {
	RSA  bool
	Near *[32]byte // the nearest of the pool to this place
	CPL  int       // shares exactly so many leading bits with Near, or with the target; -1: anywhere
}

// Cast gives identities to names. The same seed, case and name give the same identity, wherever the pool and the
// target's place are the same.
type Cast struct {
	seed    uint64
	id      string // of the case
	target  [32]byte
	taken   map[int]bool // indexes into the pool; RSA keys below zero
	buckets [257]int     // of the target, how many were cast into each
}

// NewCast starts the cast of one case against a target at this place.
func NewCast(seed uint64, caseID string, target [32]byte) *Cast {
	return &Cast{seed: seed, id: caseID, target: target, taken: map[int]bool{}}
}

// Choose casts one identity for each name, all with the same wish; with a Near, the first name lies nearest.
func (c *Cast) Choose(names []string, w Wish) ([]Identity, error) {
	if w.RSA {
		return c.chooseRSA(names, w)
	}
	if w.Near != nil && w.CPL < 0 {
		return c.nearest(names, *w.Near)
	}
	ids := make([]Identity, 0, len(names))
	for _, name := range names {
		id, err := c.random(name, w)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// random draws an identity, from those that share CPL bits where the wish says so.
func (c *Cast) random(name string, w Wish) (Identity, error) {
	r := c.rand(name)
	if w.CPL < 0 {
		for range 4 * keys.Len {
			i := r.IntN(keys.Len)
			bucket := bits.LeadingZeros32((keys.Prefix(i)^prefix(c.target))<<8 | 0xff)
			if c.taken[i] || c.buckets[bucket] >= BucketLimit {
				continue
			}
			return c.take(name, i)
		}
		return Identity{}, fmt.Errorf("%w: %s: every bucket of the target has %d puppets already", ErrCast, name, BucketLimit)
	}
	base := c.target
	if w.Near != nil {
		base = *w.Near
	}
	if w.CPL >= 8*keys.PrefixLen {
		return Identity{}, fmt.Errorf("%w: %s: cpl=%d, expected less than %d", ErrCast, name, w.CPL, 8*keys.PrefixLen)
	}
	var fit []int
	for i := range keys.Len {
		if !c.taken[i] && bits.LeadingZeros32((keys.Prefix(i)^prefix(base))<<8|0xff) == w.CPL {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return Identity{}, fmt.Errorf("%w: %s: nobody left of %d who shares exactly %d bits", ErrCast, name, keys.Len, w.CPL)
	}
	return c.take(name, fit[r.IntN(len(fit))])
}

// nearest takes the nearest of the pool in order.
func (c *Cast) nearest(names []string, near [32]byte) ([]Identity, error) {
	order := make([]int, 0, keys.Len)
	for i := range keys.Len {
		if !c.taken[i] {
			order = append(order, i)
		}
	}
	if len(order) < len(names) {
		return nil, fmt.Errorf("%w: %d names, %d identities left", ErrCast, len(names), len(order))
	}
	p := prefix(near)
	sort.Slice(order, func(a, b int) bool { return keys.Prefix(order[a])^p < keys.Prefix(order[b])^p })
	ids := make([]Identity, 0, len(names))
	for i := range names {
		id, err := c.take("", order[i])
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	// Two of the pool may agree in the 24 bits that are kept: their whole places decide.
	sort.SliceStable(ids, func(a, b int) bool { return closer(ids[a].Place, ids[b].Place, near) })
	for i := range ids {
		ids[i].Name = names[i]
	}
	return ids, nil
}

func (c *Cast) chooseRSA(names []string, w Wish) ([]Identity, error) {
	if w.Near != nil || w.CPL >= 0 {
		return nil, fmt.Errorf("%w: %s: key=rsa with near or cpl: there are only %d RSA keys", ErrCast, names[0], keys.RSALen)
	}
	var ids []Identity
	for _, name := range names {
		start := c.rand(name).IntN(keys.RSALen)
		found := false
		for n := range keys.RSALen {
			i := (start + n) % keys.RSALen
			if c.taken[-1-i] {
				continue
			}
			private, err := crypto.UnmarshalPrivateKey(keys.RSA(i))
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrCast, name, err)
			}
			id, err := identity(name, private)
			if err != nil {
				return nil, err
			}
			c.taken[-1-i], found = true, true
			c.buckets[CommonBits(id.Place, c.target)]++
			ids = append(ids, id)
			break
		}
		if !found {
			return nil, fmt.Errorf("%w: %s: more than %d RSA identities in one case", ErrCast, name, keys.RSALen)
		}
	}
	return ids, nil
}

func (c *Cast) take(name string, i int) (Identity, error) {
	private, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(keys.Seed(i)))
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %s: %w", ErrCast, name, err)
	}
	id, err := identity(name, private)
	if err != nil {
		return Identity{}, err
	}
	c.taken[i] = true
	c.buckets[CommonBits(id.Place, c.target)]++
	return id, nil
}

func identity(name string, private crypto.PrivKey) (Identity, error) {
	id, err := peer.IDFromPrivateKey(private)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %s: %w", ErrCast, name, err)
	}
	return Identity{Name: name, Key: private, ID: id, Place: sha256.Sum256([]byte(id))}, nil
}

// rand is the random source of one name in this case.
func (c *Cast) rand(name string) *rand.Rand { return seeded(c.seed, c.id, name) }

// seeded is a random source that follows from a seed and labels alone.
func seeded(seed uint64, labels ...string) *rand.Rand {
	b := binary.BigEndian.AppendUint64(nil, seed)
	for _, l := range labels {
		b = append(append(b, 0), l...)
	}
	return rand.New(rand.NewChaCha8(sha256.Sum256(b)))
}

func prefix(place [32]byte) uint32 {
	return uint32(place[0])<<16 | uint32(place[1])<<8 | uint32(place[2])
}

// CommonBits is how many leading bits two places share: the number of the bucket of one in the other's table.
func CommonBits(a, b [32]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 256
}

// closer reports whether a is nearer to k than b by the XOR metric.
func closer(a, b, k [32]byte) bool {
	var x, y [32]byte
	for i := range k {
		x[i], y[i] = a[i]^k[i], b[i]^k[i]
	}
	return bytes.Compare(x[:], y[:]) < 0
}
