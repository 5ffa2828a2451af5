package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/ipfs/go-datastore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// unsteady is a datastore one write in four of which fails, before it is done or after.
type unsteady struct {
	datastore.Batching
	mu  sync.Mutex
	rng *rand.Rand // nil: it does not fail
}

func (u *unsteady) err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rng != nil && u.rng.IntN(8) == 0 {
		return errDisk
	}
	return nil
}

func (u *unsteady) Batch(ctx context.Context) (datastore.Batch, error) {
	b, err := u.Batching.Batch(ctx)
	return unsteadyBatch{b, u}, err
}

func (u *unsteady) Sync(context.Context, datastore.Key) error { return u.err() }

type unsteadyBatch struct {
	datastore.Batch
	u *unsteady
}

func (b unsteadyBatch) Commit(ctx context.Context) error {
	if err := b.u.err(); err != nil {
		return err
	}
	return b.Batch.Commit(ctx)
}

// Several goroutines, each with keys of its own, change the store over a disk that fails at random. What each was told last
// is what the store holds, and what a node on the same datastore restores, whether or not the last writes failed.
func TestJournalModel(t *testing.T) {
	for seed := range uint64(30) {
		ds := &unsteady{Batching: memory(), rng: rand.New(rand.NewPCG(seed, 1))}
		n := serving(t, ds, nil)
		var mu sync.Mutex
		model := map[string]string{} // what was acknowledged
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(g)))
				for i := range 40 {
					key, value := fmt.Sprintf("/v/%d-%d", g, rng.IntN(3)), fmt.Sprintf("ok %03d", i)
					var err error
					switch rng.IntN(4) {
					case 0:
						value, err = "", n.Store().Remove([]byte(key))
					default:
						err = n.Store().Put(StoredRecord{Key: []byte(key), Value: []byte(value)})
					}
					if err != nil {
						assert.ErrorIs(t, err, ErrJournal)
						continue
					}
					mu.Lock()
					model[key] = value
					if value == "" {
						delete(model, key)
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		held := func(n *Node) map[string]string {
			m := map[string]string{}
			for _, r := range n.Store().Records() {
				m[string(r.Key)] = string(r.Value)
			}
			return m
		}
		require.Equal(t, model, held(n), "seed %d", seed)
		ds.mu.Lock()
		ds.rng = nil
		ds.mu.Unlock()
		if seed%2 == 0 { // Close writes once more what a failure has left
			require.NoError(t, n.Close())
		} else { // so does the next change, and the process may be killed after it
			put := func() error {
				return n.Store().Put(StoredRecord{Key: []byte("/v/last"), Value: []byte("ok z")})
			}
			err := put()
			if errors.Is(err, errDisk) { // a write that had begun before the disk was well again
				err = put()
			}
			require.NoError(t, err)
			model["/v/last"] = "ok z"
		}
		again := serving(t, ds.Batching, nil)
		require.Equal(t, model, held(again), "seed %d", seed)
		require.NoError(t, again.Close())
		require.NoError(t, n.Close())
	}
}

// An accepted request whose write fails is not acknowledged, however late its stream is: the write after it succeeds, but
// it writes that the record is gone.
func TestHeldWriteFails(t *testing.T) {
	step := "sync"
	ds := &failing{Batching: memory()}
	n := serving(t, ds, nil)
	held := make(chan heldAnswer, 1)
	n.mu.Lock()
	n.held[7] = held
	rec := kad.StoredRecord{Record: kad.Record{Key: []byte("/v/a"), Value: []byte("ok a")}}
	ds.at.Store(&step)
	require.NoError(t, n.core.Store().Put(rec)) // as OpAccept does, in the step that answers
	n.respond(&kad.Command{Kind: kad.RespondPutRecord, Request: 7})
	first := n.journal.ticket()
	n.mu.Unlock()
	require.ErrorIs(t, first.wait(t.Context()), errDisk)
	ds.at.Store(nil)
	answer := <-held
	assert.ErrorIs(t, answer.stored.wait(t.Context()), errDisk)
	_, ok := n.Store().Get([]byte("/v/a"))
	assert.False(t, ok)
}
