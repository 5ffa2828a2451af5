package p2p

import (
	"context"
	"fmt"
	"time"

	"github.com/ipfs/go-datastore"

	"github.com/kadbench/kadbench/kad"
)

// journal keeps a copy of the store in Config.Datastore. What a Step has changed is written and synced beside the lock,
// before anybody is told that it is stored.
//
// One goroutine writes. It takes all that has changed, as it is by then, so that of two puts of one key the disk ends with
// what the store ended with; and it syncs once for all who wait, so that a hundred puts at once cost what one does. When a
// write fails, all that is not on disk is undone and nobody who waited is told that it is stored; the same entries are
// written again with the next change, since nobody knows what the failure has left.
type journal struct {
	n     *Node
	ds    datastore.Batching
	store *journalStore
	stir  chan struct{}

	// Guarded by Node.mu.
	next   *commit // of what has changed
	flying *commit // of what is being written; nil: nothing is
	over   bool    // nobody writes any more, and next has failed
	stats  JournalStats
}

// writeTimeout is for datastores that heed their context, so that one which hangs fails, and does not keep Close for ever. A
// healthy one writes in milliseconds.
const writeTimeout = time.Minute

// commit is one write, for those who wait for it.
type commit struct {
	done chan struct{} // closed at the end; err is set by then
	err  error
}

func newCommit() *commit { return &commit{done: make(chan struct{})} }

func (c *commit) end(err error) {
	c.err = err
	close(c.done)
}

// wait waits for a commit and says what came of it; if the context ends before, nobody knows. A nil commit is none to wait
// for. The writer ends each, also when the node is closed.
func (c *commit) wait(ctx context.Context) error {
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// JournalStats count what a journal has done. The first five are of Start.
type JournalStats struct {
	Restored int // records and providers that were fed back
	Expired  int // that had expired, and have left the journal
	Invalid  int // records that no longer validate, and have left the journal
	Refused  int // for which the limits of the store had no room, and which have left the journal
	Corrupt  int // entries that cannot be read, or are of another version; they were skipped and stay where they are

	Commits, Failures int // writes that were synced, and those that failed and were undone
}

// Journal counts what the journal has done; all is zero without Config.Datastore.
func (n *Node) Journal() JournalStats {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.journal == nil {
		return JournalStats{}
	}
	return n.journal.stats
}

func newJournal(n *Node, ds datastore.Batching) *journal {
	j := &journal{n: n, ds: ds, stir: make(chan struct{}, 1), next: newCommit()}
	j.store = newJournalStore(n.cfg.Kad.Limits, n.core.Directory(), j.wake)
	n.core.SetStore(j.store)
	return j
}

func (j *journal) wake() {
	select {
	case j.stir <- struct{}{}:
	default:
	}
}

// ticket is what to wait for until all that is stored by now is on disk; nil: it is. It wants Node.mu.
func (j *journal) ticket() *commit {
	switch {
	case j == nil:
		return nil
	case j.over, len(j.store.before) > 0:
		j.wake()
		return j.next
	}
	return j.flying
}

// run writes what changes until the node is closed, and then what has changed last.
func (j *journal) run() {
	for j.n.ctx.Err() == nil {
		select {
		case <-j.stir:
			j.commit()
		case <-j.n.ctx.Done():
		}
	}
	j.commit()
	j.n.mu.Lock()
	j.over = true
	j.next.end(ErrClosed)
	j.n.mu.Unlock()
}

// commit writes what has changed.
func (j *journal) commit() {
	n := j.n
	n.mu.Lock()
	changed := j.store.before
	if len(changed) == 0 {
		n.mu.Unlock()
		return
	}
	j.store.before, j.store.writing = make(map[entryName]entryState), len(changed)
	states := make(map[entryName]entryState, len(changed))
	for name := range changed {
		states[name] = j.store.state(name)
	}
	j.flying, j.next = j.next, newCommit()
	n.mu.Unlock()

	err := j.write(states)

	n.mu.Lock()
	defer n.mu.Unlock()
	flying := j.flying
	j.flying, j.store.writing = nil, 0
	if err == nil {
		j.stats.Commits++
		flying.end(nil)
		return
	}
	j.stats.Failures++
	for name, old := range changed { // older than what was noted meanwhile
		j.store.before[name] = old
	}
	j.store.undo(n.clock.now())
	err = fmt.Errorf("%w: %w", ErrJournal, err)
	flying.end(err)
	j.next.end(err) // of those who came meanwhile too: what they stored is undone
	j.next = newCommit()
}

// write writes entries and syncs. It is not bound to the node's context, so that Close still writes the last.
func (j *journal) write(states map[entryName]entryState) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	batch, err := j.ds.Batch(ctx)
	if err != nil {
		return err
	}
	for name, st := range states {
		if e := st.entry(name); e == nil {
			err = batch.Delete(ctx, name.datastoreKey())
		} else {
			var b []byte
			if b, err = e.encode(); err == nil {
				err = batch.Put(ctx, name.datastoreKey(), b)
			}
		}
		if err != nil {
			return err
		}
	}
	if err := batch.Commit(ctx); err != nil {
		return err
	}
	return j.ds.Sync(ctx, datastore.NewKey(journalPrefix))
}

// stores says whether who runs an input is told that something is stored or no longer so.
func stores(kind kad.InputKind) bool {
	switch kind {
	case kad.PutRecord, kad.AddProvider, kad.OpPutRecord, kad.OpRemoveRecord, kad.OpStartProviding, kad.OpStopProviding, kad.OpAccept:
		return true
	}
	return false
}
