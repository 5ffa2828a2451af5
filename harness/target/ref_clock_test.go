package target

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad/wire"
)

// timed is a reference with three serving puppets in its table, whose clock the test moves.
type timed struct {
	t       *testing.T
	ref     *Ref
	info    peer.AddrInfo
	puppets []*Puppet
	seen    []int // of each puppet's journal
}

func newTimed(t *testing.T, p StartParams) *timed {
	c := &timed{t: t, ref: NewRef(), seen: make([]int, 3)}
	t.Cleanup(func() { require.NoError(t, c.ref.Close()) })
	p.Seed, p.Mode, p.Namespaces = SeedText([32]byte{7}), "server", []string{"v"}
	var s Started
	c.do("start", p, &s)
	var err error
	c.info, err = s.Info()
	require.NoError(t, err)
	for range c.seen {
		q := puppet(t, PuppetConfig{Kind: Serving})
		require.NoError(t, q.Connect(testDeadline(t), c.info))
		c.puppets = append(c.puppets, q)
	}
	require.Eventually(t, func() bool {
		var table TableResult
		c.do("table", nil, &table)
		return len(table.Peers) == len(c.puppets)
	}, CallTimeout, settleTick)
	return c
}

func (c *timed) do(method string, params, result any) {
	c.t.Helper()
	got, err := c.ref.Do(testDeadline(c.t), method, marshal(params))
	require.NoError(c.t, err, method)
	if result != nil {
		require.NoError(c.t, json.Unmarshal(marshal(got), result))
	}
}

func (c *timed) clock(by time.Duration) {
	c.t.Helper()
	c.do("advance_clock", ClockParams{By: by.Milliseconds()}, nil)
}

// heard counts the messages which the puppets have heard since the last call, by type.
func (c *timed) heard() map[wire.Type]int {
	count := map[wire.Type]int{}
	for i, p := range c.puppets {
		for _, h := range p.Heard().From(c.seen[i]) {
			c.seen[i]++
			var m wire.Message
			if !h.Dial && wire.Decode(h.Body, &m) == nil {
				count[m.Type]++
			}
		}
	}
	return count
}

// asks sends one request from the first puppet; the reply is nil where there is none.
func (c *timed) asks(m *wire.Message) (reply wire.Message) {
	c.t.Helper()
	s, err := c.puppets[0].Open(testDeadline(c.t), c.info.ID, "/ipfs/kad/1.0.0")
	require.NoError(c.t, err)
	defer s.Close()
	require.NoError(c.t, s.Write(testDeadline(c.t), wire.AppendFrame(nil, m)))
	if m.Type == wire.AddProvider {
		require.NoError(c.t, s.CloseWrite())
	}
	e, err := s.Next(testDeadline(c.t))
	require.NoError(c.t, err)
	if e.Kind == Frame {
		require.NoError(c.t, wire.Decode(e.Body, &reply))
	}
	return reply
}

func hash(label string) []byte {
	h := sha256.Sum256([]byte(label))
	return append([]byte{0x12, 0x20}, h[:]...)
}

// TestClockExpiry: what others stored goes when its time is over, with the jobs or without.
func TestClockExpiry(t *testing.T) {
	for _, background := range []bool{false, true} {
		c := newTimed(t, StartParams{Background: background})
		key := []byte("/v/theirs")
		c.asks(&wire.Message{Type: wire.PutValue, Key: key, HasRecord: true, Record: wire.Record{Key: key, Value: []byte("ok value")}})
		p := c.puppets[0]
		c.asks(&wire.Message{Type: wire.AddProvider, Key: hash("theirs"), ProviderPeers: []wire.Peer{
			{ID: []byte(p.ID()), Addrs: wire.MakeAddrs(p.Addrs()[0].Bytes())},
		}})
		holds := func() (record, provider bool) {
			r := c.asks(&wire.Message{Type: wire.GetValue, Key: key})
			q := c.asks(&wire.Message{Type: wire.GetProviders, Key: hash("theirs")})
			return r.HasRecord, len(q.ProviderPeers) > 0
		}
		for _, step := range []struct {
			by               time.Duration
			record, provider bool
		}{{0, true, true}, {47 * time.Hour, true, true}, {2 * time.Hour, false, false}} {
			c.clock(step.by)
			record, provider := holds()
			require.Equal(t, step.record, record, "the record, %v later, background %v", step.by, background)
			require.Equal(t, step.provider, provider, "the provider, %v later, background %v", step.by, background)
		}
	}
}

