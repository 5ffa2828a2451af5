package nettest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	latency = 25 * time.Millisecond // one way

	// dialTimeout of every host, go-libp2p's default. A handshake over QUIC gives up before, after 5 s, in either kind.
	dialTimeout = 15 * time.Second

	// never is when the packets of a silent node arrive: the simulated network cannot drop any.
	never = 100 * 365 * 24 * time.Hour
)

// world is a simulated network in virtual time whose nodes can fall silent. Identities, and whoever is chosen by rand, come
// from its seed; so two worlds of one seed have the same nodes at the same places.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	members []*member
	silent  []atomic.Bool
	seeds   [32]byte
	net     *simnet.Simnet
}

// inWorld runs a test in a world that may have so many nodes.
func inWorld(t *testing.T, seed byte, most int, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, seeds: [32]byte{seed}, silent: make([]atomic.Bool, most)}
		w.rand = rand.New(rand.NewChaCha8(w.seeds))
		w.net = &simnet.Simnet{LatencyFunc: func(p *simnet.Packet) time.Duration {
			if w.silent[index(p.From)].Load() || w.silent[index(p.To)].Load() {
				return never
			}
			return latency
		}}
		w.net.Start()
		defer w.net.Close()
		defer func() {
			var closed sync.WaitGroup
			for _, m := range w.living() {
				closed.Go(func() {
					_ = m.close()
					assert.NoError(t, m.host.Close())
				})
			}
			closed.Wait()
		}()
		test(t, w)
	})
}

func address(i int) net.IP { return net.IPv4(1, 1, byte(i>>8), byte(i)).To4() }

func index(a net.Addr) int {
	ip := a.(*net.UDPAddr).IP.To4()
	return int(ip[2])<<8 | int(ip[3])
}

// identity of a node in the world of a seed.
func identity(t *testing.T, seed byte, i int) crypto.PrivKey {
	key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{seed, 1, byte(i >> 8), byte(i)}))
	require.NoError(t, err)
	return key
}

// add starts a node that nobody knows yet.
func (w *world) add(kind join) *member {
	i := len(w.members)
	link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	h, err := libp2p.New(
		libp2p.Identity(identity(w.t, w.seeds[0], i)),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", address(i))),
		simlibp2p.QUICSimnet(w.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.DisableIdentifyAddressDiscovery(), // it never rests, so time would not pass
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
	)
	require.NoError(w.t, err)
	m := kind(w.t, counting(h))
	w.members = append(w.members, m)
	return m
}

// grow adds nodes, each of which knows three that were there before it, and lets all of them bootstrap at once.
func (w *world) grow(kinds ...join) {
	for _, kind := range kinds {
		m := w.add(kind)
		before := w.rand.Perm(len(w.members) - 1)
		for _, i := range before[:min(3, len(before))] {
			require.NoError(w.t, m.connect(w.t.Context(), w.members[i]))
		}
	}
	var done sync.WaitGroup
	for _, m := range w.members {
		done.Go(func() { assert.NoError(w.t, m.bootstrap(w.t.Context())) })
	}
	done.Wait()
}

// silence lets nodes die without a word: what they send, and what they are sent, is lost.
func (w *world) silence(dead []*member) {
	for _, m := range dead {
		w.silent[slices.Index(w.members, m)].Store(true)
	}
}

// kill lets a node die without a word and for good.
func (w *world) kill(m *member) {
	w.silence([]*member{m})
	_ = m.close()
	assert.NoError(w.t, m.host.Close())
	m.dead = true
}

// living are the members that were not killed, oldest first.
func (w *world) living() []*member {
	return slices.DeleteFunc(slices.Clone(w.members), func(m *member) bool { return m.dead })
}

// pass lets time pass.
func (w *world) pass(d time.Duration) { <-time.After(d) }

// repeat is a kind for each of so many nodes.
func repeat(kind join, count int) []join { return slices.Repeat([]join{kind}, count) }
