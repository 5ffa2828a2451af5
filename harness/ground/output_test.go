package ground

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lay writes files as Testground lays them out: the name of each is below dir.
func lay(t *testing.T, dir string, files map[string]string) {
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// These lines are those of an instance under testground v0.6.0, shortened.
const (
	started = `{"ts":1795219445000000000,"msg":"","group_id":"single","run_id":"dc0d","event":{"start_event":{"runenv":{"plan":"kadbench","case":"ping","run":"dc0d","params":{"rounds":"2"},"instances":2,"outputs_path":"/o","temp_path":"/t","network":"127.1.0.0/16","group":"single","group_instances":2}}}}` + "\n"
	numbers = `{"ts":1795219445100000000,"msg":"","group_id":"single","run_id":"dc0d","event":{"message_event":{"message":"claimed sequence numbers; global=2, group(single)=1"}}}` + "\n"
	success = `{"ts":1795219446000000000,"msg":"","group_id":"single","run_id":"dc0d","event":{"success_event":{"group":"single"}}}` + "\n"
	failure = `{"ts":1795219447000000000,"msg":"","group_id":"single","run_id":"dc0d","event":{"failure_event":{"group":"single","error":"boom"}}}` + "\n"
	aborted = `{"ts":1795219447000000000,"msg":"","group_id":"single","run_id":"dc0d","event":{"failure_event":{"group":"single","error":"aborted: instance 2 of 2 (group single): boom"}}}` + "\n"
	crash   = `{"ts":1795219447000000000,"msg":"","group_id":"single","run_id":"dc0d","event":{"crash_event":{"group":"single","error":"oops","stacktrace":"main.go:1"}}}` + "\n"
	results = `{"ts":1795219445939165198,"type":"point","name":"lookup_ms","measures":{"value":0.099}}
{"ts":1795219445939165199,"type":"counter","name":"count","measures":{"count":3}}
{"ts":1795219445939165200,"type":"point","name":"hops","measures":{"value":3}}
`
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{
		"kadbench/dc0d/single/1/run.out":     started + numbers + success,
		"kadbench/dc0d/single/1/results.out": results,
		"kadbench/dc0d/single/10/run.out":    "plain text\n" + started + aborted,
		"kadbench/dc0d/single/2/run.out":     started + strings.Repeat("x", 70_000) + success + failure,
		"kadbench/dc0d/other/0/run.out":      started + success + crash + success,
		"kadbench/dc0d/other/1/run.out":      started + strings.TrimSpace(success), // torn
	})
	r, err := Load(dir)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "kadbench/dc0d"), r.Dir)
	assert.Equal(t, []string{"kadbench", "ping", "dc0d"}, []string{r.Plan, r.Case, r.ID})
	var got []string
	for _, o := range r.Instances {
		got = append(got, strings.TrimSpace(o.Group+" "+string(rune('0'+o.Index%10))+" "+string(o.State)+" "+o.Error))
	}
	assert.Equal(t, []string{"other 0 crashed oops", "other 1 incomplete", "single 1 ok", "single 2 failed boom",
		"single 0 aborted instance 2 of 2 (group single): boom"}, got)

	o := r.Instances[2]
	assert.Equal(t, []int{2, 1, 2}, []int{o.Seq, o.GroupSeq, o.Count})
	assert.Equal(t, "2", o.Params["rounds"])
	assert.EqualValues(t, 1e9, o.Ended.Sub(o.Began))
	require.Len(t, o.Points, 2)
	assert.Equal(t, "lookup_ms", o.Points[0].Name)
	assert.Equal(t, 0.099, o.Points[0].Value)
	assert.EqualValues(t, 1795219445939165200, o.Points[1].At.UnixNano())
}

// TestLoadOfWhatWasCutOff: of an instance that left an empty file, the others tell how many there were.
func TestLoadOfWhatWasCutOff(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{"r/g/0/run.out": "", "r/g/0/results.out": `{"ts":1,"type":"point","name":"x","mea`})
	r, err := Load(dir)
	require.NoError(t, err)
	assert.Equal(t, "unknown", r.Case)
	assert.EqualError(t, r.Err(), "one of 1 instances (group g, outputs g/0): it ended without a word")
	lay(t, dir, map[string]string{"r/g/1/run.out": started[:100], "r/g/2/run.out": strings.Replace(started, `"instances":2`, `"instances":7`, 1) + success})
	r, err = Load(dir)
	require.NoError(t, err)
	assert.Equal(t, "ping", r.Case)
	assert.EqualError(t, r.Err(), "one of 7 instances (group g, outputs g/0): it ended without a word")
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir)
	require.ErrorIs(t, err, ErrOutput)
	assert.ErrorContains(t, err, "expected <group>/<index>/run.out of a run in it")
	lay(t, dir, map[string]string{"p/r1/g/0/run.out": started, "p/r2/g/0/run.out": started})
	_, err = Load(dir)
	assert.ErrorContains(t, err, dir+" holds more than one run: name one of them, as "+dir+"/p/r2")
	r, err := Load(filepath.Join(dir, "p/r1"))
	require.NoError(t, err)
	assert.Len(t, r.Instances, 1)
	lay(t, dir, map[string]string{"q/r/g/first/run.out": started})
	_, err = Load(filepath.Join(dir, "q"))
	assert.ErrorContains(t, err, "expected the directory of an instance to be its number")
}

func FuzzEvent(f *testing.F) {
	for _, s := range []string{started, numbers, success, failure, aborted, crash, results} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var l life
		_, err := lines(strings.NewReader(string(data)), func(line []byte) error {
			point(line)
			return l.event(line)
		})
		require.NoError(t, err)
		if l.ended == (l.State == "") {
			t.Fatalf("ended: %v, state %q", l.ended, l.State)
		}
		if l.Seq < 0 || (l.Seq == 0) != (l.GroupSeq == 0) {
			t.Fatalf("numbers %d and %d", l.Seq, l.GroupSeq)
		}
	})
}
