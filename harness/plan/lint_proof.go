package plan

import "slices"

// This file holds lint's questions about what a case proves: that it judges something in each profile, that a condition
// does not hold of nothing, and that whoever rejects everything does not pass.

func (n *linter) proof() {
	n.judged()
	if !n.judging() {
		return // what is only measured proves nothing
	}
	n.vacuous()
	n.captures()
	n.soundTwin()
}

// judging says whether any profile does more than measure.
func (n *linter) judging() bool {
	return slices.ContainsFunc(n.plan.Header.Profiles.List(), func(p Profile) bool { return n.plan.Header.Levels[p] <= Should })
}

// judged: a profile in which no line is judged would pass whatever came.
func (n *linter) judged() {
	judged := map[Profile]bool{}
	n.plan.All(func(l *Line) {
		for _, p := range Profiles {
			judged[p] = judged[p] || l.judges(p)
		}
	})
	end := Pos{File: n.plan.File, Line: 1}
	if len(judged) == 0 || !slices.ContainsFunc(Profiles, func(p Profile) bool { return judged[p] }) {
		n.fail(end, "", "nothing is judged: the script has no want, identify, result, saw, never or inflight")
		return
	}
	for _, p := range n.plan.Header.Profiles.List() {
		if !judged[p] {
			n.fail(end, "", "nothing is judged in the profile %s: every want names others; a header line profile leaves it out", p)
		}
	}
}

// judges says whether a line can fail in a profile.
func (l *Line) judges(p Profile) bool {
	switch s := l.Stmt.(type) {
	case Want:
		return s.Profiles.Has(p)
	case Result:
		return s.Profiles.Has(p)
	case Saw:
		return s.Profiles.Has(p)
	case Identify, Never, InFlight:
		return true
	}
	return false
}

// vacuous: what is said of every entry, or that none stands twice, holds of an empty list too.
func (n *linter) vacuous() {
	n.plan.All(func(l *Line) {
		list := matchersOf(l.Stmt)
		for _, m := range list {
			step := m.Steps()[0]
			if m.Op != OpUnique && step.Index != "*" {
				continue
			}
			if !slices.ContainsFunc(list, func(o Matcher) bool { return o.fills(step.Name) }) {
				n.warn(m.Pos, l.Verb, "%s holds of an empty list too: say what is in %s, as %s>=1", m.Text, step.Name, step.Name)
			}
		}
	})
}

// fills says whether the condition fails for an empty list.
func (m Matcher) fills(list string) bool {
	steps := m.Steps()
	if steps[0].Name != list || steps[0].Index == "*" {
		return false
	}
	switch m.Op {
	case OpEqual, OpAll, OpAtLeast, OpPresent:
		return true
	}
	return steps[0].Index != "" && (m.Op != OpAbsent || len(steps) > 1)
}

// captures: a value that is kept and never compared with holds whatever came; most likely its name is misspelt.
func (n *linter) captures() {
	uses := map[string]int{}
	type capture struct {
		Matcher
		verb string
	}
	var first []capture
	n.plan.All(func(l *Line) {
		for _, m := range matchersOf(l.Stmt) {
			if m.Op == OpCapture {
				first = append(first, capture{m, l.Verb})
				uses[m.Value.Text]++
			}
		}
		if let, ok := l.Stmt.(Let); ok {
			uses[let.Name]++
		}
	})
	for _, m := range first {
		if name := m.Value.Text; uses[name] == 1 && !n.used["$"+name] {
			n.warn(m.Pos, m.verb, "%s takes whatever comes: nothing uses $%s", m.Text, name)
		}
	}
}

// soundTwin: a case that rejects something ends by accepting what is sound, or a peer that rejects everything would pass.
// Such a peer fails at a line whose alternatives are frames only, and at no other. A case that only measures needs none.
func (n *linter) soundTwin() {
	if n.idle() {
		n.warn(Pos{File: n.plan.File, Line: 1}, "never", "a target that does nothing at all would pass: say by a result or a saw what it must do")
	}
	for _, l := range n.wants {
		sound := true
		for _, a := range append([]*Line{l}, l.Alts...) {
			sound = sound && a.Stmt.(Want).Expect.Kind == ExpectFrame
		}
		if sound {
			return
		}
	}
	if len(n.wants) > 0 {
		last := n.wants[len(n.wants)-1]
		n.warn(last.Pos, last.Verb, "a peer that rejects everything would pass: end by a want for a frame, the answer to the sound twin")
	}
}

// idle says whether all that is judged is what the target must not do.
func (n *linter) idle() bool {
	never, does := false, false
	n.plan.All(func(l *Line) {
		switch l.Stmt.(type) {
		case Never, InFlight:
			never = true
		case Want, Identify, Result, Saw:
			does = true
		}
	})
	return never && !does
}
