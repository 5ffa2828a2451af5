package house

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines of a file that is neither a test nor generated: one idea each, to be read in one sitting.
const maxLines = 400

func TestFilesAreShort(t *testing.T) {
	for _, f := range load(t).gos {
		if !f.test() && !f.generated() && f.lines > maxLines {
			t.Errorf("%s has %d lines, the limit is %d: a file holds one idea; split it by the nouns in it", f.path, f.lines, maxLines)
		}
	}
}

// TestPackagesTeachThemselves: a package's doc.go (of a package with one file, that file) says what it is for and shows
// the loop that drives it.
func TestPackagesTeachThemselves(t *testing.T) {
	tr := load(t)
	told := make(map[string]bool)
	for _, f := range tr.gos {
		if f.test() || f.ast.Name.Name == "main" || f.generated() || told[f.dir()] {
			continue
		}
		told[f.dir()] = true
		doc := slices.IndexFunc(tr.gos, func(g *file) bool {
			return g.path == path.Join(f.dir(), "doc.go") || g.path == path.Join(f.dir(), path.Base(f.dir())+".go") && g.ast.Doc != nil
		})
		if doc < 0 || tr.gos[doc].ast.Doc == nil {
			t.Errorf("%s has no doc.go with a package comment that teaches its use", f.dir())
		}
	}
}

// TestNoSleepingTests: a test that sleeps is slow on a fast machine and fails on a slow one. Use testing/synctest, a
// virtual clock, or wait for the event itself.
func TestNoSleepingTests(t *testing.T) {
	tr := load(t)
	for _, f := range tr.gos {
		if !f.test() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s: time.Sleep in a test: use testing/synctest, a virtual clock, or wait for the event", tr.fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// unwanted are texts that no committed file may hold. The patterns are written so that they do not match themselves.
var unwanted = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(?:proxy|sum)\.go[l]ang\.org|registry\.np[m]js|py[p]i\.org|crates[.]io/api|static\.crates[.]io|ghcr[.]io|docker[.]io`),
		"the name of a registry: it is a setting of the machine, not of the project"},
	{regexp.MustCompile(`(?:^|[\s"'=(\x60])/(?:work|root|home|Users)/[\w.]`),
		"an absolute path of somebody's machine"},
	{regexp.MustCompile(`\b(?:TO[D]O|FIX[M]E|XX[X])\b`),
		"left over: finish it, or say in plain words what is not there"},
}

func TestNoUnwantedTexts(t *testing.T) {
	tr := load(t)
	for _, name := range tr.files {
		if strings.HasSuffix(name, ".sum") {
			continue
		}
		src, err := tr.read(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.Contains(src[:min(len(src), 8000)], "\x00") {
			continue // not a text
		}
		n := 0
		for line := range strings.Lines(src) {
			n++
			for _, u := range unwanted {
				if m := u.pattern.FindString(line); m != "" {
					t.Errorf("%s:%d: %q: %s", name, n, m, u.why)
				}
			}
		}
	}
}

func TestUnwantedTextsAreFound(t *testing.T) {
	for _, text := range []string{"https://proxy.go" + "lang.org/x", `cd "/wo` + `rk/main"`, "// TO" + "DO: later", "PATH=/ro" + "ot/go"} {
		if !slices.ContainsFunc(unwanted, func(u struct {
			pattern *regexp.Regexp
			why     string
		}) bool {
			return u.pattern.MatchString(text)
		}) {
			t.Errorf("%q passed", text)
		}
	}
}

// TestLinksLead: a relative link in a document leads to a file of the repository.
func TestLinksLead(t *testing.T) {
	tr := load(t)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`) // no scheme: within the repository
	for _, name := range tr.files {
		if path.Ext(name) != ".md" {
			continue
		}
		src, err := tr.read(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range link.FindAllStringSubmatch(src, -1) {
			to := path.Join(path.Dir(name), m[1])
			if !slices.ContainsFunc(tr.files, func(f string) bool { return under(f, to) }) {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
	}
}
