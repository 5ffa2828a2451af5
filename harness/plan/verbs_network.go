package plan

import (
	"strconv"
	"strings"
	"time"
)

// networkVerbs are the rows of the table of verbs for a target that is the client of a scripted network.
func networkVerbs() []verb {
	judging := []string{"within", "times", "why", "profile"}
	return []verb{
		{Name: "when", Usage: "when S TYPE matcher… [nth=n] [times=n]", Params: []string{"nth", "times"}, Block: true, parse: parseWhen, explain: tellWhen,
			Meaning: "what a serving puppet does instead of its honest answer, in a block of answers, which go out one after another. The first when that matches and is not used up answers"},
		{Name: "answer", Usage: "answer TYPE field=v … [after=200ms | after=S7]\nanswer raw v …\nanswer honestly | nothing | eof | reset", parse: parseAnswer, explain: tellAnswer,
			Meaning: "in the block of a when: a frame, bytes as they are, what the puppet would have answered, silence, or an end of the stream; after=S7 holds it until S7 was heard"},
		{Name: "op", Usage: "op q T method field=v …", parse: parseOp, explain: tellOp,
			Meaning: "an operation of the target, by its control channel; it runs beside the script"},
		{Name: "result", Usage: "result q matcher… [within=60s]\nresult q error=not_found", Params: []string{"within", "why", "profile"}, Block: true, Or: true, parse: parseResult, explain: tellResult,
			Meaning: "what the operation came to. What the target cannot tell is not judged"},
		{Name: "saw", Usage: "saw S TYPE matcher… [times=n] [within=5s]\nsaw any S1..S40 TYPE …", Params: judging, Block: true, Or: true, parse: parseSaw, explain: tellSaw,
			Meaning: "what the target sent to a puppet, or to several counted together, looking back over the whole case; TYPE may be dial. Without `within` it waits 15s"},
		{Name: "never", Usage: "never S TYPE matcher…", parse: parseNever, explain: tellNever,
			Meaning: "the target did not send that to a puppet, nor will it until the script and its operations have ended; TYPE may be dial"},
		{Name: "inflight", Usage: "inflight T TYPE matcher… <=10", parse: parseInFlight, explain: tellInFlight,
			Meaning: "the most such requests that the target had open at once, over all puppets: sent, and not answered, ended or reset"},
		{Name: "clock", Usage: "clock T +48h", parse: parseClock, explain: tellClock,
			Meaning: "time passes for the target. With `needs clock` it jumps; else a target without a clock has its periods divided by 36,000, so that 1h is 100ms, and the line waits; a case that misses something then runs once more with 400ms, as a busy machine may have stalled"},
	}
}

// request reads the TYPE and the conditions of what a puppet heard.
func (c *cursor) request(dial bool) (string, []Matcher) {
	w := c.next("the TYPE of the request")
	if c.err != nil {
		return "", nil
	}
	if dial && w.text == "dial" {
		if c.more() {
			c.fail(c.words[c.at].line, "a dial has no fields, so %q cannot hold of it", c.words[c.at].text)
		}
		return w.text, nil
	}
	if err := checkType(w.text); err != nil {
		c.fail(w.line, "%w", err)
	}
	return w.text, c.matchers(append([]field{sizeField}, messageFields...))
}

func parseWhen(c *cursor) Stmt {
	s := When{Peer: c.name("the puppet's name"), Nth: c.count("nth"), Times: c.times()}
	c.names = append(c.names, s.Peer)
	s.Type, s.Match = c.request(false)
	return s
}

// answers are those that are one word.
var answers = map[string]AnswerHow{"honestly": AnswerHonestly, "nothing": AnswerNothing, "eof": AnswerEOF, "reset": AnswerReset}

func answerNames() []string { return []string{"raw", "honestly", "nothing", "eof", "reset"} }

func parseAnswer(c *cursor) Stmt {
	var s Answer
	if w, ok := c.params["after"]; ok && !startsWithDigit(w.text) {
		s.AfterPeer = w.text
		if !isName(w.text) && !strings.Contains(w.text, "$") {
			c.fail(w.line, "after=%s: a time, as 200ms, or a puppet's name was expected", w.text)
		}
	}
	if !c.more() {
		c.fail(c.line, "what goes out is missing: a TYPE, raw, honestly, nothing, eof or reset")
		return s
	}
	w := c.words[c.at]
	if how, ok := answers[w.text]; ok {
		c.at++
		s.How = how
		if c.more() {
			c.fail(c.words[c.at].line, "%s has no fields, so %q cannot be in it", w.text, c.words[c.at].text)
		}
		return s
	}
	if c.optional("raw") {
		s.How = AnswerRaw
		for c.more() {
			s.Values = append(s.Values, c.expr(c.next("")))
		}
		if len(s.Values) == 0 {
			c.fail(c.line, "the bytes are missing, as @frame or hex:ffff")
		}
		return s
	}
	if checkType(w.text) != nil {
		if near := suggest(w.text, answerNames()); near != "" {
			c.fail(w.line, "unknown answer %q (%s?)", w.text, near)
		}
	}
	s.Frame = c.frame()
	return s
}

