package plan

import (
	"strings"
	"time"
)

// verb is one row of the table of verbs. Parser, printer, lint, explain, `kadbench plan verbs` and the documentation read
// it: a verb that is not in it does not exist.
type verb struct {
	Name    string
	Usage   string
	Meaning string
	Params  []string // its own name=value words, besides after=
	Block   bool     // deeper lines may belong to it
	Or      bool     // or lines may follow it
	Kinds   []term   // of a simulation's line: its first word
	Terms   []term   // of a simulation's line: what else may stand on it
	own     bool     // it belongs to a simulation: it stands by itself, and reads its name=value words in their order
	parse   func(*cursor) Stmt
	explain func(*teller, *Line) string
}

// verbTable is filled in by init, as parsing refers to the table.
var verbTable []verb

func init() {
	want := []string{"within", "times", "for", "why", "profile"}
	verbTable = []verb{
		{Name: "seat", Usage: "seat R in T", parse: parseSeat, explain: tellSeat,
			Meaning: "T's table holds these peers: they are offered, and the script goes on once the table shows them"},
		{Name: "connect", Usage: "connect A -> T", parse: parseConnect, explain: tellConnect,
			Meaning: "a connection, without a stream; it offers A to T's table, `seat` makes sure"},
		{Name: "disconnect", Usage: "disconnect A T", parse: parseDisconnect, explain: tellDisconnect,
			Meaning: "ends all connections between the two"},
		{Name: "identify", Usage: "identify A T matcher… [within=5s]", Params: []string{"within"}, parse: parseIdentify, explain: tellIdentify,
			Meaning: "what T tells A about itself now: `protocols`, `addrs`, `agent`"},
		{Name: "let", Usage: "let x=v", parse: parseLet, explain: tellLet,
			Meaning: "a name for a value: `$x` from here on"},
		{Name: "open", Usage: "open s A -> T [/proto] [lazy]", parse: parseOpen, explain: tellOpen,
			Meaning: "a stream, read all the time (`lazy`: only while a `want` waits). When it fails, the next `want` judges it: `refused`"},
		{Name: "send", Usage: "send s TYPE field=v … [times=n]", Params: []string{"times"}, parse: parseSend, explain: tellSend,
			Meaning: "one frame (n of them), its fields on the wire in the order written; TYPE may be a number, or `-` for none"},
		{Name: "raw", Usage: "raw s v … [every=5ms]", Params: []string{"every"}, parse: parseRaw, explain: tellRaw,
			Meaning: "bytes as they are, all values in one write; `every`: byte by byte, with this pause between them"},
		{Name: "half", Usage: "half s", parse: parseFinish("half"), explain: tellFinish, Meaning: "the end of our writing; reading goes on"},
		{Name: "close", Usage: "close s", parse: parseFinish("close"), explain: tellFinish, Meaning: "the end of both directions, cleanly"},
		{Name: "reset", Usage: "reset s", parse: parseFinish("reset"), explain: tellFinish, Meaning: "the end of both directions, at once"},
		{Name: "want", Usage: "want s TYPE matcher… [within=5s] [times=n]\nwant s eof | reset | ended | refused [within=5s]\nwant s silence [for=200ms]",
			Params: want, Block: true, Or: true, parse: parseWant, explain: tellWant,
			Meaning: "the next frame on s (the next n); or the end of the stream: clean, reset, either, not agreed; or that no frame comes, " +
				"which a following exchange on the same connection proves. Without `within` it waits 15s. A block runs when the line was met"},
		{Name: "or", Usage: "or s … why=\"…\" [profile=a,b]", Params: want, Block: true, parse: parseWant, explain: tellWant,
			Meaning: "an accepted alternative to the want above, at the same indent; `why` names a clause, a ruling or an issue"},
		{Name: "retry", Usage: "retry within=10s", Params: []string{"within"}, Block: true, parse: parseRetry, explain: tellRetry,
			Meaning: "its block is tried again, with new streams, until all of it holds; the last round's failure is reported"},
		{Name: "each", Usage: "each i=1..1000", Block: true, parse: parseEachLine, explain: tellEach,
			Meaning: "its block in order for each value; `$i` may stand for any word, inside a name (`s$i`) and inside a text"},
	}
	verbTable = append(verbTable, networkVerbs()...)
	verbTable = append(verbTable, worldVerbs()...)
	verbTable = append(verbTable, loadVerbs()...)
}

func findVerb(name string) (verb, bool) {
	for _, v := range verbTable {
		if v.Name == name {
			return v, true
		}
	}
	return verb{}, false
}

func verbNames() []string {
	out := []string{"peer"}
	for _, v := range verbTable {
		out = append(out, v.Name)
	}
	return out
}

// beginsLine says whether a word at the start of a deeper line makes it a line of its own.
func beginsLine(w string) bool {
	_, ok := findVerb(w)
	return ok || w == "peer"
}

func parseSeat(c *cursor) Stmt {
	s := Seat{Peers: c.list("the names of peers", "in")}
	c.expect("in")
	s.Target = c.name("the target's name")
	c.names = s.Peers
	return s
}

func parseConnect(c *cursor) Stmt {
	s := Connect{From: c.name("a peer's name")}
	c.expect("->")
	s.To = c.name("a peer's name")
	c.names = append(c.names, s.From)
	return s
}

