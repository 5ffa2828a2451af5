package report

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kadbench/kadbench/harness/record"
)

// FuzzMeasured: whatever stands in a log of loads and simulations, what can be read of it can be shown in every form.
func FuzzMeasured(f *testing.F) {
	for _, name := range []string{"bench/cut", "bench/open", "bench/max", "bench/network", "sim/cut"} {
		log, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name), record.FileName))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(log)
	}
	begin := `{"type":"run","run":{}}` + "\n" + `{"type":"bench","bench":{"plan":"a","target":"t"}}` + "\n"
	f.Add([]byte(begin + `{"type":"turn","turn":{"round":1,"per_second":1e308,"server_cpu_us":1e308,"due_ms":{"quantiles":[{"p":50,"v":-1}]}}}` + "\n"))
	f.Add([]byte(begin + `{"type":"measured","measured":{"turns":3,"tries":[{"rate":-1}],"max":0,"against":{"target":"x"},"needs":[{}]}}` + "\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		path := filepath.Join(t.TempDir(), record.FileName)
		if err := os.WriteFile(path, log, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := Load(path)
		if err != nil {
			return
		}
		side := []*Log{l}
		Compare(side, side, 0.05).Write(io.Discard, Options{Width: 40})
		Compare(side, nil, 0).JSON(io.Discard)
		Benchfmt(io.Discard, side, side)
		if !l.measures() {
			return // logs of cases have tests of their own
		}
		for _, write := range []func(io.Writer, *Log, Options) error{Text, Markdown, JUnit, TAP} {
			if err := write(io.Discard, l, Options{All: true}); err != nil {
				t.Fatal(err)
			}
		}
		if len(l.Results) == 0 {
			HTML(io.Discard, l, Options{}) // a number that JSON cannot hold is an error
		}
		JSON(io.Discard, Join(l, &Log{}))
	})
}
