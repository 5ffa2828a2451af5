package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// param is one row of the table of the words on a peer line.
type param struct {
	Name    string
	Usage   string
	Meaning string
	Target  bool                // of the target; else of a puppet
	check   func(string) string // what was expected instead, or ""
}

// params is the table. A target's words are parameters of start (docs/control-protocol.md), by the same names.
var params = []param{
	{"mode", "mode=client", "server or client", true, oneOf("server", "client")},
	{"k", "k=20", "the bucket size", true, numberIn(1, 1000)},
	{"alpha", "alpha=3", "requests in flight of a lookup", true, numberIn(1, 1000)},
	{"beta", "beta=3", "nearest peers that must have answered", true, numberIn(1, 1000)},
	{"protocol", "protocol=/x/kad/1.0.0", "the protocol id", true, startsWith("/")},
	{"listen", "listen=/ip4/127.0.0.2", "the IP address it listens on; it picks the ports", true, startsWith("/ip")},
	{"transports", "transports=tcp,quic", "what it listens with", true, listOf("tcp", "quic")},
	{"namespaces", "namespaces=v", "namespaces of its validators, besides its own", true, listOf()},
	{"filter", "filter=public", "none or public: which addresses it takes and tells", true, oneOf("none", "public")},
	{"background", "background=true", "whether it refreshes and republishes by itself", true, oneOf("true", "false")},
	{"expiry.record", "expiry.record=48h", "how long a record lives", true, isTime},
	{"expiry.provider", "expiry.provider=48h", "how long a provider lives", true, isTime},
	{"expiry.address", "expiry.address=24h", "how long a provider's addresses live", true, isTime},
	{"expiry.republish", "expiry.republish=22h", "period", true, isTime},
	{"expiry.reprovide", "expiry.reprovide=22h", "period", true, isTime},
	{"expiry.refresh", "expiry.refresh=10m", "period", true, isTime},

	{"near", "near=@K", "its place is near this value's; of a range the first name is nearest", false, nil},
	{"cpl", "cpl=8", "it shares exactly so many leading bits with T's place (with near's value, if both stand)", false, numberIn(0, 24)},
	{"knows", "knows=S1..S20", "whom a serving puppet knows", false, isRange},
	{"key", "key=rsa", "the kind of its key: ed25519 or rsa", false, oneOf("ed25519", "rsa")},
	{"over", "over=quic", "its transport: tcp or quic", false, oneOf("tcp", "quic")},
	{"security", "security=tls", "noise or tls", false, oneOf("noise", "tls")},
	{"ip", "ip=127.0.0.2", "where it listens: a loopback address", false, isLoopback},
	{"claims", "claims=[\"/ip4/1.2.3.4/tcp/4001\"]", "the addresses that it tells in identify", false, nil},
}

// kinds are the words that say what a puppet does by itself.
var kinds = []struct{ Name, Meaning string }{
	{"serving", "identifies as a server and answers honestly: the 20 nearest it knows, echoes PUT_VALUE, holds no records, is silent on ADD_PROVIDER"},
	{"client", "identifies without the protocol"},
	{"nobody", "an invented peer; its address is a port of the harness which counts dials"},
}

func paramNames(target bool) []string {
	var out []string
	for _, p := range params {
		if p.Target == target {
			out = append(out, p.Name)
		}
	}
	return out
}

// parsePeer reads `peer N …` and returns one declaration for each name.
func parsePeer(c *cursor) []*PeerDecl {
	w := c.next("the peer's name")
	group, err := Range(c.bound(w.text))
	if c.err == nil && err != nil {
		c.fail(w.line, "%w", err)
	}
	d := PeerDecl{Pos: Pos{File: c.file, Line: c.line}, Group: group}
	switch {
	case c.optional("target"):
		d.Target = true
	case c.more():
		for _, k := range kinds {
			if d.Kind == "" && c.optional(k.Name) {
				d.Kind = k.Name
			}
		}
	}
	for c.more() {
		if f := c.param(d.Target); slices.ContainsFunc(d.Params, func(o Field) bool { return o.Name == f.Name }) {
			c.fail(f.Pos.Line, "%s stands twice", f.Name)
		} else {
			d.Params = append(d.Params, f)
		}
	}
	if c.err == nil && d.Target && len(group) != 1 {
		c.fail(c.line, "one target, not a range of them")
	}
	var out []*PeerDecl
	for _, n := range group {
		one := d
		one.Name = n
		out = append(out, &one)
	}
	return out
}

// param reads one word of a peer line.
func (c *cursor) param(target bool) Field {
	w := c.next("")
	name, val, ok := strings.Cut(w.text, "=")
	known := paramNames(target)
	if !ok {
		for _, k := range kinds {
			known = append(known, k.Name)
		}
		c.fail(w.line, "%s", unknown("word", w.text, append(known, "target")))
		return Field{}
	}
	i := slices.IndexFunc(params, func(p param) bool { return p.Name == name && p.Target == target })
	if i < 0 {
		c.fail(w.line, "%s", unknown("parameter", name, known))
		return Field{}
	}
	if check := params[i].check; check != nil {
		if expected := check(c.loops.first(val)); expected != "" {
			c.fail(w.line, "%s=%s: %s was expected", name, val, expected)
		}
		return Field{Pos: Pos{File: c.file, Line: w.line}, Name: name, Value: &Expr{Pos: Pos{File: c.file, Line: w.line}, Kind: ExprWord, Text: val}}
	}
	return Field{Pos: Pos{File: c.file, Line: w.line}, Name: name, Value: c.expr(word{text: val, line: w.line})}
}

// Param returns the word's value as text, "" if the line has no such word. Values (near, claims) are in Params.
func (d *PeerDecl) Param(name string) string {
	if e := d.Value(name); e != nil {
		return e.Text
	}
	return ""
}

// Value returns the word's value as an expression, or nil.
func (d *PeerDecl) Value(name string) *Expr {
	for _, f := range d.Params {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

func oneOf(words ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(words, s) {
			return ""
		}
		return strings.Join(words, " or ")
	}
}

// listOf accepts a,b; without words, any names.
func listOf(words ...string) func(string) string {
	return func(s string) string {
		for _, w := range strings.Split(s, ",") {
			if len(words) > 0 && !slices.Contains(words, w) {
				return "a list of " + strings.Join(words, " and ")
			}
			if !isName(w) {
				return "a list of names"
			}
		}
		return ""
	}
}

func numberIn(low, high int) func(string) string {
	return func(s string) string {
		if n, err := strconv.Atoi(s); err != nil || n < low || n > high {
			return fmt.Sprintf("a number from %d to %d", low, high)
		}
		return ""
	}
}

func startsWith(prefix string) func(string) string {
	return func(s string) string {
		if !strings.HasPrefix(s, prefix) {
			return "a word that begins with " + prefix
		}
		return ""
	}
}

func isTime(s string) string {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return "a time, as 48h,"
	}
	return ""
}

func isRange(s string) string {
	for _, w := range strings.Split(s, ",") {
		if _, err := Range(w); err != nil {
			return "a name or a range, as S1..S20,"
		}
	}
	return ""
}

func isLoopback(s string) string {
	if a, err := netip.ParseAddr(s); err != nil || !a.IsLoopback() {
		return "a loopback address, as 127.0.0.2 or ::1,"
	}
	return ""
}
