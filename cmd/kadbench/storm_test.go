package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

var stormFrames = flag.Int("frames", 5000, "random and mutated frames that TestServeInAStorm sends")

// What a storm may leave behind. The stores of the node are bounded and filled by the warm-up; a leak of a mere 200
// bytes a frame would be 20 MB after 100,000 frames.
const (
	stormRSS        = 16 << 20 // the Go runtime gives memory back by pages and when it likes
	stormHeap       = 4 << 20
	stormGoroutines = 3 // go-libp2p's own come and go

	// stormIdle is how many streams of a connection are left with half a frame. Each takes one of the 32 places that a
	// connection has for its requests until it is given up after a minute: with all of them it would have shut itself out.
	stormIdle = 16

	stormBound = 30 * time.Second // what a step may take at all; nothing waits for it to pass
)

// gauges are what the served process says of itself when it is asked.
type gauges struct {
	Goroutines int
	Heap, RSS  uint64 // bytes after a collection; RSS is 0 where there is no /proc, and under the race detector, whose shadow grows with time
}

// init makes the test binary that stands for the command answer each line on its input with its gauges, one line on
// stderr. The command itself reads no input, and has nothing of this.
func init() {
	if os.Getenv("KADBENCH_TEST_GAUGES") == "" {
		return
	}
	go func() {
		for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
			debug.FreeOSMemory() // collects first
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			_ = json.NewEncoder(os.Stderr).Encode(gauges{runtime.NumGoroutine(), m.HeapAlloc, ownRSS()})
		}
	}()
}

func ownRSS() uint64 {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 0
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseUint(f[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// TestServeInAStorm: a served node takes any number of random and mutated frames, half frames, resets and floods of
// streams over several connections, and is afterwards what it was before: it answers FIND_NODE with the true nearest,
// and has grown neither in memory nor in goroutines beyond what a storm of the same kind had made of it.
//
//	go test ./cmd/kadbench -run TestServeInAStorm -v -frames 100000
func TestServeInAStorm(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	company := stormCompany(t, ctx, 24)
	s := serveForStorm(t, company)
	s.answersRight(t, ctx, company)

	st := storm{to: s.info, frames: stormSeeds(t)}
	st.rage(t, ctx, 1, max(1000, *stormFrames/5)) // fills stores, pools, and what go-libp2p keeps of those who come
	s.answersRight(t, ctx, company)
	before := s.settled(t, gauges{Goroutines: 1 << 30})
	st = storm{to: s.info, frames: st.frames}
	began := time.Now()
	st.rage(t, ctx, 2, *stormFrames)
	took := time.Since(began)
	s.answersRight(t, ctx, company)
	after := s.settled(t, before)

	t.Logf("%d frames, %d streams, %d of them answered, %d refused, in %v", st.sent.Load(), st.streams.Load(), st.answered.Load(), st.refused.Load(), took.Round(time.Millisecond))
	t.Logf("before: %d goroutines, heap %d KiB, RSS %d KiB", before.Goroutines, before.Heap>>10, before.RSS>>10)
	t.Logf("after:  %d goroutines, heap %d KiB, RSS %d KiB", after.Goroutines, after.Heap>>10, after.RSS>>10)
	assert.GreaterOrEqual(t, int(st.sent.Load()), *stormFrames)
	assert.NotZero(t, st.answered.Load(), "some frames are in order")
	assert.NotZero(t, st.refused.Load(), "most are not")
	assert.LessOrEqual(t, after.Goroutines, before.Goroutines+stormGoroutines)
	assert.LessOrEqual(t, after.Heap, before.Heap+stormHeap)
	assert.LessOrEqual(t, after.RSS, before.RSS+stormRSS)
	s.end(t)
}

// served is the process under the storm.
type served struct {
	cmd    *exec.Cmd
	info   peer.AddrInfo
	ask    io.Writer
	told   *bufio.Reader // its stderr
	client host.Host     // asks FIND_NODE
}

// stormCompany are the servers that the node is to know.
func stormCompany(t *testing.T, ctx context.Context, count int) (company []*p2p.Node) {
	for i := range count {
		key, err := p2p.IdentityFromSeed(seedOf("company", i))
		require.NoError(t, err)
		n, err := p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeServer, BootstrapInterval: -1}, PrivKey: key, Transports: []string{p2p.TCP}})
		require.NoError(t, err)
		require.NoError(t, n.Start(ctx))
		t.Cleanup(func() { assert.NoError(t, n.Close()) })
		company = append(company, n)
	}
	return company
}

func seedOf(role string, i int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "kadbench storm %s %d", role, i))
	return sum[:]
}

