package sim

import (
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// sessions answers how long nodes stay and how long they are away. Every answer is a pure function of the seed, the
// configuration, the node and the number of the stay, in integers.
//
// At the beginning the world has run for long already: a share stay/(stay+away) of the nodes is there, each somewhere in a
// session. What is left of such a session has a distribution of its own, because long sessions are met more often than short
// ones: the equilibrium of renewal theory, with the density P(a session is longer than t) / (its mean). It is drawn exactly
// for each kind, see left.
type sessions struct {
	kind       SessionKind
	stays      uint64 // median, in nanoseconds
	aways      uint64
	shape      uint64 // parts per million
	sigma      uint64
	squared    fixed // sigma²/ln 2: by which power of two the sessions that are met are longer
	trace      *SessionTrace
	seed       uint64
	never      kad.Peer // 1..never are the seeds, who stay
	stayKey    uint64
	awayKey    uint64
	presentKey uint64
}

// forever is a stay that no run outlasts: 146 years.
const forever kad.Duration = 1 << 62

const (
	// minStay is the shortest stay and absence: within less than the shortest delay nothing of it can be noticed.
	minStay = MinDelay
	// maxMedian is a hundred years: sums of stays stay far from the ends of 64 bits.
	maxMedian kad.Duration = 100 * 365 * 24 * 3600e9

	defaultShape PPM = 500_000
	defaultSigma PPM = 1_000_000
	// Beyond these a median says nothing any more: with a shape of 0.1, or a sigma of 5, the mean is more than 100,000 medians.
	minShape, maxShape PPM = 100_000, 10_000_000
	maxSigma           PPM = 5_000_000
)

// newSessions checks cfg.Churn. Its errors begin with the name of the field.
func newSessions(cfg *Config) (*sessions, error) {
	c := cfg.Churn
	s := &sessions{
		kind: c.Kind, stays: uint64(c.Median), aways: uint64(c.Away), trace: c.Trace,
		shape: uint64(c.Shape), sigma: uint64(c.Sigma),
		seed: cfg.Seed, never: kad.Peer(seedCount(cfg)),
		stayKey: keyOf(cfg.Seed, forStay), awayKey: keyOf(cfg.Seed, forAway), presentKey: keyOf(cfg.Seed, forUp),
	}
	switch c.Kind {
	case NoChurn:
		return s, nil
	case Trace:
		if c.Trace == nil || len(c.Trace.nodes) == 0 {
			return nil, errors.New("Churn.Trace: there is no record of sessions")
		}
		return s, nil
	case Exponential, Weibull, LogNormal:
	default:
		return nil, fmt.Errorf("Churn.Kind: there is no kind %d", c.Kind)
	}
	if s.aways == 0 {
		s.aways = s.stays
	}
	if s.shape == 0 {
		s.shape = uint64(defaultShape)
	}
	if s.sigma == 0 {
		s.sigma = uint64(defaultSigma)
	}
	switch {
	case c.Median < minStay || c.Median > maxMedian:
		return nil, fmt.Errorf("Churn.Median: %d ns, expected 1 ms to 100 years", c.Median)
	case c.Away != 0 && c.Away < minStay || c.Away > maxMedian:
		return nil, fmt.Errorf("Churn.Away: %d ns, expected 1 ms to 100 years", c.Away)
	case s.shape < uint64(minShape) || s.shape > uint64(maxShape):
		return nil, fmt.Errorf("Churn.Shape: %d parts per million, expected %d to %d", c.Shape, minShape, maxShape)
	case s.sigma > uint64(maxSigma):
		return nil, fmt.Errorf("Churn.Sigma: %d parts per million, expected %d at most", c.Sigma, maxSigma)
	}
	s.squared = whole.times(s.sigma*s.sigma, 1e12).times(log2e, 1<<point)
	return s, nil
}

// first says whether a node is there at the beginning, and how long that remains so.
func (s *sessions) first(p kad.Peer) (up bool, left kad.Duration) {
	switch {
	case s.kind == NoChurn || p <= s.never:
		return true, forever
	case s.kind == Trace:
		return s.trace.first(s.seed, p-s.never)
	}
	// Stays and absences are of one shape, so that their means are to each other as their medians.
	if below(draw(s.presentKey, uint64(p), 0), s.stays+s.aways) < s.stays {
		return true, s.left(s.stays, draw(s.presentKey, uint64(p), 1))
	}
	return false, s.left(s.aways, draw(s.presentKey, uint64(p), 1))
}

// stay is how long the n-th session lasts that begins after the start of the simulation, absence how long the n-th absence
// does; n counts from 0. A node that is there at first is away for absence 0 and then has stay 0; one that is not, or that
// joins later, has stay 0 and then absence 0.
func (s *sessions) stay(p kad.Peer, n uint32) kad.Duration {
	switch {
	case s.kind == NoChurn || p <= s.never:
		return forever
	case s.kind == Trace:
		return s.trace.stay(s.seed, p-s.never, n)
	}
	return s.length(s.stays, draw(s.stayKey, uint64(p), uint64(n)))
}

func (s *sessions) absence(p kad.Peer, n uint32) kad.Duration {
	switch {
	case s.kind == NoChurn || p <= s.never:
		return minStay
	case s.kind == Trace:
		return s.trace.absence(s.seed, p-s.never, n)
	}
	return s.length(s.aways, draw(s.awayKey, uint64(p), uint64(n)))
}

// length draws a whole stay or absence of that median from x.
func (s *sessions) length(median, x uint64) kad.Duration {
	switch s.kind {
	case Exponential:
		return stayOf(timesFixed(median, surprise(x)))
	case Weibull:
		return stayOf(timesPower(median, s.overShape(surprise(x))))
	default:
		return stayOf(timesPower(median, s.bell(x)))
	}
}

// left draws what is left of one that is under way.
//
// Exponential: the same as at its beginning. Log-normal: a session that is met is log-normal too, with a median e^(sigma²)
// times as long, and is met at a moment that is uniform over it. Weibull: if a session is λ·E^(1/k), E exponential, what is
// left is λ·G^(1/k), where G has the gamma distribution of the shape 1/k: put g = (t/λ)^k into the density above.
func (s *sessions) left(median, x uint64) kad.Duration {
	switch s.kind {
	case Exponential:
		return stayOf(timesFixed(median, surprise(x)))
	case Weibull:
		return stayOf(timesPower(median, s.overShape(s.gamma(x))))
	default:
		met := timesPower(median, s.bell(x)+s.squared)
		return stayOf(below(stir(x^uint64(forUp)), met))
	}
}

// overShape is log2(f)/k.
func (s *sessions) overShape(f fixed) fixed {
	return (log2(uint64(f)) - point<<point).times(1e6, s.shape)
}

// bell is sigma·z/ln 2 for a z of the standard normal distribution: the power of two by which a session differs from the
// median.
func (s *sessions) bell(x uint64) fixed {
	return normal(stir(x), stir(x^uint64(forStay))).times(s.sigma, 1e6).times(log2e, 1<<point)
}

// gamma draws from the gamma distribution of the shape 1/k, in units of ln 2: the sum of as many exponential draws as 1/k
// has wholes, and for the rest f = 1/k - wholes a beta(f, 1-f) part of another one, by the method of Jöhnk (1964).
func (s *sessions) gamma(x uint64) fixed {
	sum := fixed(0)
	next := func() uint64 { x = stir(x); return x }
	rest := uint64(1e12) / s.shape // 1/k in parts per million
	for ; rest >= 1e6; rest -= 1e6 {
		sum += surprise(next())
	}
	// Each round succeeds with a chance of 0.78 at the least: 64 fail together once in 1e42 draws, which then count as nothing.
	for range 64 {
		if rest == 0 {
			break
		}
		a := timesPower(uint64(whole), -surprise(next()).times(1e6, rest))
		b := timesPower(uint64(whole), -surprise(next()).times(1e6, 1e6-rest))
		if a+b > 0 && a+b <= uint64(whole) {
			sum += surprise(next()).times(a, a+b)
			break
		}
	}
	return max(sum, 1)
}

// stayOf holds a length within its bounds.
func stayOf(ns uint64) kad.Duration { return max(kad.Duration(min(ns, most)), minStay) }

// exits says whether an Exit or a Crash, the fault of that index, hits a node.
func exits(cfg *Config, fault int, p kad.Peer) bool {
	return int(p) > seedCount(cfg) && hits(mix(cfg.Seed, uint64(forExit), uint64(fault), uint64(p)), cfg.Faults[fault].Share)
}
