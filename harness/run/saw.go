package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
)

// sight is what one alternative of a saw has found so far.
type sight struct {
	*alternative
	plan.Saw
	count int
	extra *heard // one more than it wants
	near  *heard // of the type, and differs
}

// saw judges what the target sent to puppets, looking back over the whole case and waiting for more.
func (s *script) saw(ctx context.Context, all []*alternative, _ plan.ProfileSet) (int, outcome, error) {
	began := time.Now()
	var sights []*sight
	var longest time.Duration
	for _, a := range all {
		g := &sight{alternative: a, Saw: a.stmt.(plan.Saw)}
		a.captures = map[string]plan.Value{}
		sights = append(sights, g)
		longest = max(longest, g.Saw.Within)
	}
	if longest == 0 {
		longest = plan.DefaultWait
	}
	wait, cancel := s.deadline(ctx, began, longest)
	defer cancel()
	seen, taken, over := 0, -1, false
	var met func(*sight) bool
	for taken < 0 && !over {
		over = wait.Err() != nil
		idle := !s.busy()
		items, more := s.hearing.since(seen)
		for _, h := range items {
			for _, g := range sights {
				if err := s.look(g, h); err != nil {
					return -1, outcome{}, fault(g.line, "", err)
				}
			}
		}
		seen += len(items)
		met = func(g *sight) bool {
			// So many and no more is certain when the line's own time is over, or when nothing goes on that could bring more.
			return g.Times == 0 && g.count > 0 || g.Times > 0 && g.count == g.Times && (over || g.Saw.Within == 0 && idle)
		}
		taken = slices.IndexFunc(sights, met)
		if taken >= 0 || over || !slices.ContainsFunc(sights, func(g *sight) bool { return g.extra == nil }) {
			break
		}
		select {
		case <-more:
		case <-wait.Done():
		}
		if ctx.Err() != nil {
			return -1, outcome{}, context.Cause(ctx)
		}
	}
	for _, g := range sights {
		if !met(g) {
			g.miss = s.unseen(g, longest)
		}
	}
	if taken >= 0 {
		s.capture(all[taken].captures)
	}
	s.judges(all)
	return taken, verdicts(all), nil
}

// look holds one thing that was heard against an alternative.
func (s *script) look(g *sight, h *heard) error {
	if !slices.Contains(g.Peers, h.to.Name) || !h.is(g.Type) {
		return nil
	}
	if h.request != nil {
		captures, miss, err := s.judgeHeard(h, g.Match, g.captures)
		if err != nil {
			return err
		}
		if miss != nil {
			g.near = cmp.Or(g.near, h)
			return nil
		}
		for name, v := range captures {
			g.captures[name] = v
		}
	}
	g.count++
	if g.Times > 0 && g.count > g.Times {
		g.extra = cmp.Or(g.extra, h)
	}
	return nil
}

func (s *script) judgeHeard(h *heard, match []plan.Matcher, captures map[string]plan.Value) (map[string]plan.Value, *check.Mismatch, error) {
	m, err := h.message()
	if err != nil {
		return nil, &check.Mismatch{}, nil
	}
	return check.Judge(m, match, lineEnv{s.world, captures}, s.names)
}

// unseen is the failure of an alternative: one too many, or the first of the type that differs, or what came at all.
func (s *script) unseen(g *sight, waited time.Duration) *failure {
	if g.extra != nil {
		f := s.failure(g.line, "", fmt.Sprintf("(%d times) %s", g.count, g.extra.describe(s.names)))
		g.extra.place(f, "", check.Span{})
		return f
	}
	count := ""
	if g.Times > 0 {
		count = fmt.Sprintf("(%d of %d) ", g.count, g.Times)
	}
	if g.near != nil && g.count == 0 {
		// With the captures of nobody else: it is what differs from the line.
		if _, miss, err := s.judgeHeard(g.near, g.Match, g.captures); err == nil && miss != nil {
			f := s.failure(g.line, "", fmt.Sprintf("%s%s %s", count, g.near.to.Name, miss.Got))
			f.Diff = miss.Diff
			g.near.place(f, miss.What, miss.Span)
			return f
		}
	}
	items, _ := s.hearing.since(0)
	to := slices.DeleteFunc(items, func(h *heard) bool { return !slices.Contains(g.Peers, h.to.Name) })
	f := s.failure(g.line, "", fmt.Sprintf("%snothing like it within %s; to %s came %s", count, waited, span(g.Peers), tally(to)))
	f.silent = len(to) == 0
	return f
}

