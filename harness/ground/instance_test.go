package ground

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// instance runs this program as Testground's local:exec would, and returns what its events and its exit status say.
func instance(t *testing.T, change map[string]string) (outcome life, exit int, dir string) {
	dir = t.TempDir()
	env := map[string]string{
		"TEST_PLAN": Plan, "TEST_CASE": "ping", "TEST_RUN": "dc0d", "TEST_GROUP_ID": "single", "TEST_GROUP_INSTANCE_COUNT": "1",
		"TEST_INSTANCE_COUNT": "1", "TEST_INSTANCE_ROLE": "", "TEST_INSTANCE_PARAMS": "rounds=1|transport=tcp", "TEST_OUTPUTS_PATH": dir,
		"TEST_TEMP_PATH": dir, "TEST_START_TIME": "2026-11-21T14:00:00Z", "TEST_SUBNET": "127.1.0.0/16", "TEST_SIDECAR": "false",
		"TEST_DISABLE_METRICS": "true", "INFLUXDB_URL": "http://localhost:1", "SYNC_SERVICE_HOST": "127.0.0.1", "LOG_LEVEL": "error",
	}
	for name, value := range change {
		env[name] = value
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = []string{}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	outcome.State = Incomplete
	_, err = lines(out, outcome.event)
	require.NoError(t, err)
	err = cmd.Wait()
	var failed *exec.ExitError
	require.True(t, err == nil || errors.As(err, &failed), "%v", err)
	return outcome, cmd.ProcessState.ExitCode(), dir
}

func TestAnInstanceOfTestground(t *testing.T) {
	addr, _ := serveSync(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close() // where InfluxDB is not
	for _, disabled := range []string{"true", "false"} {
		o, exit, dir := instance(t, map[string]string{
			"SYNC_SERVICE_PORT": port, "TEST_RUN": "disabled-" + disabled, "TEST_DISABLE_METRICS": disabled,
			"INFLUXDB_URL": "http://" + l.Addr().String(), "TEST_CAPTURE_PROFILES": "cpu=|heap=1h|wall=5s|block=often",
		})
		assert.Zero(t, exit)
		assert.Equal(t, OK, o.State, o.Error)
		assert.Equal(t, []int{1, 1}, []int{o.Seq, o.GroupSeq})
		for _, name := range []string{"run.out", "run.err", "results.out", "diagnostics.out", "cpu.prof"} {
			assert.FileExists(t, filepath.Join(dir, name))
		}
		text, err := os.ReadFile(filepath.Join(dir, "run.out"))
		require.NoError(t, err)
		assert.Equal(t, disabled == "false", strings.Contains(string(text), "no metrics are sent to InfluxDB at http://"+l.Addr().String()))
		assert.Contains(t, string(text), "profile wall: no such kind: expected cpu, heap")
		assert.Contains(t, string(text), `profile block: interval \"often\": expected a time such as 5s`)
		assert.NotContains(t, string(text), "failed to send batch")
	}
}

// TestAPanicOfAGoroutineIsLeftBehind: where the daemon keeps the outputs, and nobody a stderr. The others hear of it too.
func TestAPanicOfAGoroutineIsLeftBehind(t *testing.T) {
	addr, _, h := serveHub(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	o, exit, dir := instance(t, map[string]string{"SYNC_SERVICE_PORT": port, "TEST_CASE": "fail", "TEST_INSTANCE_PARAMS": "how=goroutine|who=1"})
	assert.Equal(t, 2, exit)
	assert.Equal(t, Incomplete, o.State)
	text, err := os.ReadFile(filepath.Join(dir, "run.err"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "panic: boom in a goroutine")
	var why string
	require.NoError(t, local{h, "run:dc0d:plan:kadbench:case:fail:"}.Collect(t.Context(), stateAbort, 1, func(item []byte) error {
		return json.Unmarshal(item, &why)
	}))
	assert.Equal(t, "instance 1 of 1 (group single): it left the sync service without a goodbye", why)
}

// TestEnvironment: the time at which the run began is read, which Testground's own reader takes from the variable's name.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{"TEST_CASE": "ping", "TEST_RUN": "r", "TEST_OUTPUTS_PATH": "/o", "TEST_INSTANCE_COUNT": "1",
		"TEST_GROUP_INSTANCE_COUNT": "1", "TEST_START_TIME": "2026-11-21T14:00:00Z", "LOG_LEVEL": "error"} {
		t.Setenv(name, value)
	}
	p, err := environment()
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC), p.TestStartTime)
	assert.Empty(t, os.Getenv("LOG_LEVEL"), "it would keep back the event of success")
}

// TestAnInstanceRefuses: also that the others hear of it, who may be of a group with better parameters.
func TestAnInstanceRefuses(t *testing.T) {
	addr, _, h := serveHub(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	aborts := 0
	for _, c := range []struct {
		name, value, want string
		exit              int
	}{
		{"TEST_CASE", "none", `no such case: "none"`, 1},
		{"TEST_INSTANCE_PARAMS", "rounds=many", `parameter rounds: "many" is no int: expected something like 20 (default "2")`, 1},
		{"TEST_INSTANCE_PARAMS", "rounds=-1", `parameter rounds "-1", expected 0 or more`, 1},
		{"TEST_INSTANCE_PARAMS", "beta=3", `parameter beta: case ping has none of this name: expected rounds, transport, latency`, 1},
		{"TEST_INSTANCE_PARAMS", "rounds=1|x", `parameter: "x" in TEST_INSTANCE_PARAMS: name=value was expected, each name once, and no | in a value`, 1},
		{"TEST_INSTANCE_PARAMS", "transport=mem", `parameter transport: mem is a network within one process: expected it with instances as goroutines only`, 1},
	} {
		o, exit, _ := instance(t, map[string]string{"SYNC_SERVICE_PORT": port, c.name: c.value})
		assert.Equal(t, Failed, o.State)
		assert.Equal(t, c.want, o.Error)
		assert.Equal(t, c.exit, exit)
		if c.name == "TEST_CASE" {
			continue // the others are of no run that can be
		}
		aborts++
		h.mu.Lock()
		require.Contains(t, h.states, "run:dc0d:plan:kadbench:case:ping:states:"+stateAbort)
		assert.Equal(t, aborts, h.states["run:dc0d:plan:kadbench:case:ping:states:"+stateAbort].count)
		h.mu.Unlock()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	l.Close() // nobody listens there now
	o, exit, _ := instance(t, map[string]string{"SYNC_SERVICE_PORT": port})
	assert.Equal(t, 4, exit)
	assert.Equal(t, Failed, o.State)
	assert.Contains(t, o.Error, "harness: the sync service at 127.0.0.1:"+port+" cannot be reached: ")
	assert.Contains(t, o.Error, "connection refused")

	o, exit, _ = instance(t, map[string]string{"TEST_INSTANCE_COUNT": "many"})
	assert.Equal(t, 2, exit)
	assert.Equal(t, Incomplete, o.State, "there is nowhere to say so but stderr")
	o, exit, _ = instance(t, map[string]string{"TEST_OUTPUTS_PATH": "/dev/null/outputs"})
	assert.Equal(t, 4, exit)
	assert.Equal(t, Incomplete, o.State)
}
