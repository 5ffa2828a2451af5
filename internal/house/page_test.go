package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is what a user of libp2p-kad reads. It is held against the code: what it names exists, and what exists it names.
const page = "kad/LIBP2P-KAD.md"

// row is a line of a table of the page.
type row struct {
	line    int
	section string // the heading above it
	cells   []string
}

func (r row) String() string { return fmt.Sprintf("%s:%d (%s)", page, r.line, r.cells[0]) }

// rows reads the tables of a page: the lines between bars, without the headings of the columns.
func rows(src string) (list []row) {
	section, n, head := "", 0, true
	for line := range strings.Lines(src) {
		n++
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "#"); ok {
			section = strings.TrimSpace(strings.TrimLeft(title, "#"))
		}
		if !strings.HasPrefix(line, "|") {
			head = true
			continue
		}
		if head || strings.HasPrefix(line, "|--") {
			head = false
			continue
		}
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		list = append(list, row{n, section, cells})
	}
	return list
}

var quoted = regexp.MustCompile("`([^`]+)`")

// names are the names in backquotes of a cell.
func names(cell string) (list []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// symbols are the exported names of a package: its constants, variables, functions and types, and after their type its
// methods and the fields of its structs.
type symbols struct {
	all  map[string]bool
	of   map[string][]string // constants by type, fields of a struct and methods by receiver: in order
	test map[string]string   // test functions, with the text of their file
}

func (tr *tree) symbols(dir string) symbols {
	s := symbols{map[string]bool{}, map[string][]string{}, map[string]string{}}
	add := func(of, name string) {
		if ast.IsExported(name) {
			s.all[name] = true
			s.of[of] = append(s.of[of], name)
			if of != "" {
				s.all[of+"."+name] = true
			}
		}
	}
	for _, f := range tr.gos {
		if f.dir() != dir {
			continue
		}
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				switch {
				case d.Recv == nil && regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)`).MatchString(name):
					s.test[name] = tr.src[f.path]
				case f.test():
				case d.Recv == nil:
					add("", name)
				default:
					add(receiver(d), name)
				}
			case *ast.GenDecl:
				if !f.test() {
					declared(d, add)
				}
			}
		}
	}
	return s
}

func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// declared adds constants (with the type of their block), types, and what is in a struct or an interface.
func declared(d *ast.GenDecl, add func(of, name string)) {
	typ := ""
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			if id, ok := spec.Type.(*ast.Ident); ok {
				typ = id.Name
			} else if len(spec.Values) > 0 {
				typ = ""
			}
			for _, id := range spec.Names {
				if d.Tok == token.CONST {
					add(typ, id.Name)
				} else {
					add("", id.Name)
				}
			}
		case *ast.TypeSpec:
			add("", spec.Name.Name)
			var fields *ast.FieldList
			switch t := spec.Type.(type) {
			case *ast.StructType:
				fields = t.Fields
			case *ast.InterfaceType:
				fields = t.Methods
			default:
				continue
			}
			for _, f := range fields.List {
				for _, id := range f.Names {
					add(spec.Name.Name, id.Name)
				}
			}
		}
	}
}

// proofs says of the names in a cell which are not there: TestX of package kad, p2p.TestX of another, TestX/sub with the
// name of a subtest, and x.txt, a script.
func proofs(tr *tree, tests map[string]map[string]string, cell string) (missing []string) {
	for _, name := range names(cell) {
		if strings.HasSuffix(name, ".txt") {
			if !slices.Contains(tr.files, "kad/testdata/"+name) {
				missing = append(missing, name+": no such script in kad/testdata")
			}
			continue
		}
		pkg, rest := "kad", name
		if p, after, ok := strings.Cut(name, "."); ok && tests[p] != nil {
			pkg, rest = p, after
		}
		fn, sub, _ := strings.Cut(rest, "/")
		src, ok := tests[pkg][fn]
		switch {
		case !ok:
			missing = append(missing, fmt.Sprintf("%s: no such test in package %s", name, pkg))
		case sub != "" && !strings.Contains(src+tr.src["kad/kadtest/storetest.go"], strconv.Quote(sub)): // there, or in the suite
			missing = append(missing, fmt.Sprintf("%s: %s has no such subtest", name, fn))
		}
	}
	return missing
}

// held loads what the tests of the page need.
func held(t *testing.T) (tr *tree, list []row, core, node symbols, tests map[string]map[string]string) {
	tr = load(t)
	src, err := tr.read(page)
	require.NoError(t, err)
	_, err = tr.read("kad/kadtest/storetest.go")
	require.NoError(t, err)
	core, node = tr.symbols("kad"), tr.symbols("kad/p2p")
	tests = map[string]map[string]string{
		"kad": core.test, "p2p": node.test,
		"wire": tr.symbols("kad/wire").test, "kadtest": tr.symbols("kad/kadtest").test,
	}
	return tr, rows(src), core, node, tests
}

// TestPageNamesWhatExists: each name and each proof in a table of the page exists, and each row has a proof, or says why
// what it speaks of cannot occur.
func TestPageNamesWhatExists(t *testing.T) {
	tr, list, core, node, tests := held(t)
	for _, r := range list {
		proof := r.cells[len(r.cells)-1]
		for _, m := range proofs(tr, tests, proof) {
			t.Errorf("%s: %s", r, m)
		}
		switch reason := strings.HasPrefix(proof, "cannot occur: "); {
		case len(r.cells) == 4: // libp2p-kad | kad | p2p.Node | proof
			for _, name := range names(r.cells[1]) {
				if !core.all[name] {
					t.Errorf("%s: `%s` is no exported name of kad", r, name)
				}
			}
			for _, name := range names(r.cells[2]) {
				if !node.all[name] {
					t.Errorf("%s: `%s` is no exported name of kad/p2p", r, name)
				}
			}
			if len(names(proof)) == 0 {
				t.Errorf("%s: no test is named that proves it", r)
			}
		case len(r.cells) != 2 && len(r.cells) != 3:
			t.Errorf("%s: a row of %d cells", r, len(r.cells))
		case len(names(proof)) == 0 && !reason:
			t.Errorf("%s: neither a test that proves it nor the reason why it cannot occur", r)
		}
	}
}

// TestPageIsComplete: whatever of the core or of a live node a program can call, set or be told has a row. An operation
// that is added without one fails here.
func TestPageIsComplete(t *testing.T) {
	_, list, core, node, _ := held(t)
	named, called := map[string]bool{}, map[string]bool{}
	for _, r := range list {
		if len(r.cells) == 4 {
			for _, name := range names(r.cells[1]) {
				named[name] = true
			}
			for _, name := range names(r.cells[2]) {
				called[name] = true
			}
		}
	}
	none := []string{"InNone", "CmdNone", "EvNone", "ResNone", "ErrNone"} // zero values
	for _, kind := range []string{"InputKind", "CommandKind", "EventKind", "ResultKind", "QueryErr", "RoutingUpdate", "Mode", "ErrorKind"} {
		require.NotEmpty(t, core.of[kind], kind)
		for _, name := range core.of[kind] {
			if !named[name] && !slices.Contains(none, name) && name != "String" {
				t.Errorf("%s: no row names `%s`, a %s of kad", page, name, kind)
			}
		}
	}
	for _, of := range []string{"Config", "Limits", "Kademlia", "Store", "QueryInfo", "Stats"} {
		require.NotEmpty(t, core.of[of], of)
		for _, name := range core.of[of] {
			if name = of + "." + name; !named[name] {
				t.Errorf("%s: no row names `%s` of kad", page, name)
			}
		}
	}
	for _, of := range []string{"Node", "Config", "Limits", "Store", "Query"} {
		require.NotEmpty(t, node.of[of], of)
		for _, name := range node.of[of] {
			if name = of + "." + name; !called[name] {
				t.Errorf("%s: no row names `%s` of kad/p2p", page, name)
			}
		}
	}
}

// TestPageCounts: the 77 tests, the 51 regressions and the 23 hazards are all there, each once and in order.
func TestPageCounts(t *testing.T) {
	_, list, _, _, _ := held(t)
	for section, want := range map[string]struct {
		count  int
		prefix string
	}{"Its tests": {77, ""}, "Its regressions": {51, ""}, "Its hazards": {23, "H"}} {
		n, seen := 0, map[string]bool{}
		for _, r := range list {
			if r.section != section {
				continue
			}
			n++
			number, _, _ := strings.Cut(r.cells[0], " ")
			if number != want.prefix+strconv.Itoa(n) {
				t.Errorf("%s: row %d of %q is numbered %s", r, n, section, number)
			}
			if seen[r.cells[1]] {
				t.Errorf("%s: twice", r)
			}
			seen[r.cells[1]] = true
		}
		if n != want.count {
			t.Errorf("%s: %q has %d rows, want %d", page, section, n, want.count)
		}
	}
}

// The reading of the page itself can fail.
func TestPageIsRead(t *testing.T) {
	list := rows("# A page\n\ntext | with a bar\n\n| one | two |\n|---|---|\n| 1 | `a` and `b/c d` |\n| 2 | |\n\n## Next\n| x |\n|---|\n| 3 |\n")
	require.Len(t, list, 3)
	require.Equal(t, row{7, "A page", []string{"1", "`a` and `b/c d`"}}, list[0])
	require.Equal(t, []string{"a", "b/c d"}, names(list[0].cells[1]))
	require.Equal(t, "Next", list[2].section)
	tr := &tree{files: []string{path.Join("kad", "testdata", "there.txt")}}
	tests := map[string]map[string]string{"kad": {"TestHere": `t.Run("sub", f)`}, "p2p": {"TestThere": ""}}
	require.Empty(t, proofs(tr, tests, "`TestHere`, `TestHere/sub`, `p2p.TestThere`, `there.txt`"))
	require.Len(t, proofs(tr, tests, "`TestThere`, `TestHere/other`, `p2p.TestHere`, `gone.txt`, `x.TestHere`"), 5)
}
