package gotest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/gotest"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// TestNode is how a team runs the suite: on a node in the test's own process, at its address.
func TestNode(t *testing.T) {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.ResourceManager(nil))
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Close() })
	n, err := p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeServer}})
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	t.Cleanup(func() { _ = n.Close() })

	log := filepath.Join(t.TempDir(), "log")
	gotest.Config{Cases: []string{"ping/*", "find-node/own-id", "mode/client-told"}, Log: log}.Run(t, gotest.Host(h))
	l, err := report.Load(log)
	require.NoError(t, err)
	assert.Positive(t, l.Summary.Passed)
	assert.Equal(t, 2, l.Summary.Unsupported, "an address cannot be started as a client, nor be asked to look for something")
	assert.Zero(t, l.Summary.Failed)
}

// inner is set in the process in which the suite is to fail.
const inner = "KADBENCH_GOTEST_INNER"

func TestInner(t *testing.T) {
	if os.Getenv(inner) == "" {
		t.Skip("it is run by TestVerdicts, to fail")
	}
	gotest.Config{Plans: []string{"testdata/plans"}, Known: []string{"testdata/known.toml"}, Profile: "amino"}.Run(t, "ref:")
}

// TestVerdicts: a must that is missed fails its subtest with its bytes, a should is logged, what cannot run is skipped, what is
// known to fail passes; and -run chooses.
func TestVerdicts(t *testing.T) {
	output := func(pattern string) string {
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run", pattern)
		cmd.Env = append(os.Environ(), inner+"=1")
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "%s", out)
		return string(out)
	}
	all := output("^TestInner$")
	assert.Contains(t, all, "--- FAIL: TestInner/amino/mine/must")
	assert.Contains(t, all, "want    PING key=\"x\"")
	assert.Contains(t, all, "--- PASS: TestInner/amino/mine/should")
	assert.Contains(t, all, "WARN  mine/should")
	assert.Contains(t, all, "--- SKIP: TestInner/amino/mine/unsupported")
	assert.Contains(t, all, "--- PASS: TestInner/amino/mine/known")
	assert.Contains(t, all, "go test -run '/amino/mine/must'")

	one := output("^TestInner$/amino/mine/must")
	assert.Contains(t, one, "--- FAIL: TestInner/amino/mine/must")
	assert.NotContains(t, one, "mine/should")
}

// TestRefuses: what cannot be is one clear message.
func TestRefuses(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestNoTarget$")
	cmd.Env = append(os.Environ(), inner+"=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "kadbench: ")
	assert.Contains(t, string(out), "nonsense")
}

func TestNoTarget(t *testing.T) {
	if os.Getenv(inner) != "" {
		gotest.Run(t, "nonsense")
	}
}
