package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read collects a log.
func read(t *testing.T, path string) (*Reader, []Entry, error) {
	t.Helper()
	r, err := Open(path)
	require.NoError(t, err)
	defer r.Close()
	var entries []Entry
	for e, err := range r.Entries() {
		if err != nil {
			return r, entries, err
		}
		entries = append(entries, e)
	}
	return r, entries, nil
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{Version: "0.1.0", Command: []string{"kadbench", "check"}, Seed: 7})
	require.NoError(t, err)
	frame := Entry{Type: TypeFrame, Target: "go", Case: "ping/echo", Stream: "s", Dir: Sent, Bytes: []byte{2, 8, 5}, At: 12}
	require.NoError(t, w.Write(frame))
	assert.Equal(t, int64(1500), w.Since(w.began.Add(1500*time.Microsecond)))
	assert.Equal(t, int64(1), w.Since(w.began), "0 would mean: not stamped")
	result := Result{
		Type: TypeResult, Target: "go", Case: "ping/echo", Catalogue: []string{"PI-01"}, Profile: "base", Level: "must",
		Verdict: Fail, Why: "an answer was wanted, eof came",
		Detail: Detail{Took: 3 * time.Millisecond, Failure: &Failure{Line: "x.plan:3", Want: "PING", Got: "eof"}},
	}
	require.NoError(t, w.Result(result))
	require.NoError(t, w.Input("plans/ping/echo.plan", []byte("id ping/echo\n")))
	require.NoError(t, w.Close(Summary{Failed: 1, Profile: "base", Exit: 1}))

	r, entries, err := read(t, dir)
	require.NoError(t, err)
	assert.True(t, r.Ended())
	assert.False(t, r.Torn())
	require.Len(t, entries, 4)
	assert.Equal(t, uint64(7), entries[0].Run.Seed)
	assert.NotEmpty(t, entries[0].Run.Go, "what the process knows is filled in")
	assert.Equal(t, frame, entries[1])
	assert.Equal(t, &result, entries[2].Result, "the detail is joined again")
	assert.Equal(t, 1, entries[3].Summary.Failed)
	assert.Equal(t, w.Path(), entries[3].Summary.Log)
	saved, err := os.ReadFile(filepath.Join(dir, "inputs", "plans", "ping", "echo.plan"))
	require.NoError(t, err)
	assert.Equal(t, "id ping/echo\n", string(saved))
}

// The eight keys are what scripts read; nothing is added to them, and none is left out.
func TestResultLineHasExactlyTheContractKeys(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{})
	require.NoError(t, err)
	require.NoError(t, w.Result(Result{Target: "go", Case: "a/b", Profile: "base", Verdict: Pass, Detail: Detail{Took: 1}}))
	require.NoError(t, w.Close(Summary{}))
	data, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	assert.Equal(t,
		`{"type":"result","target":"go","case":"a/b","catalogue":[],"profile":"base","level":"","verdict":"pass","why":""}`,
		lines[len(lines)-2])
	assert.Contains(t, lines[0], `"type":"run"`)
	assert.Contains(t, lines[len(lines)-1], `"type":"summary"`)
}

