package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
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
func lacking(p *plan.Plan, h *target.Hello, f target.Factory) string {
	for _, need := range p.Header.Needs {
		if need == "flood" && !f.Private() {
			return "floods and huge frames are not sent to an address that is not private"
		}
		if why := lacks(need, h, f.Remote()); why != "" {
			return why
		}
	}
	if uses(p, "clock") && !slices.Contains(h.Methods, "advance_clock") && !givesPeriods(p) {
		return "needs clock: the case gives no period that could be divided"
	}
	return ""
}

// givesPeriods says whether the target's line has a word expiry.*.
func givesPeriods(p *plan.Plan) bool {
	t := p.Target()
	return t != nil && slices.ContainsFunc(t.Params, func(f plan.Field) bool { return strings.HasPrefix(f.Name, "expiry.") })
}

func lacks(need string, h *target.Hello, remote bool) string {
	kind, what, _ := strings.Cut(need, ":")
	switch kind {
	case "seat", "flood":
		return "" // tried, by connecting; sent
	case "namespace":
		// Nobody can ask an address which records it accepts; all implementations accept pk and ipns by default.
		if remote || slices.Contains(h.Options, "namespaces."+what) {
			return ""
		}
		return "needs the namespace " + what
	case "record":
		// Stored and given back is also what a target does which validates nothing.
		if remote || slices.Contains(h.Options, "namespaces."+what) || slices.Contains(h.Options, "namespaces.any") {
			return ""
		}
		return "needs records of " + what
	case "keys":
		// A target that reads keys as text refuses every /pk/ and /ipns/ key, since these end in the bytes of a peer id: a
		// case that is about something else would say that once more.
		if what == "bytes" && (remote || !slices.Contains(h.Options, "keys.text")) {
			return ""
		}
		return "needs keys of any " + what + ": the target takes text"
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
