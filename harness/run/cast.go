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
	"slices"
	"sort"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/fixtures/keys"
)

// ErrCast: the ground pool has nobody like that.
var ErrCast = errors.New("cast")

// How many puppets share one bucket of the target, unless the plan asks for it: a bucket holds 20.
const (
	// BucketLimit is that of a target which holds nobody else.
	BucketLimit = 15
	// CompanyLimit and GuestLimit are those of an address, whose table keeps the peers of all cases: the ones which they
	// share, and those of one case alone. The rest is for the dead of other cases, and for strangers.
	CompanyLimit = 8
	GuestLimit   = 5
)

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

	Limit int  // of its bucket, where it may lie anywhere; 0: BucketLimit
	Fixed bool // the same in every run, whatever its seed
}

// Cast gives identities to names. The same seed, case and name give the same identity for the same target. Those with a
// wish come from the ground pool; the others have keys of their own, so that no two cases which share a target meet in
// one identity, and see each other's records.
type Cast struct {
	seed    uint64
	id      string // of the case
	target  [32]byte
	taken   map[int]bool // indexes into the pool; RSA keys below zero
	buckets [257]int     // of the target, how many were cast into each
	near    [][32]byte   // where somebody was wanted
	rsa     int          // the first RSA key to take: those before it are other cases'
}

// farBits: whoever is cast anywhere shares fewer bits with a place near which others were wanted. The nearest of the
// pool share some 15.
const farBits = 10

// NewCast starts the cast of one case against a target at this place.
func NewCast(seed uint64, caseID string, target [32]byte) *Cast {
	return &Cast{seed: seed, id: caseID, target: target, taken: map[int]bool{}}
}

// Choose casts one identity for each name, all with the same wish; with a Near, the first name lies nearest.
func (c *Cast) Choose(names []string, w Wish) ([]Identity, error) {
	if w.RSA {
		return c.chooseRSA(names, w)
	}
	if w.Near != nil {
		c.near = append(c.near, *w.Near)
	}
	if w.Near != nil && w.CPL < 0 {
		return c.nearest(names, *w.Near)
	}
	ids := make([]Identity, 0, len(names))
	for _, name := range names {
		var id Identity
		var err error
		if w.CPL < 0 {
			id, err = c.anywhere(name, w)
		} else {
			id, err = c.prefixed(name, w)
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// anywhere makes an identity from the name alone, whose bucket still has room.
func (c *Cast) anywhere(name string, w Wish) (Identity, error) {
	r := c.rand(name, w)
	limit := w.Limit
	if limit == 0 {
		limit = BucketLimit
	}
	for range castTries {
		seed := make([]byte, ed25519.SeedSize)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		id, err := c.enlist(name, ed25519.NewKeyFromSeed(seed), func(place [32]byte) bool {
			return c.buckets[CommonBits(place, c.target)] < limit &&
				!slices.ContainsFunc(c.near, func(k [32]byte) bool { return CommonBits(place, k) >= farBits })
		})
		if err != nil || id.Key != nil {
			return id, err
		}
	}
	return Identity{}, fmt.Errorf("%w: %s: the buckets of the target have %d puppets each", ErrCast, name, limit)
}

// castTries is how many keys are made for one name: with the first 8 buckets full, which takes 120 puppets, one key in
// 256 still fits; 20,000 take half a second.
const castTries = 20_000

// prefixed draws an identity from those of the pool that share the wanted number of bits.
func (c *Cast) prefixed(name string, w Wish) (Identity, error) {
	r := c.rand(name, w)
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
		found := false
		for n := range keys.RSALen {
			i := (c.rsa + n) % keys.RSALen
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
	c.taken[i] = true
	return c.enlist(name, ed25519.NewKeyFromSeed(keys.Seed(i)), func([32]byte) bool { return true })
}

// enlist makes an identity of a key, if its place fits; else the identity is zero.
func (c *Cast) enlist(name string, key ed25519.PrivateKey, fits func(place [32]byte) bool) (Identity, error) {
	private, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %s: %w", ErrCast, name, err)
	}
	id, err := identity(name, private)
	if err != nil || !fits(id.Place) {
		return Identity{}, err
	}
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
func (c *Cast) rand(name string, w Wish) *rand.Rand {
	if w.Fixed {
		return seeded(0, "fixed", c.id, name)
	}
	return seeded(c.seed, c.id, name)
}

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
