package network

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/kadbench/kadbench/harness/sim"
)

// stays is when a node is there: from the beginning or not, and how that changes.
type stays struct {
	up      bool // at the beginning
	changes []change
}

type change struct {
	at time.Duration
	up bool
}

// burnIn is how many stays and absences of median length a node has behind it when the load begins, so that it is met
// somewhere in a session, and long ones more often than short ones.
const burnIn = 32

// staysOf draws when a node is there until end. Who joins later does so at that moment, and has its sessions from then on.
func staysOf(c sim.Churn, joins, end time.Duration, chance *rand.Rand) stays {
	if c.Kind == sim.NoChurn {
		if joins == 0 {
			return stays{up: true}
		}
		return stays{changes: []change{{joins, true}}}
	}
	away := time.Duration(c.Away)
	if away == 0 {
		away = time.Duration(c.Median)
	}
	length := func(up bool) time.Duration {
		median := away
		if up {
			median = time.Duration(c.Median)
		}
		return max(time.Duration(min(float64(median)*spreadOf(c, chance), math.MaxInt64/4)), time.Millisecond)
	}
	var s stays
	at, up := joins, true
	if joins == 0 {
		at = -burnIn * (time.Duration(c.Median) + away)
	} else {
		s.changes = append(s.changes, change{joins, true})
	}
	for {
		next := at + length(up)
		if at <= 0 && next > 0 && joins == 0 {
			s.up = up
		}
		if next >= end {
			return s
		}
		at, up = next, !up
		if at > 0 {
			s.changes = append(s.changes, change{at, up})
		}
	}
}

// spreadOf is how often the median of a distribution a draw from it is.
func spreadOf(c sim.Churn, chance *rand.Rand) float64 {
	switch c.Kind {
	case sim.LogNormal:
		sigma := 1.0
		if c.Sigma > 0 {
			sigma = float64(c.Sigma) / float64(sim.One)
		}
		return math.Exp(sigma * chance.NormFloat64())
	case sim.Weibull:
		shape := 0.5
		if c.Shape > 0 {
			shape = float64(c.Shape) / float64(sim.One)
		}
		return math.Pow(chance.ExpFloat64()/math.Ln2, 1/shape)
	}
	return chance.ExpFloat64() / math.Ln2
}
