package sim

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What lookups ought to cost, by arithmetic alone. Cai and Devroye (A Probabilistic Analysis of Kademlia Networks, 2013)
// show that a greedy search for one node takes about c log N steps, where c depends on k alone: the sum of leaps, each of a
// random number of bits. What follows has that idea for a lookup as the protocol has it, with alpha in flight and an end when
// the k nearest have answered.
//
//  1. A peer that shares c bits with the target has, in one bucket of its table, k peers by chance of those that share more
//     than c. Each of the k shares c+1 bits, and with chance 2^-j at least j more.
//  2. Of the peers that were heard of, the i-th nearest is some i times as far as the nearest, so what it names lies within
//     the nearest's half with chance 1/i. A round of alpha requests is therefore worth k (1 + 1/2 + … + 1/alpha) draws; the
//     first, which is a look into one's own table, k.
//  3. Let D be the deepest subtree around the target in which there are k nodes still. Buckets hold k, so those within know
//     each other: the first of them that is asked names the k nearest, and the way is at its end. D follows from the binomial
//     distribution of how many nodes there are under a prefix.
//  4. So the greatest number of bits that a known peer shares is a Markov chain. Hops are one more than its steps to D.
//     Requests are k, to the k nearest, and those of each round that go to others: of alpha, as many as are not already among
//     the k nearest.

// expectation is the mean of hops and of requests of a lookup among n nodes with ideal tables.
func expectation(n, k, alpha int) (hops, requests float64) {
	worth := 0.0
	for i := range alpha {
		worth += 1 / float64(i+1)
	}
	for depth := range 40 {
		chance := crowded(n, k, depth) - crowded(n, k, depth+1)
		steps, others := search(n, k, alpha, depth, float64(k)*worth)
		hops += chance * (1 + steps)
		requests += chance * (float64(k) + others)
	}
	return hops, requests
}

// search is the mean number of steps from an asker anywhere to the subtree under depth bits, and of the requests on the way
// that do not go to the k nearest.
func search(n, k, alpha, depth int, draws float64) (steps, others float64) {
	stepsFrom, othersFrom := make([]float64, depth), make([]float64, depth) // by the bits that the nearest shares
	step := func(c int, draws float64) (steps, others float64) {
		near := min(1, float64(k)/float64(n)*math.Exp2(float64(c+1))) // of those that share more than c bits, the k nearest
		steps, others = 1, elsewhere(alpha, draws, near)
		for to := c + 1; to < depth; to++ {
			p := atMost(to-c, draws) - atMost(to-c-1, draws)
			steps += p * stepsFrom[to]
			others += p * othersFrom[to]
		}
		return steps, others
	}
	for c := depth - 1; c >= 0; c-- {
		stepsFrom[c], othersFrom[c] = step(c, draws)
	}
	for c := range depth { // that the asker shares; one in the subtree knows the k nearest itself
		s, o := step(c, float64(k))
		steps += math.Exp2(-float64(c+1)) * s
		others += math.Exp2(-float64(c+1)) * o
	}
	return steps, others
}

// atMost is the chance that none of so many draws gains more than some bits; each gains 1 at the least.
func atMost(bits int, draws float64) float64 {
	if bits == 0 {
		return 0
	}
	return math.Pow(1-math.Exp2(-float64(bits)), draws)
}

// elsewhere is how many of alpha requests go to none of the k nearest, in the mean, when each draw is one of those with the
// chance near: alpha less a binomial number, 0 at the least.
func elsewhere(alpha int, draws, near float64) (sum float64) {
	if near >= 1 {
		return 0
	}
	chance := math.Pow(1-near, draws) // of exactly i
	for i := range alpha {
		sum += float64(alpha-i) * chance
		chance *= (draws - float64(i)) / float64(i+1) * near / (1 - near)
	}
	return sum
}

