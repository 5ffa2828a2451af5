package nettest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// The mixed network: 20 nodes of either kind on loopback. A quarter of them, five of either, live in a process of their own,
// so that they can be stopped as a whole: their sockets stay, and take what is sent, but nobody answers.
//
// Of ours the patient ones are asked while all live: on a busy machine who lives may be slow, and by default a node ends a
// lookup without the slow.
const (
	eitherHere  = 15
	eitherThere = 5
	patientHere = 8

	dyingVar = "KADBENCH_NETTEST_DYING" // set in the environment of the process whose nodes are to die
)

func patient(c *kad.Config) { c.Patience = -1 }

// onLoopback starts a node on a new host with a port of its own.
func onLoopback(t *testing.T, kind join) *member {
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
		// For addresses that are private it is 5 s by default, too little on a machine busy with 40 nodes which all begin.
		libp2p.SwarmOpts(swarm.WithDialTimeoutLocal(dialTimeout)),
	)
	require.NoError(t, err)
	m := kind(t, counting(h))
	t.Cleanup(func() {
		_ = m.close()
		assert.NoError(t, m.host.Close())
	})
	return m
}

// TestDying is the process whose nodes are to die: it starts them, says where they are, connects them to the address that
// it is told, lets them bootstrap, says so, and lives until its input ends.
func TestDying(t *testing.T) {
	if os.Getenv(dyingVar) == "" {
		t.Skip("TestMixed runs it, in a process of its own")
	}
	var members []*member
	for _, kind := range slices.Concat(repeat(ours(nil), eitherThere), repeat(theirs(), eitherThere)) {
		m := onLoopback(t, kind)
		members = append(members, m)
		fmt.Printf("peer %s/p2p/%s\n", m.host.Addrs()[0], m.host.ID())
	}
	in := bufio.NewScanner(os.Stdin)
	for _, m := range members {
		require.True(t, in.Scan())
		info, err := peer.AddrInfoFromString(in.Text())
		require.NoError(t, err)
		require.NoError(t, m.host.Connect(t.Context(), *info))
	}
	bootstrapAll(t, members)
	fmt.Println("ready")
	for in.Scan() {
	}
}

func bootstrapAll(t *testing.T, members []*member) {
	var done sync.WaitGroup
	for _, m := range members {
		done.Go(func() { assert.NoError(t, m.bootstrap(t.Context())) })
	}
	done.Wait()
}

// dying starts that process. join connects its nodes to one of ours each and returns when they have bootstrapped.
func dying(t *testing.T) (infos []peer.AddrInfo, join func(to []*member), stop func()) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestDying$")
	cmd.Env = append(os.Environ(), dyingVar+"=yes")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for len(infos) < 2*eitherThere && lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "peer "); ok {
			info, err := peer.AddrInfoFromString(text)
			require.NoError(t, err)
			infos = append(infos, *info)
		}
	}
	require.Len(t, infos, 2*eitherThere)
	join = func(to []*member) {
		for i := range infos {
			info := host.InfoFromHost(to[i%len(to)].host)
			_, err := fmt.Fprintf(in, "%s/p2p/%s\n", info.Addrs[0], info.ID)
			require.NoError(t, err)
		}
		for lines.Scan() {
			if lines.Text() == "ready" {
				return
			}
		}
		require.Fail(t, "the process whose nodes are to die has ended")
	}
	return infos, join, func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
		var state syscall.WaitStatus // its threads stop one after another
		_, err := syscall.Wait4(cmd.Process.Pid, &state, syscall.WUNTRACED, nil)
		require.NoError(t, err)
		require.True(t, state.Stopped())
	}
}

// TestMixed: every operation from each side to each side; lookups find exactly the nearest; and again from the moment when
// a quarter of the nodes falls silent.
func TestMixed(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of real time, for timeouts to pass")
	}
	t.Parallel() // with those in virtual time: it waits for most of that minute
	infos, joinThem, stop := dying(t)
	var own, other []*member
	for i := range eitherHere {
		kind := ours(patient)
		if i >= patientHere {
			kind = ours(nil)
		}
		own, other = append(own, onLoopback(t, kind)), append(other, onLoopback(t, theirs()))
		if i > 0 { // each knows one of the other kind and one of its own
			require.NoError(t, own[i].connect(t.Context(), other[i-1]))
			require.NoError(t, other[i].connect(t.Context(), own[i-1]))
			require.NoError(t, own[i].connect(t.Context(), own[i/2]))
			require.NoError(t, other[i].connect(t.Context(), other[i/2]))
		}
	}
	require.NoError(t, own[0].connect(t.Context(), other[0]))
	here := slices.Concat(own, other)
	joinThem(here)
	bootstrapAll(t, here)
	everybody := peersOf(here)
	for _, info := range infos {
		everybody = append(everybody, info.ID)
	}

	t.Run("alive", func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		crosswise(t, r, own[:patientHere], other, own, time.Minute)
		for i, side := range [][]*member{own[:patientHere], other} {
			found := lookups(t, r, 100, side, everybody)
			assert.GreaterOrEqual(t, found.right, 99, "of 100 lookups from the %s side with the exact result", []string{"own", "other"}[i])
		}
		// Newcomers know one node, of the other kind, and find everybody by their ids.
		for _, pair := range [][2]*member{{onLoopback(t, ours(patient)), other[3]}, {onLoopback(t, theirs()), own[3]}} {
			require.NoError(t, pair[0].connect(t.Context(), pair[1]))
			require.Eventually(t, func() bool { return len(pair[0].table()) > 0 }, time.Minute, 10*time.Millisecond)
			for _, m := range here {
				got, err := pair[0].FindPeer(t.Context(), m.host.ID())
				require.NoError(t, err)
				assert.NotEmpty(t, got.Addrs)
			}
			_ = pair[0].close() // and it is gone again
			_ = pair[0].host.Close()
		}
	})
	t.Run("a quarter dead", func(t *testing.T) {
		stop()
		living := peersOf(here)
		var done sync.WaitGroup
		// One after another from the first moment, when nobody knows of it yet. How many are exactly right depends on how busy the
		// machine is (TestLatency asks for that in virtual time); that nobody who is silent is named does not.
		done.Go(func() {
			found := lookups(t, rand.New(rand.NewPCG(1, 2)), 100, own[patientHere:], living)
			t.Logf("ours: %+v of 100", found)
			assert.Zero(t, found.dead)
			assert.Greater(t, found.recall, 0.95)
			assert.Less(t, found.longest, 30*time.Second)
		})
		// One each of theirs, for the log: what they do is not ours to judge. They wait up to 40 s for who does not answer, and
		// name some of the dead: who fails when the nearest are asked at the end stays in their result.
		done.Go(func() {
			t.Logf("go-libp2p-kad-dht: %+v of %d", lookups(t, rand.New(rand.NewPCG(1, 3)), len(other), other, living), len(other))
		})
		done.Go(func() { crosswise(t, rand.New(rand.NewPCG(1, 4)), own, other, own, 2*time.Minute) })
		done.Wait()
	})
}

