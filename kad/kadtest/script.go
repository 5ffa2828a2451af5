package kadtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// RunScripts runs each *.txt file of a folder as a subtest. With update it writes what the commands print into the file.
func RunScripts(t *testing.T, dir string, update bool) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "scripts in %s", dir)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			got, err := RunScript(string(text))
			require.NoError(t, err, file)
			if update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got, "%s: run the test with -update if what it prints now is right", file)
		})
	}
}

// RunScript runs a script and returns it with what its commands printed. Blocks are separated by empty lines; a block
// without a line of dashes is a comment, as are lines that begin with "#". The error names the line.
func RunScript(text string) (string, error) {
	env := NewEnv()
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i] + "\n")
		words := strings.Fields(lines[i])
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "----":
			for i+1 < len(lines) && lines[i+1] != "" { // what it printed the last time
				i++
			}
			out.WriteString(env.flush())
		default:
			if err := env.Do(words); err != nil {
				return "", fmt.Errorf("line %d: %q: %w", i+1, lines[i], err)
			}
		}
	}
	return out.String(), nil
}

// verb is one command of a script.
type verb struct {
	usage string
	do    func(*Env, args) error
}

// verbs are all commands, by name.
var verbs = map[string]verb{
	"nodes":      verbNodes,
	"connect":    verbConnect,
	"disconnect": verbDisconnect,
	"know":       verbKnow,
	"stop":       verbStop,
	"kill":       verbKill,
	"op":         verbOp,
	"input":      verbInput,
	"send":       verbSend,
	"queue":      verbQueue,
	"deliver":    verbDeliver,
	"drop":       verbDrop,
	"stabilize":  verbStabilize,
	"advance":    verbAdvance,
	"run":        verbRun,
	"table":      verbTable,
	"store":      verbStore,
	"addresses":  verbAddresses,
	"show":       verbShow,
}

// Do runs one command.
func (e *Env) Do(words []string) error {
	v, ok := verbs[words[0]]
	if !ok {
		return fmt.Errorf("unknown verb %q", words[0])
	}
	a := parseArgs(words[1:])
	err := v.do(e, a)
	if err == nil {
		err = a.done(len(a.words))
	}
	if err != nil {
		return fmt.Errorf("%w (usage: %s)", err, v.usage)
	}
	return nil
}

// args are the words after a verb: plain ones in order, and name=value pairs.
type args struct {
	words []string
	pairs map[string]string
	used  map[string]bool
}

func parseArgs(words []string) args {
	a := args{pairs: map[string]string{}, used: map[string]bool{}}
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok && name == strings.ToLower(name) {
			a.pairs[name] = value
		} else {
			a.words = append(a.words, w)
		}
	}
	return a
}

// get returns a pair's value, or what to take if it is not given.
func (a args) get(name, otherwise string) string {
	a.used[name] = true
	if v, ok := a.pairs[name]; ok {
		return v
	}
	return otherwise
}

// number reads a pair's value as a whole number, 0 if it is not given.
func (a args) number(name string) (int, error) {
	v := a.get(name, "0")
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("%s=%s: a whole number wanted", name, v)
	}
	return n, nil
}

// id reads a pair's value as the number of a query, a connection or a request, 0 if it is not given.
func (a args) id(name string) (uint64, error) {
	n, err := a.number(name)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%s: a whole number, not negative, wanted", name, a.get(name, ""))
	}
	return uint64(n), nil
}

// span reads a duration.
func span(what, text string) (kad.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: a duration as 1h30m wanted, not %q", what, text)
	}
	return kad.Duration(d), nil
}

// flag takes a plain word out of the words.
func (a *args) flag(word string) bool {
	for i, w := range a.words {
		if w == word {
			a.words = append(a.words[:i:i], a.words[i+1:]...)
			return true
		}
	}
	return false
}

// done complains of what no verb asked for.
func (a args) done(maxWords int) error {
	if len(a.words) > maxWords {
		return fmt.Errorf("unexpected %q", a.words[maxWords])
	}
	for name := range a.pairs {
		if !a.used[name] {
			return fmt.Errorf("unexpected %s=", name)
		}
	}
	return nil
}
