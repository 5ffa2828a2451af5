package plan

import (
	"fmt"
	"strings"
	"time"
)

// Explain tells the plan in prose, for a reader who does not know the language.
func Explain(p *Plan) string {
	t := &teller{plan: p}
	t.opening()
	if p.kind == 0 {
		t.peers()
	}
	t.out.WriteString("\nWhat happens:\n")
	t.lines(p.Script, 1)
	t.fixtures()
	return t.out.String()
}

// teller writes English; each verb's row says how its line reads.
type teller struct {
	plan *Plan
	out  strings.Builder
	nth  int
}

func (t *teller) opening() {
	h := t.plan.Header
	fmt.Fprintf(&t.out, "%s\n\n", h.ID)
	if t.plan.Prose != "" {
		fmt.Fprintf(&t.out, "%s\n\n", t.plan.Prose)
	}
	if k := t.plan.kind; k != 0 {
		t.out.WriteString(map[WorldKind]string{SimWorld: "A simulation, in virtual time.", NetworkWorld: "A network of real nodes, in real time.",
			LoadWorld: "A load on real sockets, in real time."}[k])
		if h.Slow {
			t.out.WriteString(" It is slow: minutes or more.")
		}
		t.out.WriteString("\n")
		t.clauses()
		return
	}
	var levels []string
	for _, p := range h.Profiles.List() {
		levels = append(levels, fmt.Sprintf("%s %s", p, h.Levels[p]))
	}
	fmt.Fprintf(&t.out, "Level: %s.", strings.Join(levels, ", "))
	if len(h.Needs) > 0 {
		fmt.Fprintf(&t.out, " A target that lacks one of these is not judged: %s.", strings.Join(h.Needs, ", "))
	}
	if h.Each != nil {
		fmt.Fprintf(&t.out, " It runs once for each %s from %d to %d.", h.Each.Name, h.Each.From, h.Each.To)
	}
	if h.Repeat > 1 {
		fmt.Fprintf(&t.out, " It runs %d times.", h.Repeat)
	}
	if h.Slow {
		t.out.WriteString(" It is slow, and runs with --slow only.")
	}
	if h.Alone {
		t.out.WriteString(" Nothing runs beside it.")
	}
	if h.Timeout == 0 {
		h.Timeout = defaultTime
	}
	fmt.Fprintf(&t.out, " It ends after %s at the latest.\n", ShortTime(h.Timeout))
	t.clauses()
}

// clauses says what the cited lines demand, and where they can be read.
func (t *teller) clauses() {
	h := t.plan.Header
	if len(h.Spec) == 0 {
		return
	}
	t.out.WriteString("\nWhat it rests on:\n")
	for i, says := range h.Clauses() {
		fmt.Fprintf(&t.out, "  %s\n", says)
		if link := Link(h.Spec[i]); link != "" {
			fmt.Fprintf(&t.out, "    %s\n", link)
		}
	}
}

// kindSays completes "A is …".
var kindSays = map[string]string{
	"":        "a peer of the harness whose bytes the plan writes",
	"serving": "a peer of the harness that answers as an honest server",
	"client":  "a peer of the harness that does not list the protocol",
	"nobody":  "an invented peer; dials to its address are counted",
}

func (t *teller) peers() {
	t.out.WriteString("\nWho takes part:\n")
	for _, d := range t.plan.Peers {
		if d.Name != d.Group[0] {
			continue
		}
		is, who := "is", d.Name
		what := kindSays[d.Kind]
		if d.Target {
			what = "the peer under test"
		}
		if n := len(d.Group); n > 1 {
			is, who = "are", fmt.Sprintf("%s to %s", d.Name, d.Group[n-1])
			what = "each " + what
		}
		fmt.Fprintf(&t.out, "  %s %s %s", who, is, what)
		for i, f := range d.Params {
			sep := ", "
			if i == 0 {
				sep = "; with "
			}
			fmt.Fprintf(&t.out, "%s%s %s", sep, f.Name, t.value(f.Value))
		}
		t.out.WriteString(".\n")
	}
}