// found is what became of some lookups.
type found struct {
	right   int     // found exactly the nearest of those who live, in their order
	recall  float64 // which part of the nearest they found, on average
	dead    int     // were named all the same
	longest time.Duration
}

// lookups lets members look for so many random keys, each of them for one after another without a pause.
func lookups(t *testing.T, r *rand.Rand, count int, askers []*member, living []peer.ID) (all found) {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("%016x", r.Uint64())
	}
	var mu sync.Mutex
	var done sync.WaitGroup
	for i, m := range askers {
		done.Go(func() {
			for at := i; at < len(keys); at += len(askers) {
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				start := time.Now()
				got, err := m.closest(ctx, keys[at])
				took := time.Since(start)
				cancel()
				want := nearestOf(keys[at], living, m.host.ID())
				mu.Lock()
				if err == nil && slices.Equal(got, want) {
					all.right++
				}
				for _, id := range got {
					if !slices.Contains(living, id) {
						all.dead++
					}
				}
				all.recall += recall(got, want) / float64(count)
				all.longest = max(all.longest, took)
				mu.Unlock()
			}
		})
	}
	done.Wait()
	return all
}

// crosswise puts and provides on one node and gets and finds on another, which looks for the first, too: for each pair of
// kinds of which one is ours, all at once. All of ours are those who may have heard of a provider.
func crosswise(t *testing.T, r *rand.Rand, own, other, allOwn []*member, limit time.Duration) {
	var done sync.WaitGroup
	for name, sides := range map[string][2][]*member{
		"ours to ours": {own, own}, "ours to theirs": {own, other}, "theirs to ours": {other, own},
	} {
		for range 3 {
			c := newContent(r)
			half := min(len(own), len(other)) / 2
			from, to := sides[0][r.IntN(half)], sides[1][half+r.IntN(half)]
			done.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				if !assert.NoError(t, from.PutValue(ctx, c.name, c.value), "%s: put", name) {
					return
				}
				got, err := to.GetValue(ctx, c.name)
				assert.NoError(t, err, "%s: get", name)
				assert.Equal(t, string(c.value), string(got), name)
			})
			done.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				if !assert.NoError(t, provide(ctx, from, c, allOwn), "%s: provide", name) {
					return
				}
				assert.NoError(t, finds(ctx, to, c, from), name)
			})
			done.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				got, err := to.FindPeer(ctx, from.host.ID())
				assert.NoError(t, err, "%s: find peer", name)
				assert.NotEmpty(t, got.Addrs, "%s: find peer", name)
			})
		}
	}
	done.Wait()
}

// provide announces a member, and one of theirs again if no node of ours has heard of it: go-libp2p-kad-dht passes over what
// fails when it tells the nearest, and among the dead nobody may have heard, also where all nodes are its own. Half of the
// nearest are ours.
func provide(ctx context.Context, from *member, c content, own []*member) error {
	told := func() bool {
		return slices.ContainsFunc(own, func(m *member) bool {
			held := m.Routing.(*p2p.Node).Store().Providers(c.cid.Hash())
			return slices.ContainsFunc(held, func(p p2p.StoredProvider) bool { return p.Provider.ID == from.host.ID() })
		})
	}
	if slices.Contains(own, from) {
		return from.Provide(ctx, c.cid, true)
	}
	for {
		if err := from.Provide(ctx, c.cid, true); err != nil {
			return err
		}
		for range 100 { // what was sent may not have been read yet
			if told() {
				return nil
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// finds wants a member to find a provider.
func finds(ctx context.Context, m *member, c content, provider *member) error {
	for p := range m.FindProvidersAsync(ctx, c.cid, 0) {
		if p.ID == provider.host.ID() {
			return nil
		}
	}
	return errors.New("the provider was not found")
}
