package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
)

const (
	// floodTimes and floodBytes are what a case may do to a stranger's address: more frames of one kind, or a larger value,
	// is a flood or a huge frame, and stays at home.
	floodTimes = 100
	floodBytes = 1 << 20
)

// isolated says whether a case needs a node of its own: because of the target's words, or because it changes what the
// node holds in common for all (plan.Fresh).
func isolated(p *plan.Plan) bool { return p.Fresh() }

func uses(p *plan.Plan, verbs ...string) bool {
	found := false
	p.All(func(l *plan.Line) { found = found || slices.Contains(verbs, l.Verb) })
	return found
}

// lacking is what a target does not offer of what a case needs; empty when it offers all.
func lacking(p *plan.Plan, h *target.Hello, remote, public bool) string {
	if public && floods(p) {
		return "floods and huge frames are not sent to an address that is not private"
	}
	for _, need := range p.Header.Needs {
		if why := lacks(need, h, remote); why != "" {
			return why
		}
	}
	return ""
}

func lacks(need string, h *target.Hello, remote bool) string {
	kind, what, _ := strings.Cut(need, ":")
	switch kind {
	case "seat":
		return "" // tried, by connecting
	case "namespace":
		// Nobody can ask an address which records it accepts; all implementations accept pk and ipns by default.
		if remote || slices.Contains(h.Options, "namespaces."+what) {
			return ""
		}
		return "needs the namespace " + what
	case "public":
		return "needs a public address"
	case "start", "op", "clock", "expiry":
		if remote {
			return fmt.Sprintf("needs %s: an address has no control channel", need)
		}
	}
	switch kind {
	case "start":
		return "" // start itself says which parameters it honours
	case "clock":
		if slices.Contains(h.Methods, "advance_clock") {
			return ""
		}
	case "expiry":
		if slices.ContainsFunc(h.Options, func(o string) bool { return strings.HasPrefix(o, "expiry.") }) {
			return ""
		}
	case "op":
		if slices.Contains(h.Methods, what) {
			return ""
		}
	default:
		if slices.Contains(h.Methods, need) || slices.Contains(h.Options, need) {
			return ""
		}
	}
	return "needs " + need
}

// floods says whether a case sends a lot, as far as its text shows.
func floods(p *plan.Plan) bool {
	found := p.Header.Repeat > floodTimes
	large := func(e *plan.Expr) {
		e.Walk(func(e *plan.Expr) {
			if e.Kind != plan.ExprWord {
				return
			}
			n, err := strconv.ParseInt(e.Text, 10, 64)
			found = found || err == nil && n >= floodBytes || strings.HasSuffix(e.Text, "MiB") || strings.HasSuffix(e.Text, "GiB")
		})
	}
	p.All(func(l *plan.Line) {
		switch s := l.Stmt.(type) {
		case plan.Send:
			found = found || s.Times > floodTimes
			for _, f := range s.Frame.Fields {
				large(f.Value)
			}
		case plan.Raw:
			for _, e := range s.Values {
				large(e)
			}
		case plan.EachLoop:
			found = found || s.Each.To-s.Each.From >= floodTimes
		}
	})
	for _, fx := range p.Fixtures {
		large(fx.Value)
		if fx.Frame != nil {
			for _, f := range fx.Frame.Fields {
				large(f.Value)
			}
		}
		for _, c := range fx.Changes {
			large(c.Value)
		}
	}
	return found
}

// public says whether a target is an address that anybody may own: one that is not private, or a name.
func public(f target.Factory) bool {
	if !f.Remote() {
		return false
	}
	text := f.String()
	if i := strings.Index(text, "addr:"); i >= 0 {
		text = text[i+len("addr:"):]
	}
	a, err := ma.NewMultiaddr(text)
	if err != nil {
		return true
	}
	return !manet.IsIPLoopback(a) && !manet.IsPrivateAddr(a)
}
