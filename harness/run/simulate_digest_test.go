package run

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
)

func TestReadDigests(t *testing.T) {
	const text = "# what they are\n#\nsim/a 100 1 00000000000000aa\nsim/a 100 2 00000000000000ab\nsim/a 1000 1 00000000000000ac\nsim/b 10 1 00000000000000ad alpha=3 k=20\n"
	d, err := ReadDigests("d.txt", []byte(text))
	require.NoError(t, err)
	assert.Equal(t, text, string(d.Text()))
	mixed, err := ReadDigests("d.txt", []byte("# what they are\n#\nsim/b 10 1 AD00000000000000  alpha=3   k=20\n\n# a comment within\nsim/a 100 1 00000000000000aa\n"))
	require.NoError(t, err)
	assert.Equal(t, "# what they are\n#\nsim/a 100 1 00000000000000aa\nsim/b 10 1 ad00000000000000 alpha=3 k=20\n", string(mixed.Text()))
	for _, test := range []struct{ text, want string }{
		{"sim/a 100 1\n", "digests: d.txt:1: plan, nodes, seed and digest were expected"},
		{"\nsim/a many 1 00000000000000aa\n", "digests: d.txt:2: two numbers and 16 hexadecimal digits were expected after the plan"},
		{"sim/a 1 1 aa\n", "digests: d.txt:1: two numbers and 16 hexadecimal digits were expected after the plan"},
		{"sim/a 1 1 00000000000000zz\n", "digests: d.txt:1: two numbers and 16 hexadecimal digits were expected after the plan"},
		{"sim/a 1 1 00000000000000aa\nsim/a 1 1 00000000000000ab\n", "digests: d.txt:2: sim/a stands twice with these nodes and this seed"},
	} {
		_, err := ReadDigests("d.txt", []byte(test.text))
		require.ErrorIs(t, err, ErrDigests)
		assert.EqualError(t, err, test.want)
	}
	_, err = CarriedDigests()
	assert.NoError(t, err)
}

func FuzzReadDigests(f *testing.F) {
	f.Add([]byte("# x\nsim/a 100 1 00000000000000aa alpha=3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ReadDigests("d.txt", text)
		if err != nil {
			return
		}
		again, err := ReadDigests("d.txt", d.Text())
		require.NoError(t, err)
		assert.Equal(t, d.known, again.known)
	})
}

// TestDigestNeeds: a digest is compared with the suite's list, with that in the plan, or with the lines of a fixture, and only
// if the run was what the plan says.
func TestDigestNeeds(t *testing.T) {
	world := fakeWorlds(func(cfg sim.Config, r *sim.Result) error { r.Digest = 0xaa + uint64(cfg.Kad.Alpha); return nil })
	list, err := ReadDigests("d.txt", []byte("sim/x 10 1 00000000000000ab alpha=1\nsim/x 10 1 00000000000000ff alpha=2\n"))
	require.NoError(t, err)
	const head = "id sim/x\nworld sim nodes=10 seed=1\nload lookup count=1\nsweep alpha=1,2,3\n"
	other := uint64(9)
	for _, test := range []struct {
		name, need string
		c          SimConfig
		want       []record.Verdict
		why        string // of the last
	}{
		{"list", "need digest=@fixtures\n", SimConfig{}, []record.Verdict{record.Pass, record.Fail, record.Skipped}, "none is known for 10 nodes and seed 1"},
		{"list, other nodes", "need digest=@fixtures\n", SimConfig{Nodes: 20}, []record.Verdict{record.Skipped, record.Skipped, record.Skipped}, "none is known for 20 nodes and seed 1"},
		{"list, another time", "need digest=@fixtures\n", SimConfig{For: 1}, []record.Verdict{record.Skipped, record.Skipped, record.Skipped}, "--for changes what happens"},
		{"written", "need digest=00000000000000ac\n", SimConfig{}, []record.Verdict{record.Fail, record.Pass, record.Fail}, "00000000000000ac was expected, of the same nodes, seed and point"},
		{"written, another seed", "need digest=00000000000000ac\n", SimConfig{Seed: &other}, []record.Verdict{record.Skipped, record.Skipped, record.Skipped}, "the plan's is of other nodes or another seed"},
		{"fixture", "need digest=@mine\n-- mine --\n00000000000000ab\n00000000000000ac\n00000000000000ad\n", SimConfig{}, []record.Verdict{record.Pass, record.Pass, record.Pass}, ""},
		{"fixture of that name", "need digest=@fixtures\n-- fixtures --\n00000000000000ab\n00000000000000ac\n00000000000000ae\n", SimConfig{}, []record.Verdict{record.Pass, record.Pass, record.Fail}, "00000000000000ae was expected, of the same nodes, seed and point"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.c.Plans, test.c.Digests, test.c.world = []*plan.Plan{simulationOf(t, head+test.need)}, list, world
			report, _ := Simulate(t.Context(), test.c)
			var got []record.Verdict
			for _, r := range report.Runs {
				require.Len(t, r.Needs, 1)
				got = append(got, r.Needs[0].Verdict)
			}
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.why, report.Runs[2].Needs[0].Why)
			assert.Equal(t, "digest 00000000000000ad", report.Runs[2].Needs[0].Got)
		})
	}

	c := SimConfig{Plans: []*plan.Plan{simulationOf(t, head+"need digest=@fixtures\n")}, Digests: list, Record: true, world: world}
	_, err = Simulate(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, "sim/x 10 1 00000000000000ab alpha=1\nsim/x 10 1 00000000000000ac alpha=2\nsim/x 10 1 00000000000000ad alpha=3\n", string(list.Text()))
}
