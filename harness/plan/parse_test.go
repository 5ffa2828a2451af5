package plan_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

const head = "# P.\nid a/b\ncatalogue FN-05\nlevel info\n"

func parse(t testing.TB, src string) *plan.Plan {
	t.Helper()
	p, err := plan.Parse("a/b.plan", []byte(src))
	require.NoError(t, err)
	return p
}

func TestRange(t *testing.T) {
	names, err := plan.Range("S8..S11")
	require.NoError(t, err)
	assert.Equal(t, []string{"S8", "S9", "S10", "S11"}, names)
	names, err = plan.Range("S1..S1000")
	require.NoError(t, err)
	assert.Len(t, names, 1000)
	for _, bad := range []string{"S1..S1001", "S2..S1", "S1..T2", "S1..", "..", "1..2", "S01..S02", "", "a b", "S1..S99999999"} {
		_, err := plan.Range(bad)
		assert.Error(t, err, bad)
	}
}

// TestSides: a line with a range stands for each of its names, in step with the other range on the line.
func TestSides(t *testing.T) {
	p := parse(t, head+"peer T target\npeer A\npeer P1..P3\nopen p1..p3 P1..P3 -> T\nopen s1..s2 A -> T\nsend s1..s2 PING key=rand(4)\nseat A P1..P3 in T\n"+
		"want s1..s2 PING\nor s1..s2 eof why=\"ruling 1\"\n")
	assert.Equal(t, []plan.Stmt{plan.Open{Stream: "p1", From: "P1", To: "T"}, plan.Open{Stream: "p2", From: "P2", To: "T"},
		plan.Open{Stream: "p3", From: "P3", To: "T"}}, p.Script[0].Sides)
	assert.Equal(t, p.Script[0].Sides[0], p.Script[0].Stmt)
	assert.Equal(t, []string{"p1", "p2", "p3"}, p.Script[0].Names)
	assert.Equal(t, "A", p.Script[1].Sides[1].(plan.Open).From)
	send := p.Script[2].Sides
	assert.NotEqual(t, send[0].(plan.Send).Frame.Fields[0].Value.Label, send[1].(plan.Send).Frame.Fields[0].Value.Label)
	assert.Equal(t, plan.Seat{Peers: []string{"A", "P1", "P2", "P3"}, Target: "T"}, p.Script[3].Stmt)
	assert.Len(t, p.Script[3].Sides, 1)
	require.Len(t, p.Script[4].Alts, 1)
	assert.Len(t, p.Script[4].Alts[0].Sides, 2)
	assert.Equal(t, []string{"P1", "P2", "P3"}, p.Peers[2].Group)
}

// TestIterate: $i is put in names, values, texts, types and numbers; an inner loop keeps its own variable.
func TestIterate(t *testing.T) {
	p := parse(t, head+"peer T target\npeer A\neach i=1..3\n  open s$i A -> T\n  send s$i $i key=\"k $i $ij\" times=$i\n  each j=1..$i\n    want s$i PING key=$j clusterLevelRaw=$i\n")
	block, err := p.Script[0].Iterate(3)
	require.NoError(t, err)
	require.Len(t, block, 3)
	assert.Equal(t, "s3", block[0].Stmt.(plan.Open).Stream)
	send := block[1].Stmt.(plan.Send)
	assert.Equal(t, `s3 3 "k 3 $ij" 3`, strings.Join([]string{send.Stream, send.Frame.Type, send.Frame.Fields[0].Value.String(), "3"}, " "))
	assert.Equal(t, 3, send.Times)
	assert.Equal(t, plan.Each{Name: "j", From: 1, To: 3}, block[2].Stmt.(plan.EachLoop).Each)
	inner, err := block[2].Iterate(2)
	require.NoError(t, err)
	want := inner[0].Stmt.(plan.Want)
	assert.Equal(t, "s3", want.Stream)
	assert.Equal(t, "2 3", want.Expect.Match[0].Value.Text+" "+want.Expect.Match[1].Value.Text)
	assert.Equal(t, plan.OpEqual, want.Expect.Match[0].Op)
	assert.Equal(t, 11, inner[0].Pos.Line, "positions stay those of the file")

	first := p.Script[0].Block[1].Stmt.(plan.Send)
	assert.Equal(t, "s$i $i", first.Stream+" "+first.Frame.Type, "unbound, names stay as written")
	assert.Equal(t, plan.OpEqual, p.Script[0].Block[2].Block[0].Stmt.(plan.Want).Expect.Match[0].Op, "a loop's variable is no capture")
}

