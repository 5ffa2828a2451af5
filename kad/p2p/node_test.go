package p2p_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirectory); dir != "" {
		fmt.Fprintln(os.Stderr, serveForKill(dir))
		os.Exit(1)
	}
	// leveldb's pool lingers for a second after its Close.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// bound is the time that a test may take at all; nothing here waits for it to pass.
const bound = 20 * time.Second

// tick is how often a test looks whether what it waits for has come.
const tick = time.Millisecond

func context20(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

// start makes and starts a node, a server unless the configuration says otherwise, and closes it at the end.
func start(t *testing.T, cfg p2p.Config) *p2p.Node {
	t.Helper()
	if cfg.Kad.Mode == kad.ModeAuto {
		cfg.Kad.Mode = kad.ModeServer
	}
	if cfg.Validators == nil {
		cfg.Validators = p2p.Namespaces("pk", "ipns", "v")
	}
	n, err := p2p.New(cfg)
	require.NoError(t, err)
	require.NoError(t, n.Start(context20(t)))
	t.Cleanup(func() { assert.NoError(t, n.Close()) })
	return n
}

func info(n *p2p.Node) peer.AddrInfo { return *host.InfoFromHost(n.Host()) }

// swarm starts count servers, each of which knows all others, and a client that knows the first.
func swarm(t *testing.T, count int, cfg p2p.Config) (servers []*p2p.Node, client *p2p.Node) {
	ctx := context20(t)
	for range count {
		servers = append(servers, start(t, cfg))
	}
	for i, a := range servers {
		for _, b := range servers[:i] {
			require.NoError(t, a.Connect(ctx, info(b)))
		}
	}
	for _, a := range servers {
		require.Eventually(t, func() bool { return len(a.Table()) == count-1 }, bound, tick)
	}
	cfg.Kad.Mode = kad.ModeClient
	client = start(t, cfg)
	require.NoError(t, client.Connect(ctx, info(servers[0])))
	require.Eventually(t, func() bool { return len(client.Table()) == 1 }, bound, tick)
	return servers, client
}

func TestOperations(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  p2p.Config
	}{
		{"tcp noise", p2p.Config{Transports: []string{p2p.TCP}, Security: []string{p2p.Noise}}},
		{"tcp tls", p2p.Config{Transports: []string{p2p.TCP}, Security: []string{p2p.TLS}}},
		{"quic", p2p.Config{Transports: []string{p2p.QUIC}}},
		{"all", p2p.Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context20(t)
			servers, client := swarm(t, 5, c.cfg)

			near, err := client.GetClosestPeers(ctx, []byte("somewhere"), 0)
			require.NoError(t, err)
			assert.Len(t, near.Peers, 5)
			assert.Equal(t, uint32(5), near.Stats.Successes)
			for _, p := range near.Peers {
				assert.NotEmpty(t, p.Addrs)
			}

			found, err := client.LookupPeer(ctx, servers[3].ID())
			require.NoError(t, err)
			assert.Equal(t, servers[3].ID(), found.Peer.ID)

			put, err := client.PutRecord(ctx, p2p.Record{Key: []byte("/v/key"), Value: []byte("ok one")}, kad.All)
			require.NoError(t, err)
			assert.Len(t, put.Stored, 5)
			got, err := servers[4].GetRecord(ctx, []byte("/v/key"), 0)
			require.NoError(t, err)
			assert.Equal(t, "ok one", string(got.Value))

			key := []byte("\x12\x20a multihash of 32 bytes of digest")
			provided, err := servers[1].StartProviding(ctx, key)
			require.NoError(t, err)
			assert.Len(t, provided.Announced, 4)
			providers, err := client.GetProviders(ctx, key, 0)
			require.NoError(t, err)
			require.Len(t, providers.Providers, 1)
			assert.Equal(t, servers[1].ID(), providers.Providers[0].ID)
			assert.NotEmpty(t, providers.Providers[0].Addrs)

			require.NoError(t, client.Bootstrap(ctx))
			assert.Len(t, client.Table(), 5)
		})
	}
}

// TestFindPeer finds one that is no server: whoever is connected to it tells where it listens.
func TestFindPeer(t *testing.T) {
	ctx := context20(t)
	servers, client := swarm(t, 3, p2p.Config{})
	h := connect(t, bare(t), servers[2])
	require.NoError(t, servers[2].Connect(ctx, *host.InfoFromHost(h))) // waits for identify
	found, err := client.LookupPeer(ctx, h.ID())
	require.NoError(t, err)
	assert.Equal(t, h.ID(), found.Peer.ID)
	assert.Equal(t, h.Addrs(), found.Peer.Addrs)
	assert.NotZero(t, found.Stats.Requests)

	own, err := client.LookupPeer(ctx, client.ID())
	require.NoError(t, err)
	assert.Equal(t, client.Host().Addrs(), own.Peer.Addrs)
	_, err = client.LookupPeer(ctx, start(t, p2p.Config{}).ID())
	assert.ErrorIs(t, err, p2p.ErrNotFound)
	_, err = client.LookupPeer(ctx, "nobody")
	assert.ErrorIs(t, err, p2p.ErrInvalid)
}

