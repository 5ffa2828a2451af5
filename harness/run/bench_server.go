package run

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// server is one target under load, started and with its table filled.
type server struct {
	target target.Target
	bench  record.Bench
	driver bench.Driver
	table  []string // nil: it does not tell

	turns []record.Turn // those that count
	sum   bench.Result  // of them
}

// width is how many peers an answer names, and a bucket holds, unless somebody says otherwise.
const width = 20

// start starts a target for a point: as a server whose identity is the point's, so that the same buckets are full in each,
// with the same peers offered to its table.
func (c *BenchConfig) start(ctx context.Context, f target.Factory, p benchPoint) (s *server, err error) {
	cfg, err := c.loadOf(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	var flags []string
	if c.Unlimited {
		flags = append(flags, "--unlimited")
	}
	t, err := target.Child(f, c.Self, flags...).New(ctx)
	if err != nil {
		return nil, &lostTarget{f.String(), err}
	}
	s = &server{target: t, driver: bench.Driver{Config: cfg}}
	if err := s.start(ctx, p, f); err != nil {
		t.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w %s: %w", ErrTarget, f.Name(), err)
	}
	return s, nil
}

func (s *server) start(ctx context.Context, p benchPoint, f target.Factory) error {
	hello, err := s.target.Hello(ctx)
	if err != nil {
		return err
	}
	s.bench = record.Bench{Target: f.Name(), Version: hello.Name + " " + hello.Version}
	cfg := &s.driver.Config
	cfg.Protocol = bench.DefaultProtocol
	params := target.StartParams{Seed: target.SeedText(sha256.Sum256(fmt.Appendf(nil, "load %d", p.seed))), Mode: "server", Protocol: cfg.Protocol,
		Transports: []string{cfg.Transport}}
	if needsValues(cfg) {
		params.Namespaces = []string{"v"}
	}
	started, err := s.target.Start(ctx, params)
	if errors.Is(err, target.ErrUnsupported) && f.Remote() {
		params = target.StartParams{Mode: "server", Protocol: cfg.Protocol} // it runs already, and is as it is
		started, err = s.target.Start(ctx, params)
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if cfg.Server, err = started.Info(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if cpu, ok := s.target.(target.Processor); ok {
		if _, err := cpu.CPU(); err == nil {
			cfg.CPU = cpu.CPU
		}
	}
	if p.world.World.Table == 0 {
		return nil
	}
	has := func(method string) bool { return slices.Contains(hello.Methods, method) }
	if !has("add_address") {
		return fmt.Errorf("%w: table=%d: it takes no addresses from us", target.ErrUnsupported, p.world.World.Table)
	}
	if err := s.fill(ctx, p.world.World.Table); err != nil {
		return err
	}
	if slices.Contains(hello.Options, "constant") || !has("table") {
		return nil // its answers are no subject of judgement
	}
	var table struct{ Peers []string }
	if err := s.target.Call(ctx, "table", nil, &table); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	if s.table = slices.Sorted(slices.Values(table.Peers)); s.table == nil {
		s.table = []string{}
	}
	ids := make([]peer.ID, len(s.table))
	for i, text := range s.table {
		if ids[i], err = peer.Decode(text); err != nil {
			return fmt.Errorf("table: %q: a peer id was expected: %w", text, err)
		}
	}
	if p.world.World.Check > 0 {
		cfg.Truth = bench.NewTruth(ids, width)
	}
	return nil
}

func needsValues(cfg *bench.Config) bool {
	for _, l := range cfg.Load.Lines {
		for _, p := range l.Mix {
			if strings.HasSuffix(string(p.Kind), "_VALUE") {
				return true
			}
		}
	}
	return false
}

// fill offers peers that exist nowhere else to the table: of each bucket the first that it holds, as whom a full bucket
// prefers is a matter of policy, and tables are to be equal. Each has three addresses of a network for documentation, so
// that an answer has some 1.4 to 1.6 KB, as on a public network.
func (s *server) fill(ctx context.Context, n int) error {
	local := sha256.Sum256([]byte(s.driver.Server.ID))
	full := make(map[int]int)
	for i := range n {
		digest := sha256.Sum256(fmt.Appendf(nil, "load peer %d", i))
		hash, err := mh.Encode(digest[:], mh.SHA2_256) // as an RSA peer's
		if err != nil {
			return err
		}
		bucket := commonBits(local, sha256.Sum256(hash))
		if full[bucket]++; full[bucket] > width {
			continue
		}
		for j := range 3 {
			if err := s.target.Call(ctx, "add_address", target.AddressParams{Peer: peer.ID(hash).String(), Addr: offered(i, j)}, nil); err != nil {
				return fmt.Errorf("add_address: %w", err)
			}
		}
	}
	return nil
}

// offered is the jth address of the ith peer: all in 198.51.100.0/24, as whatever lies beside it belongs to somebody.
func offered(i, j int) string {
	return fmt.Sprintf("/ip4/198.51.100.%d/tcp/%d", i%250+1, 4001+i/250*3+j)
}

// commonBits is how many leading bits two points share: the bucket.
func commonBits(a, b [32]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return i*8 + bits.LeadingZeros8(x)
		}
	}
	return 256
}

func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.target.Stop(ctx)
	_ = s.target.Close()
}
