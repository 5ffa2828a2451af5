package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	dsquery "github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
	leveldb "github.com/ipfs/go-ds-leveldb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

// journalled makes a node that runs nowhere but whose journal can be loaded and written.
func journalled(t testing.TB, key crypto.PrivKey, ds datastore.Batching, limits kad.Limits) *Node {
	n, err := New(Config{PrivKey: key, Kad: kad.Config{Limits: limits}, Datastore: ds})
	require.NoError(t, err)
	return n
}

// rebuilt is a Store that is thrown away and fed back from its journal after each change.
type rebuilt struct {
	kad.Store
	t   *testing.T
	n   *Node
	key crypto.PrivKey
	ds  datastore.Batching
}

func (s *rebuilt) Put(r kad.StoredRecord) error {
	defer s.again()
	return s.Store.Put(r)
}

func (s *rebuilt) Remove(key []byte) {
	s.Store.Remove(key)
	s.again()
}

func (s *rebuilt) AddProvider(r kad.ProviderRecord) error {
	defer s.again()
	return s.Store.AddProvider(r)
}

func (s *rebuilt) RemoveProvider(key []byte, p kad.Peer) {
	s.Store.RemoveProvider(key, p)
	s.again()
}

func (s *rebuilt) Expire(now kad.Time, limit int) int {
	defer s.again()
	return s.Store.Expire(now, limit)
}

// again writes what has changed, and reads all of it into an empty store.
func (s *rebuilt) again() {
	if s.n != nil {
		states := map[entryName]entryState{}
		for name := range s.n.journal.store.before {
			states[name] = s.n.journal.store.state(name)
		}
		require.NoError(s.t, s.n.journal.write(states))
	}
	s.n = journalled(s.t, s.key, s.ds, kadtest.StoreLimits)
	s.Store = s.n.journal.store
	for i := range 16 { // the suite's handles, the same in each
		s.n.core.Directory().Intern(append([]byte{0x12, 32, byte(i)}, make([]byte, 31)...))
	}
	for key, value := range contents(s.t, s.ds) {
		name, ok := parseEntryName(key)
		require.True(s.t, ok)
		e, err := decodeEntry(name, value)
		require.NoError(s.t, err)
		st := e.state()
		st.record.Rank = []byte{1} // as the suite's
		require.Zero(s.t, s.n.journal.store.restore(st, 0))
	}
}

func contents(t testing.TB, ds datastore.Batching) map[string][]byte {
	all, err := ds.Query(context.Background(), dsquery.Query{})
	require.NoError(t, err)
	entries, err := all.Rest()
	require.NoError(t, err)
	m := map[string][]byte{}
	for _, e := range entries {
		m[e.Key] = e.Value
	}
	return m
}

func memory() datastore.Batching { return dssync.MutexWrap(datastore.NewMapDatastore()) }

func onDisk(t testing.TB, dir string) *leveldb.Datastore {
	ds, err := leveldb.NewDatastore(dir, nil)
	require.NoError(t, err)
	return ds
}

// A store that is rebuilt from its journal after each change is a Store as any other.
func TestJournalStore(t *testing.T) {
	kadtest.TestStore(t, func(t *testing.T) kad.Store {
		key, err := randomIdentity()
		require.NoError(t, err)
		s := &rebuilt{t: t, key: key, ds: memory()}
		s.again()
		return s
	})
}

func FuzzJournalEntry(f *testing.F) {
	e := journalEntry{Version: entryVersion, Key: []byte("k"), Record: &entryRecord{Value: []byte("v"), Received: 1, Expires: 2}}
	b, err := e.encode()
	require.NoError(f, err)
	f.Add("/kadbench/record/aw", b[4:])
	p := journalEntry{Version: entryVersion, Key: []byte("k"), Providers: []entryProvider{
		{ID: append([]byte{0x12, 32}, make([]byte, 32)...), Addrs: []byte{0x12, 1, 4}, Received: 1}}}
	b, err = p.encode()
	require.NoError(f, err)
	f.Add("/kadbench/providers/aw", b[4:])
	f.Add("/kadbench/record/aw", []byte(`{"Version":2}`))
	f.Fuzz(func(t *testing.T, key string, body []byte) {
		name, ok := parseEntryName(key)
		if !ok {
			return
		}
		// With the right checksum, which chance does not find.
		b := append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)), body...)
		e, err := decodeEntry(name, b)
		if err != nil {
			require.ErrorIs(t, err, errEntry)
			return
		}
		st := e.state()
		st.review(namespaces(Namespaces("v")), 10)
		again, err := e.encode()
		require.NoError(t, err)
		same, err := decodeEntry(name, again)
		require.NoError(t, err)
		require.Equal(t, e, same)
	})
}

