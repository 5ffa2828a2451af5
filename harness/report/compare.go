package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// Comparison is what is different between two sides. A side is a log, or several of the same: more turns and runs of each
// question, and of a verdict that differs between them the worst.
type Comparison struct {
	A, B      []*Log
	Threshold float64 // a figure that is worse by less than this share is not held against B
	Verdicts  []VerdictChange
	Alike     int // verdicts that both sides have, and have alike
	Digests   []DigestChange
	Figures   []FigureChange
	Notes     []string // what makes the sides hard to compare
}

// How something changed.
const (
	Worse   = "worse"
	Better  = "better"
	Changed = "changed" // neither
	OnlyA   = "only in A"
	OnlyB   = "only in B"
)

// VerdictChange is a verdict that the sides do not share.
type VerdictChange struct {
	Case    string // of a case its id, of a need what it says, of a run "run"
	Plan    string // with its point; empty of a case
	Target  string
	Profile string
	A, B    string // empty where a side has none
	Change  string
	Why     string // what B says of it
}

// DigestChange is the digest of a simulation that both sides ran with the same seed.
type DigestChange struct {
	Plan, Point string
	Seed        uint64
	A, B        string
}

// FigureChange is one figure of one question on both sides.
type FigureChange struct {
	whose
	Figure string
	Unit   string // of the Go benchmark format
	stats.Difference
	Verdict string // worse or better where the difference is more than chance and the figure has a direction; else empty
	Beyond  bool   // by more than the threshold

	of *figureOf
}

// Compare finds what changed from A to B.
func Compare(a, b []*Log, threshold float64) *Comparison {
	c := &Comparison{A: a, B: b, Threshold: threshold}
	c.verdicts()
	c.digests()
	c.figures()
	c.notes()
	return c
}

// Worse counts the verdicts, and the figures beyond the threshold, that are worse in B.
func (c *Comparison) Worse() (verdicts, figures int) {
	for _, v := range c.Verdicts {
		if v.Change == Worse {
			verdicts++
		}
	}
	for _, f := range c.Figures {
		if f.Verdict == Worse && f.Beyond {
			figures++
		}
	}
	return verdicts, figures
}

// standing orders verdicts from good to bad; -1: nothing was judged.
func standing(v record.Verdict) int {
	switch v {
	case record.Pass:
		return 0
	case record.Warn, record.XFail, record.Unsupported:
		return 1
	case record.Skipped:
		return -1
	}
	return 2
}

// judgement is one verdict of a side.
type judgement struct {
	verdict record.Verdict
	why     string
}

type question struct{ plan, id, target, profile string }

// judgements are the verdicts of a side: on cases, on needs, and on whether runs came to their end.
func judgements(side []*Log) map[question]judgement {
	all := make(map[question]judgement)
	add := func(q question, v record.Verdict, why string) {
		if old, ok := all[q]; !ok || standing(v) > standing(old.verdict) {
			all[q] = judgement{v, why}
		}
	}
	for _, l := range side {
		for _, r := range l.Results {
			add(question{"", r.Case, r.Target, r.Profile}, r.Verdict, r.Why)
		}
		measured := func(plan, target string, needs []record.NeedGot, broken string) {
			for _, n := range needs {
				add(question{plan, n.Text, target, ""}, n.Verdict, strings.TrimLeft(strings.TrimPrefix(needText(n), n.Text), ",: "))
			}
			verdict := record.Pass
			if broken != "" {
				verdict = record.Errored
			}
			add(question{plan, "run", target, ""}, verdict, broken)
		}
		for _, s := range l.Simulations {
			var needs []record.NeedGot
			if s.Outcome != nil {
				needs = s.Outcome.Needs
			}
			measured(strings.TrimSpace(s.Plan+" "+pointOf(s.Point)), s.Target, needs, s.Broken())
		}
		for _, b := range l.Benches {
			var needs []record.NeedGot
			if b.Measured != nil {
				needs = b.Measured.Needs
			}
			measured(strings.TrimSpace(b.Plan+" "+pointOf(b.Point)), b.Target, needs, b.Broken())
		}
	}
	return all
}

