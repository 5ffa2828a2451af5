package house

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Short names for what the rules allow.
const (
	libp2p   = "github.com/libp2p"
	formats  = "github.com/multiformats"
	ipfs     = "github.com/ipfs"
	protobuf = "google.golang.org/protobuf"
)

// allowed says what the packages under a directory may import, beside the standard library and their own. The longest
// matching directory decides; a directory without a rule is a failure, so a new room has to say here what it knows.
// Tests may import more: they are bound by forbidden alone.
var allowed = []struct {
	dir     string
	imports []string
	why     string
}{
	{"kad", nil,
		"the core is pure state: it is judged, simulated and replayed, and a dependency could bring a clock, a lock or a log"},
	{"kad/wire", []string{protobuf + "/encoding/protowire"},
		"the judge and the accused share the wire format, so it stands alone; protowire is the varints and tags only"},
	{"kad/wire/internal/dhtpb", []string{protobuf},
		"the message as protoc makes it: what the tests of kad/wire compare with"},
	{"kad/kadtest", []string{"kad", "kad/wire", "github.com/stretchr/testify", "github.com/cockroachdb/datadriven", "golang.org/x/tools/txtar"},
		"the script environment sees the core from outside, as any caller does"},
	{"kad/p2p", []string{"kad", "kad/wire", libp2p, ipfs, formats, "github.com/prometheus", "google.golang.org/protobuf", "go.uber.org"},
		"the only part of kad that knows go-libp2p"},
	{"harness/plan", []string{"kad/wire", libp2p, formats, ipfs, protobuf, "golang.org/x/tools/txtar"},
		"the judge knows the wire format and the formats of ids, addresses and records, nothing of an implementation"},
	{"harness/check", []string{"kad/wire", "harness/plan", "harness/record", "fixtures", libp2p, formats, ipfs, protobuf, "github.com/BurntSushi/toml"},
		"the judge knows the wire format and the formats of ids, addresses and records, nothing of an implementation"},
	{"harness/target", []string{"kad", "kad/p2p", "kad/wire", libp2p, formats, ipfs, protobuf, "github.com/quic-go/quic-go", "github.com/kballard/go-shellquote", "golang.org/x/sys"},
		"a target is reached over libp2p or the control protocol; who may use kad is a rule of its own below"},
	{"harness/record", nil,
		"a log must be readable by anything that wants to report on it"},
	{"harness/report", []string{"harness/record", "harness/stats"},
		"every report is made from the log alone, so that it can be made again later"},
	{"harness/run", []string{"harness/plan", "harness/load", "harness/target", "harness/check", "harness/sim", "harness/record", "harness/stats",
		"harness/bench", "harness/network", "kad", "kad/wire", "fixtures", "plans", libp2p, formats, ipfs},
		"run executes plans; what they mean, who answers and what is kept belong to its neighbours. A simulated node is a kad.Kademlia, so its settings are kad's"},
	{"harness/load", []string{"internal/fixed"}, "a schedule is arithmetic, in integers: what it drives, and when, is somebody else's"},
	{"harness/sim", []string{"kad", "kad/wire", "internal/fixed", "internal/usage"},
		"a simulation is nodes, links and time of its own; a socket has no place in it"},
	{"harness/stats", []string{"github.com/HdrHistogram/hdrhistogram-go", "golang.org/x/perf"},
		"numbers in, numbers out; a histogram with three digits at any scale is somebody else's good work"},
	{"harness/gotest", []string{"harness", "plans", "fixtures", libp2p, formats},
		"the same run as the command's, with testing.T in the place of a terminal; it takes a go-libp2p host, so it knows hosts and their addresses"},
	{"harness/bench", []string{"internal/usage", "kad/wire", "harness/load", "harness/stats", libp2p, formats, "golang.org/x/sync"},
		"a load is puppets that ask by a schedule; like the judge it knows the wire format and nothing of an implementation"},
	{"harness/network", []string{"internal/usage", "kad", "kad/p2p", "kad/wire", "harness/target", "harness/sim", "harness/record", "github.com/google/pprof", libp2p, formats, ipfs, "github.com/quic-go/quic-go"},
		"networks of nodes of several implementations behind one interface; the only room besides the adapters that holds somebody else's Kademlia"},
	{"harness/ground", []string{"harness/check", "harness/network", "harness/plan", "harness/run", "harness/record", "harness/report", "harness/stats", "harness/target", "plans", "fixtures",
		libp2p, formats, ipfs, "github.com/testground", "github.com/coder/websocket", "go.uber.org/zap", "github.com/BurntSushi/toml", "golang.org/x/sys"},
		"the one wall around Testground"},
	{"plans", nil, "plans are data: the package embeds its files"},
	{"fixtures", []string{libp2p + "/go-libp2p/core"}, "fixtures are data: the package embeds its files; keys are libp2p's"},
	{"cmd/kadbench", []string{"kad", "harness", "plans", "fixtures", libp2p, formats, "github.com/alecthomas/kong", "github.com/vbauerster/mpb/v8",
		"github.com/mattn/go-isatty", "golang.org/x/term", "github.com/kballard/go-shellquote", ipfs + "/go-ds-leveldb", "github.com/prometheus/client_golang"},
		"the command ties the rooms together and holds nothing that another program could want"},
	{"internal", nil, "the rules of the house"},
}