func TestConcurrentWritersLeaveWholeLines(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				name := fmt.Sprintf("c/%d-%d", g, i)
				assert.NoError(t, w.Write(Entry{Type: TypeFrame, Case: name, Bytes: bytes.Repeat([]byte{1}, 1000)}))
				assert.NoError(t, w.Result(Result{Target: "t", Case: name, Verdict: Pass, Detail: Detail{Failure: &Failure{Want: name}}}))
			}
		})
	}
	wg.Wait()
	require.NoError(t, w.Close(Summary{}))
	_, entries, err := read(t, dir)
	require.NoError(t, err)
	require.Len(t, entries, 1+2*400+1)
	for _, e := range entries {
		if e.Result != nil {
			assert.Equal(t, e.Case, e.Result.Failure.Want, "a detail belongs to the result after it")
		}
	}
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{})
	require.NoError(t, err)
	long := strings.Repeat("ü", MaxText)
	failure := &Failure{Line: long, Prose: long, Clause: long, Want: long, Got: long, Diff: long, Bytes: long, Where: long, Repeat: long, Log: long}
	require.NoError(t, w.Write(Entry{Type: TypeFrame, Bytes: make([]byte, 4<<20)}))
	require.NoError(t, w.Result(Result{Target: "t", Case: "c", Verdict: Fail, Why: long, Detail: Detail{Failure: failure, Measured: map[string]string{"m": long}}}))
	assert.ErrorIs(t, w.Input("big", make([]byte, MaxInput+1)), ErrInput)
	require.NoError(t, w.Input("../../up/./x:y.plan", nil))
	assert.FileExists(t, filepath.Join(dir, "inputs", "up", "x", "y.plan"))

	w.size = MaxLog + 1
	for range 3 {
		require.NoError(t, w.Write(Entry{Type: TypeFrame, Bytes: []byte{1}}))
	}
	require.NoError(t, w.Result(Result{Target: "t", Case: "d", Verdict: Pass}))
	require.NoError(t, w.Close(Summary{}))
	assert.ErrorIs(t, w.Close(Summary{}), ErrClosed)
	assert.ErrorIs(t, w.Write(Entry{Type: TypeNote}), ErrClosed)

	_, entries, err := read(t, dir)
	require.NoError(t, err)
	var types []string
	for _, e := range entries {
		types = append(types, e.Type)
	}
	assert.Equal(t, []string{TypeRun, TypeFrame, TypeResult, TypeNote, TypeResult, TypeSummary}, types)
	assert.Len(t, entries[1].Bytes, MaxBytes)
	assert.Equal(t, 4<<20, entries[1].Size)
	assert.Less(t, len(entries[2].Result.Failure.Got), MaxText+40)
	assert.Less(t, len(entries[2].Result.Measured["m"]), MaxText+40)
	assert.Len(t, failure.Got, 2*MaxText, "the caller's failure is left alone")
}

// TestReaderErrors: what a reader says of a file that is no log, or was damaged.
func TestReaderErrors(t *testing.T) {
	run := `{"type":"run","run":{}}` + "\n"
	for _, test := range []struct{ name, log, err string }{
		{"empty", "", `results.jsonl:1: not a results log: it is empty; the first line has type run`},
		{"another file", "# hello\n", `results.jsonl:1: not a results log: a JSON object was expected: invalid character '#' looking for beginning of value`},
		{"no run first", `{"type":"note"}` + "\n", `results.jsonl:1: not a results log: the first line has type run, this one has type "note"`},
		{"rubbish within", run + "[]\n" + run, `results.jsonl:2: not a results log: a JSON object was expected: json: cannot unmarshal array into Go value of type record.Entry`},
		{"no type", run + "{}\n", `results.jsonl:2: not a results log: a line without a type`},
		{"bare result", run + `{"type":"result"}` + "\n", `results.jsonl:2: not a results log: result: case, target and verdict were expected`},
		{"result of no case", run + `{"type":"result","target":"t","verdict":"pass"}` + "\n", `results.jsonl:2: not a results log: result: case, target and verdict were expected`},
		{"bare summary", run + `{"type":"summary"}` + "\n", `results.jsonl:2: not a results log: summary: its counts were expected`},
		{"after the end", run + `{"type":"summary","summary":{}}` + "\n" + `{"type":"note"}` + "\n", `results.jsonl:3: not a results log: a line of type "note" after the summary`},
		{"endless line", run + strings.Repeat("a", MaxLine+1), fmt.Sprintf(`results.jsonl:2: not a results log: a line longer than %d bytes`, MaxLine)},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(test.log), 0o644))
			_, _, err := read(t, dir)
			require.ErrorIs(t, err, ErrLog)
			assert.Equal(t, test.err, strings.TrimPrefix(err.Error(), dir+string(filepath.Separator)))
		})
	}
}

// A killed run leaves whole lines; a torn last one is passed over, and types of a later version are let through.
func TestTornAndUnknown(t *testing.T) {
	dir := t.TempDir()
	log := `{"type":"run","run":{"seed":3}}` + "\n" + `{"type":"later","new":1}` + "\n" +
		`{"type":"result","target":"t","case":"c","verdict":"pass"}` + "\n" + `{"type":"resu`
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(log), 0o644))
	r, entries, err := read(t, dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3)
	assert.True(t, r.Torn())
	assert.False(t, r.Ended())
}