// TestBound: the header's loop reaches peers, lines and fixtures.
func TestBound(t *testing.T) {
	p := parse(t, head+"each i=2..4\npeer T target\npeer A\npeer S1..S$i serving\nopen s A -> T\nwant s PING\n-- f --\nPING key=\"$i\" patch $i ff length $i\n")
	assert.Len(t, p.Peers, 4)
	b, err := p.Bound(4)
	require.NoError(t, err)
	assert.Len(t, b.Peers, 6)
	fx := b.Fixtures["f"]
	assert.Equal(t, `PING key="4" patch 4 hex:ff length 4`, fx.Frame.String()+" "+fx.Changes[0].String()+" "+fx.Changes[1].String())
	plain := parse(t, head+"peer T target\npeer A\nopen s A -> T\nwant s PING\n")
	same, err := plain.Bound(9)
	require.NoError(t, err)
	assert.Same(t, plain, same)
}

func TestLevels(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"must", "must must must"}, {"amino=must base=info", "info must must"}, {"should amino=must", "should must should"},
		{"base=must", "must info info"}, {"defacto=may", "info info may"}, {"base=info amino=must defacto=should", "info must should"},
	} {
		p := parse(t, "id a/b\nlevel "+c.line+"\npeer T target\n")
		l := p.Header.Levels
		assert.Equal(t, c.want, l[0].String()+" "+l[1].String()+" "+l[2].String(), c.line)
	}
}

// TestNeeds: what the script shows that the target must offer is added to what is written.
func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		script string
		fresh  bool
		want   []string
	}{
		{"peer T target\n", false, nil},
		{"needs public\npeer T target mode=client expiry.provider=48h\n", true, []string{"public", "start:mode", "start:expiry.provider"}},
		{"peer T target\npeer A\nseat A in T\n", true, []string{"seat"}},
		{"peer T target\npeer A\nconnect A -> T\n", true, nil},
		{"peer T target\npeer A\nopen s A -> T\nsend s PING times=101\n", false, []string{"flood"}},
		{"peer T target\npeer A\nopen s1..s2 A -> T\nsend s1..s2 PING times=51\n", false, []string{"flood"}},
		{"peer T target\npeer A\nopen s A -> T\nsend s PING times=100\n", false, nil},
		{"peer T target\npeer A\nopen s A -> T\nraw s concat(rand(2MiB))\n", false, []string{"flood"}},
		{"peer T target\n-- f --\nPING closerPeers=repeat(20000,T)\n", false, []string{"flood"}},
	} {
		p := parse(t, head+c.script)
		assert.Equal(t, c.want, p.Header.Needs, c.script)
		assert.Equal(t, c.fresh, p.Fresh(), c.script)
	}
}