// forbidden holds for every file, tests and indirect imports within the module included where deep is set.
var forbidden = []struct {
	what   string // the import, with all below it
	except []string
	in     []string // empty: everywhere
	deep   bool     // through other packages of ours too
	tests  bool     // tests may
	why    string
}{
	{"kad", []string{"kad/wire"}, []string{"harness/check", "harness/plan"}, true, false,
		"the judge shares no code with the accused beyond the wire format, or both would make the same mistake and agree"},
	{"github.com/vbauerster/mpb", nil, []string{"kad", "harness", "plans", "fixtures", "internal"}, false, false,
		"progress on a terminal is the command's business; a library that draws bars cannot be embedded"},
	{"github.com/alecthomas/kong", nil, []string{"kad", "harness", "plans", "fixtures"}, false, false,
		"flags belong to the command; a room is configured by a struct"},
	{"github.com/testground", nil, []string{"kad", "cmd", "plans", "fixtures", "harness/check", "harness/plan", "harness/run", "harness/target", "harness/report", "harness/record"}, false, false,
		"harness/ground is the only importer of Testground, whose modules are old: one wall around them"},
	{"kad/wire/internal", nil, nil, false, true,
		"the generated message is the truth of the tests; what runs uses kad/wire, ten times as fast"},
	{"net/http", nil, []string{"kad", "harness/plan", "harness/check", "harness/record", "harness/report"}, false, false,
		"nothing here fetches anything: a run needs its targets and no other network"},
}

func TestImportsAreAllowed(t *testing.T) {
	tr := load(t)
	for _, f := range tr.gos {
		if f.test() || !tr.ours(f) {
			continue
		}
		rule := ruleOf(f.dir())
		if rule < 0 {
			t.Errorf("%s: its directory has no rule in imports_test.go: say what it may import, and why", f.path)
			continue
		}
		r := allowed[rule]
		for _, imp := range f.imports {
			if standard(imp) || permitted(imp, r.dir, r.imports) {
				continue
			}
			t.Errorf("%s imports %s\n  rule: %s imports %s\n  why:  %s",
				f.path, imp, r.dir, strings.Join(append(slices.Clone(r.imports), "the standard library"), ", "), r.why)
		}
	}
}

// ruleOf is the index of the rule for a directory, -1 if there is none.
func ruleOf(dir string) int {
	rule := -1
	for i, r := range allowed {
		if under(dir, r.dir) && (rule < 0 || len(r.dir) > len(allowed[rule].dir)) {
			rule = i
		}
	}
	return rule
}