func parseDisconnect(c *cursor) Stmt {
	s := Disconnect{From: c.name("a peer's name")}
	s.To = c.name("the other peer's name")
	c.names = append(c.names, s.From)
	return s
}

func parseIdentify(c *cursor) Stmt {
	s := Identify{Peer: c.name("a peer's name"), Within: c.duration("within")}
	s.Of = c.name("the name of the peer that is asked")
	c.names = append(c.names, s.Peer)
	if !c.more() {
		c.fail(c.line, "a condition is missing, as protocols~[\"/ipfs/kad/1.0.0\"]")
	}
	s.Match = c.matchers(identifyFields)
	return s
}

func parseLet(c *cursor) Stmt {
	w := c.next("x=v")
	name, val, ok := strings.Cut(w.text, "=")
	if c.err == nil && (!ok || !isName(name)) {
		c.fail(w.line, "%q: a name and its value were expected, as x=@K[0:4]", w.text)
		return Let{}
	}
	return Let{Name: name, Value: c.expr(word{text: val, line: w.line})}
}

func parseOpen(c *cursor) Stmt {
	s := Open{Stream: c.name("the stream's name"), From: c.name("the name of the peer that opens it")}
	c.expect("->")
	s.To = c.name("the name of the other peer")
	if c.more() && strings.HasPrefix(c.words[c.at].text, "/") {
		s.Proto = c.next("").text
	}
	s.Lazy = c.optional("lazy")
	c.names = append(c.names, s.Stream)
	return s
}

func parseSend(c *cursor) Stmt {
	s := Send{Stream: c.stream(), Times: c.times()}
	s.Frame = c.frame()
	return s
}

// stream takes the stream's name, which is the operand of its line.
func (c *cursor) stream() string {
	s := c.name("the stream's name")
	c.names = append(c.names, s)
	return s
}

func parseRaw(c *cursor) Stmt {
	s := Raw{Stream: c.stream(), Every: c.duration("every")}
	for c.more() {
		s.Values = append(s.Values, c.expr(c.next("")))
	}
	if len(s.Values) == 0 {
		c.fail(c.line, "the bytes are missing, as @frame or hex:ffff")
	}
	return s
}

func parseFinish(how string) func(*cursor) Stmt {
	return func(c *cursor) Stmt { return Finish{Stream: c.stream(), How: how} }
}

func parseRetry(c *cursor) Stmt {
	s := Retry{Within: c.duration("within")}
	if s.Within == 0 {
		c.fail(c.line, "within= is missing: until when the block is tried again")
	}
	return s
}

func parseEachLine(c *cursor) Stmt {
	w := c.next("i=1..47")
	if c.err != nil {
		return EachLoop{}
	}
	e, err := parseEach(c.loops.first(w.text))
	if err != nil {
		c.fail(w.line, "%w", err)
	}
	if c.loops.has(e.Name) {
		c.fail(w.line, "$%s is the variable of a loop around this one", e.Name)
	}
	return EachLoop{Each: e}
}

// ends are the words that a want may wait for instead of a frame.
var ends = map[string]ExpectKind{
	"eof": ExpectEOF, "reset": ExpectReset, "ended": ExpectEnded, "refused": ExpectRefused, "silence": ExpectSilence,
}

func endNames() []string { return []string{"eof", "reset", "ended", "refused", "silence"} }

func parseWant(c *cursor) Stmt {
	s := Want{Stream: c.stream()}
	s.Why, s.Profiles = c.accepting()
	s.Expect = parseExpect(c)
	return s
}

func parseExpect(c *cursor) Expect {
	x := Expect{Within: c.duration("within"), For: c.duration("for"), Times: c.times()}
	w := c.next("what is wanted: a TYPE, eof, reset, ended, refused or silence")
	if c.err != nil {
		return x
	}
	if k, ok := ends[w.text]; ok {
		x.Kind = k
		checkEnd(c, x, w)
		return x
	}
	if err := checkType(w.text); err != nil {
		if s := suggest(w.text, endNames()); s != "" {
			c.fail(w.line, "unknown outcome %q (%s?)", w.text, s)
		}
		c.fail(w.line, "%w", err)
	}
	if x.For != 0 {
		c.fail(w.line, "for= belongs to silence; a frame is waited for with within=")
	}
	x.Type = w.text
	x.Match = c.matchers(append([]field{sizeField}, messageFields...))
	return x
}

// checkEnd refuses what an end of the stream, or silence, cannot bear.
func checkEnd(c *cursor, x Expect, w word) {
	if c.more() {
		c.fail(c.words[c.at].line, "%s has no fields, so %q cannot hold of it", w.text, c.words[c.at].text)
	}
	if x.Times != 0 {
		c.fail(w.line, "times= counts frames; %s comes once", w.text)
	}
	silence := x.Kind == ExpectSilence
	if silence && x.Within != 0 {
		c.fail(w.line, "silence has no reply to come within a time: write for=%s, the least time that it lasts", ShortTime(x.Within))
	}
	if !silence && x.For != 0 {
		c.fail(w.line, "for= belongs to silence; %s is waited for with within=", w.text)
	}
}

// DefaultWait is how long a want waits which names no time. Peers under load, with a dial in the way, stay well below it.
const DefaultWait = 15 * time.Second