func (t *teller) lines(lines []*Line, depth int) {
	for _, l := range lines {
		t.line(l, l.Verb, depth, "")
		for _, a := range l.Alts {
			t.line(a, l.Verb, depth, "or: ")
		}
	}
}

// line tells a line as its verb says; an or as that of the line which it is an alternative to.
func (t *teller) line(l *Line, verb string, depth int, prefix string) {
	v, _ := findVerb(verb)
	text := v.explain(t, l)
	if l.After > 0 {
		text = fmt.Sprintf("after %s, %s", ShortTime(l.After), text)
	}
	if prefix == "" {
		t.nth++
		prefix, text = fmt.Sprintf("%d. ", t.nth), capital(text)
	} else {
		prefix = strings.Repeat(" ", len(fmt.Sprintf("%d. ", t.nth))) + prefix
	}
	fmt.Fprintf(&t.out, "%s%s%s.\n", strings.Repeat("  ", depth), prefix, text)
	t.lines(l.Block, depth+1)
}

func (t *teller) fixtures() {
	names := fixtureOrder(t.plan)
	if len(names) > 0 {
		t.out.WriteString("\nWhat the names stand for:\n")
	}
	for _, n := range names {
		fx := t.plan.Fixtures[n]
		if fx.Text != "" {
			fmt.Fprintf(&t.out, "  @%s is a text of %d lines.\n", n, strings.Count(fx.Text, "\n"))
			continue
		}
		if fx.Frame == nil {
			fmt.Fprintf(&t.out, "  @%s is %s.\n", n, t.value(fx.Value))
			continue
		}
		fmt.Fprintf(&t.out, "  @%s is the frame of %s", n, t.frame(*fx.Frame))
		for _, ch := range fx.Changes {
			switch ch.Verb {
			case "patch":
				fmt.Fprintf(&t.out, ", with %s from byte %d on", t.value(ch.Value), ch.Offset)
			case "cut":
				fmt.Fprintf(&t.out, ", without its last %d bytes", ch.N)
			case "append":
				fmt.Fprintf(&t.out, ", with %s behind it", t.value(ch.Value))
			case "length":
				fmt.Fprintf(&t.out, ", which declares %d bytes", ch.N)
			}
		}
		t.out.WriteString(".\n")
	}
}

// who is the line's operand: one name, or what a range stands for.
func (t *teller) who(l *Line, one string) string {
	if n := len(l.Names); n > 1 && len(l.Sides) > 1 {
		return fmt.Sprintf("each of %s to %s", l.Names[0], l.Names[n-1])
	}
	return one
}

func tellSeat(t *teller, l *Line) string {
	s := l.Stmt.(Seat)
	return fmt.Sprintf("the routing table of %s is made to hold %s", s.Target, runs(s.Peers))
}

func tellConnect(t *teller, l *Line) string {
	s := l.Stmt.(Connect)
	return fmt.Sprintf("%s connects to %s", t.who(l, s.From), s.To)
}

func tellDisconnect(t *teller, l *Line) string {
	s := l.Stmt.(Disconnect)
	return fmt.Sprintf("the connections between %s and %s end", t.who(l, s.From), s.To)
}

func tellIdentify(t *teller, l *Line) string {
	s := l.Stmt.(Identify)
	return fmt.Sprintf("what %s tells %s about itself by identify%s: %s", s.Of, t.who(l, s.Peer), within(s.Within), t.matchers(s.Match))
}

func tellLet(t *teller, l *Line) string {
	s := l.Stmt.(Let)
	return fmt.Sprintf("$%s stands for %s", s.Name, t.value(s.Value))
}

func tellOpen(t *teller, l *Line) string {
	s := l.Stmt.(Open)
	opens, stream := s.From+" opens", "a stream "+s.Stream
	if n := len(l.Names); n > 1 {
		stream = fmt.Sprintf("the streams %s to %s", l.Names[0], l.Names[n-1])
		if last := l.Sides[n-1].(Open); last.From != s.From {
			opens = fmt.Sprintf("%s to %s, one each, open", s.From, last.From)
		}
	}
	proto, lazy := "", ""
	if s.Proto != "" {
		proto = " for the protocol " + s.Proto
	}
	if s.Lazy {
		lazy = ", which is read only while something is wanted on it"
	}
	return fmt.Sprintf("%s %s to %s%s%s", opens, stream, s.To, proto, lazy)
}

