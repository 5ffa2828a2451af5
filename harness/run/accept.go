package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
)

// alternative is what a line that judges accepts, a want, result or saw, or what one of its or lines does; for one of the
// names of a range.
type alternative struct {
	line     *plan.Line
	stmt     plan.Stmt
	want     plan.Want // of a want
	profiles plan.ProfileSet
	why      string

	captures map[string]plan.Value // of the whole line, when it matched
	miss     *failure              // nil: it matched
	untold   bool                  // the target cannot tell: neither matched nor missed
}

// accepting is what a statement says of its reason and profiles.
func accepting(stmt plan.Stmt) (why string, profiles plan.ProfileSet) {
	switch s := stmt.(type) {
	case plan.Want:
		return s.Why, s.Profiles
	case plan.Result:
		return s.Why, s.Profiles
	case plan.Saw:
		return s.Why, s.Profiles
	}
	return "", 0
}

// alternatives are what is accepted for name i of a line, in order.
func alternatives(l *plan.Line, i int) []*alternative {
	var all []*alternative
	for _, line := range append([]*plan.Line{l}, l.Alts...) {
		a := &alternative{line: line, stmt: line.Stmt}
		if i < len(line.Sides) {
			a.stmt = line.Sides[i]
		}
		a.why, a.profiles = accepting(a.stmt)
		a.want, _ = a.stmt.(plan.Want)
		all = append(all, a)
	}
	return all
}

// judging holds the alternatives of one name against what came. It returns which was taken, -1 for none.
type judging func(ctx context.Context, all []*alternative, open plan.ProfileSet) (int, outcome, error)

// accepts judges a line and its alternatives, for each of its names, and goes on with the block of what matched.
func (s *script) accepts(ctx context.Context, l *plan.Line, before outcome, judge judging) (o outcome, err error) {
	sides := max(1, len(l.Sides))
	chosen := make([]int, sides)
	results, err := beside(sides, func(i int) (outcome, error) {
		var o outcome
		var err error
		chosen[i], o, err = judge(ctx, alternatives(l, i), s.remaining(before))
		return o, err
	})
	for i, r := range results {
		if sides > 1 {
			r.name(l.Names[i])
		}
		o.merge(r)
	}
	if err != nil {
		return o, err
	}
	s.observe(l, chosen)
	// The block of each alternative that some name took, once, in the order of the lines.
	for n, a := range append([]*plan.Line{l}, l.Alts...) {
		if !slices.Contains(chosen, n) || len(a.Block) == 0 {
			continue
		}
		sofar := before
		sofar.merge(o)
		// What follows from an alternative binds only the profiles which accept that alternative.
		_, profiles := accepting(a.Stmt)
		block := *s
		block.scope = both(s.scope, profiles)
		more, err := block.lines(ctx, a.Block, sofar)
		o.merge(more.within(profiles))
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// both are the profiles of two sets.
func both(a, b plan.ProfileSet) (set plan.ProfileSet) {
	for _, p := range plan.Profiles {
		if a.Has(p) && b.Has(p) {
			set |= 1 << p
		}
	}
	return set
}

// observe notes which alternatives were taken at a line that accepts several: "line 12": "silence (ruling 1)", and for a
// range how often each.
func (s *script) observe(l *plan.Line, chosen []int) {
	if len(l.Alts) == 0 {
		return
	}
	var words []string
	for n, a := range append([]*plan.Line{l}, l.Alts...) {
		times := 0
		for _, c := range chosen {
			if c == n {
				times++
			}
		}
		if times == 0 {
			continue
		}
		text := expected(a)
		if why, _ := accepting(a.Stmt); why != "" {
			text += " (" + why + ")"
		}
		if len(chosen) > 1 {
			text = fmt.Sprintf("%d× %s", times, text)
		}
		words = append(words, text)
	}
	if len(words) > 0 {
		s.mu.Lock()
		s.shown[fmt.Sprintf("line %d", l.Pos.Line)] = strings.Join(words, ", ")
		s.mu.Unlock()
	}
}

// judges notes the profiles which the line has judged: not those in which it hangs on what the target cannot tell.
func (s *script) judges(all []*alternative) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range plan.Profiles {
		accepted, sure, untold := false, false, false
		for _, a := range all {
			if a.profiles.Has(p) {
				accepted = true
				sure = sure || a.miss == nil && !a.untold
				untold = untold || a.untold
			}
		}
		if accepted && (sure || !untold) {
			s.seen |= 1 << p
		}
	}
}

// verdicts says in which profiles none of the accepted alternatives matched. A profile in which the line accepts nothing,
// or only what the target cannot tell, is not judged by it.
func verdicts(all []*alternative) (o outcome) {
	for _, p := range plan.Profiles {
		var missed []*alternative
		met := false
		for _, a := range all {
			if a.profiles.Has(p) {
				missed = append(missed, a)
				met = met || a.miss == nil
			}
		}
		if met || len(missed) == 0 {
			continue
		}
		// The report speaks of the alternative that came nearest: the first whose type came, else the first.
		nearest := missed[0]
		for _, a := range missed {
			if a.miss.Diff != "" {
				nearest = a
				break
			}
		}
		f := *nearest.miss
		f.Want = wanted(missed)
		o.failed[p] = &f
	}
	return o
}

// wanted is what the lines accept, in their own words.
func wanted(all []*alternative) string {
	var words []string
	for _, a := range all {
		words = append(words, expected(a.line))
	}
	return strings.Join(words, " or ")
}

// expected is a line as written, without its reason and profiles; of a want, without its verb and stream too.
func expected(l *plan.Line) string {
	text := l.Text
	if _, ok := l.Stmt.(plan.Want); ok {
		for range 2 {
			_, text, _ = strings.Cut(text, " ")
		}
	} else if l.Verb == "or" {
		_, text, _ = strings.Cut(text, " ")
	}
	if i := strings.Index(text, ` why="`); i >= 0 {
		if end := strings.Index(text[i+6:], `"`); end >= 0 {
			text = text[:i] + text[i+6+end+1:]
		}
	}
	var words []string
	for _, w := range strings.Fields(text) {
		if !strings.HasPrefix(w, "profile=") {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
