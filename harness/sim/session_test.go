package sim

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

func sessionsOf(t testing.TB, c Churn) *sessions {
	s, err := newSessions(&Config{Seed: 11, Nodes: 1 << 20, Churn: c})
	require.NoError(t, err)
	return s
}

const hour = 3600e9

// laws are the distributions with a median of 3 hours, in closed form: of a session, and of what is left of one that is met.
var laws = []struct {
	name      string
	churn     Churn
	cdf, left func(hours float64) float64
}{
	{"exponential", Churn{Kind: Exponential, Median: 3 * hour}, func(x float64) float64 { return 1 - math.Exp2(-x/3) },
		func(x float64) float64 { return 1 - math.Exp2(-x/3) }},
	{"weibull 0.5", Churn{Kind: Weibull, Median: 3 * hour}, func(x float64) float64 { return 1 - math.Exp2(-math.Sqrt(x/3)) },
		func(x float64) float64 { // gamma of shape 2
			g := math.Ln2 * math.Sqrt(x/3)
			return 1 - math.Exp(-g)*(1+g)
		}},
	{"weibull 0.4", Churn{Kind: Weibull, Median: 3 * hour, Shape: 400_000}, func(x float64) float64 { return 1 - math.Exp2(-math.Pow(x/3, .4)) },
		func(x float64) float64 { // gamma of shape 2.5
			g := math.Ln2 * math.Pow(x/3, .4)
			return math.Erf(math.Sqrt(g)) - math.Exp(-g)*(math.Sqrt(g)/math.Gamma(1.5)+math.Pow(g, 1.5)/math.Gamma(2.5))
		}},
	{"weibull 2", Churn{Kind: Weibull, Median: 3 * hour, Shape: 2_000_000}, func(x float64) float64 { return 1 - math.Exp2(-x*x/9) },
		func(x float64) float64 { return math.Erf(math.Sqrt(math.Ln2) * x / 3) }}, // gamma of shape 0.5
	{"lognormal 1", Churn{Kind: LogNormal, Median: 3 * hour}, func(x float64) float64 { return bell(math.Log(x / 3)) },
		func(x float64) float64 { // 1/mean · (the part of the mean that lies below x, and x times the chance of more)
			z := math.Log(x / 3)
			return bell(z-1) + x/(3*math.Exp(.5))*(1-bell(z))
		}},
	{"lognormal 0.5", Churn{Kind: LogNormal, Median: 3 * hour, Sigma: 500_000}, func(x float64) float64 { return bell(math.Log(x/3) / .5) },
		func(x float64) float64 {
			z := math.Log(x / 3)
			return bell((z-.25)/.5) + x/(3*math.Exp(.125))*(1-bell(z/.5))
		}},
}

// bell is the distribution function of the standard normal distribution.
func bell(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// TestSessionsFollowTheirLaw, by the distance of Kolmogorov and Smirnov: above 1.95/√n once in a thousand, and the seed is fixed.
func TestSessionsFollowTheirLaw(t *testing.T) {
	const n = 20000
	limit := 1.95 / math.Sqrt(n)
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) {
			c := law.churn
			c.Away = hour
			s := sessionsOf(t, c)
			var stays, aways, one, leftUp, leftAway []float64
			up := 0
			for i := range uint32(n) {
				p := kad.Peer(i + 100)
				stays = append(stays, float64(s.stay(p, 0))/hour)
				one = append(one, float64(s.stay(77, i))/hour)
				aways = append(aways, 3*float64(s.absence(p, 1))/hour)
				if there, left := s.first(p); there {
					up++
					leftUp = append(leftUp, float64(left)/hour)
				} else {
					leftAway = append(leftAway, 3*float64(left)/hour)
				}
			}
			assert.Less(t, distance(stays, law.cdf), limit, "of many nodes")
			assert.Less(t, distance(one, law.cdf), limit, "of one node")
			assert.Less(t, distance(aways, law.cdf), limit, "absences")
			assert.InDelta(t, .75*n, float64(up), 6*math.Sqrt(n*.75*.25), "there at first")
			assert.Less(t, distance(leftUp, law.left), 1.95/math.Sqrt(float64(len(leftUp))), "left of a session")
			assert.Less(t, distance(leftAway, law.left), 1.95/math.Sqrt(float64(len(leftAway))), "left of an absence")
		})
	}
}

// TestTheStartIsStationary: as many nodes are there after a while as at the beginning, whatever the law.
func TestTheStartIsStationary(t *testing.T) {
	const n = 20000
	for _, law := range laws {
		c := law.churn
		c.Away = 2 * hour
		s := sessionsOf(t, c)
		for _, at := range []kad.Duration{hour, 12 * hour} {
			up := 0
			for p := kad.Peer(100); p < 100+n; p++ {
				count(&up, upAt(s, p, at))
			}
			assert.InDelta(t, .6*n, float64(up), 6*math.Sqrt(n*.6*.4), "%s after %d h", law.name, at/hour)
		}
	}
}

