// Package house holds the rules of the repository as tests: who may import whom, what the core may not do, and a few
// habits of style. Each rule says in its failure why it exists. It contains tests only.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/kadbench/kadbench"

// file is one Go file of the repository.
type file struct {
	path    string // from the root, with slashes
	ast     *ast.File
	imports []string
	lines   int
}

func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *file) generated() bool { return ast.IsGenerated(f.ast) }

// dir is the file's package directory, from the root.
func (f *file) dir() string { return path.Dir(f.path) }

// tree is the repository as it lies on disk: the rules hold for what is about to be committed too.
type tree struct {
	root  string
	fset  *token.FileSet
	files []string // all of them, from the root
	src   map[string]string
	gos   []*file
	// nested are directories with a go.mod of their own: the adapters, which bring their language's dependencies and
	// keep the rules of style only.
	nested []string
}

// skipped directories hold nothing that is committed, or nothing of ours.
var skipped = []string{".git", "bin", "kadbench-out", "node_modules", "target", "vendor"}

func load(t *testing.T) *tree {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	tr := &tree{root: root, fset: token.NewFileSet(), src: make(map[string]string)}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains(skipped, d.Name()) && rel != "harness/target" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		tr.files = append(tr.files, rel)
		if path.Base(rel) == "go.mod" && rel != "go.mod" {
			tr.nested = append(tr.nested, path.Dir(rel))
		}
		if strings.HasSuffix(rel, ".go") {
			return tr.addGo(rel)
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, tr.gos, "no Go files found: is %s the root?", root)
	return tr
}

func (tr *tree) addGo(rel string) error {
	src, err := tr.read(rel)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(tr.fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	g := &file{path: rel, ast: f, lines: strings.Count(src, "\n")}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		g.imports = append(g.imports, p)
	}
	tr.gos = append(tr.gos, g)
	return nil
}

// read is a file's text.
func (tr *tree) read(rel string) (string, error) {
	if s, ok := tr.src[rel]; ok {
		return s, nil
	}
	data, err := os.ReadFile(filepath.Join(tr.root, filepath.FromSlash(rel)))
	tr.src[rel] = string(data)
	return tr.src[rel], err
}

// ours says whether a file belongs to the main module.
func (tr *tree) ours(f *file) bool {
	return !slices.ContainsFunc(tr.nested, func(dir string) bool { return strings.HasPrefix(f.path, dir+"/") })
}

// under says whether a path is the directory, or within it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// standard says whether an import is of the standard library: its first element has no dot.
func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}
