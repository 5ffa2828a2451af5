package p2p

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// choosing is a go-libp2p-record Validator with any Select.
type choosing func(a, b []byte) (better bool)

func (choosing) Validate(_ string, value []byte) error {
	if len(value) == 0 {
		return errors.New("empty")
	}
	return nil
}

func (c choosing) Select(_ string, values [][]byte) (int, error) {
	best := 0
	for i := range values {
		if c(values[i], values[best]) {
			best = i
		}
	}
	return best, nil
}

// shortest prefers few bytes, and of as many does not care.
func shortest(a, b []byte) bool { return len(a) < len(b) }

// scrambled is some total order that bytes do not show.
func scrambled(a, b []byte) bool { return bytes.Compare(twist(a), twist(b)) > 0 }

func twist(b []byte) []byte {
	c := bytes.Clone(b)
	for i := range c {
		c[i] = c[i]*167 ^ 0x5a
	}
	return c
}

func TestForeignOrder(t *testing.T) {
	for name, order := range map[string]choosing{"shortest": shortest, "scrambled": scrambled} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 3))
			f := newForeign(order, nil)
			ranks := map[string][]byte{}
			for range 50 {
				value := make([]byte, 1+rng.IntN(6))
				for i := range value {
					value[i] = byte(rng.Uint32())
				}
				rank, err := f.Validate([]byte("/x/k"), value, 0)
				require.NoError(t, err)
				ranks[string(value)] = rank
			}
			for a, ra := range ranks {
				again, err := f.Validate([]byte("/x/k"), []byte(a), 0)
				require.NoError(t, err)
				require.Equal(t, ra, again, "the same whenever it is asked")
				for b, rb := range ranks {
					if order([]byte(a), []byte(b)) {
						require.Positive(t, bytes.Compare(ra, rb), "%x %x", a, b)
					} else if a != b {
						require.NotEqual(t, ra, rb)
					}
				}
			}
			_, err := f.Validate([]byte("/x/k"), nil, 0)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

// However many versions come, the store ends with the best of all, though few are remembered; and so for a Select that
// contradicts itself, except that no version is the best.
func TestForeignStore(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	contrary := choosing(func(a, b []byte) bool { return rng.IntN(2) == 0 })
	for name, order := range map[string]choosing{"shortest": shortest, "scrambled": scrambled, "contrary": contrary} {
		t.Run(name, func(t *testing.T) {
			n, err := New(Config{Validators: map[string]kad.Validator{"x": Foreign(order)}})
			require.NoError(t, err)
			key := []byte("/x/k")
			var best []byte
			for i := range 20 * foreignVersions {
				value := fmt.Appendf(nil, "%x", rng.Uint64()>>rng.IntN(60))
				if i%3 == 0 && best != nil {
					value = best // again: it must not lose against what came between
				}
				err := n.Store().Put(StoredRecord{Key: key, Value: value, Received: time.Now()})
				if err != nil {
					require.ErrorIs(t, err, kad.ErrWorseRecord)
				}
				if best == nil || order(value, best) || !order(best, value) && bytes.Compare(value, best) > 0 {
					best = value
				}
				got, ok := n.Store().Get(key)
				require.True(t, ok)
				if name != "contrary" {
					require.Equal(t, string(best), string(got.Value))
				}
			}
			f := n.records["x"].(*foreign)
			vs := f.versionsOf(key)
			assert.LessOrEqual(t, len(vs.list), foreignVersions)
			for i := 1; i < len(vs.list); i++ {
				require.Negative(t, bytes.Compare(vs.list[i-1].rank, vs.list[i].rank))
			}
		})
	}
}

func TestForeignForgets(t *testing.T) {
	f := newForeign(choosing(shortest), nil)
	value := make([]byte, 1<<20)
	for i := range 40 {
		_, err := f.Validate(fmt.Appendf(nil, "/x/%d", i), value, 0)
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, f.bytes, foreignBytes)
	assert.Len(t, f.keys, f.order.Len())
	assert.Less(t, f.order.Len(), 17)
}

func TestMidpoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	a, b := []byte{1}, []byte{2}
	for range 2000 {
		m := midpoint(a, b)
		require.Negative(t, bytes.Compare(a, m))
		require.Negative(t, bytes.Compare(m, b))
		require.NotZero(t, m[len(m)-1])
		if rng.IntN(2) == 0 {
			a = m
		} else {
			b = m
		}
	}
}

// Any permutation of valid records of one key gives the same winner, in the store and in a get.
func TestSelectionInAnyOrder(t *testing.T) {
	validators := Namespaces("v")
	validators["x"] = Foreign(choosing(scrambled))
	rng := rand.New(rand.NewPCG(1, 2))
	for ns := range validators {
		key := []byte("/" + ns + "/k")
		var values [][]byte
		for i := range 6 {
			values = append(values, fmt.Appendf(nil, "ok %d", i*7%5))
		}
		winners, gets := map[string]bool{}, map[string]bool{}
		for range 50 {
			rng.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
			n, err := New(Config{Validators: validators})
			require.NoError(t, err)
			best := contest{n: n, key: key}
			for _, v := range values {
				_ = n.Store().Put(StoredRecord{Key: key, Value: v}) // worse ones are refused
				_, err := best.take(v)
				require.NoError(t, err)
			}
			r, ok := n.Store().Get(key)
			require.True(t, ok)
			winners[string(r.Value)], gets[string(best.value)] = true, true
		}
		assert.Len(t, winners, 1, ns)
		assert.Equal(t, winners, gets, ns)
	}
}

// Many put values of one key at once through a foreign validator: the one that Select takes is what is left.
func TestForeignAtOnce(t *testing.T) {
	for range 10 {
		n := serving(t, nil, func(c *Config) { c.Validators = map[string]kad.Validator{"f": Foreign(choosing(shortest))} })
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 8 {
					value := bytes.Repeat([]byte{'x'}, 1+(i*8+j*37)%64)
					if err := n.Store().Put(StoredRecord{Key: []byte("/f/a"), Value: value}); err != nil {
						assert.ErrorIs(t, err, kad.ErrWorseRecord)
					}
				}
			})
		}
		all.Wait()
		r, _ := n.Store().Get([]byte("/f/a"))
		assert.Equal(t, "x", string(r.Value))
	}
}