// permitted says whether a list allows an import. A directory of ours stands for itself and what is below it, except
// what has a rule of its own (kad/wire is no part of kad), and except kad in a list, which is that package alone.
func permitted(imp, dir string, list []string) bool {
	local, ok := strings.CutPrefix(imp, module+"/")
	if ok && under(local, dir) && ruleOf(local) == ruleOf(dir) {
		return true // its own room
	}
	if ok && under(local, "kad") && dir != "cmd/kadbench" {
		return slices.Contains(list, local)
	}
	return slices.ContainsFunc(list, func(a string) bool { return ok && under(local, a) || under(imp, a) })
}

func TestForbiddenImports(t *testing.T) {
	tr := load(t)
	for _, r := range forbidden {
		for _, f := range tr.gos {
			if !tr.ours(f) || r.tests && f.test() || len(r.in) > 0 && !slices.ContainsFunc(r.in, func(d string) bool { return under(f.dir(), d) }) {
				continue
			}
			for _, imp := range f.imports {
				if chain := tr.reaches(imp, r.what, r.except, r.deep, nil); chain != nil {
					t.Errorf("%s imports %s\n  why not: %s", f.path, strings.Join(chain, ", which imports "), r.why)
				}
			}
		}
	}
}

// TestOnlyRefImportsTheNode: in harness/target, the reference implementation is behind ref: like any other peer, in the
// files ref.go and ref_*.go. The puppets, in the same package, send raw frames and answer by the harness's own
// arithmetic.
func TestOnlyRefImportsTheNode(t *testing.T) {
	tr := load(t)
	for _, f := range tr.gos {
		if f.test() || !under(f.dir(), "harness/target") || refFile.MatchString(f.path) {
			continue
		}
		for _, imp := range f.imports {
			if imp == module+"/harness/target" {
				continue // the suite in targettest drives targets of every form
			}
			if chain := tr.reaches(imp, "kad", []string{"kad/wire"}, true, nil); chain != nil {
				t.Errorf("%s imports %s\n  why not: only ref: (harness/target/ref.go and ref_*.go) runs our own node; every other target and the puppets must not depend on it",
					f.path, strings.Join(chain, ", which imports "))
			}
		}
	}
}

var refFile = regexp.MustCompile(`^harness/target/ref(_\w+)?\.go$`)

// reaches is the chain of imports that leads to what, or nil.
func (tr *tree) reaches(imp, what string, except []string, deep bool, seen []string) []string {
	local, ours := strings.CutPrefix(imp, module+"/")
	name := imp
	if ours {
		name = local
	}
	if under(name, what) && !slices.ContainsFunc(except, func(e string) bool { return under(name, e) }) {
		return []string{name}
	}
	if !deep || !ours || slices.Contains(seen, local) {
		return nil
	}
	seen = append(seen, local)
	for _, f := range tr.gos {
		if f.dir() != local || f.test() {
			continue
		}
		for _, next := range f.imports {
			if chain := tr.reaches(next, what, except, deep, seen); chain != nil {
				return append([]string{name}, chain...)
			}
		}
	}
	return nil
}

// TestPermitted shows the rule at work, so that it cannot rot into one that passes everything.
func TestPermitted(t *testing.T) {
	for _, c := range []struct {
		dir, imp string
		want     bool
	}{
		{"kad", "kad/wire", false}, // rooms of their own
		{"kad", "kad/p2p", false},
		{"kad", "kad/internal/x", true}, // without a rule of its own, part of kad
		{"kad/wire", "kad", false},
		{"kad/p2p", "kad/wire", true},
		{"kad/p2p", "kad/kadtest", false},
		{"harness/check", "kad/wire", true},
		{"harness/check", "kad", false},
		{"harness/target", "kad/p2p", true}, // TestOnlyRefImportsTheNode has more to say
		{"harness/target", "harness/target/targettest", true},
		{"harness/run", "harness/report", false},
		{"cmd/kadbench", "kad/p2p", true},
	} {
		got := permitted(module+"/"+c.imp, c.dir, allowed[ruleOf(c.dir)].imports)
		if got != c.want {
			t.Errorf("%s imports %s: permitted %v, want %v", c.dir, c.imp, got, c.want)
		}
	}
	for _, dir := range []string{"harness/newroom", "tools"} {
		if ruleOf(dir) >= 0 {
			t.Errorf("%s has a rule", dir)
		}
	}
}