func TestNilWriterDrops(t *testing.T) {
	var w *Writer
	require.NoError(t, w.Write(Entry{Type: TypeNote}))
	require.NoError(t, w.Result(Result{}))
	require.NoError(t, w.Input("a", nil))
	require.NoError(t, w.Close(Summary{}))
	assert.Empty(t, w.Path())
	assert.Zero(t, w.Since(time.Now()))
}

func TestSummary(t *testing.T) {
	var s Summary
	for _, v := range []Verdict{Pass, Pass, Fail, XPass, Warn, XFail, Unsupported, Skipped, Errored, "unheard of"} {
		s.Add(v)
	}
	assert.Equal(t, "2 passed, 2 failed, 1 warned, 1 expected, 1 unsupported, 1 skipped, 2 errors", s.String())
	assert.Equal(t, 10, s.Total())
	data, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"passed":2,"failed":2`)
}

// FuzzReader: no bytes in a log may panic the reader, and whatever ends well was whole.
func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"type":"run","run":{}}` + "\n" + `{"type":"detail","detail":{"took":1}}` + "\n" + `{"type":"result","target":"t","case":"c","verdict":"pass"}` + "\n"))
	f.Add([]byte("{}\n{"))
	f.Add([]byte(`{"type":"run","run":{}}` + "\n" + `{"type":"bench","bench":{"plan":"load/a","target":"t"}}` + "\n" + `{"type":"turn","turn":{"round":1}}` + "\n" +
		`{"type":"measured","measured":{"turns":1}}` + "\n" + `{"type":"summary","target":"t"}` + "\n" + `{"type":"summary","target":"u"}` + "\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, log, 0o644); err != nil {
			t.Fatal(err)
		}
		r, entries, err := read(t, path)
		if err == nil && len(entries) == 0 {
			t.Fatal("a log without a run was read without complaint")
		}
		if r.Ended() && len(entries) > 0 && err == nil {
			if last := entries[len(entries)-1]; last.Summary == nil && last.Closing == nil && last.Total == nil {
				t.Fatal("ended without a summary")
			}
		}
	})
}

// failing is a disk that is full for one write, of which it took the half.
type failing struct {
	*os.File
	full bool
}

var errFull = errors.New("no space left")

func (f *failing) Write(b []byte) (int, error) {
	if !f.full {
		return f.File.Write(b)
	}
	f.full = false
	n, _ := f.File.Write(b[:len(b)/2])
	return n, errFull
}

// A disk that was full leaves whole lines, and the run learns of it at the end.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{})
	require.NoError(t, err)
	disk := &failing{File: w.f.(*os.File), full: true}
	w.f = disk
	require.ErrorIs(t, w.Write(Entry{Type: TypeNote, Text: "lost"}), errFull)
	require.NoError(t, w.Write(Entry{Type: TypeNote, Text: "there is room again"}))
	assert.ErrorIs(t, w.Close(Summary{}), errFull)
	r, entries, err := read(t, dir)
	require.NoError(t, err)
	assert.True(t, r.Ended())
	require.Len(t, entries, 3)
	assert.Equal(t, "there is room again", entries[1].Text)
}

func TestCreateReplacesTheLogOfBefore(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		w, err := Create(dir, Run{})
		require.NoError(t, err)
		require.NoError(t, w.Close(Summary{}))
	}
	_, entries, err := read(t, dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2)
}

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{})
	require.NoError(t, err)
	require.NoError(t, w.Write(Entry{Type: TypeNote, Text: "x<=" + strings.Repeat("ü", MaxText)}))
	require.NoError(t, w.Close(Summary{}))
	_, entries, err := read(t, dir)
	require.NoError(t, err)
	text := entries[1].Text
	assert.Less(t, len(text), MaxText+100)
	assert.True(t, strings.HasSuffix(text, fmt.Sprintf("ü … (%d bytes)", 3+2*MaxText)), text[len(text)-40:])
	assert.NotContains(t, text, "\ufffd")
	data, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	assert.Contains(t, string(data), "x<=", "as it was written, for grep")
}

// A detail belongs to the very next line alone.
func TestDetailWithoutItsResult(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	require.NoError(t, os.WriteFile(path, []byte(`{"type":"run","run":{}}
{"type":"detail","detail":{"took":1}}
{"type":"note","text":"in between"}
{"type":"result","target":"t","case":"a/b","profile":"base","verdict":"pass"}
`), 0o644))
	_, entries, err := read(t, path)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	assert.Zero(t, entries[2].Result.Detail)
}
