package targettest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/target"
)

var given = flag.String("target", "", "the target of TestAdapter, as kadbench check takes it")

func parse(t *testing.T, text string) target.Factory {
	f, err := target.Parse(text)
	require.NoError(t, err)
	return f
}

// TestAdapter runs the suite on the target of -target.
func TestAdapter(t *testing.T) {
	if *given == "" {
		t.Skip(`no -target: run with -args or -target "js=cmd:node $PWD/main.mjs"`)
	}
	Suite(t, parse(t, *given))
}

// TestRef runs it on the reference in this process.
func TestRef(t *testing.T) {
	Suite(t, parse(t, "ref:"))
}

// TestEcho runs it on the server that does nothing: it can be driven like any other, for load.
func TestEcho(t *testing.T) {
	Suite(t, parse(t, "echo:"))
}

// root of the repository, from this file's place in it.
func root(t *testing.T) string {
	_, file, _, ok := runtime.Caller(0)
	require.True(t, ok)
	return filepath.Join(filepath.Dir(file), "../../..")
}

// built is a program of the repository, or a skip when the modules that it needs cannot be had here.
func built(t *testing.T, module, pkg string) string {
	if testing.Short() {
		t.Skip("-short: builds a program")
	}
	dir := filepath.Join(root(t), module)
	fetch := exec.Command("go", "mod", "download")
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Skipf("the modules of %s cannot be downloaded here: %v\n%s", module, err, out)
	}
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", program, pkg)
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// TestNode runs it on the reference as `kadbench node`.
func TestNode(t *testing.T) {
	program := built(t, ".", "./cmd/kadbench")
	Suite(t, parse(t, fmt.Sprintf("node=cmd:%s node", program)))
}

// TestGoLibp2p runs it on go-libp2p-kad-dht, and then cases of the conformance suite through it.
func TestGoLibp2p(t *testing.T) {
	program := built(t, "harness/adapters/go-libp2p", ".")
	t.Run("suite", func(t *testing.T) { Suite(t, parse(t, "go=cmd:"+program)) })
	t.Run("cases", func(t *testing.T) { sameVerdicts(t, program) })
}

func TestMain(m *testing.M) {
	if fault, ok := os.LookupEnv(faultVariable); ok {
		bad(fault)
		return
	}
	os.Exit(m.Run())
}
