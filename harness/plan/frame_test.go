package plan_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFrames holds what frames in words are on the wire, the length before them included. IDS in the wanted bytes stands
// for A's id with its tag and length, ADDR for its address.
func TestFrames(t *testing.T) {
	a := id(t, "A")
	ids := "0a26" + hex.EncodeToString(a)
	addr := "1208047f000001060fa1"
	for _, c := range []struct{ frame, want string }{
		{`PING`, "02 08 05"},
		{`PUT_VALUE`, "02 08 00"}, // the default is written too: - leaves it out
		{`- key="k"`, "03 12 01 6b"},
		{`-`, "00"},
		{`99 key=""`, "04 08 63 12 00"},
		{`-1 key=""`, "0d 08 ffffffffffffffffff01 12 00"},
		{`FIND_NODE key="a" key="b"`, "08 08 04 12 01 61 12 01 62"},
		{`- key="a" type=FIND_NODE`, "05 12 01 61 08 04"},
		{`PING clusterLevelRaw=-1`, "0d 08 05 50 ffffffffffffffffff01"},
		{`PING 99:0=7`, "05 08 05 98 06 07"},
		{`PING 99:1=7`, "0c 08 05 99 06 0700000000000000"},
		{`PING 99:2="x"`, "06 08 05 9a 06 01 78"},
		{`PING 99:2={1:0=1}`, "07 08 05 9a 06 02 08 01"},
		{`PING 99:3={1:0=1}`, "08 08 05 9b 06 08 01 9c 06"},
		{`PING 99:4=""`, "04 08 05 9c 06"},
		{`PING 99:5=7`, "08 08 05 9d 06 07000000"},
		{`PING 9:6=""`, "03 08 05 4e"},
		{`PING 2:0=5`, "04 08 05 10 05"},
		{`PUT_VALUE record={value="v" key="k" 666:2="p" ttl=5}`, "11 08 00 1a 0d 12 01 76 0a 01 6b d2 29 01 70 c8 30 05"},
		{`PUT_VALUE record={key="k"} record={value="v"}`, "0c 08 00 1a 03 0a 01 6b 1a 03 12 01 76"},
		{`PUT_VALUE record=hex:0a016b`, "07 08 00 1a 03 0a 01 6b"},
		{`PING closerPeers=[A]`, "36 08 05 42 32 IDS ADDR"},
		{`PING providerPeers=[A,A{addrs=[] connection=9}]`, "62 08 05 4a 32 IDS ADDR 4a 2a IDS 18 09"},
		{`PING providerPeers=A{id=hex:01 addrs=[hex:ff,/ip4/1.2.3.4/tcp/1] connection=CONNECTED 4:2="x"}`,
			"19 08 05 4a 15 0a 01 01 12 01 ff 12 08 040102030406 0001 18 01 22 01 78"},
		{`PING providerPeers={id=hex:01}`, "07 08 05 4a 03 0a 01 01"},
		{`PING closerPeers=[]`, "02 08 05"},
		{"FIND_NODE key=hex:0102\npatch 2 ff", "06 08 04 ff 02 01 02"},
		{"FIND_NODE key=hex:0102\ncut 1", "05 08 04 12 02 01"},
		{"FIND_NODE key=hex:0102 cut 1 append hex:00ff", "07 08 04 12 02 01 00 ff"},
		{"FIND_NODE key=hex:0102\nlength 4194305", "81808002 08 04 12 02 01 02"},
		{"PING length 4611686018427387904", "808080808080808040 08 05"},
	} {
		want := strings.NewReplacer("IDS", ids, "ADDR", addr, " ", "").Replace(c.want)
		ev, p := evaluator(t, &world{}, "f: "+c.frame)
		got, err := ev.FixtureBytes("f")
		require.NoError(t, err, c.frame)
		assert.Equal(t, want, hex.EncodeToString(got), c.frame)
		if len(p.Fixtures["f"].Changes) == 0 {
			whole, err := ev.EncodeFrame(*p.Fixtures["f"].Frame)
			require.NoError(t, err, c.frame)
			assert.Equal(t, want, hex.EncodeToString(whole), c.frame)
		}
	}
}
