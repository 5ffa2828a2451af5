package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This file tells the lines of a simulation, each in one sentence: the words say themselves what they mean.

// words tells the words of a line from the given one on, as its verb's table has them.
func (t *teller) words(l *Line, from int, without ...string) string {
	v, _ := findVerb(l.Verb)
	var parts []string
	for _, w := range l.row.words[1+from:] {
		name, val, _ := strings.Cut(w.text, "=")
		term, _ := findTerm(v.Terms, name)
		switch {
		case slices.Contains(without, name):
		case val == "off" && off.MatchString(term.says):
			parts = append(parts, "no "+off.ReplaceAllString(term.says, ""))
		case strings.Contains(term.says, "%s"):
			parts = append(parts, fmt.Sprintf(term.says, plain(val)))
		default:
			parts = append(parts, term.says)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// off is what a sentence about a period loses if that is turned off.
var off = regexp.MustCompile(` (every|after) %s.*`)

// plain writes a value as a person would: 10ms to 100ms.
func plain(v string) string { return strings.ReplaceAll(v, "..", " to ") }

// second is the line's second word, its kind.
func second(l *Line) string { return l.row.words[1].text }

func tellWorld(t *teller, l *Line) string {
	opening := map[WorldKind]string{SimWorld: "a network is simulated", NetworkWorld: "a network of real nodes comes up on this machine", LoadWorld: "a target is loaded on sockets"}
	return opening[t.plan.kind] + t.words(l, 1)
}

func tellLink(t *teller, l *Line) string {
	s := l.Stmt.(Links)
	kind, _ := findTerm(linkKinds, s.Kind)
	switch {
	case s.Own:
		return fmt.Sprintf(kind.says, "@"+s.Table) + t.words(l, 2)
	case s.Kind == "regions":
		rest := 1
		if words := l.row.words; len(words) > 2 && words[2].text == s.Table {
			rest = 2
		}
		return fmt.Sprintf(kind.says, s.Table) + t.words(l, rest)
	}
	return fmt.Sprintf(kind.says, plain(l.row.words[2].text)) + t.words(l, 2)
}

func tellChurn(t *teller, l *Line) string {
	s := l.Stmt.(Churn)
	kind, _ := findTerm(churnKinds, s.Kind)
	if s.Kind == "trace" {
		return "nodes " + fmt.Sprintf(kind.says, "@"+s.Trace)
	}
	return "nodes " + kind.says + t.words(l, 1)
}

func tellFault(t *teller, l *Line) string {
	s := l.Stmt.(Fault)
	kind, _ := findTerm(faultKinds, s.Kind)
	who := "nodes"
	if s.Kind == "loss" {
		who = "messages"
	}
	says := kind.says
	if s.Kind == "crash" && s.Until == 0 {
		says = "vanish, and stay away"
	}
	return fmt.Sprintf("%s%% of the %s %s%s", decimal(int64(s.Share)*100), who, says, t.words(l, 1, "share"))
}

func tellLoad(t *teller, l *Line) string {
	kind, _ := findTerm(askKinds, second(l))
	who := "nodes are asked to "
	if t.plan.kind == LoadWorld {
		who = "the target is asked "
	}
	text := who + kind.says + t.words(l, 1)
	if l.Stmt.(Workload).shares() {
		text += "; they share the rate of the line above"
	}
	return text
}

// opSays completes "p99 must be …".
var opSays = map[Op]string{OpLess: "less than", OpAtMost: "at most", OpGreater: "more than", OpAtLeast: "at least", OpEqual: "exactly"}

func tellNeed(t *teller, l *Line) string {
	var parts []string
	for _, n := range l.Stmt.(Needs).All {
		f, _ := findFigure(n.Figure, t.plan.kind)
		what := f.says
		if n.Stat != "" {
			what = n.Stat + " of " + what
		}
		if n.N != 0 {
			what += fmt.Sprintf(" of the %d closest", n.N)
		}
		if n.Of != "" {
			what = fmt.Sprintf("for %s, %s", n.Of, what)
		}
		bound := condition.FindStringSubmatch(n.Text)[3]
		if _, own := t.plan.Fixtures[SuiteDigests[1:]]; bound == SuiteDigests && !own {
			bound = "the one that comes with the suite"
		}
		parts = append(parts, fmt.Sprintf("%s must be %s %s", what, opSays[n.Op], bound))
	}
	return strings.Join(parts, "; ")
}

func tellSweep(t *teller, l *Line) string {
	var parts []string
	for _, a := range l.Stmt.(Sweep).Axes {
		parts = append(parts, a.Name+" "+strings.Join(a.Values, ", "))
	}
	return fmt.Sprintf("the plan runs once for each combination of %s", strings.Join(parts, " with "))
}