// upAt follows a node until a moment.
func upAt(s *sessions, p kad.Peer, at kad.Duration) bool {
	up, end := s.first(p)
	n := uint32(0)
	for end <= at {
		if up {
			end += s.absence(p, n)
			n++
		} else {
			end += s.stay(p, n)
		}
		up = !up
	}
	return up
}

// TestSessionsArePinned: a change here changes every digest of a plan with churn.
func TestSessionsArePinned(t *testing.T) {
	var got []kad.Duration
	for _, law := range laws {
		s := sessionsOf(t, law.churn)
		_, left := s.first(99)
		got = append(got, s.stay(99, 0), s.absence(99, 3), left)
	}
	assert.Equal(t, []kad.Duration{
		24189051460257, 718692141243, 4057349335748,
		54176871348726, 47825777213, 93706432769223,
		81079574872021, 12337342081, 224043991058382,
		16162974841285, 2786014200686, 13512566018119,
		9990425637905, 2395536121237, 15324356510328,
		10387328669384, 5086431962438, 9994178223886,
	}, got)
}

func TestWhoStays(t *testing.T) {
	for _, s := range []*sessions{sessionsOf(t, Churn{}), sessionsOf(t, Churn{Kind: Exponential, Median: hour})} {
		for p := kad.Peer(1); p <= 8; p++ {
			up, left := s.first(p)
			assert.True(t, up)
			assert.Equal(t, forever, left)
			assert.Equal(t, forever, s.stay(p, 3))
		}
	}
	// The bounds, for the least likely draws.
	for _, law := range laws {
		c := law.churn
		c.Median = minStay
		s := sessionsOf(t, c)
		assert.Equal(t, minStay, s.length(s.stays, math.MaxUint64-1), law.name)
		c.Median, c.Shape, c.Sigma = maxMedian, minShape, maxSigma
		s = sessionsOf(t, c)
		for x := range uint64(1000) {
			assert.LessOrEqual(t, s.length(s.stays, x), forever)
			assert.LessOrEqual(t, s.left(s.stays, x), forever)
			assert.GreaterOrEqual(t, s.left(0, x), minStay)
		}
	}
}

func TestBadChurn(t *testing.T) {
	for want, c := range map[string]Churn{
		"Churn.Kind: there is no kind 77":            {Kind: 77},
		"Churn.Median: 0 ns, expected 1 ms":          {Kind: Exponential},
		"Churn.Median: 4611686018427387904 ns":       {Kind: Weibull, Median: 1 << 62},
		"Churn.Away: 5 ns, expected":                 {Kind: LogNormal, Median: hour, Away: 5},
		"Churn.Away: -5 ns, expected":                {Kind: LogNormal, Median: hour, Away: -5},
		"Churn.Shape: 99999 parts per million":       {Kind: Weibull, Median: hour, Shape: 99_999},
		"Churn.Shape: 10000001 parts per million":    {Kind: Weibull, Median: hour, Shape: 10_000_001},
		"Churn.Sigma: 5000001 parts per million":     {Kind: LogNormal, Median: hour, Sigma: 5_000_001},
		"Churn.Trace: there is no record of session": {Kind: Trace, Trace: &SessionTrace{}},
	} {
		_, err := newSessions(&Config{Nodes: 9, Churn: c})
		assert.ErrorContains(t, err, want)
	}
}

func TestExitsHitTheirShare(t *testing.T) {
	cfg := Config{Seed: 2, Nodes: 100_000, Faults: []Fault{{Kind: Exit, Share: 500_000}, {Kind: Crash, Share: 500_000}}}
	one, both := 0, 0
	for p := kad.Peer(9); p < 100_009; p++ {
		count(&one, exits(&cfg, 0, p))
		count(&both, exits(&cfg, 0, p) && exits(&cfg, 1, p))
	}
	assert.InDelta(t, 50_000, one, 6*158)
	assert.InDelta(t, 25_000, both, 6*137, "two faults do not hit the same nodes")
}

func BenchmarkSessions(b *testing.B) {
	for _, law := range laws {
		s := sessionsOf(b, law.churn)
		b.Run(law.name, func(b *testing.B) {
			for i := range b.N {
				sink += uint64(s.stay(9, uint32(i)))
			}
		})
		b.Run(law.name+" left", func(b *testing.B) {
			for i := range b.N {
				sink += uint64(s.left(s.stays, uint64(i)))
			}
		})
	}
}

func record(t testing.TB) *SessionTrace {
	text, err := os.ReadFile("testdata/sessions/small.sessions")
	require.NoError(t, err)
	trace, err := ParseSessions("small.sessions", text)
	require.NoError(t, err)
	return trace
}