func tellSend(t *teller, l *Line) string {
	s := l.Stmt.(Send)
	times := ""
	if s.Times > 1 {
		times = fmt.Sprintf(", %d times", s.Times)
	}
	return fmt.Sprintf("%s %s on %s%s", t.actor(l, s.Stream, "sends"), t.frame(s.Frame), t.who(l, s.Stream), times)
}

func tellRaw(t *teller, l *Line) string {
	s := l.Stmt.(Raw)
	parts := make([]string, len(s.Values))
	for i, v := range s.Values {
		parts[i] = t.value(v)
	}
	every := ""
	if s.Every > 0 {
		every = fmt.Sprintf(", one byte every %s", ShortTime(s.Every))
	}
	return fmt.Sprintf("%s these bytes on %s: %s%s", t.actor(l, s.Stream, "writes"), t.who(l, s.Stream), strings.Join(parts, ", then "), every)
}

func tellFinish(t *teller, l *Line) string {
	s := l.Stmt.(Finish)
	does, what := s.How+"s", ""
	if s.How == "half" {
		does, what = "ends", " its writing on"
	}
	return fmt.Sprintf("%s%s %s", t.actor(l, s.Stream, does), what, t.who(l, s.Stream))
}

func tellWant(t *teller, l *Line) string {
	s := l.Stmt.(Want)
	stream := t.who(l, "the stream "+s.Stream)
	var text string
	switch x := s.Expect; x.Kind {
	case ExpectEOF:
		text = stream + " must end cleanly, without a further frame"
	case ExpectReset:
		text = stream + " must be reset, without a further frame"
	case ExpectEnded:
		text = stream + " must end, cleanly or by a reset, without a further frame"
	case ExpectRefused:
		text = "the protocol must be refused when " + stream + " is opened"
	case ExpectSilence:
		text = "no frame may come on " + strings.Replace(stream, "each of ", "any of ", 1)
		if x.For > 0 {
			text += " for " + ShortTime(x.For)
		}
		text += "; another request on the same connection is answered meanwhile"
	default:
		next := "the next frame on " + stream
		if x.Times > 1 {
			next = fmt.Sprintf("each of the next %d frames on %s", x.Times, stream)
		}
		text = fmt.Sprintf("%s must be %s", next, typeName(x.Type))
		if len(x.Match) > 0 {
			text += " in which " + t.matchers(x.Match)
		}
	}
	return text + within(s.Expect.Within) + t.accepted(s.Why, s.Profiles)
}

func tellRetry(t *teller, l *Line) string {
	return fmt.Sprintf("the following is tried again, with new streams, until all of it holds, for %s at most", ShortTime(l.Stmt.(Retry).Within))
}

func tellEach(t *teller, l *Line) string {
	e := l.Stmt.(EachLoop).Each
	return fmt.Sprintf("for each %s from %d to %d, in order", e.Name, e.From, e.To)
}

func within(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return ", within " + ShortTime(d)
}

// actor says who does something on a stream: "A sends", or of a range "P1 to P3 send".
func (t *teller) actor(l *Line, stream, does string) string {
	first := t.opener(stream)
	if n := len(l.Names); n > 1 {
		if last := t.opener(l.Names[n-1]); last != first {
			return fmt.Sprintf("%s to %s %s", first, last, strings.TrimSuffix(does, "s"))
		}
	}
	return first + " " + does
}

// opener is the peer that opened a stream.
func (t *teller) opener(stream string) string {
	who := "the harness"
	t.plan.All(func(l *Line) {
		for _, s := range l.Sides {
			if o, ok := s.(Open); ok && o.Stream == stream {
				who = o.From
			}
		}
	})
	return who
}
