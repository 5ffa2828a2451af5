package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// step is one step of a job or of a composite action, as far as it is looked at.
type step struct {
	ID   string
	Uses string
	Run  string
	With map[string]any
	Env  map[string]string
}

// TestCIFiles: what CI systems read can be parsed, names only files that exist, and inputs and outputs that there are.
func TestCIFiles(t *testing.T) {
	root := filepath.Join("..", "..")
	script := read(t, filepath.Join(root, "scripts", "check.sh"))

	var action struct {
		Inputs  map[string]struct{ Description string }
		Outputs map[string]struct{ Description, Value string }
		Runs    struct {
			Using string
			Steps []step
		}
	}
	src := read(t, filepath.Join(root, "action.yml"))
	decode(t, "action.yml", src, &action)
	require.Equal(t, "composite", action.Runs.Using)
	for name := range action.Inputs {
		require.Contains(t, src, "${{ inputs."+name+" }}", "action.yml: input %s is of no use", name)
	}
	for _, m := range regexp.MustCompile(`inputs\.([\w-]+)`).FindAllStringSubmatch(src, -1) {
		require.Contains(t, action.Inputs, m[1], "action.yml: no such input")
	}
	for name, out := range action.Outputs {
		require.Equal(t, "${{ steps.check.outputs."+name+" }}", out.Value)
		require.Contains(t, script, `echo "`+name+`=`, "scripts/check.sh does not write output %s", name)
	}
	for _, s := range action.Runs.Steps {
		require.NotContains(t, s.Run, "${{", "action.yml: what users give goes through the environment")
		for name := range s.Env {
			require.Contains(t, script, "${"+name+":-", "scripts/check.sh does not look at %s", name)
		}
		s.sound(t, root, "action.yml")
	}

	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		var workflow struct {
			Name string
			On   any
			Jobs map[string]struct {
				RunsOn  string `yaml:"runs-on"`
				Minutes int    `yaml:"timeout-minutes"`
				Steps   []step
			}
		}
		decode(t, file, read(t, file), &workflow)
		require.NotEmpty(t, workflow.Jobs, file)
		require.NotNil(t, workflow.On, file)
		for name, job := range workflow.Jobs {
			require.NotEmpty(t, job.Steps, "%s: %s", file, name)
			require.NotZero(t, job.Minutes, "%s: %s: a job that hangs has a limit", file, name)
			for _, s := range job.Steps {
				s.sound(t, root, file)
			}
		}
	}
}

// ours are words of a command that are files of the repository; what is built by the steps lies in bin.
var ours = regexp.MustCompile(`(?:^|[\s"/])((?:scripts|harness|cmd|plans|fixtures)/[\w./-]+)`)

// sound says that a step does one thing, and that the files which it names are there.
func (s step) sound(t *testing.T, root, file string) {
	t.Helper()
	require.True(t, (s.Uses == "") != (s.Run == ""), "%s: a step uses or runs: %+v", file, s)
	if s.Uses != "" && !strings.HasPrefix(s.Uses, "./") {
		require.Regexp(t, `^actions/[\w-]+@v\d+$`, s.Uses, "%s: a pinned action", file)
	}
	var paths []string
	for _, m := range ours.FindAllStringSubmatch(s.Run, -1) {
		paths = append(paths, m[1])
	}
	if v, ok := s.With["go-version-file"].(string); ok {
		paths = append(paths, strings.TrimPrefix(v, "${{ github.action_path }}/"))
	}
	for _, path := range paths {
		info, err := os.Stat(filepath.Join(root, path))
		require.NoError(t, err, file)
		require.False(t, strings.HasSuffix(path, ".sh") && info.Mode()&0o111 == 0, "%s: %s cannot be run", file, path)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	src, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(src)
}

func decode(t *testing.T, name, src string, into any) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(src), into), name)
}
