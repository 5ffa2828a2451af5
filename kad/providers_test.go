package kad

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// announced lets others announce a key each, as many as a store may hold.
func announced(t *testing.T, k *Kademlia, keys int) {
	var out Output
	for i := range keys {
		p := PeerInfo{ID: fmt.Appendf(nil, "provider %d", i), Addrs: Addrs("\x12\x01x")}
		k.Step(1, Input{Kind: AddProvider, Peer: p, Key: fmt.Appendf(nil, "key %d", i), Providers: []PeerInfo{p}}, &out)
		require.Equal(t, RespondAddProvider, out.Commands[0].Kind)
	}
}

// keysOf are the keys that anybody provides.
func keysOf(k *Kademlia) (keys []string) {
	for r := range k.Store().AllProviders() {
		keys = append(keys, string(r.Key))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// What this node provides stands beside what others do: provided twice it is there once, its end counted anew; stopped, the
// others' stay.
func TestOwnProviderRecord(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer}))
	var out Output
	announced(t, k, 1)
	for now := Time(1); now < 4; now++ {
		k.Step(now, Input{Kind: OpStartProviding, Key: []byte("key 0")}, &out)
		require.NoError(t, out.Err)
		list := k.Store().Providers([]byte("key 0"), nil)
		require.Len(t, list, 2)
		own, ok := k.ownProvider([]byte("key 0"))
		require.True(t, ok)
		require.Equal(t, ProviderRecord{Key: []byte("key 0"), Provider: k.self, Received: now, Expires: now + Time(48*Hour)}, own)
	}
	k.Step(4, Input{Kind: OpStopProviding, Key: []byte("key 0")}, &out)
	_, ok := k.ownProvider([]byte("key 0"))
	require.False(t, ok)
	require.Len(t, k.Store().Providers([]byte("key 0"), nil), 1)
	k.Step(4, Input{Kind: OpStartProviding, Key: make([]byte, 81)}, &out)
	require.ErrorIs(t, out.Err, ErrKeyLength)

	k = newNode(t, quiet(Config{Mode: ModeServer, ProviderTTL: -1}))
	k.Step(4, Input{Kind: OpStartProviding, Key: []byte("k")}, &out)
	own, ok := k.ownProvider([]byte("k"))
	require.True(t, ok)
	require.Zero(t, own.Expires, "provided forever")
}

// Others fill the store with keys; what this node provides finds room all the same, at the cost of the farthest key. Only its
// own keys are as many as it may have.
func TestOwnKeysFindRoom(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer, Limits: Limits{ProviderKeys: 5}}))
	var out Output
	announced(t, k, 5)
	others := keysOf(k)
	slices.SortFunc(others, func(a, b string) int {
		ka, kb := KeyOf([]byte(a)), KeyOf([]byte(b))
		return k.table.local.Compare(&ka, &kb)
	})
	for i := range 5 {
		k.Step(2, Input{Kind: OpStartProviding, Key: fmt.Appendf(nil, "own %d", i)}, &out)
		require.NoError(t, out.Err)
		left := keysOf(k)
		require.Len(t, left, 5)
		for j, key := range others {
			require.Equal(t, j < 4-i, slices.Contains(left, key), "the farthest is gone")
		}
	}
	k.Step(2, Input{Kind: OpStartProviding, Key: []byte("one more")}, &out)
	require.ErrorIs(t, out.Err, ErrMaxProviderKeys)
	require.Len(t, keysOf(k), 5)
	p := PeerInfo{ID: []byte("p"), Addrs: Addrs("\x12\x01x")}
	k.Step(2, Input{Kind: AddProvider, Peer: p, Key: []byte("another's"), Providers: []PeerInfo{p}}, &out)
	require.Equal(t, Reset, out.Commands[0].Kind, "others find no room")
	k.Step(2, Input{Kind: AddProvider, Peer: p, Key: []byte("own 1"), Providers: []PeerInfo{p}}, &out)
	require.Equal(t, RespondAddProvider, out.Commands[0].Kind, "but with a key that is there")
	k.Step(2, Input{Kind: OpStopProviding, Key: []byte("own 2")}, &out)
	k.Step(2, Input{Kind: OpStartProviding, Key: []byte("one more")}, &out)
	require.NoError(t, out.Err)
}

// An answer names thousands of providers, many of them again and again: each is told once, in the order in which they stand,
// 1024 entries of them at the most.
func TestProvidersOfOneAnswer(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer}))
	fill(t, k, 1)
	var out Output
	ask := func(named []PeerInfo) []PeerInfo {
		k.Step(1, Input{Kind: OpGetProviders, Key: []byte("k")}, &out)
		k.Step(1, Input{Kind: GetProvidersRes, Peer: PeerInfo{ID: []byte("peer 0")}, Query: out.Query, Providers: named}, &out)
		require.True(t, out.Events[len(out.Events)-1].Step.Last)
		if len(out.Events) == 1 {
			return nil
		}
		return out.Events[0].Providers
	}
	var named []PeerInfo
	for i := range 3000 {
		named = append(named, PeerInfo{ID: fmt.Appendf(nil, "p%d", (i*7)%maxProviders), Addrs: Addrs("\x12\x01x")})
	}
	got := ask(named)
	require.Len(t, got, maxProviders)
	for i := range got {
		require.Equal(t, named[i].ID, got[i].ID)
		require.Equal(t, named[i].Addrs, got[i].Addrs)
	}
	a, b := PeerInfo{ID: []byte("a"), Addrs: Addrs("\x12\x011")}, PeerInfo{ID: []byte("b")}
	again := PeerInfo{ID: []byte("a"), Addrs: Addrs("\x12\x012")}
	got = ask([]PeerInfo{b, a, {}, again, b, again, {Peer: 1 << 20}})
	require.Len(t, got, 2)
	require.Equal(t, "b", string(got[0].ID))
	require.Equal(t, a.Addrs, got[1].Addrs, "the first of its entries counts")
	require.Empty(t, ask([]PeerInfo{{}}))
	require.Empty(t, ask(nil))
}

// Who provides a key again keeps its place in the list, and so does everybody else; a key with others beside us is our own.
func TestProvidingAgain(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	k.Step(1, Input{Kind: OpStartProviding, Key: []byte("k")}, &out)
	other := PeerInfo{ID: []byte("other")}
	k.Step(2, Input{Kind: AddProvider, Peer: other, Key: []byte("k"), Providers: []PeerInfo{other}}, &out)
	k.Step(3, Input{Kind: OpStartProviding, Key: []byte("k")}, &out)
	list := k.Store().Providers([]byte("k"), nil)
	require.Len(t, list, 2)
	require.Equal(t, []Peer{k.self, k.dir.Find(other.ID)}, []Peer{list[0].Provider, list[1].Provider})
	require.False(t, k.dropFarthestKey())
	require.Len(t, k.Store().Providers([]byte("k"), nil), 2)
}

// What cannot be stored here is not announced either.
func TestProvidingRefused(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 3)
	var out Output
	k.Step(2, Input{Kind: OpStartProviding, Key: make([]byte, 81)}, &out)
	require.ErrorIs(t, out.Err, ErrKeyLength)
	require.Zero(t, out.Query)
	require.Empty(t, out.Commands)
	require.Empty(t, k.queries)
}
