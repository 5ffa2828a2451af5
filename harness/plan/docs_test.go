package plan_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

// TestExampleOfDoc: the plan which doc.go teaches with parses, and lint has nothing to say but what its or asks for.
func TestExampleOfDoc(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var example []string
	for _, l := range strings.Split(string(src), "\n") {
		l, ok := strings.CutPrefix(l, "//\t")
		if l == "" && !ok {
			l, ok = "", strings.HasPrefix(l, "//")
		}
		if strings.HasPrefix(l, "# A peer") || len(example) > 0 {
			if !ok && strings.HasPrefix(l, "// A deeper") {
				break
			}
			example = append(example, strings.TrimPrefix(l, "//"))
		}
	}
	text := strings.TrimRight(strings.Join(example, "\n"), "\n") + "\n"
	p, err := plan.Parse("find-node/twenty-nearest.plan", []byte(text))
	require.NoError(t, err)
	assert.Empty(t, plan.Lint(p).Fatal())
	assert.Len(t, p.Peers, 42)
	assert.Len(t, p.Script[3].Alts, 1)
	formatted, err := plan.Format("find-node/twenty-nearest.plan", []byte(text))
	require.NoError(t, err)
	assert.Equal(t, text, string(formatted))
}

const page = "../../docs/plan-language.md"

// TestTablesOfPage keeps the tables of the user's page equal to those which the parser reads; -update writes them.
func TestTablesOfPage(t *testing.T) {
	b, err := os.ReadFile(page)
	require.NoError(t, err)
	got := string(b)
	for name, table := range map[string]string{
		"header": rows("line", plan.HeaderLines()), "target": rows("word", plan.PeerWords(true)), "puppet": rows("word", plan.PeerWords(false)),
		"verbs": rows("verb", plan.Verbs()), "functions": rows("function", plan.Functions()), "changes": rows("change", plan.Changes()),
		"fields": rows("field", plan.Fields()), "ipns": rows("argument", plan.IPNSArguments()), "matchers": rows("condition", plan.Matchers()),
		"units": rows("unit", plan.Units()), "methods": rows("operation", plan.Methods()),
		"world": rows("word", plan.Words("world", plan.SimWorld)), "link": rows("word", plan.Words("link", plan.SimWorld)),
		"churn": rows("word", plan.Words("churn", plan.SimWorld)), "faults": rows("word", plan.Words("faults", plan.SimWorld)),
		"load": rows("word", plan.Words("load", plan.SimWorld)), "figures": rows("figure", plan.Words("need", plan.SimWorld)),
		"load world": rows("word", plan.Words("world", plan.LoadWorld)), "requests": rows("word", plan.Words("load", plan.LoadWorld)),
		"load figures": rows("figure", plan.Words("need", plan.LoadWorld)), "network world": rows("word", plan.Words("world", plan.NetworkWorld)),
		"network figures": rows("figure", plan.Words("need", plan.NetworkWorld)),
	} {
		begin, end := "<!-- table: "+name+" -->\n", "<!-- end -->"
		i := strings.Index(got, begin)
		require.GreaterOrEqual(t, i, 0, "the page has no table %s", name)
		j := strings.Index(got[i:], end)
		require.GreaterOrEqual(t, j, 0, name)
		got = got[:i+len(begin)] + table + got[i+j:]
	}
	golden(t, page, got)
}

// TestPlansOfPage: every plan that the page shows parses and passes lint.
func TestPlansOfPage(t *testing.T) {
	b, err := os.ReadFile(page)
	require.NoError(t, err)
	parts := strings.Split(string(b), "```plan\n")
	require.Greater(t, len(parts), 1)
	for _, part := range parts[1:] {
		text, _, _ := strings.Cut(part, "```")
		p, err := plan.Parse("page", []byte(text))
		require.NoError(t, err)
		assert.Empty(t, plan.Lint(p))
	}
}

func rows(title string, list []plan.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | meaning |\n|---|---|\n", title)
	for _, r := range list {
		var usages []string
		for _, u := range strings.Split(r.Usage, "\n") {
			usages = append(usages, "`"+strings.ReplaceAll(u, "|", "\\|")+"`")
		}
		fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(usages, "<br>"), r.Meaning)
	}
	return b.String()
}
