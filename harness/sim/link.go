package sim

import (
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// links answers how long a message takes and whether it arrives. Every answer is a pure function of the seed, the
// configuration and the arguments, in integers: any shard may ask at any time, and all get the same. delay and passes are
// called for each message, so they neither allocate nor look anything up but a region.
type links struct {
	kind      LinkKind
	low, span uint64 // nanoseconds; Uniform draws from low..low+span-1
	table     *LatencyTable
	region    []uint8 // by handle, for Regions
	jitter    uint64  // nanoseconds, plus one; 0: none
	loss      PPM

	never         kad.Peer // the seeds, 1..never, can always be reached and are never slow
	unreachables  PPM
	slows         PPM
	slow          kad.Duration
	partitions    []spell
	storms        []spell
	shortest      kad.Duration
	seed          uint64
	delayKey      uint64
	jitterKey     uint64
	lossKey       uint64
	stormKey      uint64
	unreachKey    uint64
	slowKey       uint64
	partitionKeys uint64
}

// spell is a fault that lasts.
type spell struct {
	index     uint64 // in Config.Faults: what is drawn for it depends on no other line
	share     PPM
	at, until kad.Duration
}

func (s spell) on(at kad.Duration) bool { return s.at <= at && at < s.until }

const (
	defaultDelay  kad.Duration = 50e6
	defaultSlowBy kad.Duration = 2e9
	// maxDelay is an hour: it leaves the sums of times far from the ends of 64 bits, and no request waits that long.
	maxDelay kad.Duration = 3600e9
)

// errShort is why delays below MinDelay are refused.
var errShort = fmt.Errorf("is less than %d ms: the simulation advances by windows as long as the shortest delay, within which shards do not see each other's messages, and shorter ones cost more than the nodes do",
	MinDelay/1e6)

// newLinks checks cfg.Links and the faults that concern links. Its errors begin with the name of the field.
func newLinks(cfg *Config) (*links, error) {
	c := &cfg.Links
	l := &links{
		kind: c.Kind, loss: c.Loss, table: c.Table,
		never: kad.Peer(seedCount(cfg)), unreachables: c.Unreachable, slows: c.Slow, slow: c.SlowBy,
		seed:       cfg.Seed,
		delayKey:   keyOf(cfg.Seed, forDelay),
		jitterKey:  keyOf(cfg.Seed, forJitter),
		lossKey:    keyOf(cfg.Seed, forLoss),
		stormKey:   keyOf(cfg.Seed, forLossy),
		unreachKey: keyOf(cfg.Seed, forUnreachable), slowKey: keyOf(cfg.Seed, forSlow),
		partitionKeys: keyOf(cfg.Seed, forSide),
	}
	low, high, field := c.Low, c.High, "Links.Low"
	switch c.Kind {
	case Constant:
		if low == 0 {
			low = defaultDelay
		}
		high = low
	case Uniform:
		if high < low {
			return nil, fmt.Errorf("Links.High: %d ns is less than Links.Low, %d ns", high, low)
		}
	case Regions:
		if c.Table == nil || len(c.Table.regions) == 0 {
			return nil, errors.New("Links.Table: regions need a table of delays")
		}
		low, high, field = c.Table.Least(), c.Table.Most(), "Links.Table"
		l.region = make([]uint8, cfg.Nodes+1)
		for p := range l.region {
			l.region[p] = c.Table.regionOf(cfg.Seed, kad.Peer(p))
		}
	default:
		return nil, fmt.Errorf("Links.Kind: there is no kind %d", c.Kind)
	}
	switch {
	case low < MinDelay:
		return nil, fmt.Errorf("%s: a delay of %.3f ms %w", field, float64(low)/1e6, errShort)
	case high > maxDelay || c.Jitter > maxDelay || c.SlowBy > maxDelay:
		return nil, errors.New("Links.Low, High, Jitter or SlowBy: more than an hour")
	case c.Jitter < 0:
		return nil, fmt.Errorf("Links.Jitter: %d ns is negative", c.Jitter)
	case c.SlowBy < 0:
		return nil, fmt.Errorf("Links.SlowBy: %d ns is negative", c.SlowBy)
	}
	for _, s := range []struct {
		name string
		ppm  PPM
	}{{"Links.Loss", c.Loss}, {"Links.Unreachable", c.Unreachable}, {"Links.Slow", c.Slow}} {
		if s.ppm > One {
			return nil, fmt.Errorf("%s: %d parts per million are more than all", s.name, s.ppm)
		}
	}
	l.low, l.span, l.shortest = uint64(low), uint64(high-low)+1, low
	if c.Jitter > 0 {
		l.jitter = uint64(c.Jitter) + 1
	}
	if l.slow == 0 {
		l.slow = defaultSlowBy
	}
	return l, l.faults(cfg.Faults)
}

// faults takes the partitions and the spells of loss out of a configuration. One without an end lasts for ever.
func (l *links) faults(faults []Fault) error {
	for i, f := range faults {
		s := spell{index: uint64(i), share: f.Share, at: f.At, until: f.Until}
		if s.until == 0 {
			s.until = 1<<63 - 1
		}
		switch {
		case f.Share > One:
			return fmt.Errorf("Faults[%d].Share: %d parts per million are more than all", i, f.Share)
		case f.At < 0 || s.until < f.At:
			return fmt.Errorf("Faults[%d].Until: from %d ns until %d ns is no span of time", i, f.At, f.Until)
		case f.Kind == Partition:
			l.partitions = append(l.partitions, s)
		case f.Kind == Lossy:
			l.storms = append(l.storms, s)
		}
	}
	return nil
}

// least is the shortest delay there can be, MinDelay at least: the length of a window.
func (l *links) least() kad.Duration { return l.shortest }

// delay is how long message seq takes from one peer to another. Without jitter it depends on the pair alone, and is the same
// in both directions.
func (l *links) delay(from, to kad.Peer, seq uint32) kad.Duration {
	d := l.low
	switch l.kind {
	case Uniform:
		d += below(draw(l.delayKey, unordered(from, to), 0), l.span)
	case Regions:
		d = l.table.delay(l.regionOf(from), l.regionOf(to), draw(l.delayKey, unordered(from, to), 0))
	}
	if l.jitter != 0 {
		d += below(draw(l.jitterKey, ordered(from, to), uint64(seq)), l.jitter)
	}
	return kad.Duration(d)
}

// regionOf is the region of a peer, also of one that is nobody's handle yet.
func (l *links) regionOf(p kad.Peer) uint8 {
	if int(p) < len(l.region) {
		return l.region[p]
	}
	return l.table.regionOf(l.seed, p)
}

// passes says whether message seq, sent at a moment, arrives: it is neither cut nor lost nor lost in a spell of loss.
func (l *links) passes(at kad.Duration, from, to kad.Peer, seq uint32) bool {
	return !l.lost(from, to, seq) && !l.cut(at, from, to) && !l.lossy(at, from, to, seq)
}

// lost says whether message seq falls to the loss that there always is.
func (l *links) lost(from, to kad.Peer, seq uint32) bool {
	return l.loss != 0 && hits(draw(l.lossKey, ordered(from, to), uint64(seq)), l.loss)
}

// lossy says whether message seq, sent at a moment, falls to a Lossy fault. Each fault that lasts takes its own share.
func (l *links) lossy(at kad.Duration, from, to kad.Peer, seq uint32) bool {
	for i := range l.storms {
		if s := &l.storms[i]; s.on(at) && hits(draw(l.stormKey+s.index, ordered(from, to), uint64(seq)), s.share) {
			return true
		}
	}
	return false
}

// cut says whether a partition lies between two peers at a moment.
func (l *links) cut(at kad.Duration, from, to kad.Peer) bool {
	for i := range l.partitions {
		if s := &l.partitions[i]; s.on(at) && l.side(s, from) != l.side(s, to) {
			return true
		}
	}
	return false
}

// side says whether a peer is of the share that a partition cuts off.
func (l *links) side(s *spell, p kad.Peer) bool {
	return hits(draw(l.partitionKeys, s.index, uint64(p)), s.share)
}

// unreachable says whether nobody can dial a peer.
func (l *links) unreachable(p kad.Peer) bool {
	return p > l.never && hits(draw(l.unreachKey, uint64(p), 0), l.unreachables)
}

// slowBy is how much later than others a peer answers.
func (l *links) slowBy(p kad.Peer) kad.Duration {
	if p > l.never && hits(draw(l.slowKey, uint64(p), 0), l.slows) {
		return l.slow
	}
	return 0
}

// ordered is a pair of peers as one word, unordered the same for both directions.
func ordered(from, to kad.Peer) uint64 { return uint64(from)<<32 | uint64(to) }

func unordered(a, b kad.Peer) uint64 { return ordered(min(a, b), max(a, b)) }

// defaultSeeds are enough that a few lost messages keep nobody out, and few beside the smallest worlds.
const defaultSeeds = 8

// seedCount is how many of the first nodes never leave; a negative number in the configuration means none.
func seedCount(cfg *Config) int {
	n := cfg.Seeds
	if n == 0 {
		n = defaultSeeds
	}
	return max(0, min(n, cfg.Nodes))
}