// In the classic behaviour the quorum ends a get, and one that is missed is told beside what was found; in no other.
func TestClassicQuorum(t *testing.T) {
	ctx := context20(t)
	servers, client := swarm(t, 3, p2p.Config{})
	classic := start(t, p2p.Config{Kad: kad.Classic()})
	key := []byte("/v/key")
	for _, s := range servers {
		require.NoError(t, client.Connect(ctx, info(s)))
		require.NoError(t, classic.Connect(ctx, info(s)))
	}
	_, err := client.PutRecordTo(ctx, p2p.Record{Key: key, Value: []byte("ok 1")}, []peer.ID{servers[0].ID()}, kad.All)
	require.NoError(t, err)
	got, err := classic.GetRecord(ctx, key, 1)
	require.NoError(t, err)
	assert.Len(t, got.Records, 1)
	got, err = client.GetRecord(ctx, key, 20)
	require.NoError(t, err)
	assert.Equal(t, "ok 1", string(got.Value))
	got, err = classic.GetRecord(ctx, key, 20)
	assert.ErrorIs(t, err, p2p.ErrQuorum)
	assert.Equal(t, "ok 1", string(got.Value))
	assert.NotEmpty(t, got.Records)
	_, err = classic.GetRecord(ctx, []byte("/v/none"), 20)
	assert.ErrorIs(t, err, p2p.ErrNotFound)
}

func TestRecords(t *testing.T) {
	ctx := context20(t)
	servers, client := swarm(t, 4, p2p.Config{})
	for _, s := range servers {
		require.NoError(t, client.Connect(ctx, info(s)))
	}
	key := []byte("/v/key")
	put := func(value string, to ...peer.ID) {
		got, err := client.PutRecordTo(ctx, p2p.Record{Key: key, Value: []byte(value)}, to, kad.All)
		require.NoError(t, err)
		assert.Len(t, got.Stored, len(to))
	}
	put("ok 1", servers[0].ID(), servers[1].ID())
	put("ok 3", servers[2].ID())
	put("ok 2", servers[3].ID())
	got, err := client.GetRecord(ctx, key, 0)
	require.NoError(t, err)
	assert.Equal(t, "ok 3", string(got.Value))
	assert.Len(t, got.Records, 4)

	// Those who are asked with a quorum of 1 may have any of them, and one is enough.
	got, err = client.GetRecord(ctx, key, 1)
	require.NoError(t, err)
	assert.NotEmpty(t, got.Records)

	_, err = client.PutRecord(ctx, p2p.Record{Key: key, Value: []byte("ok 4"), Lifetime: time.Hour}, kad.Majority)
	require.NoError(t, err)
	require.NoError(t, client.RemoveRecord(key))
	got, err = client.GetRecord(ctx, key, 0)
	require.NoError(t, err)
	assert.Equal(t, "ok 4", string(got.Value))
	for _, r := range got.Records {
		assert.NotEqual(t, client.ID(), r.Peer)
	}
}

func TestProviders(t *testing.T) {
	ctx := context20(t)
	servers, client := swarm(t, 4, p2p.Config{})
	for _, s := range servers[:3] {
		_, err := s.StartProviding(ctx, multihash)
		require.NoError(t, err)
	}
	all, err := client.GetProviders(ctx, multihash, 0)
	require.NoError(t, err)
	assert.Len(t, all.Providers, 3)
	two, err := client.GetProviders(ctx, multihash, 2)
	require.NoError(t, err)
	assert.Len(t, two.Providers, 2)
	require.NoError(t, servers[0].StopProviding(multihash))
	_, err = client.GetProviders(ctx, []byte("nothing"), 0)
	assert.NoError(t, err)
}

func TestTable(t *testing.T) {
	servers, _ := swarm(t, 3, p2p.Config{})
	n := start(t, p2p.Config{})
	for _, s := range servers {
		update, err := n.AddAddress(s.ID(), s.Addrs()[0])
		require.NoError(t, err)
		assert.Equal(t, kad.UpdateSuccess, update)
	}
	assert.Len(t, n.Table(), 3)
	_, err := n.AddAddress(servers[0].ID(), servers[1].Addrs()[0])
	assert.ErrorIs(t, err, p2p.ErrInvalid)

	gone, err := n.RemoveAddress(servers[0].ID(), servers[0].Addrs()[0])
	require.NoError(t, err)
	assert.Equal(t, servers[0].ID(), gone.ID)
	gone, err = n.RemovePeer(servers[1].ID())
	require.NoError(t, err)
	assert.Equal(t, servers[1].ID(), gone.ID)
	gone, err = n.RemovePeer(servers[1].ID())
	require.NoError(t, err)
	assert.Nil(t, gone)
	assert.Equal(t, []peer.ID{servers[2].ID()}, n.Table())

	// It dials by the address that it was given.
	near, err := n.GetClosestPeers(context20(t), []byte("k"), 2)
	require.NoError(t, err)
	assert.Len(t, near.Peers, 2)
}

func TestBootstrapPeers(t *testing.T) {
	server := start(t, p2p.Config{})
	n := start(t, p2p.Config{Bootstrap: []string{server.Addrs()[0].String()}})
	require.Eventually(t, func() bool { return len(n.Table()) == 1 && len(server.Table()) == 1 }, bound, tick)
	assert.Equal(t, []string{p2p.DefaultProtocol}, n.ProtocolNames())
}

// TestAmino: a node of the public network takes no private address; the rest of what it wants is there.
func TestAmino(t *testing.T) {
	cfg := p2p.Amino()
	require.NoError(t, cfg.Check())
	assert.Equal(t, kad.Amino().Alpha, cfg.Kad.Alpha)
	assert.True(t, cfg.Diversity)
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	n := start(t, cfg)
	_, err := n.AddAddress(stranger, somewhere)
	assert.ErrorIs(t, err, p2p.ErrPrivate)
}
