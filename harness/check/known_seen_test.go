package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/check"
)

// What is another in the next run is not in a reason; what the clause is about is.
func TestReason(t *testing.T) {
	for _, c := range []struct {
		whys []string
		want string
	}{
		{[]string{"wanted PUT_VALUE, got reset"}, "wanted PUT_VALUE, got reset"},
		{[]string{"wanted FIND_NODE closerPeers=[A], got FIND_NODE closerPeers: A N (2); not wanted: N"},
			"wanted FIND_NODE closerPeers=[A], got FIND_NODE closerPeers: A N (2); not wanted: N"},
		{[]string{"wanted FIND_NODE, got FIND_NODE closerPeers: S30 S1 S28 … (19); missing: S34", "wanted FIND_NODE, got FIND_NODE closerPeers: S3 S2 S8 … (19); missing: S1 S2"},
			`/got FIND_NODE closerPeers: .+ \(19\); missing:/`},
		{[]string{"wanted ended, got FIND_NODE closerPeers: …XphWfp …hqJtHU (2)"}, `/got FIND_NODE closerPeers: .+ \(2\)/`},
		{[]string{`wanted x, got PUT_VALUE record: {timeReceived="2026-11-21T09:15:09.390640000Z" value=hex:08011220… (36 bytes)}`},
			`/got PUT_VALUE record: \{timeReceived=".+" value=.+ \(36 bytes\)\}/`},
		{[]string{"wanted x, got get_closest_peers: error=other (BinaryParseError: b'x' (y))"}, "/got get_closest_peers: error=other/"},
		{[]string{"wanted x, got (i=3) reset", "wanted x, got (i=4) reset"}, `/got .+ reset/`},
		{[]string{"wanted saw S1..S20 FIND_NODE key=@K, got (S11) nothing like it within 15s; to S11 came 1 dial"}, `/got \(.+\) nothing like it within 15s.+/`},
		{[]string{"wanted x, got PING", "wanted x, got reset"}, "/got/"},
	} {
		got := check.Reason(c.whys)
		require.Equal(t, c.want, got)
		// It foresees each of them.
		file, err := check.ReadKnown("k.toml", []byte("name='x'\n[[known]]\ncase='a/b'\nreason='''"+got+"'''\nlink='l'\nuntil=2126-01-01\n"))
		require.NoError(t, err)
		l := check.NewLedger("x", "", time.Now(), []*check.Known{file}, nil)
		for _, why := range c.whys {
			v, _ := l.Judge("a/b", "base", "fail", why)
			require.EqualValues(t, "xfail", v, why)
		}
	}
}
