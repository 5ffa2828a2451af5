package ground

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write manifest.toml and the table of docs/testground.md from the table of cases")

// root is the repository's.
func root(elem ...string) string {
	return filepath.Join(append([]string{"..", ".."}, elem...)...)
}

func TestManifest(t *testing.T) {
	sameFile(t, root("manifest.toml"), Manifest(Cases()))
	doc := root("docs", "testground.md")
	text, err := os.ReadFile(doc)
	require.NoError(t, err)
	before, after, found := strings.Cut(string(text), "<!-- cases -->\n")
	require.True(t, found, "%s has no place for the table of cases", doc)
	_, after, found = strings.Cut(after, "<!-- end of cases -->\n")
	require.True(t, found)
	sameFile(t, doc, before+"<!-- cases -->\n"+Table(Cases())+"<!-- end of cases -->\n"+after)
}

// sameFile compares a file with what it should be, or writes it.
func sameFile(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
	}
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "go test ./harness/ground -run TestManifest -update writes it")
}

// TestManifestIsRead: by Testground's rules each case says how many instances it takes, and each parameter arrives as the
// text that is its default here, numbers and truths by way of JSON.
func TestManifestIsRead(t *testing.T) {
	var m struct {
		Name      string
		Builders  map[string]map[string]any
		Runners   map[string]map[string]any
		TestCases []struct {
			Name      string
			Instances struct{ Min, Max int }
			Params    map[string]struct {
				Type, Desc string
				Default    any
			}
		} `toml:"testcases"`
	}
	_, err := toml.Decode(Manifest(Cases()), &m)
	require.NoError(t, err)
	assert.Equal(t, "kadbench", m.Name)
	assert.Len(t, m.Builders, 2)
	assert.Len(t, m.Runners, 3)
	for _, b := range m.Builders {
		assert.DirExists(t, root(b["exec_pkg"].(string)))
	}
	require.Len(t, m.TestCases, len(Cases()))
	for i, c := range Cases() {
		got := m.TestCases[i]
		assert.Equal(t, c.Name, got.Name)
		assert.Equal(t, []int{c.Min, c.Max}, []int{got.Instances.Min, got.Instances.Max})
		require.Len(t, got.Params, len(c.Params))
		given := map[string]string{}
		for name, p := range got.Params {
			given[name] = arrives(t, p.Default)
			assert.NotEmpty(t, p.Desc)
		}
		parsed, err := c.Parse(given)
		require.NoError(t, err)
		for _, p := range c.Params {
			assert.Equal(t, p.Default, parsed[p.Name], "%s %s", c.Name, p.Name)
		}
	}
}

// TestPlanIsWhole: what Testground does not send to its daemon is nothing that the plan is built of; and the part of its SDK that
// opens a port for anybody to ask (run, at 0.0.0.0:6060) is none of it either.
func TestPlanIsWhole(t *testing.T) {
	text, err := os.ReadFile(root(".testgroundignore"))
	require.NoError(t, err)
	out, err := exec.Command("go", "list", "-C", root(), "-deps", "-f", "{{.ImportPath}} {{.Dir}}\n{{range $f := .EmbedFiles}}- {{$.Dir}}/{{$f}}\n{{end}}", "./cmd/kadbench").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "github.com/testground/sdk-go/runtime ")
	assert.NotContains(t, string(out), "github.com/testground/sdk-go/run ")
	at, err := filepath.Abs(root())
	require.NoError(t, err)
	require.Contains(t, string(out), "\n- "+at+"/plans/smoke.txt\n", "what is embedded")
	for line := range strings.Lines(string(text)) {
		if dir := strings.TrimSpace(line); strings.HasPrefix(dir, "/") {
			assert.NotContains(t, string(out), " "+at+dir+"\n", dir)
			assert.NotContains(t, string(out), " "+at+dir+"/", dir)
		}
	}
}

var sentence = regexp.MustCompile(`^[A-Z].*\.$`)

// TestCasesDescribeThemselves: sound and in the order of their names, so that Find and a reader find them.
func TestCasesDescribeThemselves(t *testing.T) {
	var names []string
	for _, c := range Cases() {
		names = append(names, c.Name)
		assert.NoError(t, c.Check())
		assert.GreaterOrEqual(t, c.Min, 2, "one instance has nobody to talk to")
		assert.Regexp(t, sentence, c.About)
		for _, p := range c.Params {
			assert.Regexp(t, `^([A-Z].*|tcp.*)\.$`, p.About, "%s %s", c.Name, p.Name)
		}
		found, err := Find(c.Name)
		require.NoError(t, err)
		assert.Same(t, c, found)
	}
	assert.True(t, slices.IsSorted(names), "%v", names)
	_, err := Find("nonsense")
	assert.ErrorIs(t, err, ErrCase)
	assert.ErrorContains(t, err, "churn, conformance")
}

// arrives is what an instance gets of a default.
func arrives(t *testing.T, value any) string {
	t.Helper()
	if s, ok := value.(string); ok {
		return s
	}
	b, err := json.Marshal(value)
	require.NoError(t, err)
	return string(b)
}