// span is a list of names in short.
func span(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s..%s", names[0], names[len(names)-1])
	}
	return strings.Join(names, ", ")
}

// later is a line which is judged when the script and its operations have ended: never and inflight.
type later struct {
	line  *plan.Line
	stmt  plan.Stmt
	scope plan.ProfileSet
}

// later keeps a line for the end. In a loop or a retry, what stands there again stands once.
func (s *script) later(l *plan.Line, stmt plan.Stmt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := later{l, stmt, s.scope}
	for i, o := range s.atEnd {
		if fmt.Sprint(o.line.Pos, o.stmt) == fmt.Sprint(l.Pos, stmt) {
			s.atEnd[i] = one
			return
		}
	}
	s.atEnd = append(s.atEnd, one)
}

// ending judges the lines which were kept for the end, once the operations have ended.
func (s *script) ending(ctx context.Context, before outcome) (o outcome, err error) {
	s.mu.Lock()
	kept := slices.Clone(s.atEnd)
	s.mu.Unlock()
	if len(kept) == 0 || before.all(s.judged) {
		return o, nil
	}
	for s.busy() {
		_, more := s.hearing.since(0)
		if !s.busy() {
			break
		}
		select {
		case <-more:
		case <-ctx.Done():
			return o, context.Cause(ctx)
		}
	}
	items, _ := s.hearing.since(0)
	for _, k := range kept {
		var f *failure
		sure := true
		switch stmt := k.stmt.(type) {
		case plan.Never:
			f, err = s.unheard(k.line, stmt, items)
		case plan.InFlight:
			f, sure, err = s.inFlight(k.line, stmt, items)
		}
		if err != nil {
			return o, fault(k.line, "", err)
		}
		s.mu.Lock()
		for _, p := range plan.Profiles {
			if sure && k.scope.Has(p) {
				s.seen |= 1 << p
			}
		}
		s.mu.Unlock()
		if f != nil {
			f.Want = expected(k.line)
			o.merge(fails(f).within(k.scope))
		}
	}
	return o, nil
}

// unheard looks for what must not have come.
func (s *script) unheard(l *plan.Line, n plan.Never, items []*heard) (*failure, error) {
	var first *heard
	count := 0
	for _, h := range items {
		if !slices.Contains(n.Peers, h.to.Name) || !h.is(n.Type) {
			continue
		}
		if h.request != nil {
			_, miss, err := s.judgeHeard(h, n.Match, nil)
			if err != nil {
				return nil, err
			}
			if miss != nil {
				continue
			}
		}
		first = cmp.Or(first, h)
		count++
	}
	if first == nil {
		return nil, nil
	}
	f := s.failure(l, "", first.describe(s.names))
	if count > 1 {
		f.Got = fmt.Sprintf("(the first of %d) %s", count, f.Got)
	}
	first.place(f, "", check.Span{})
	return f, nil
}

// inFlight counts how many such requests were open at once. It is not sure of what it never saw.
func (s *script) inFlight(l *plan.Line, n plan.InFlight, items []*heard) (f *failure, sure bool, err error) {
	var open []*heard // which are open when the next comes
	var most []*heard
	for _, h := range items {
		if h.request == nil || !h.is(n.Type) {
			continue
		}
		_, miss, err := s.judgeHeard(h, n.Match, nil)
		if err != nil {
			return nil, false, err
		}
		if miss != nil {
			continue
		}
		open = slices.DeleteFunc(open, func(o *heard) bool {
			over := o.request.Over()
			return !over.IsZero() && !over.After(h.at)
		})
		open = append(open, h)
		if len(open) > len(most) {
			most = slices.Clone(open)
		}
	}
	s.mu.Lock()
	s.shown[fmt.Sprintf("line %d", l.Pos.Line)] = fmt.Sprintf("%d at once", len(most))
	s.mu.Unlock()
	if len(most) <= n.AtMost {
		return nil, len(most) > 0, nil
	}
	var names []string
	for _, h := range most {
		names = append(names, h.to.Name)
	}
	last := most[n.AtMost]
	f = s.failure(l, "", fmt.Sprintf("%d at once: %s", len(most), strings.Join(names, " ")))
	f.Diff = fmt.Sprintf("one too many: %s", last.describe(s.names))
	last.place(f, "", check.Span{})
	return f, true, nil
}