// crowded is the chance that at least k of n nodes share so many bits with a target.
func crowded(n, k, bits int) float64 {
	if bits == 0 {
		return 1
	}
	p, less := math.Exp2(-float64(bits)), 0.0
	for i := range min(k, n+1) {
		less += math.Exp(lnFactorial(n) - lnFactorial(i) - lnFactorial(n-i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return max(0, 1-less)
}

func lnFactorial(n int) float64 {
	l, _ := math.Lgamma(float64(n + 1))
	return l
}

// TestExpectation holds lookups among ideal tables against the arithmetic. With KADBENCH_BIG=1 it takes 100,000 and a million
// nodes too, for which 12 GiB have to be there: go test ./harness/sim -run TestExpectation$ -v -timeout 30m
func TestExpectation(t *testing.T) {
	sizes := []int{1_000, 10_000}
	if os.Getenv("KADBENCH_BIG") == "1" {
		sizes = append(sizes, 100_000, 1_000_000)
		defer debug.SetGCPercent(debug.SetGCPercent(50))
	}
	const lookups = 4000 // the mean of the hops is good to half a percent
	costs := "| nodes | events a lookup | requests | hops | entries of a table | bytes a node | each divided by log2 N |\n|--:|--:|--:|--:|--:|--:|---|\n"
	var before []float64
	table := "| nodes | alpha | hops, expected | measured | | requests, expected | measured | |\n|--:|--:|--:|--:|--:|--:|--:|--:|\n"
	for _, n := range sizes {
		for _, alpha := range []int{1, 3, 10} {
			if n > 10_000 && alpha != 3 {
				continue // a large world for each would take long
			}
			cfg := static(n, lookups, 10e6)
			cfg.Kad.Alpha = alpha
			res, rows := run(t, cfg)
			require.Len(t, rows, lookups)
			var hops, requests float64
			for _, r := range rows {
				hops += float64(r.Hops) / lookups
				requests += float64(r.Requests) / lookups
			}
			wantHops, wantRequests := expectation(n, 20, alpha)
			table += fmt.Sprintf("| %d | %d | %.2f | %.2f | %+.1f %% | %.2f | %.2f | %+.1f %% |\n", n, alpha,
				wantHops, hops, 100*(hops/wantHops-1), wantRequests, requests, 100*(requests/wantRequests-1))
			if alpha == 3 {
				cost := []float64{float64(res.Events) / lookups, requests, hops, float64(res.Entries) / float64(n), float64(res.Heap) / float64(n)}
				text := fmt.Sprintf("| %d | %.1f | %.2f | %.2f | %.0f | %.0f |", n, cost[0], cost[1], cost[2], cost[3], cost[4])
				for i := range cost {
					each := cost[i] / math.Log2(float64(n))
					text += fmt.Sprintf(" %.3g", each)
					if before != nil && i < 3 { // a table begins with a few buckets that are not full; memory is not ours to foretell
						assert.LessOrEqual(t, each, before[i], "%d nodes: a cost grows faster than log N", n)
					}
					cost[i] = each
				}
				costs, before = costs+text+" |\n", cost
			}
			near := 0.03
			switch { // answers come out of turn: who is first to name a peer need not be the fewest hops away
			case alpha == 10:
				near = 0.08
			case n > 10_000: // each hop has its share of that
				near = 0.06
			}
			assert.InEpsilon(t, wantHops, hops, near, "hops, %d nodes, alpha %d", n, alpha)
			assert.InEpsilon(t, wantRequests, requests, 0.03, "requests, %d nodes, alpha %d", n, alpha)
		}
	}
	t.Log("\n" + table + "\n" + costs)
}

// The arithmetic by itself: what can be said of it without a simulator.
func TestExpectationItself(t *testing.T) {
	for _, alpha := range []int{1, 3, 10} {
		before := 1.0
		for n := 100; n <= 10_000_000; n *= 10 {
			hops, requests := expectation(n, 20, alpha)
			assert.Greater(t, hops, before, "more nodes, more hops")
			assert.GreaterOrEqual(t, requests, 20+float64(alpha)*(hops-2), "%d: alpha to others for each hop but the last two", n)
			assert.LessOrEqual(t, requests, 20+float64(alpha)*(hops-1), "%d: and no more than alpha for each but the last", n)
			before = hops
		}
	}
	few, _ := expectation(100_000, 5, 3)
	many, _ := expectation(100_000, 80, 3)
	assert.Greater(t, few, many, "larger buckets, fewer hops")

	// Far from its end, a search with one request in flight gains at each step the bit of the bucket and the greatest of 20
	// numbers of bits, log2 20 + 0.3 in the mean: 5.65 bits in all, as Cai and Devroye's c log N.
	gain := 1.0
	for b := 1; b < 60; b++ {
		gain += 1 - math.Pow(1-math.Exp2(-float64(b)), 20)
	}
	assert.InDelta(t, math.Log2(20)+1.33, gain, 0.05)
	h1, _ := expectation(1<<17, 20, 1)
	h2, _ := expectation(1<<28, 20, 1)
	assert.InEpsilon(t, 11/gain, h2-h1, 0.02)
}
