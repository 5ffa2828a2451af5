package ground

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/target"
)

func memSeed(n int) (seed [32]byte) {
	binary.BigEndian.PutUint32(seed[:], uint32(n))
	return seed
}

func hosts(t *testing.T, m *Mem, n int) (all []host.Host) {
	for i := range n {
		h, err := m.Host(memSeed(i))
		require.NoError(t, err)
		h.SetStreamHandler("/echo", func(s network.Stream) {
			io.Copy(s, s)
			s.Close()
		})
		all = append(all, h)
	}
	return all
}

func infoOf(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

func echo(t *testing.T, from host.Host, to peer.ID) {
	s, err := from.NewStream(t.Context(), to, "/echo")
	require.NoError(t, err)
	_, err = s.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, s.CloseWrite())
	got, err := io.ReadAll(s)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(got))
}

func TestMem(t *testing.T) {
	m := NewMem(time.Millisecond)
	defer m.Close()
	all := hosts(t, m, 3)
	key, err := target.KeyFromSeed(func() []byte { s := memSeed(1); return s[:] }())
	require.NoError(t, err)
	want, err := peer.IDFromPrivateKey(key)
	require.NoError(t, err)
	assert.Equal(t, want, all[1].ID())
	assert.Equal(t, "/ip4/127.1.0.2/tcp/4001", all[1].Addrs()[0].String())

	require.NoError(t, all[0].Connect(t.Context(), infoOf(all[1])))
	echo(t, all[0], all[1].ID())
	echo(t, all[1], all[0].ID())
	echo(t, all[1], all[2].ID()) // a stream dials too
	_, err = all[2].Network().DialPeer(t.Context(), all[0].ID())
	require.NoError(t, err)
	assert.Error(t, all[0].Connect(t.Context(), peer.AddrInfo{ID: "nobody"}))

	_, err = m.Host(memSeed(1))
	assert.ErrorContains(t, err, "is there already: a seed of its own was expected")
	gone := infoOf(all[1])
	require.NoError(t, all[1].Close())
	require.ErrorIs(t, all[0].Connect(t.Context(), gone), errNoPeer)
	_, err = m.Host(memSeed(1))
	require.NoError(t, err, "it has come back")
	require.NoError(t, all[0].Connect(t.Context(), gone))
}

// TestMemIsLarge: 1,000 hosts that dial ten others each have as many links, not one for each pair.
func TestMemIsLarge(t *testing.T) {
	const count, each = 1000, 10
	m := NewMem(0)
	defer m.Close()
	all := hosts(t, m, count)
	var dialling sync.WaitGroup
	for i, h := range all {
		dialling.Go(func() {
			for k := range each {
				assert.NoError(t, h.Connect(t.Context(), infoOf(all[(i+1+k*k*7)%count])))
			}
		})
	}
	dialling.Wait()
	echo(t, all[17], all[18].ID())
	links := 0
	for _, h := range m.hosts {
		links += len(h.links)
	}
	assert.LessOrEqual(t, links/2, count*each)
}

// TestInstancesMeetInMemory: those of one run share a network.
func TestInstancesMeetInMemory(t *testing.T) {
	c := Case{Name: "meet", Min: 1, Max: 10, Default: 5, Params: []Param{{Name: "transport", Type: "string", Default: "mem"}}}
	c.Run = func(ctx context.Context, in *Instance) error {
		h, err := in.Mem.Host(memSeed(in.Seq))
		if err != nil {
			return err
		}
		defer h.Close()
		if err := in.Sync.Publish(ctx, "peers", infoOf(h)); err != nil {
			return err
		}
		err = in.Sync.Collect(ctx, "peers", in.Count, func(item []byte) error {
			var other peer.AddrInfo
			if err := other.UnmarshalJSON(item); err != nil || other.ID == h.ID() {
				return err
			}
			return h.Connect(ctx, other)
		})
		if err != nil {
			return err
		}
		in.Out.Point("peers", float64(len(h.Network().Peers())))
		return in.Barrier(ctx, "done")
	}
	r, err := Local(t.Context(), Config{Case: "meet", Cases: []*Case{&c}, Out: t.TempDir()})
	require.NoError(t, err)
	for _, o := range r.Instances {
		assert.Equal(t, 4.0, o.Points[0].Value)
	}
}
