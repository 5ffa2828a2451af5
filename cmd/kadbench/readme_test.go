package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nineteen is the case of the README's failure: wrong on purpose.
const nineteen = `# A server returns the nineteen nearest servers of its table (wrong on purpose: the clause says twenty).
id        mine/nineteen
catalogue FN-01
spec      libp2p-kad L490-L492
level     must

peer   T target
peer   A
peer   S1..S30 serving
seat   S1..S30 in T
open   s A -> T
send   s FIND_NODE key=@K
want   s FIND_NODE closerPeers=nearest(19,@K,S1..S30)
-- K --
sha256("nineteen")
`

// TestREADME: the failure that the README shows is what the command prints (-update writes it anew), and the case that
// it shows passes. Its simulation runs.
func TestREADME(t *testing.T) {
	readmePath := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(readmePath)
	require.NoError(t, err)
	fences := regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```").FindAllStringSubmatch(string(readme), -1)
	fence := func(prefix string) string {
		for _, f := range fences {
			if strings.HasPrefix(f[1], prefix) {
				return f[1]
			}
		}
		require.FailNow(t, "no such block in the README", prefix)
		return ""
	}

	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mine"), 0o755))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mine", name), []byte(text), 0o644))
	}
	kadbench := func(args ...string) (string, error) {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Args[0], cmd.Dir = "kadbench", dir // by this name TestMain knows what it is
		out, err := cmd.Output()
		return string(out), err
	}

	write("nineteen.plan", nineteen)
	out, err := kadbench("check", "ref:", "go=ref:", "--plan", "mine", "--seed", "7")
	require.Error(t, err)
	block, repeat, _ := strings.Cut(fence("FAIL  mine/nineteen  go"), "  repeat")
	if _, got, found := strings.Cut(out, "FAIL  mine/nineteen  go"); *update && found {
		got, _, _ = strings.Cut("FAIL  mine/nineteen  go"+got, "  repeat")
		require.NoError(t, os.WriteFile(readmePath, []byte(strings.Replace(string(readme), block, got, 1)), 0o644))
		block = got
	}
	assert.Contains(t, out, block)
	assert.Equal(t, "  kadbench check go=cmd:./bin/go-libp2p --case mine/nineteen --seed 7 --plan mine\n", repeat)
	assert.Contains(t, out, "  repeat  kadbench check go=ref: --case mine/nineteen --seed 7 --plan mine\n")

	write("twenty.plan", fence("# A server that knows thirty others"))
	out, err = kadbench("check", "ref:", "--plan", "mine/twenty.plan")
	require.NoError(t, err)
	assert.Contains(t, out, "\n1 passed, 0 failed")
	out, err = kadbench("plan", "lint", "mine/twenty.plan")
	require.NoError(t, err)
	assert.Equal(t, "1 plan, nothing to complain of\n", out)

	write("silent.plan", fence("# Do lookups stay exact"))
	out, err = kadbench("plan", "lint", "mine/silent.plan")
	require.NoError(t, err)
	assert.Equal(t, "1 plan, nothing to complain of\n", out)
	out, err = kadbench("sim", "mine/silent.plan", "--nodes", "200", "--for", "1m", "--out", "out")
	require.NoError(t, err)
	assert.Contains(t, out, "\n2 needs, 2 held")
}