func (c *Comparison) verdicts() {
	a, b := judgements(c.A), judgements(c.B)
	keys := slices.SortedFunc(maps.Keys(union(a, b)), func(x, y question) int {
		return cmp.Or(cmp.Compare(x.plan, y.plan), cmp.Compare(x.id, y.id), cmp.Compare(x.target, y.target),
			cmp.Compare(slices.Index(profiles, x.profile), slices.Index(profiles, y.profile)))
	})
	for _, q := range keys {
		was, inA := a[q]
		is, inB := b[q]
		v := VerdictChange{Case: q.id, Plan: q.plan, Target: q.target, Profile: q.profile, A: string(was.verdict), B: string(is.verdict), Why: is.why}
		from, to := standing(was.verdict), standing(is.verdict)
		switch {
		case !inA:
			v.Change = OnlyB
		case !inB:
			v.Change = OnlyA
		case was.verdict == is.verdict:
			c.Alike++
			continue
		case from < 0 || to < 0 || from == to:
			v.Change = Changed
		case to > from:
			v.Change = Worse
		default:
			v.Change = Better
		}
		c.Verdicts = append(c.Verdicts, v)
	}
	order := []string{Worse, Changed, Better, OnlyA, OnlyB}
	slices.SortStableFunc(c.Verdicts, func(x, y VerdictChange) int {
		return cmp.Compare(slices.Index(order, x.Change), slices.Index(order, y.Change))
	})
}

func union[K comparable, V any](a, b map[K]V) map[K]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// digests are held against each other where plan, point, seed and size are the same: then each step of the simulation is.
func (c *Comparison) digests() {
	type world struct {
		plan, point string
		seed        uint64
		nodes       int
	}
	find := func(side []*Log) map[world]string {
		found := make(map[world]string)
		for _, l := range side {
			for _, s := range l.Simulations {
				if s.Target == "" && s.Outcome != nil && s.Outcome.Digest != "" && !s.Outcome.Stopped && s.Outcome.Error == "" {
					found[world{s.Plan, pointOf(s.Point), s.Seed, s.Nodes}] = s.Outcome.Digest
				}
			}
		}
		return found
	}
	a, b := find(c.A), find(c.B)
	for w, was := range a {
		if is, ok := b[w]; ok {
			c.Digests = append(c.Digests, DigestChange{w.plan, w.point, w.seed, was, is})
		}
	}
	slices.SortFunc(c.Digests, func(x, y DigestChange) int {
		return cmp.Or(cmp.Compare(x.Plan, y.Plan), cmp.Compare(x.Point, y.Point), cmp.Compare(x.Seed, y.Seed))
	})
}

func (c *Comparison) figures() {
	var order []whose
	gather := func(side []*Log) map[whose]map[*figureOf][]float64 {
		all := make(map[whose]map[*figureOf][]float64)
		for _, l := range side {
			for _, r := range l.readings() {
				if all[r.whose] == nil {
					all[r.whose] = make(map[*figureOf][]float64)
				}
				if !slices.Contains(order, r.whose) {
					order = append(order, r.whose)
				}
				for f, v := range r.Values {
					all[r.whose][f] = append(all[r.whose][f], v)
				}
			}
		}
		return all
	}
	a, b := gather(c.A), gather(c.B)
	for _, w := range order {
		for i := range figuresOf {
			f := &figuresOf[i]
			was, is := a[w][f], b[w][f]
			if len(was) == 0 || len(is) == 0 {
				continue
			}
			change := FigureChange{whose: w, Figure: f.Name, Unit: f.Unit, Difference: stats.Compare(was, is), of: f}
			if change.A.Max == 0 && change.B.Max == 0 {
				continue // nothing failed on either side
			}
			if change.Significant && f.Better != 0 && change.A.Value != change.B.Value {
				change.Verdict = Better
				if (change.B.Value > change.A.Value) != (f.Better > 0) {
					change.Verdict = Worse
				}
				change.Beyond = math.IsNaN(change.Change) || math.Abs(change.Change) > c.Threshold
			}
			c.Figures = append(c.Figures, change)
		}
	}
}