func startsWithDigit(s string) bool { return s != "" && (s[0] >= '0' && s[0] <= '9') }

func parseOp(c *cursor) Stmt {
	s := Operation{Name: c.name("the operation's name"), Target: c.name("the target's name")}
	c.names = append(c.names, s.Name)
	w := c.next("the operation's method")
	if c.err != nil {
		return s
	}
	m, ok := findMethod(w.text)
	if !ok {
		c.fail(w.line, "%s", unknown("method", w.text, methodNames()))
		return s
	}
	s.Method = m.Name
	for c.more() {
		f := c.field(m.Params)
		for _, o := range s.Params {
			if o.Name == f.Name {
				c.fail(f.Pos.Line, "%s stands twice", f.Name)
			}
		}
		s.Params = append(s.Params, f)
	}
	return s
}

func parseResult(c *cursor) Stmt {
	s := Result{Op: c.name("the operation's name"), Within: c.duration("within")}
	c.names = append(c.names, s.Op)
	s.Why, s.Profiles = c.accepting()
	if c.more() {
		if kind, ok := strings.CutPrefix(c.words[c.at].text, "error="); ok {
			w := c.next("")
			if !contains(errorKinds, kind) {
				c.fail(w.line, "%s", unknown("kind of error", kind, errorKinds))
			}
			s.Error = kind
			return s
		}
	}
	s.Match = c.matchers(resultFields())
	return s
}

// accepting reads why= and profile=.
func (c *cursor) accepting() (why string, set ProfileSet) {
	if w, ok := c.params["why"]; ok {
		e := c.expr(w)
		if c.err == nil && e.Kind != ExprString {
			c.fail(w.line, `why=%s: a text in "" was expected`, w.text)
		} else if c.err == nil {
			why = e.Text
		}
	}
	if w, ok := c.params["profile"]; ok {
		var err error
		if set, err = parseProfiles(w.text); err != nil {
			c.fail(w.line, "profile=%s: %w", w.text, err)
		}
	}
	return why, set
}

// heardBy reads the puppets of a saw or a never: one, a range side by side, or any of a range.
func (c *cursor) heardBy() (peers []string, any bool) {
	if c.optional("any") {
		w := c.next("the names of puppets")
		names, err := Range(c.bound(w.text))
		if c.err == nil && err != nil {
			c.fail(w.line, "%w", err)
		}
		c.names = append(c.names, w.text)
		return names, true
	}
	name := c.name("the puppet's name")
	c.names = append(c.names, name)
	return []string{name}, false
}

func parseSaw(c *cursor) Stmt {
	s := Saw{Times: c.times(), Within: c.duration("within")}
	s.Peers, s.Any = c.heardBy()
	s.Why, s.Profiles = c.accepting()
	s.Type, s.Match = c.request(true)
	return s
}

func parseNever(c *cursor) Stmt {
	var s Never
	s.Peers, s.Any = c.heardBy()
	s.Type, s.Match = c.request(true)
	return s
}

func parseInFlight(c *cursor) Stmt {
	s := InFlight{Target: c.name("the target's name")}
	last := len(c.words) - 1
	if last < c.at || !strings.HasPrefix(c.words[last].text, "<=") {
		c.fail(c.line, "the bound is missing at the end, as <=10")
		return s
	}
	w := c.words[last]
	n, err := strconv.Atoi(c.loops.first(strings.TrimPrefix(w.text, "<=")))
	if err != nil || n < 1 || n > maxTimes {
		c.fail(w.line, "%s: a number from 1 to %d was expected behind <=", w.text, maxTimes)
	}
	s.AtMost, c.words = n, c.words[:last]
	s.Type, s.Match = c.request(false)
	return s
}

// maxClock bounds what passes by one line: a year is longer than anything in a DHT lives.
const maxClock = 366 * 24 * time.Hour

func parseClock(c *cursor) Stmt {
	s := Clock{Target: c.name("the target's name")}
	w := c.next("the time that passes, as +48h,")
	if c.err != nil {
		return s
	}
	d, err := time.ParseDuration(strings.TrimPrefix(w.text, "+"))
	if err != nil || !strings.HasPrefix(w.text, "+") || d <= 0 || d > maxClock {
		c.fail(w.line, "%q: a time above 0 and at most a year was expected, as +48h", w.text)
	}
	s.By = d
	return s
}
