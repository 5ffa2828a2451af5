package kadtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// A mistake in a script names its line, what was wrong and how the verb is used.
func TestScriptErrors(t *testing.T) {
	for script, want := range map[string]string{
		"bogus":                                              `line 1: "bogus": unknown verb "bogus"`,
		"nodes A\nconnect A":                                 `line 2: "connect A": two nodes wanted (usage: connect A B… (A dials each B))`,
		"nodes A A":                                          `node "A" is there already`,
		"nodes A k=x":                                        `k=x: a whole number wanted`,
		"nodes A k=300":                                      `K is 300`,
		"nodes A mode=both":                                  `no mode "both"`,
		"nodes A preset=new":                                 `no preset "new"`,
		"nodes A alhpa=3":                                    `unexpected alhpa=`,
		"nodes A=80":                                         `line 1: "nodes A=80": bits "80" of A: at most 20, each 0 or 1, wanted`,
		"nodes A=000000000000000000000":                      `at most 20`,
		"nodes A provide=soon":                               `provide=: a duration as 1h30m wanted, not "soon"`,
		"nodes A B\nconnect A B c=1":                         `line 2: "connect A B c=1": unexpected c=`,
		"nodes A\nop A get_record key=bits:2":                `bits "2" of key`,
		"nodes A\nop A get_record key=len:x":                 `key len:x: a length of 0 to 4194304 wanted`,
		"nodes A\nop A get_record key=len:-1":                `key len:-1: a length`,
		"nodes A\nop A get_closest_peers key=k n=few":        `n=few: a whole number wanted`,
		"nodes A\nop A finish query=one":                     `query=one: a whole number, not negative, wanted`,
		"nodes A\nop A accept request=-1":                    `request=-1: a whole number, not negative, wanted`,
		"nodes A\nop A set_mode mode=idle":                   `no mode "idle"`,
		"nodes A\ninput A connected peer=A conn=x":           `conn=x: a whole number, not negative, wanted`,
		"nodes A\ninput A query_error query=x":               `query=x: a whole number, not negative, wanted`,
		"nodes A B\nsend A B find_node key=bits:x":           `bits "x" of key`,
		"connect A B":                                        `no node "A"`,
		"disconnect A":                                       `two nodes wanted`,
		"know A":                                             `two nodes wanted`,
		"kill A":                                             `no node "A"`,
		"nodes A\nop A":                                      `a node and an operation wanted`,
		"nodes A\nop A dance":                                `no operation "dance"`,
		"nodes A\nop A get_record key=k quorum=few":          `quorum=few: a whole number wanted`,
		"nodes A\nop A put_record key=k value=bad":           `bad value`,
		"nodes A\nop A put_record key=k value=1 ttl=1parsec": `ttl=: a duration as 1h30m wanted, not "1parsec"`,
		"nodes A\nop A put_record_to key=k value=1:x to=B":   `no node "B"`,
		"nodes A\nop A bootstrap now":                        `unexpected "now"`,
		"nodes A\ninput A":                                   `a node and a hook wanted`,
		"nodes A\ninput A earthquake":                        `no hook "earthquake"`,
		"nodes A\nsend A":                                    `two nodes and a request wanted`,
		"nodes A\nsend A B ping":                             `no node "B"`,
		"nodes A B\nsend A B pong":                           `no request "pong"`,
		"deliver many":                                       `how many: "many": a whole number wanted`,
		"stabilize x":                                        `unexpected "x"`,
		"advance":                                            `a duration wanted`,
		"run soon":                                           `DURATION: a duration as 1h30m wanted, not "soon"`,
		"show nothing":                                       `a level wanted`,
	} {
		_, err := RunScript(script)
		require.ErrorContains(t, err, want, script)
	}
}

// What a script printed before is replaced; comments and empty lines stay.
func TestScriptOutput(t *testing.T) {
	got, err := RunScript("# a comment\nnodes A\n\ntable A\n----\nsomething old\nand more\n\nstore A\n----\n")
	require.NoError(t, err)
	require.Equal(t, "# a comment\nnodes A\n\ntable A\n----\nA knows nobody\n\nstore A\n----\nA stores nothing\n", got)
}

// With update, what a script prints is written into it; without, it must be there already.
func TestRunScripts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.txt")
	require.NoError(t, os.WriteFile(file, []byte("nodes A\ntable A\n----\n"), 0o644))
	RunScripts(t, filepath.Dir(file), true)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "nodes A\ntable A\n----\nA knows nobody\n", string(text))
	RunScripts(t, filepath.Dir(file), false)
}

// Lent memory is poisoned: whoever keeps it reads nonsense.
func TestPoison(t *testing.T) {
	in := kad.Input{Key: []byte("key"), Closer: []kad.PeerInfo{{ID: []byte("peer")}}}
	lent := lend(&in)
	kept, peers := in.Key, in.Closer
	require.Equal(t, []byte("key"), kept)
	lent.poison()
	require.Equal(t, []byte{0xAA, 0xAA, 0xAA}, kept)
	require.Equal(t, []byte("POISON"), peers[0].ID)
}
