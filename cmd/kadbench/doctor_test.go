package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAdapters holds the table of adapters against the repository: the folders are there, and each has its row.
func TestAdapters(t *testing.T) {
	root := filepath.Join("..", "..")
	var named []string
	for _, i := range adapters {
		dir := filepath.Join("harness", "adapters", i.name)
		named = append(named, i.name)
		assert.DirExists(t, filepath.Join(root, dir))
		assert.Contains(t, i.build, dir)
		for _, word := range i.command {
			if strings.HasPrefix(word, "harness/") {
				assert.FileExists(t, filepath.Join(root, word))
			}
		}
	}
	entries, err := os.ReadDir(filepath.Join(root, "harness", "adapters"))
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			assert.Contains(t, named, e.Name())
		}
	}
}

func TestDoctorSaysHowToBuildAnAdapter(t *testing.T) {
	t.Chdir(t.TempDir())
	i := implementation{name: "x-libp2p", toolchain: "go", build: "make x", built: []string{"made/x*", "more"}, command: []string{"made/x1", "run"}}
	missing := finding{Name: "adapter x-libp2p", Found: "not built", Needed: "build it, in the repository: make x"}
	assert.Equal(t, missing, i.find())
	require.NoError(t, os.MkdirAll("made/x1", 0o755))
	assert.Equal(t, missing, i.find(), "half of it is not enough")
	require.NoError(t, os.Mkdir("more", 0o755))
	f := i.find()
	assert.True(t, f.OK)
	assert.Equal(t, "made/x1 run", f.Found)
	assert.Contains(t, f.use, " check 'x=cmd:made/x1 run'")

	i.toolchain, i.built = "no-such-toolchain", []string{"gone"}
	f = i.find()
	assert.True(t, f.absent)
	assert.Equal(t, "unsupported here: it is built with no-such-toolchain, which is not found", f.Needed)
	f = i.tool(t.Context())
	assert.True(t, f.absent)
	assert.Equal(t, "not found", f.Found)
}
