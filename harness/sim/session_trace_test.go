package sim

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

func TestTraceIsFollowed(t *testing.T) {
	trace := record(t)
	assert.Equal(t, 3, trace.Nodes())
	assert.Equal(t, kad.Duration(24*hour), trace.Length())
	// Without seeds to spare: node 1 to 3 as recorded, hour by hour over two days, x for being there.
	s, err := newSessions(&Config{Nodes: 6, Seeds: -1, Churn: Churn{Kind: Trace, Trace: trace}})
	require.NoError(t, err)
	day := []string{
		"xxxxxx..................",
		"xxx.......xx........xxxx",
		"............xxxxxxx.....",
	}
	for p := range kad.Peer(3) {
		got := ""
		for h := range kad.Duration(48) {
			got += map[bool]string{true: "x", false: "."}[upAt(s, p+1, h*hour+1)]
		}
		assert.Equal(t, day[p]+day[p], got)
	}
	assert.True(t, upAt(s, 1, 8*hour+hour/2+1))
	assert.False(t, upAt(s, 1, 9*hour))
	assert.Equal(t, kad.Duration(7*hour), s.stay(2, 0), "around the end of the record")
	assert.Equal(t, kad.Duration(2*hour), s.stay(2, 1))
	// The fourth node follows the first, from another moment on.
	shifted := 0
	for h := range kad.Duration(24) {
		count(&shifted, upAt(s, 4, h*hour+1) != upAt(s, 1, h*hour+1))
	}
	assert.Positive(t, shifted)
	up := 0
	for at := range kad.Duration(24 * 60) {
		count(&up, upAt(s, 4, at*60e9))
	}
	assert.InDelta(t, 6.5*60, up, 2, "as long there as the first")
}

// TestManyFollowATrace: with nodes by the thousand, as large a share is there at any time as in the record: 22.5 of 72 hours.
func TestManyFollowATrace(t *testing.T) {
	s := sessionsOf(t, Churn{Kind: Trace, Trace: record(t)})
	for _, at := range []kad.Duration{0, 5 * hour, 31 * hour} {
		up := 0
		for p := kad.Peer(10); p < 20_010; p++ {
			count(&up, upAt(s, p, at))
		}
		assert.InDelta(t, 20_000*22.5/72, up, 6*64)
	}
}

func TestAlwaysThere(t *testing.T) {
	trace, err := ParseSessions("x", []byte("a 0s 5h\na 5h 10h\nb 1h 2h\n"))
	require.NoError(t, err)
	s, err := newSessions(&Config{Nodes: 6, Seeds: -1, Churn: Churn{Kind: Trace, Trace: trace}})
	require.NoError(t, err)
	up, left := s.first(1)
	assert.True(t, up)
	assert.Equal(t, forever, left)
	assert.Equal(t, forever, s.stay(1, 0))
	assert.False(t, upAt(s, 2, 0))
	assert.True(t, upAt(s, 2, 11*hour))
}

func TestBadSessions(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "x:1: no session",
		"# nothing\n\n":                 "x:2: no session",
		"a 1h":                          "x:1: 2 words",
		"a 1h 2h 3h":                    "x:1: 4 words",
		"a 1h 1h":                       "x:1: a session from 1h until 1h",
		"a 1 2h":                        `x:1: "1", expected a duration`,
		"a -1h 2h":                      `x:1: "-1h", expected a duration`,
		"a 1h 9000h":                    `x:1: "9000h", expected a duration`,
		"length 5h\nlength 5h\na 1h 2h": `x:2: "length 5h", expected one line`,
		"length 0s":                     `x:1: "length 0s", expected one line`,
		"length":                        `x:1: "length", expected one line`,
		"length 5h\na 1h 6h":            "the last session ends 6h0m0s after the beginning",
		"a 1h 3h\nb 1h 2h\na 2h 4h":     `x:3: node "a": the session from 2h0m0s begins before the one until 3h0m0s has ended`,
		"a 2h 4h\na 1h 3h":              `x:1: node "a": the session from 2h0m0s begins before`,
	} {
		_, err := ParseSessions("x", []byte(text))
		assert.ErrorContains(t, err, want, text)
		assert.ErrorIs(t, err, ErrSessions)
	}
	_, err := ParseSessions("x", make([]byte, maxTraceBytes+1))
	assert.ErrorContains(t, err, "bytes are more than")
	_, err = ParseSessions("x", []byte(strings.Repeat("a 0s 1s\n", maxTraceSessions+1)))
	assert.ErrorContains(t, err, "more than 1048576 sessions")
}

// FuzzParseSessions: in a record that is taken, stays and absences of any node are as long as the record together.
func FuzzParseSessions(f *testing.F) {
	text, err := os.ReadFile("testdata/sessions/small.sessions")
	require.NoError(f, err)
	f.Add(string(text), uint64(1), uint32(4))
	f.Add("a 0s 1ns\n", uint64(1), uint32(9))
	f.Add("a 0s 1h\na 1h 2h\n", uint64(2), uint32(1))
	f.Fuzz(func(t *testing.T, text string, seed uint64, p uint32) {
		trace, err := ParseSessions("f", []byte(text))
		if err != nil {
			require.ErrorIs(t, err, ErrSessions)
			return
		}
		up, left := trace.first(seed, kad.Peer(p))
		require.Positive(t, left)
		spans, _ := trace.of(seed, kad.Peer(p))
		if trace.always(spans) {
			require.True(t, up)
			return
		}
		require.LessOrEqual(t, left, trace.length)
		sum := kad.Duration(0)
		for n := range uint32(len(spans)) {
			stay, absence := trace.stay(seed, kad.Peer(p), n), trace.absence(seed, kad.Peer(p), n)
			require.Positive(t, stay)
			require.Positive(t, absence)
			sum += stay + absence
		}
		require.Equal(t, trace.length, sum)
	})
}