func serveForStorm(t *testing.T, company []*p2p.Node) *served {
	args := []string{"serve", "--json", "--seed", "1"}
	for _, n := range company {
		args = append(args, "--bootstrap", n.Addrs()[0].String())
	}
	s := &served{cmd: exec.Command(os.Args[0], args...)}
	s.cmd.Args[0] = "kadbench" // by this name TestMain knows what it is
	s.cmd.Env = append(os.Environ(), "KADBENCH_TEST_GAUGES=1")
	stdin, err := s.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	stderr, err := s.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	s.ask, s.told = stdin, bufio.NewReader(stderr)

	var r ready
	require.NoError(t, json.NewDecoder(stdout).Decode(&r))
	for _, addr := range r.Addrs {
		info, err := peer.AddrInfoFromString(addr)
		require.NoError(t, err)
		s.info.ID, s.info.Addrs = info.ID, append(s.info.Addrs, info.Addrs...)
	}
	require.Len(t, s.info.Addrs, 2, "TCP and QUIC")
	s.client = stormClient(t, seedOf("client", 0))
	return s
}

// stormClient is a host that listens nowhere and is limited by nothing.
func stormClient(t *testing.T, seed []byte) host.Host {
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	require.NoError(t, err)
	h, err := libp2p.New(libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// answersRight wants the 20 nearest of the company to each of eight keys, in their order.
func (s *served) answersRight(t *testing.T, ctx context.Context, company []*p2p.Node) {
	t.Helper()
	require.NoError(t, s.client.Connect(ctx, s.info))
	for i := range 8 {
		key := fmt.Appendf(nil, "key %d", i)
		target := sha256.Sum256(key)
		var want []peer.ID
		for _, n := range company {
			want = append(want, n.ID())
		}
		slices.SortFunc(want, func(a, b peer.ID) int {
			x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
			for i := range target {
				x[i], y[i] = x[i]^target[i], y[i]^target[i]
			}
			return bytes.Compare(x[:], y[:])
		})
		var got []peer.ID
		// At first it has yet to meet them all.
		require.Eventually(t, func() bool {
			got = s.findNode(ctx, key)
			return slices.Equal(got, want[:20])
		}, stormBound, 20*time.Millisecond, "the nearest to %q", key)
	}
}

func (s *served) findNode(ctx context.Context, key []byte) (ids []peer.ID) {
	ctx, cancel := context.WithTimeout(ctx, stormBound)
	defer cancel()
	stream, err := s.client.NewStream(ctx, s.info.ID, p2p.DefaultProtocol)
	if err != nil {
		return nil
	}
	defer stream.Reset()
	_ = stream.SetDeadline(time.Now().Add(stormBound))
	if _, err := stream.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: key})); err != nil {
		return nil
	}
	body, err := wire.ReadFrame(bufio.NewReader(stream), nil, wire.MaxSend)
	var m wire.Message
	if err != nil || wire.Decode(body, &m) != nil {
		return nil
	}
	for _, p := range m.CloserPeers {
		ids = append(ids, peer.ID(p.ID))
	}
	return ids
}

// settled asks for the gauges until they are no more than what was before, with what a storm may leave behind, and do
// not change any more; or until it is clear that they will not.
func (s *served) settled(t *testing.T, before gauges) (g gauges) {
	last := -1
	for deadline := time.Now().Add(stormBound); time.Now().Before(deadline); {
		_, err := io.WriteString(s.ask, "\n")
		require.NoError(t, err)
		line, err := s.told.ReadString('\n')
		require.NoError(t, err, "the process has ended")
		require.NoError(t, json.Unmarshal([]byte(line), &g), "stderr: %s", line)
		if g.Goroutines == last && g.Goroutines <= before.Goroutines+stormGoroutines {
			break
		}
		last = g.Goroutines
		<-time.After(100 * time.Millisecond) // a collection costs as much
	}
	return g
}

// end wants a clean exit, and no word on stderr but what was asked for.
func (s *served) end(t *testing.T) {
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(s.told)
	require.NoError(t, err)
	assert.Empty(t, string(rest))
	assert.NoError(t, s.cmd.Wait(), "exit code 0")
}

// storm is one pouring of frames, and what became of it.
type storm struct {
	to     peer.AddrInfo
	frames [][]byte // what is mutated

	sent, streams, answered, refused atomic.Int64
}

// stormSeeds are the golden frames, good and bad, and one request of each kind.
func stormSeeds(t *testing.T) (seeds [][]byte) {
	frames, err := fixtures.Frames()
	require.NoError(t, err)
	for _, f := range frames {
		if len(f.Bytes) > 0 {
			seeds = append(seeds, f.Bytes)
		}
	}
	multihash := append([]byte{0x12, 32}, seedOf("multihash", 0)...)
	for i := range 4 {
		key, err := p2p.IdentityFromSeed(seedOf("storm", i))
		require.NoError(t, err)
		id, err := peer.IDFromPrivateKey(key)
		require.NoError(t, err)
		pk, err := crypto.MarshalPublicKey(key.GetPublic())
		require.NoError(t, err)
		name := "/pk/" + string(id)
		for _, m := range []wire.Message{
			{Type: wire.FindNode, Key: []byte(id)},
			{Type: wire.GetProviders, Key: multihash},
			{Type: wire.AddProvider, Key: multihash, ProviderPeers: []wire.Peer{{ID: []byte(id), Addrs: wire.MakeAddrs([]byte("\x04\x7f\x00\x00\x01\x06\x0f\xa1"))}}},
			{Type: wire.PutValue, Key: []byte(name), HasRecord: true, Record: wire.Record{Key: []byte(name), Value: pk}},
			{Type: wire.GetValue, Key: []byte(name)},
			{Type: wire.Ping},
		} {
			seeds = append(seeds, wire.AppendFrame(nil, &m))
		}
	}
	return seeds
}