// TestClockPeriods: periods that start names are kept, and what it does not name as it was.
func TestClockPeriods(t *testing.T) {
	c := newTimed(t, StartParams{Expiry: map[string]int64{"provider": 4000, "address": 1000}})
	stranger := puppet(t, PuppetConfig{})
	require.NoError(t, stranger.Connect(testDeadline(t), c.info))
	s, err := stranger.Open(testDeadline(t), c.info.ID, "/ipfs/kad/1.0.0")
	require.NoError(t, err)
	require.NoError(t, s.Write(testDeadline(t), wire.AppendFrame(nil, &wire.Message{
		Type: wire.AddProvider, Key: hash("strange"),
		ProviderPeers: []wire.Peer{{ID: []byte(stranger.ID()), Addrs: wire.MakeAddrs(stranger.Addrs()[0].Bytes())}},
	})))
	ask := func() []wire.Peer {
		return c.asks(&wire.Message{Type: wire.GetProviders, Key: hash("strange")}).ProviderPeers
	}
	require.Eventually(t, func() bool { return len(ask()) == 1 }, CallTimeout, settleTick)
	require.NoError(t, stranger.Close())
	require.Equal(t, 1, ask()[0].Addrs.Len())
	c.clock(2 * time.Second)
	require.Len(t, ask(), 1, "half of its time")
	require.Zero(t, ask()[0].Addrs.Len(), "the addresses' time is over")
	c.clock(3 * time.Second)
	require.Empty(t, ask())
}

// TestClockJobs: a node with its jobs gives out its own records again in time, and refreshes its table.
func TestClockJobs(t *testing.T) {
	c := newTimed(t, StartParams{Background: true})
	key := Bytes("/v/ours")
	c.do("put_record", PutParams{Key: key, Value: Bytes("ok value")}, nil)
	c.do("start_providing", KeyParams{Key: hash("ours")}, nil)
	require.Equal(t, 3, c.heard()[wire.PutValue])

	c.clock(time.Hour)
	heard := c.heard()
	require.NotZero(t, heard[wire.FindNode], "the refresh")
	require.Zero(t, heard[wire.PutValue]+heard[wire.AddProvider], "nothing is due")
	c.clock(12 * time.Hour)
	heard = c.heard()
	require.Equal(t, 3, heard[wire.AddProvider], "each 12 h, at the three of the table")
	require.Zero(t, heard[wire.PutValue])

	// In one jump beyond the 48 h after which a record goes: it was published anew meanwhile.
	c.clock(72 * time.Hour)
	heard = c.heard()
	require.GreaterOrEqual(t, heard[wire.PutValue], 6, "each 22 h")
	require.GreaterOrEqual(t, heard[wire.AddProvider], 12, "each 12 h")
	reply := c.asks(&wire.Message{Type: wire.GetValue, Key: key})
	require.True(t, reply.HasRecord)
	var table TableResult
	c.do("table", nil, &table)
	require.Len(t, table.Peers, 3, "the living stay")

	c.do("stop_providing", KeyParams{Key: hash("ours")}, nil)
	c.do("remove_record", KeyParams{Key: key}, nil)
	c.heard()
	c.clock(48 * time.Hour)
	heard = c.heard()
	require.Zero(t, heard[wire.PutValue]+heard[wire.AddProvider], "what was given up is not given out")
}

// TestClockWithoutJobs: without background only the job runs whose period start names.
func TestClockWithoutJobs(t *testing.T) {
	for _, named := range []string{"", "republish", "reprovide", "refresh"} {
		p := StartParams{}
		if named != "" {
			p.Expiry = map[string]int64{named: time.Hour.Milliseconds()}
		}
		c := newTimed(t, p)
		c.do("put_record", PutParams{Key: Bytes("/v/ours"), Value: Bytes("ok value")}, nil)
		c.do("start_providing", KeyParams{Key: hash("ours")}, nil)
		c.heard()
		c.clock(36 * time.Hour)
		heard := c.heard()
		require.Equal(t, named == "republish", heard[wire.PutValue] > 0, named)
		require.Equal(t, named == "reprovide", heard[wire.AddProvider] > 0, named)
		require.Equal(t, named != "", heard[wire.FindNode] > 0, named)
	}
}