// failing is a datastore whose writes fail while a step is named.
type failing struct {
	datastore.Batching
	at atomic.Pointer[string] // "batch", "put", "commit", "sync"
}

var errDisk = errors.New("disk")

func (f *failing) fails(step string) error {
	if at := f.at.Load(); at != nil && *at == step {
		return errDisk
	}
	return nil
}

func (f *failing) Batch(ctx context.Context) (datastore.Batch, error) {
	b, err := f.Batching.Batch(ctx)
	return failingBatch{b, f}, errors.Join(err, f.fails("batch"))
}

func (f *failing) Sync(ctx context.Context, k datastore.Key) error {
	return errors.Join(f.Batching.Sync(ctx, k), f.fails("sync"))
}

type failingBatch struct {
	datastore.Batch
	f *failing
}

func (b failingBatch) Put(ctx context.Context, k datastore.Key, v []byte) error {
	return errors.Join(b.Batch.Put(ctx, k, v), b.f.fails("put"))
}

func (b failingBatch) Delete(ctx context.Context, k datastore.Key) error {
	return errors.Join(b.Batch.Delete(ctx, k), b.f.fails("put"))
}

func (b failingBatch) Commit(ctx context.Context) error {
	if err := b.f.fails("commit"); err != nil {
		return err
	}
	return b.Batch.Commit(ctx)
}

func infoOf(n *Node) peer.AddrInfo { return *host.InfoFromHost(n.Host()) }

func serving(t *testing.T, ds datastore.Batching, change func(*Config)) *Node {
	cfg := Config{Kad: kad.Config{Mode: kad.ModeServer}, Transports: []string{TCP}, Validators: Namespaces("v", "pk"), Datastore: ds}
	if change != nil {
		change(&cfg)
	}
	n, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, n.Close()) })
	return n
}

// What a datastore does not take is neither acknowledged nor served, what was there stays, and when it takes again all goes on.
func TestJournalFailures(t *testing.T) {
	for _, step := range []string{"batch", "put", "commit", "sync"} {
		t.Run(step, func(t *testing.T) {
			ds := &failing{Batching: memory()}
			n := serving(t, ds, nil)
			client := serving(t, nil, nil)
			require.NoError(t, client.Connect(t.Context(), infoOf(n)))
			put := func(value string) error {
				_, err := client.PutRecordTo(t.Context(), Record{Key: []byte("/v/a"), Value: []byte(value)}, []peer.ID{n.id}, kad.All)
				return err
			}
			provided := []byte("a key that somebody provides")
			require.NoError(t, put("ok 1"))
			ds.at.Store(&step)
			assert.ErrorIs(t, put("ok 2"), ErrQuorum)
			_, err := n.PutRecord(t.Context(), Record{Key: []byte("/v/b"), Value: []byte("ok b")}, kad.One)
			assert.ErrorIs(t, err, ErrJournal)
			assert.ErrorIs(t, err, errDisk)
			_, err = n.StartProviding(t.Context(), provided)
			assert.ErrorIs(t, err, ErrJournal)
			assert.ErrorIs(t, n.Store().Remove([]byte("/v/a")), ErrJournal)
			assert.Empty(t, n.Store().Providers(provided))
			assert.Empty(t, n.Queries())
			all := n.Store().Records()
			require.Len(t, all, 1)
			assert.Equal(t, "ok 1", string(all[0].Value))
			assert.GreaterOrEqual(t, n.Journal().Failures, 4)

			ds.at.Store(nil)
			require.NoError(t, put("ok 3"))
			require.NoError(t, n.Close())
			again := serving(t, ds.Batching, nil)
			all = again.Store().Records()
			require.Len(t, all, 1)
			assert.Equal(t, "ok 3", string(all[0].Value))
			assert.Equal(t, JournalStats{Restored: 1}, again.Journal())
		})
	}
}

