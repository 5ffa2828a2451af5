package house

import (
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// coreImports may not occur in package kad at all.
var coreImports = map[string]string{
	"context":     "an operation ends by an input, not by a context",
	"crypto/rand": "each random choice comes from the seed, or a run could not be replayed",
	"log":         "the core tells by events; who logs them is the caller's choice",
	"log/slog":    "the core tells by events; who logs them is the caller's choice",
	"net":         "sockets belong to kad/p2p",
	"os":          "the core reads and writes nothing outside its inputs and outputs",
	"sync":        "one caller steps a Kademlia at a time; the lock is the caller's",
	"sync/atomic": "one caller steps a Kademlia at a time; the lock is the caller's",
	"unsafe":      "a peer's bytes are parsed in bounds",
}

// coreFuncs are functions of packages that are otherwise fine, by package.
var coreFuncs = map[string]struct {
	forbidden []string // empty: every function but those that make a generator from a seed
	why       string
}{
	"time":         {[]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, "time is an argument of Step, so that a simulator can set it"},
	"math/rand":    {nil, "the package's own generator is seeded by the process; a run could not be replayed"},
	"math/rand/v2": {nil, "the package's own generator is seeded by the process; a run could not be replayed"},
	"maps":         {[]string{"All", "Keys", "Values", "Insert", "Collect"}, "a map's order differs from run to run, and so would what the core does"},
	"fmt":          {[]string{"Print", "Printf", "Println"}, "the core writes nothing"},
}

var generators = []string{"New", "NewPCG", "NewSource", "NewChaCha8", "NewZipf"}

// TestCoreIsPure: package kad is state and nothing else. The same code runs on sockets, in text tests and a million
// times over in a simulator, and every run can be replayed from its seed.
func TestCoreIsPure(t *testing.T) {
	tr := load(t)
	var files []*ast.File
	for _, f := range tr.gos {
		if f.dir() != "kad" || f.test() {
			continue
		}
		files = append(files, f.ast)
		for _, imp := range f.imports {
			if why, no := coreImports[imp]; no {
				t.Errorf("%s imports %s: %s", f.path, imp, why)
			}
		}
	}
	require.NotEmpty(t, files)
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: importer.ForCompiler(tr.fset, "source", nil)}
	_, err := conf.Check(module+"/kad", tr.fset, files, info)
	require.NoError(t, err)
	for _, problem := range impurities(tr.fset, files, info) {
		t.Error(problem)
	}
}

// impurities finds what the core may not do.
func impurities(fset *token.FileSet, files []*ast.File, info *types.Info) []string {
	var found []string
	report := func(n ast.Node, what string) { found = append(found, fset.Position(n.Pos()).String()+": "+what) }
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				report(n, "a goroutine: the core is stepped, it does not run")
			case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
				report(n, "a channel: what the core has to say stands in its Output")
			case *ast.RangeStmt:
				if tv, ok := info.Types[n.X]; ok {
					if _, isMap := tv.Type.Underlying().(*types.Map); isMap {
						report(n, "ranges over a map: its order differs from run to run, and so would the core")
					}
				}
			case *ast.Ident:
				if what := forbiddenFunc(info.Uses[n]); what != "" {
					report(n, what)
				}
			}
			return true
		})
	}
	return found
}

// forbiddenFunc says why a function may not be used, or nothing.
func forbiddenFunc(obj types.Object) string {
	fn, ok := obj.(*types.Func)
	if !ok || fn.Pkg() == nil || fn.Signature().Recv() != nil {
		return ""
	}
	rule, ok := coreFuncs[fn.Pkg().Path()]
	if !ok {
		return ""
	}
	if rule.forbidden == nil && !slices.Contains(generators, fn.Name()) || slices.Contains(rule.forbidden, fn.Name()) {
		return "uses " + fn.Pkg().Path() + "." + fn.Name() + ": " + rule.why
	}
	return ""
}

// TestImpuritiesAreFound shows the rule at work, so that it cannot rot into one that passes everything.
func TestImpuritiesAreFound(t *testing.T) {
	const src = `package kad
import ("fmt"; "maps"; "math/rand/v2"; "time")
type set map[int]bool
func f(s set, c chan int) {
	go f(s, c)
	for range s {}
	for range maps.Keys(s) {}
	_ = time.Now()
	_ = rand.IntN(3)
	_ = rand.New(rand.NewPCG(1, 2)).IntN(3)
	fmt.Println(time.Duration(1).String())
}`
	tr := &tree{fset: token.NewFileSet(), src: map[string]string{"f.go": src}}
	require.NoError(t, tr.addGo("f.go"))
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: importer.ForCompiler(tr.fset, "source", nil)}
	_, err := conf.Check("kad", tr.fset, []*ast.File{tr.gos[0].ast}, info)
	require.NoError(t, err)
	var lines []string
	for _, p := range impurities(tr.fset, []*ast.File{tr.gos[0].ast}, info) {
		lines = append(lines, strings.Split(p, ":")[1])
	}
	require.Equal(t, []string{"4", "5", "6", "7", "8", "9", "11"}, lines)
}
