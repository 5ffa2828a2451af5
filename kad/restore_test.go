package kad

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A restored table is the one that the same peers would have by the protocol, and neither tells nor begins anything.
func TestRestore(t *testing.T) {
	dir := NewDirectory()
	for i := range 200 {
		p := dir.Intern(fmt.Appendf(nil, "node %d", i))
		dir.SetAddrs(p, Addrs(nil).Add(fmt.Appendf(nil, "/mem/%d", i)))
	}
	dir.Freeze()
	cfg := Config{Mode: ModeServer}.WithDefaults()
	now := Time(1_767_225_600e9)
	var restored, met Kademlia
	restored.Init(1, dir, &cfg)
	met.Init(1, dir, &cfg)
	var peers []Seen
	var out Output
	for p := Peer(1); p <= 200; p++ { // itself, too, who has no place
		peers = append(peers, Seen{p, now - Time(p)*Time(Second)})
		met.Step(now, Input{Kind: ProtocolConfirmed, Peer: PeerInfo{Peer: p}}, &out)
	}
	require.Equal(t, met.Table().Len(), restored.Restore(now, peers))
	require.Greater(t, restored.Table().Len(), 40)
	require.Less(t, restored.Table().Len(), 199, "no bucket takes more than K")
	for p := Peer(1); p <= 200; p++ {
		has, _ := restored.Table().Contains(p)
		had, _ := met.Table().Contains(p)
		require.Equal(t, had, has, "peer %d", p)
	}
	// The oldest was heard of 200 s ago: the first probe comes when ProbeInterval has passed since then.
	require.GreaterOrEqual(t, restored.Wake(), now)
	restored.Step(restored.Wake(), Input{Kind: Tick}, &out)
	for _, ev := range out.Events {
		require.NotEqual(t, RoutingUpdated, ev.Kind)
	}

	// Moments of the first bootstrap are spread over the interval.
	var least, most Time
	for p := Peer(1); p <= 100; p++ {
		var k Kademlia
		quiet := cfg
		quiet.ProbeInterval, quiet.ReplicationInterval, quiet.PublicationInterval, quiet.ProvideInterval = -1, -1, -1, -1
		k.Init(p, dir, &quiet)
		k.Restore(now, peers)
		at := k.Wake() - now
		if least == 0 || at < least {
			least = at
		}
		most = max(most, at)
	}
	require.Less(t, least, Time(cfg.BootstrapInterval/10))
	require.Greater(t, most, Time(cfg.BootstrapInterval*9/10))
	require.LessOrEqual(t, most, Time(cfg.BootstrapInterval))
}
