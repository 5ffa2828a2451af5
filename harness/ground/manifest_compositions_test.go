package ground

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// composition is what Testground reads of one, as far as we use it; what else a file holds is a mistake.
type composition struct {
	Metadata struct{ Name, Author string }
	Global   struct {
		Plan, Case, Builder, Runner string
		Total                       int  `toml:"total_instances"`
		Concurrent                  int  `toml:"concurrent_builds"`
		Quiet                       bool `toml:"disable_metrics"`
		Run                         runParams
	}
	Groups []struct {
		ID        string
		Instances struct{ Percentage float64 }
		Run       runParams
		Build     struct {
			Dependencies []struct{ Module, Target, Version string }
		}
	}
}

type runParams struct {
	Params map[string]string `toml:"test_params"`
}

// TestCompositions: each is one for a case that there is, with values that it takes, and all instances are in a group.
func TestCompositions(t *testing.T) {
	files, err := filepath.Glob(root("plans", "testground", "*.toml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for n, env := range map[int]map[string]string{8: {}, 32: {"N": "32", "BUILDER": "docker:go", "RUNNER": "local:docker"}} {
			tmpl, err := template.ParseFiles(file)
			require.NoError(t, err)
			var text strings.Builder
			require.NoError(t, tmpl.Execute(&text, map[string]any{"Env": env}))
			var c composition
			meta, err := toml.Decode(text.String(), &c)
			require.NoError(t, err, file)
			assert.Empty(t, meta.Undecoded(), file)
			assert.Equal(t, strings.TrimSuffix(filepath.Base(file), ".toml"), c.Metadata.Name)
			assert.Equal(t, Plan, c.Global.Plan)
			assert.Equal(t, []string{cmp.Or(env["BUILDER"], "exec:go"), cmp.Or(env["RUNNER"], "local:exec")}, []string{c.Global.Builder, c.Global.Runner})
			assert.True(t, c.Global.Quiet, "%s: without InfluxDB each instance waits for it", file)
			assert.Equal(t, n, c.Global.Total)

			of, err := Find(c.Global.Case)
			require.NoError(t, err, file)
			share := 0.0
			for _, g := range c.Groups {
				share += g.Instances.Percentage
				given := c.Global.Run.Params
				if g.Run.Params != nil {
					given = g.Run.Params
				}
				p, err := of.Parse(given)
				require.NoError(t, err, file)
				assert.NoError(t, of.Fits(&Instance{Params: p, Count: n, GroupCount: int(float64(n) * g.Instances.Percentage)}), file)
				for _, d := range g.Build.Dependencies {
					mod, err := os.ReadFile(root("go.mod"))
					require.NoError(t, err)
					assert.Contains(t, string(mod), d.Module+" v", "%s replaces what is not required", file)
				}
			}
			assert.Equal(t, 1.0, share, file)
		}
	}
}
