package plan_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

var update = flag.Bool("update", false, "write what the tests got into their golden files")

// TestErrors holds what parser and lint say of mistaken plans, in testdata/errors: a plan after "== FILE", then "----"
// and the messages.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			parts := strings.Split(string(src), "\n== ")
			got := parts[0]
			for _, part := range parts[1:] {
				name, rest, _ := strings.Cut(part, "\n")
				text, _, found := strings.Cut(rest, "----\n")
				if !found {
					text = strings.TrimSuffix(rest, "----")
				}
				said := complaints(name, text)
				require.NotEmpty(t, said, "%s: a plan without a mistake proves nothing here:\n%s", name, text)
				got += fmt.Sprintf("\n== %s\n%s----\n%s", name, text, said)
			}
			golden(t, file, got)
		})
	}
}

func complaints(file, text string) string {
	p, err := plan.Parse(file, []byte(text))
	if err == nil {
		if list := plan.Lint(p); len(list) > 0 {
			err = list
		}
	}
	if err == nil {
		return ""
	}
	if !errors.Is(err, plan.ErrPlan) {
		return "not an ErrPlan: " + err.Error()
	}
	return err.Error() + "\n"
}

// TestExplain holds the prose of each plan in testdata/explain.
func TestExplain(t *testing.T) {
	each(t, "explain", func(t *testing.T, file string, src []byte) {
		p, err := plan.Parse(file, src)
		require.NoError(t, err)
		golden(t, strings.TrimSuffix(file, ".plan")+".golden", plan.Explain(p))
	})
}

// TestFormat holds the canonical form of each plan in testdata/fmt.
func TestFormat(t *testing.T) {
	each(t, "fmt", func(t *testing.T, file string, src []byte) {
		once, err := plan.Format(file, src)
		require.NoError(t, err)
		golden(t, strings.TrimSuffix(file, ".plan")+".golden", string(once))
		twice, err := plan.Format(file, once)
		require.NoError(t, err)
		assert.Equal(t, string(once), string(twice), "formatting again changes nothing")
		assert.Equal(t, shape(t, file, src), shape(t, file, once), "the plan is the same")
	})
}

func each(t *testing.T, dir string, fn func(*testing.T, string, []byte)) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.plan"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			fn(t, file, src)
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s; -update writes it anew", file)
}