// What was stored comes back, but for what has expired, is valid no more, or finds no room; what cannot be read stays.
func TestJournalStart(t *testing.T) {
	ds := onDisk(t, t.TempDir())
	defer func() { assert.NoError(t, ds.Close()) }()
	n := serving(t, ds, nil)
	someone := serving(t, nil, nil)
	for i := range 6 {
		r := StoredRecord{Key: fmt.Appendf(nil, "/v/%d", i), Value: fmt.Appendf(nil, "ok %d", i)}
		if i == 5 {
			r.Expires = time.Now().Add(time.Hour)
		}
		require.NoError(t, n.Store().Put(r))
	}
	require.NoError(t, n.Store().Remove([]byte("/v/4")))
	require.NoError(t, n.Store().AddProvider(StoredProvider{Key: []byte("k"), Provider: infoOf(someone)}))
	_, err := n.StartProviding(t.Context(), []byte("mine"))
	require.NoError(t, err)
	key := n.key
	require.NoError(t, n.Close())

	restart := func(change func(*Config)) *Node {
		return serving(t, ds, func(c *Config) {
			c.PrivKey = key
			if change != nil {
				change(c)
			}
		})
	}
	junk := datastore.RawKey("/kadbench/record/AAAA")
	require.NoError(t, ds.Put(t.Context(), junk, []byte("no entry at all")))
	n = restart(nil)
	assert.Equal(t, JournalStats{Restored: 7, Corrupt: 1}, n.Journal())
	assert.Len(t, n.Store().Records(), 5)
	require.Len(t, n.Store().Providers([]byte("k")), 1)
	assert.Equal(t, someone.id, n.Store().Providers([]byte("k"))[0].Provider.ID)
	assert.NotEmpty(t, n.Store().Providers([]byte("k"))[0].Provider.Addrs)
	assert.Len(t, n.Store().Provided(), 1)
	n.Advance(2 * time.Hour) // one expires, and leaves the journal by itself
	require.NoError(t, n.Close())
	assert.Len(t, contents(t, ds), 7)

	n = restart(func(c *Config) { c.Kad.Limits.Records = 2 })
	assert.Equal(t, JournalStats{Restored: 4, Refused: 2, Corrupt: 1}, without(n.Journal()))
	require.NoError(t, n.Close())
	n = restart(func(c *Config) { c.Validators = Namespaces("pk") })
	assert.Equal(t, JournalStats{Restored: 2, Invalid: 2, Corrupt: 1}, without(n.Journal()))
	require.NoError(t, n.Close())
	assert.Len(t, contents(t, ds), 3, "the junk too")
}

// without leaves out what depends on when the writer looks.
func without(s JournalStats) JournalStats {
	s.Commits = 0
	return s
}

// A clock that was set back does not give a record more than its life.
func TestJournalClock(t *testing.T) {
	for _, c := range []struct {
		name                                 string
		received, expires, now, wantR, wantE kad.Time
	}{
		{"as it should be", 5, 50, 10, 5, 50},
		{"for ever", 5, 0, 10, 5, 0},
		{"set back", 1000, 1050, 10, 10, 60},
		{"set back, for ever", 1000, 0, 10, 10, 0},
		{"expired before it came", 1000, 900, 10, 10, 11},
	} {
		r, e := c.received, c.expires
		shift(&r, &e, c.now)
		assert.Equal(t, []kad.Time{c.wantR, c.wantE}, []kad.Time{r, e}, c.name)
	}
}

// Many put the same keys at once; in the end the journal is what the store is, and one write has served many.
func TestJournalAtOnce(t *testing.T) {
	ds := memory()
	n := serving(t, ds, nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for range 200 {
				key := fmt.Appendf(nil, "/v/%d", rng.IntN(4))
				switch rng.IntN(6) {
				case 0:
					assert.NoError(t, n.Store().Remove(key))
				case 1:
					assert.NoError(t, n.Store().AddProvider(StoredProvider{Key: key, Provider: infoOf(n)}))
				case 2:
					assert.NoError(t, n.Store().RemoveProvider(key, n.id))
				default:
					if err := n.Store().Put(StoredRecord{Key: key, Value: fmt.Appendf(nil, "ok %d", rng.IntN(1000))}); err != nil {
						assert.ErrorIs(t, err, kad.ErrWorseRecord)
					}
				}
			}
		})
	}
	all.Wait()
	want := n.Store().Records()
	require.NoError(t, n.Close())
	got := serving(t, ds, nil).Store().Records()
	for _, list := range [][]StoredRecord{want, got} {
		slices.SortFunc(list, func(a, b StoredRecord) int { return bytes.Compare(a.Key, b.Key) })
	}
	assert.Equal(t, want, got)
}
