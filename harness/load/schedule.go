package load

import (
	"math/rand/v2"
)

// Load is the shots of a Config; it is a Schedule.
type Load struct {
	lines   []line
	ledgers map[Kind]*ledger // of the kinds that somebody wants published; never ranged over
	fell    uint64
}

// line is one stream of shots under way. What decides when, what and about which key are generators of their own, so that
// another mix changes no moment, and other keys no mix.
type line struct {
	arrivals *arrivals
	mix      []Part
	weights  uint64
	random   *rand.PCG
	choosers []*chooser
}

// New makes the schedule of a Config, or says what is wrong with it.
func New(c Config) (*Load, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	l := &Load{ledgers: map[Kind]*ledger{}}
	streams := uint64(0)
	stream := func() *rand.PCG {
		streams++
		return rand.NewPCG(c.Seed, streams*0x9e3779b97f4a7c15)
	}
	place := 0
	for _, cl := range c.Lines {
		ln := line{arrivals: newArrivals(cl, stream()), mix: cl.Mix, random: stream()}
		for _, p := range cl.Mix {
			ln.weights += p.weight()
			ln.choosers = append(ln.choosers, newChooser(p, place, stream(), l.ledger(p)))
			place++
		}
		l.lines = append(l.lines, ln)
	}
	return l, nil
}

// ledger is where a part finds what has been published; nil if it does not ask.
func (l *Load) ledger(p Part) *ledger {
	kind := published[p.Kind]
	if !p.Keys.Published {
		return nil
	}
	if l.ledgers[kind] == nil {
		l.ledgers[kind] = &ledger{seen: map[uint64]bool{}}
	}
	return l.ledgers[kind]
}

func (p Part) weight() uint64 { return max(uint64(p.Weight), 1) }

// Next is the next shot.
func (l *Load) Next() (Shot, bool) {
	for {
		next := -1
		for i := range l.lines {
			a := l.lines[i].arrivals
			if a.pending && (next < 0 || a.due < l.lines[next].arrivals.due) {
				next = i
			}
		}
		if next < 0 {
			return Shot{}, false
		}
		ln := &l.lines[next]
		due := ln.arrivals.due
		ln.arrivals.advance()
		i := ln.part()
		key, ok := ln.choosers[i].draw(due)
		if !ok {
			l.fell++
			continue
		}
		kind := ln.mix[i].Kind
		if ledger := l.ledgers[kind]; ledger != nil {
			ledger.publish(key, due)
		}
		return Shot{Due: due, Op: Op{Kind: kind, Key: key, Node: ln.mix[i].Node}}, true
	}
}

// Fell is how many shots have fallen away so far: they sought what was published when nothing was.
func (l *Load) Fell() uint64 { return l.fell }

// part draws which part of the mix a shot is of.
func (ln *line) part() int {
	if len(ln.mix) == 1 {
		return 0
	}
	r := below(ln.random, ln.weights)
	for i, p := range ln.mix {
		if r < p.weight() {
			return i
		}
		r -= p.weight()
	}
	panic("load: a weight beyond the sum of all")
}