// rage sends so many frames over four connections, two of TCP and two of QUIC, from four goroutines each, and takes the
// connections down at the end.
func (st *storm) rage(t *testing.T, ctx context.Context, seed uint64, frames int) {
	const conns, workers = 4, 4
	var all sync.WaitGroup
	for i := range conns {
		h := stormClient(t, seedOf("storm", i))
		require.NoError(t, h.Connect(ctx, peer.AddrInfo{ID: st.to.ID, Addrs: st.to.Addrs[i%2 : i%2+1]}))
		var left, idle atomic.Int64
		left.Store(int64(frames / conns))
		idle.Store(stormIdle)
		var here sync.WaitGroup
		for j := range workers {
			here.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(i*workers+j)))
				for left.Load() > 0 {
					if err := st.gust(ctx, h, rng, &left, &idle); err != nil {
						t.Errorf("connection %d: %v", i, err)
						return
					}
				}
			})
		}
		all.Go(func() {
			here.Wait()
			assert.NoError(t, h.Close())
		})
	}
	all.Wait()
}

// gust is what happens on one stream, or on a flood of them. An error means that no stream can be opened any more.
func (st *storm) gust(ctx context.Context, h host.Host, rng *rand.Rand, left, idle *atomic.Int64) error {
	write := func(s network.Stream, b []byte) bool {
		left.Add(-1)
		st.sent.Add(1)
		_, err := s.Write(b)
		return err == nil
	}
	what := rng.IntN(100)
	if what == 0 { // a flood
		for range 40 {
			s, err := st.open(ctx, h)
			if err != nil {
				return err
			}
			defer s.Reset()
			if rng.IntN(2) == 0 {
				write(s, st.frame(rng)[:1])
			}
		}
		return nil
	}
	s, err := st.open(ctx, h)
	if err != nil {
		return err
	}
	switch {
	case what < 10: // half a frame, and gone
		b := st.frame(rng)
		write(s, b[:rng.IntN(len(b))])
		return s.Reset()
	case what < 20: // frames without an ear for the answers
		for range 1 + rng.IntN(20) {
			if !write(s, st.frame(rng)) {
				break
			}
		}
		return s.Reset()
	case what == 20 && idle.Add(-1) >= 0: // left alone with half a frame: it ends with the connection
		write(s, []byte{100, 1})
		return nil
	}
	defer s.Reset()
	over := make(chan struct{})
	go func() {
		defer close(over)
		n, err := io.Copy(io.Discard, s)
		if n > 0 {
			st.answered.Add(1)
		}
		if err != nil {
			st.refused.Add(1)
		}
	}()
	for range 1 + rng.IntN(2)*rng.IntN(4) { // after a bad one the others are not read
		if !write(s, st.frame(rng)) {
			break
		}
	}
	_ = s.CloseWrite()
	<-over // the stream's deadline bounds it
	return nil
}

func (st *storm) open(ctx context.Context, h host.Host) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, stormBound)
	defer cancel()
	s, err := h.NewStream(ctx, st.to.ID, p2p.DefaultProtocol)
	if err != nil {
		return nil, err
	}
	st.streams.Add(1)
	return s, s.SetDeadline(time.Now().Add(stormBound))
}

// frame is a golden frame with bytes changed, cut out, doubled or swapped with another's; or bytes without any sense.
// It has one byte at least.
func (st *storm) frame(rng *rand.Rand) []byte {
	if rng.IntN(5) == 0 {
		b := make([]byte, 1+rng.IntN(300))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if len(b) < 128 && rng.IntN(2) == 0 { // as the body of a frame
			b[0] = byte(len(b) - 1)
		}
		return b
	}
	pick := func() []byte {
		for {
			// Of those that fill megabytes, one in a thousand.
			if b := st.frames[rng.IntN(len(st.frames))]; len(b) < 64<<10 || rng.IntN(1000) == 0 {
				return b
			}
		}
	}
	b := slices.Clone(pick())
	for range max(0, rng.IntN(8)-2) { // three in eight stay as they are
		i := rng.IntN(len(b))
		switch rng.IntN(5) {
		case 0:
			b[i] ^= 1 << rng.IntN(8)
		case 1:
			b[i] = byte(rng.Uint32())
		case 2:
			b = b[:i+1]
		case 3:
			b = slices.Insert(b, i, b[i:min(len(b), i+1+rng.IntN(16))]...)
		case 4:
			other := pick()
			b = append(b[:i], other[rng.IntN(len(other)):]...)
		}
	}
	return b
}
