package p2p

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// stuck is a datastore whose Sync waits for the gate, or for its context.
type stuck struct {
	datastore.Batching
	entered chan struct{} // one for each Sync
	gate    chan struct{}
}

func newStuck() *stuck {
	return &stuck{Batching: memory(), entered: make(chan struct{}, 100), gate: make(chan struct{})}
}

func (s *stuck) Sync(ctx context.Context, _ datastore.Key) error {
	s.entered <- struct{}{}
	select {
	case <-s.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func storedValue(i int) StoredRecord {
	return StoredRecord{Key: fmt.Appendf(nil, "/v/%d", i), Value: fmt.Appendf(nil, "ok %d", i)}
}

// While one write is under way others wait, and one more write serves them all.
func TestJournalTogether(t *testing.T) {
	ds := newStuck()
	n := serving(t, ds, nil)
	var all sync.WaitGroup
	all.Go(func() { assert.NoError(t, n.Store().Put(storedValue(0))) })
	<-ds.entered
	for i := range 31 {
		all.Go(func() { assert.NoError(t, n.Store().Put(storedValue(1+i))) })
	}
	require.Eventually(t, func() bool { return len(n.Store().Records()) == 32 }, 20*time.Second, time.Millisecond)
	assert.Zero(t, n.Journal().Commits)
	close(ds.gate)
	all.Wait()
	assert.Equal(t, 2, n.Journal().Commits)
	assert.Len(t, contents(t, ds), 32)
}

// A disk that hangs holds up what needs it and nothing else: a call returns with its context, a request is refused while
// who asked still waits, others of the same connection are answered, and Close takes no longer than a write may.
func TestJournalHangs(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		ds := newStuck()
		cfg := quiet(hosts[0])
		cfg.Kad.Mode, cfg.Datastore, cfg.Validators = kad.ModeServer, ds, Namespaces("v")
		n := running(t, cfg)
		took := func() func() time.Duration {
			start := time.Now()
			return func() time.Duration { return time.Since(start) }
		}
		for name, do := range map[string]func(ctx context.Context) error{
			"PutRecord": func(ctx context.Context) error {
				_, err := n.PutRecord(ctx, Record{Key: []byte("/v/a"), Value: []byte("ok a")}, kad.One)
				return err
			},
			"StartProviding": func(ctx context.Context) error { _, err := n.StartProviding(ctx, []byte("k")); return err },
			"PutValue offline": func(ctx context.Context) error {
				return n.PutValue(ctx, "/v/b", []byte("ok b"), routing.Offline)
			},
			"AddProvider": func(ctx context.Context) error {
				return n.Store().addProvider(ctx, StoredProvider{Key: []byte("l"), Provider: peer.AddrInfo{ID: n.id}})
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			span := took()
			assert.ErrorIs(t, do(ctx), context.DeadlineExceeded, name)
			assert.Equal(t, time.Second, span(), name)
			assert.Empty(t, n.Queries(), name)
			cancel()
		}

		require.NoError(t, hosts[1].Connect(t.Context(), *host.InfoFromHost(hosts[0])))
		send := func(m wire.Message) func() error {
			s, err := hosts[1].NewStream(t.Context(), n.id, DefaultProtocol)
			require.NoError(t, err)
			_, err = s.Write(wire.AppendFrame(nil, &m))
			require.NoError(t, err)
			return func() error { _, err := s.Read(make([]byte, 1)); return err }
		}
		span := took()
		var puts []func() error
		for i := range 31 {
			r := storedValue(i)
			puts = append(puts, send(wire.Message{Type: wire.PutValue, Key: r.Key, HasRecord: true, Record: wire.Record{Key: r.Key, Value: r.Value}}))
		}
		require.NoError(t, send(wire.Message{Type: wire.Ping})())
		assert.Less(t, span(), time.Second)
		for _, refused := range puts {
			require.Error(t, refused())
		}
		assert.InDelta(t, 10, span().Seconds(), 1)

		span = took()
		require.NoError(t, n.Close())
		assert.LessOrEqual(t, span(), 2*writeTimeout, "what is under way, and the last")
		assert.NotZero(t, n.Journal().Failures)
		assert.Zero(t, n.Journal().Commits)
	})
}

// While the disk fails, only so many changes wait for it; then newcomers are refused, and when it is well again all goes on.
func TestJournalBehind(t *testing.T) {
	step := "sync"
	ds := &failing{Batching: memory()}
	n := serving(t, ds, func(c *Config) { c.Kad.Limits.Records = 2 * maxUnwritten })
	require.NoError(t, n.Store().Put(storedValue(0)))
	ds.at.Store(&step)
	refused := false
	for i := 0; !refused && i <= maxUnwritten; i++ { // what failed has left the memory, so that is not what refuses
		_, err := n.changeLocked(func(store kad.Store) error {
			return store.Put(kad.StoredRecord{Record: kad.Record{Key: fmt.Appendf(nil, "/v/new %d", i), Value: []byte("ok")}})
		})
		if refused = err != nil; refused {
			require.ErrorIs(t, err, errBehind)
		}
	}
	require.True(t, refused)
	require.ErrorIs(t, n.Store().AddProvider(StoredProvider{Key: []byte("k"), Provider: infoOf(n)}), ErrJournal)
	require.ErrorIs(t, n.Store().Remove(storedValue(0).Key), errDisk, "but what is there may go, if it can be written")
	n.mu.Lock()
	assert.LessOrEqual(t, len(n.journal.store.before)+n.journal.store.writing, maxUnwritten+1)
	n.mu.Unlock()

	ds.at.Store(nil)
	require.Eventually(t, func() bool { return n.Store().Put(storedValue(1)) == nil }, 20*time.Second, time.Millisecond)
	require.NoError(t, n.Close())
	assert.Len(t, n.Store().Records(), 2)
	assert.Len(t, contents(t, ds), 2)
}

// With a datastore the store cannot be changed before Start, and what it holds is read before anybody is served.
func TestJournalBeforeStart(t *testing.T) {
	ds := memory()
	n := serving(t, ds, nil)
	require.NoError(t, n.Store().Put(storedValue(1)))
	require.NoError(t, n.Close())

	again, err := New(Config{Transports: []string{TCP}, Validators: Namespaces("v"), Datastore: ds})
	require.NoError(t, err)
	assert.ErrorIs(t, again.Store().Put(storedValue(0)), ErrClosed)
	assert.ErrorIs(t, again.Store().Remove(storedValue(1).Key), ErrClosed)
	assert.Empty(t, again.Store().Records())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, again.journal.load(ended), context.Canceled)
	require.NoError(t, again.Start(t.Context()))
	assert.Len(t, again.Store().Records(), 1)
	require.NoError(t, again.Close())
	assert.ErrorIs(t, again.Store().Remove(storedValue(1).Key), ErrClosed)
	assert.Len(t, contents(t, ds), 1)
}

// A datastore may hold what others have put there: it is neither read nor touched.
func TestJournalAmongOthers(t *testing.T) {
	ds := memory()
	others := map[string][]byte{"/providers/AAAA/BBBB": []byte("go-libp2p-kad-dht's"), "/pk/AAAA": []byte("too"), "/record/AAAA": []byte("whose?"),
		"/kadbench-2/record/AAAA": []byte("not ours either")}
	for key, value := range others {
		require.NoError(t, ds.Put(t.Context(), datastore.RawKey(key), value))
	}
	n := serving(t, ds, nil)
	assert.Zero(t, n.Journal())
	require.NoError(t, n.Store().Put(storedValue(1)))
	require.NoError(t, n.Store().Remove(storedValue(1).Key))
	require.NoError(t, n.Close())
	assert.Equal(t, others, contents(t, ds))
}
