package ground

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/harness/run"
)

// TestAProcessThatEndsWithoutAWord: what only an instance in a process can do.
func TestAProcessThatEndsWithoutAWord(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for how, want := range map[string]string{
		"goroutine": "its process ended (exit status 2); on stderr: panic: boom in a goroutine",
		"exit":      "its process ended (exit status 0) without an event of success or failure",
	} {
		r, err := Procs(t.Context(), Config{Case: "fail", Cases: trivial, Out: t.TempDir(), Params: map[string]string{"how": how}})
		require.EqualError(t, err, "instance 3 of 5 (group single): "+want)
		assert.Equal(t, 1, run.ExitCode(err))
		assert.ErrorContains(t, r.Err(), "(group single): it ended without a word")
	}
	_, err := Procs(t.Context(), Config{Case: "long", Cases: trivial, Out: t.TempDir()})
	assert.EqualError(t, err, "instance 1 of 1 (group single): its process ended (exit status 0) without an event of success or failure; "+
		"it wrote a line of more than 65536 bytes, and Testground reads none so long")
	_, err = Procs(t.Context(), Config{Case: "ping", Cases: trivial, Out: t.TempDir(), Command: []string{"false"}})
	assert.Regexp(t, `^one of 3 instances \(group single, outputs single/[012]\): its process ended \(exit status 1\)`, err)
	_, err = Procs(t.Context(), Config{Case: "ping", Cases: trivial, Out: t.TempDir(), Command: []string{"/no/such/program"}})
	require.ErrorIs(t, err, run.ErrHarness)
	assert.ErrorContains(t, err, "/no/such/program: no such file or directory")
	assert.Empty(t, children(t))
}

func TestTheTellingLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"first\nlast\n\n":               "last",
		"a log\npanic: boom\n\nrax 0x0": "panic: boom",
		"fatal error: all goroutines are asleep\nrax 0x0": "fatal error: all goroutines are asleep",
		"SIGQUIT: quit\nPC=0x1\n\nrax 0x0":                "SIGQUIT: quit",
	} {
		assert.Equal(t, want, telling([]byte(text)))
	}
}