func TestLoad(t *testing.T) {
	good := "# P.\nid a/b\ncatalogue FN-05\nlevel info\npeer T target\npeer A\nopen s A -> T\nwant s PING\n"
	fsys := fstest.MapFS{
		"a/b.plan": {Data: []byte(good)},
		"a/c.plan": {Data: []byte(strings.Replace(good, "want s PING", "want t PING", 1))},
		"a/d.plan": {Data: bytes.Repeat([]byte("#\n"), 1<<20)},
	}
	p, err := plan.Load(fsys, "a/b.plan", "plans/")
	require.NoError(t, err)
	assert.Equal(t, "plans/a/b.plan", p.File)
	_, err = plan.Load(fsys, "a/c.plan", "plans/")
	require.ErrorIs(t, err, plan.ErrPlan)
	assert.Contains(t, err.Error(), "plans/a/c.plan:8: want: unknown stream \"t\"")
	_, err = plan.Load(fsys, "a/d.plan", "")
	assert.EqualError(t, err, "a/d.plan:1: the file has 2097152 bytes, 1048576 at most: make large values with rand() or repeat()")
	_, err = plan.Load(fsys, "a/none.plan", "")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestLimits: what multiplies is bounded, and says so rather than taking for ever.
func TestLimits(t *testing.T) {
	_, err := plan.Parse("a/b.plan", []byte(head+"peer T target\npeer A\n"+strings.Repeat("open s1..s1000 A -> T\n", 51)))
	require.ErrorIs(t, err, plan.ErrPlan)
	assert.Contains(t, err.Error(), "a/b.plan:57: open: the ranges of this plan stand for more than 50000 statements")

	var src strings.Builder
	src.WriteString(head + "peer T target\npeer A\nopen s A -> T\nraw s concat(@f60)\nwant s PING\n-- f0 --\n\"\"\n")
	for i := range 60 {
		fmt.Fprintf(&src, "-- f%d --\n[@f%d,@f%d]\n", i+1, i, i)
	}
	p := parse(t, src.String())
	assert.Empty(t, plan.Lint(p))
	_, err = plan.NewEvaluator(p, &world{}).Eval(p.Script[1].Stmt.(plan.Raw).Values[0])
	require.ErrorIs(t, err, plan.ErrPlan)
	assert.Contains(t, err.Error(), "concat: more than 1048576 entries")

	deep := head + "peer T target\n-- f --\n" + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n"
	_, err = plan.Parse("a/b.plan", []byte(deep))
	assert.ErrorContains(t, err, "brackets nest deeper than 32")
	_, err = plan.Parse("a/b.plan", []byte(head+strings.Repeat("half s\n", 5001)))
	assert.ErrorContains(t, err, "more than 5000 lines")
}

// TestCarriageReturns: a plan from another system parses to the same.
func TestCarriageReturns(t *testing.T) {
	src := head + "peer T target\npeer A\nopen s A -> T\nsend s PING\n  key=@f\nwant s PING\n-- f --\n\"x\"\n"
	assert.Equal(t, shape(t, "a/b.plan", []byte(src)), shape(t, "a/b.plan", []byte(strings.ReplaceAll(src, "\n", "\r\n"))))
}

// FuzzParse: nothing panics, and what parses is printed so that it parses to the same, once and for all.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.plan", "testdata/errors/*.txt", "../../plans/conformance/*/*.plan", "../../plans/sim/*.plan", "../../plans/load/*.plan", "../../plans/network/*.plan"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			src, err := os.ReadFile(file)
			require.NoError(f, err)
			for _, part := range strings.Split(string(src), "\n== ") {
				f.Add([]byte(part))
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			return
		}
		p, err := plan.Parse("a/b.plan", src)
		if err != nil {
			require.ErrorIs(t, err, plan.ErrPlan)
			return
		}
		_ = plan.Lint(p)
		_ = plan.Explain(p)
		once, err := plan.Format("a/b.plan", src)
		require.NoError(t, err)
		require.Equal(t, shape(t, "a/b.plan", src), shape(t, "a/b.plan", once), "%s", once)
		twice, err := plan.Format("a/b.plan", once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
		evaluateAll(p)
	})
}

// evaluateAll computes what a plan holds; an error is fine, a panic is not. Loops are entered once.
func evaluateAll(p *plan.Plan) {
	if e := p.Header.Each; e != nil {
		bound, err := p.Bound(e.To)
		if err != nil {
			return
		}
		p = bound
	}
	ev := plan.NewEvaluator(p, &world{})
	small := true
	for _, n := range p.Header.Needs {
		small = small && n != "flood"
	}
	if !small || bytes.Contains(p.Source, []byte("beside")) || bytes.Contains(p.Source, []byte("repeat")) {
		return // right, but slow
	}
	for name := range p.Fixtures {
		_, _ = ev.FixtureBytes(name)
	}
	p.All(func(l *plan.Line) {
		switch s := l.Stmt.(type) {
		case plan.Send:
			_, _ = ev.Encode(s.Frame)
		case plan.Let:
			_, _ = ev.Eval(s.Value)
		case plan.EachLoop:
			_, _ = l.Iterate(s.Each.To)
		}
	})
}
