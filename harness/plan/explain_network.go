package plan

import (
	"fmt"
	"strings"
)

// This file tells the verbs of a scripted network: what the puppets answer, what the target is asked for, and what it sent.

// heard tells the request of a when, saw or never.
func (t *teller) heard(typ string, match []Matcher) string {
	text := typeName(typ)
	if len(match) > 0 {
		text += " in which " + t.matchers(match)
	}
	return text
}

func tellWhen(t *teller, l *Line) string {
	s := l.Stmt.(When)
	which := "when " + t.who(l, s.Peer) + " gets "
	switch {
	case s.Nth > 0:
		which += fmt.Sprintf("the %s time ", ordinal(s.Nth))
	case s.Times == 1:
		which += "for the first time "
	case s.Times > 1:
		which += fmt.Sprintf("the first %d times ", s.Times)
	}
	return which + t.heard(s.Type, s.Match)
}

func ordinal(n int) string {
	if words := []string{"", "first", "second", "third"}; n < len(words) {
		return words[n]
	}
	return fmt.Sprintf("%dth", n)
}

func tellAnswer(t *teller, l *Line) string {
	s := l.Stmt.(Answer)
	held := ""
	if s.AfterPeer != "" {
		held = ", once " + s.AfterPeer + " was heard"
	}
	switch s.How {
	case AnswerRaw:
		parts := make([]string, len(s.Values))
		for i, v := range s.Values {
			parts[i] = t.value(v)
		}
		return "it writes these bytes: " + strings.Join(parts, ", then ") + held
	case AnswerHonestly:
		return "it answers honestly" + held
	case AnswerNothing:
		return "it answers nothing, and the stream stays open" + held
	case AnswerEOF:
		return "it ends the stream cleanly" + held
	case AnswerReset:
		return "it resets the stream" + held
	}
	return "it answers " + t.frame(s.Frame) + held
}

// methodSays completes "T …".
var methodSays = map[string]string{
	"connect": "connects", "add_address": "is told an address", "remove_address": "forgets an address", "remove_peer": "forgets a peer",
	"bootstrap": "refreshes its routing table", "table": "tells its routing table", "get_closest_peers": "looks for the closest peers",
	"find_peer": "looks for a peer", "put_record": "stores a value in the network", "get_record": "looks for a value",
	"remove_record": "drops a value of its own", "start_providing": "announces itself as a provider", "stop_providing": "ends providing",
	"get_providers": "looks for providers", "set_mode": "changes its mode",
}

func tellOp(t *teller, l *Line) string {
	s := l.Stmt.(Operation)
	text := fmt.Sprintf("%s %s", s.Target, methodSays[s.Method])
	for i, f := range s.Params {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		text += sep + f.Name + " " + t.value(f.Value)
	}
	return text + fmt.Sprintf(" (the operation %s)", t.who(l, s.Name))
}

func tellResult(t *teller, l *Line) string {
	s := l.Stmt.(Result)
	text := "the operation " + t.who(l, s.Op) + " must "
	switch {
	case s.Error != "":
		text += "fail, with an error of the kind " + s.Error
	case len(s.Match) > 0:
		text += "succeed, and " + t.matchers(s.Match)
	default:
		text += "succeed"
	}
	return text + within(s.Within) + t.accepted(s.Why, s.Profiles)
}

// accepted tells profile= and why=.
func (t *teller) accepted(why string, set ProfileSet) (text string) {
	if set != 0 {
		text = fmt.Sprintf(" (in the profile %s)", or(set))
	}
	if why != "" {
		text += fmt.Sprintf(" (%s)", why)
	}
	return text
}

// puppets names who heard, or did not.
func (t *teller) puppets(l *Line, peers []string, any bool) string {
	switch {
	case any:
		return runs(peers) + " together"
	case len(l.Names) > 1:
		return t.who(l, peers[0])
	}
	return runs(peers)
}

func tellSaw(t *teller, l *Line) string {
	s := l.Stmt.(Saw)
	times := ""
	switch {
	case s.Times == 1:
		times = " exactly once"
	case s.Times > 1:
		times = fmt.Sprintf(" exactly %d times", s.Times)
	}
	what := "been sent " + t.heard(s.Type, s.Match)
	if s.Type == "dial" {
		what = "been dialled"
	}
	return fmt.Sprintf("%s must have %s%s%s%s", t.puppets(l, s.Peers, s.Any), what, times, within(s.Within), t.accepted(s.Why, s.Profiles))
}

func tellNever(t *teller, l *Line) string {
	s := l.Stmt.(Never)
	what := "sent " + t.heard(s.Type, s.Match)
	if s.Type == "dial" {
		what = "dialled"
	}
	return fmt.Sprintf("until the end, %s may never be %s", strings.Replace(t.puppets(l, s.Peers, s.Any), "each of ", "none of ", 1), what)
}

func tellInFlight(t *teller, l *Line) string {
	s := l.Stmt.(InFlight)
	return fmt.Sprintf("%s may have at most %d requests open at once, each %s", s.Target, s.AtMost, t.heard(s.Type, s.Match))
}

func tellClock(t *teller, l *Line) string {
	s := l.Stmt.(Clock)
	return fmt.Sprintf("%s pass for %s", ShortTime(s.By), s.Target)
}
