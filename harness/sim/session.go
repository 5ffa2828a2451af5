package sim

import (
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/internal/fixed"
	"github.com/kadbench/kadbench/kad"
)

// sessions answers how long nodes stay and how long they are away. Every answer is a pure function of the seed, the
// configuration, the node and the number of the stay, in integers; about half a microsecond a draw, of which a session takes two.
//
// At the beginning the world has run for long already: a share stay/(stay+away) of the nodes is there, each somewhere in a
// session. What is left of such a session has a distribution of its own, because long sessions are met more often than short
// ones: the equilibrium of renewal theory, with the density P(a session is longer than t) / (its mean). It is drawn exactly
// for each kind, see left.
type sessions struct {
	kind       SessionKind
	present    uint64 // of present+away nodes so many are there at first: the medians
	away       uint64
	stays      fixed.Q // log2 of the median, in nanoseconds
	aways      fixed.Q
	shape      int64   // k, in parts per million
	sigma      fixed.Q // sigma/ln 2: as a power of two
	longer     fixed.Q // sigma²/ln 2: the power of two by which the median of sessions that are met is longer
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

// log2e is 1/ln 2.
const log2e fixed.Q = 6196328018

// newSessions checks cfg.Churn. Its errors begin with the name of the field.
func newSessions(cfg *Config) (*sessions, error) {
	c := cfg.Churn
	s := &sessions{
		kind: c.Kind, trace: c.Trace, seed: cfg.Seed, never: kad.Peer(seedCount(cfg)),
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
	if c.Away == 0 {
		c.Away = c.Median
	}
	if c.Shape == 0 {
		c.Shape = defaultShape
	}
	if c.Kind == Exponential {
		c.Shape = One
	}
	if c.Sigma == 0 {
		c.Sigma = defaultSigma
	}
	switch {
	case c.Median < minStay || c.Median > maxMedian:
		return nil, fmt.Errorf("Churn.Median: %d ns, expected 1 ms to 100 years", c.Median)
	case c.Away < minStay || c.Away > maxMedian:
		return nil, fmt.Errorf("Churn.Away: %d ns, expected 1 ms to 100 years", c.Away)
	case c.Shape < minShape || c.Shape > maxShape:
		return nil, fmt.Errorf("Churn.Shape: %d parts per million, expected %d to %d", c.Shape, minShape, maxShape)
	case c.Sigma > maxSigma:
		return nil, fmt.Errorf("Churn.Sigma: %d parts per million, expected %d at most", c.Sigma, maxSigma)
	}
	s.present, s.away = uint64(c.Median), uint64(c.Away)
	s.stays, s.aways = fixed.Log2(s.present), fixed.Log2(s.away)
	s.shape = int64(c.Shape)
	sigma := fixed.Q(c.Sigma) * fixed.One / 1e6
	s.sigma = fixed.Mul(sigma, log2e)
	s.longer = fixed.Mul(sigma, s.sigma)
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
	if below(draw(s.presentKey, uint64(p), 0), s.present+s.away) < s.present {
		return true, s.left(s.stays, draw(s.presentKey, uint64(p), 1))
	}
	return false, s.left(s.aways, draw(s.presentKey, uint64(p), 1))
}

// stay is how long the n-th session of a node lasts, absence how long the node is away after it. n counts from 0, which is
// the session that is under way at the beginning (of that, first says what is left), or the first that comes.
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

// length draws a whole stay or absence from x; median is the logarithm of its median.
func (s *sessions) length(median fixed.Q, x uint64) kad.Duration {
	if s.kind == LogNormal {
		return stayOf(fixed.Exp2(median + s.bell(x)))
	}
	return stayOf(fixed.Exp2(median + s.overShape(surprise(x))))
}

// left draws what is left of one that is under way.
//
// Log-normal: a session that is met is log-normal too, with a median e^(sigma²) times as long, and is met at a moment that is
// uniform over it. Weibull: if a session is λ·E^(1/k), E exponential, what is left is λ·G^(1/k), where G has the gamma
// distribution of the shape 1/k: put g = (t/λ)^k into the density above. Exponential is Weibull with k = 1.
func (s *sessions) left(median fixed.Q, x uint64) kad.Duration {
	if s.kind == LogNormal {
		met := fixed.Exp2(median + s.bell(x) + s.longer)
		return stayOf(below(stir(x^uint64(forUp)), met))
	}
	return stayOf(fixed.Exp2(median + s.overShape(s.gamma(x))))
}

// surprise is -log2 of a chance drawn from x: the exponential distribution whose median is 1. It is above 0.
func surprise(x uint64) fixed.Q { return 64*fixed.One - fixed.Log2(x|1) }

// overShape is log2(q)/k.
func (s *sessions) overShape(q fixed.Q) fixed.Q {
	return (fixed.Log2(uint64(q)) - 32*fixed.One) * 1e6 / s.shape
}

// bell is sigma·z/ln 2 for a z of the standard normal distribution: the power of two by which a session differs from the
// median.
func (s *sessions) bell(x uint64) fixed.Q {
	return fixed.Mul(fixed.Normal(stir(x), stir(x^uint64(forStay))), s.sigma)
}

// gamma draws from the gamma distribution of the shape 1/k, in units of ln 2: the sum of as many exponential draws as 1/k
// has wholes, and for the rest f = 1/k - wholes a beta(f, 1-f) part of another one, by the method of Jöhnk (1964).
func (s *sessions) gamma(x uint64) fixed.Q {
	sum := fixed.Q(0)
	next := func() fixed.Q { x = stir(x); return surprise(x) }
	rest := 1e12 / s.shape // 1/k in parts per million
	for ; rest >= 1e6; rest -= 1e6 {
		sum += next()
	}
	// Each round succeeds with a chance of 0.78 at the least: 64 fail together once in 1e42 draws, which then count as nothing.
	for range 64 {
		if rest == 0 {
			break
		}
		a := fixed.Exp2(32*fixed.One - next()*1e6/rest) // u^(1/f)
		b := fixed.Exp2(32*fixed.One - next()*1e6/(1e6-rest))
		if a+b > 0 && a+b <= uint64(fixed.One) {
			sum += fixed.Mul(next(), fixed.Q(a<<31/(a+b))<<1)
			break
		}
	}
	return max(sum, 1)
}

// stayOf holds a length within its bounds.
func stayOf(ns uint64) kad.Duration { return max(kad.Duration(min(ns, uint64(forever))), minStay) }

// exits says whether an Exit or a Crash, the fault of that index, hits a node.
func exits(cfg *Config, fault int, p kad.Peer) bool {
	return int(p) > seedCount(cfg) && hits(mix(cfg.Seed, uint64(forExit), uint64(fault), uint64(p)), cfg.Faults[fault].Share)
}
