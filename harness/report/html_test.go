package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/record"
)

// options are what the command hands in: two cases of which one is described, and the clauses.
func options() Options {
	return Options{
		Cases: []Case{{
			ID: "find-node/nearest", Prose: "A server returns the nearest. All of them.", Levels: map[string]string{"base": "must", "amino": "should", "defacto": "info"},
			Clauses: []Citation{{At: "libp2p-kad L490-L492", Demand: "the k closest", Link: "https://example.org/spec#L490"}},
			File:    "plans/conformance/find-node/nearest.plan", Source: strings.Repeat("# a line\n", 8) + "want   s FIND_NODE closerPeers=nearest(20,@K,S1..S30)\n", Words: "Who takes part:\n",
		}},
		Clauses: []Clause{
			{Citation: Citation{At: "libp2p-kad L490-L492", Demand: "the k closest"}, Level: "must", Cases: []string{"find-node/nearest"}},
			{Citation: Citation{At: "libp2p-kad L500", Demand: "something nobody can see"}, Level: "may", Reason: "it leaves no trace"},
		},
		Annotate: func(frame []byte) (fields []Field) {
			for _, r := range check.Annotate(frame, true) {
				f := Field{Offset: r.Offset, Len: r.Len, Head: r.Head, Depth: r.Depth, Path: r.Path, Text: r.Text, Nested: r.Nested}
				if r.Err != nil {
					f.Err = r.Err.Error()
				}
				fields = append(fields, f)
			}
			return fields
		},
	}
}

func render(t *testing.T, l *Log, o Options) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, l, o))
	return b.String()
}

// unpack is the packed data of a case.
func unpack(t *testing.T, page string, number int) (c packedCase) {
	t.Helper()
	_, rest, ok := strings.Cut(page, fmt.Sprintf(`<script type="text/plain" id="x%d">`, number))
	require.True(t, ok)
	text, _, _ := strings.Cut(rest, "</script>")
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(&c))
	return c
}

// The page is one file: nothing in it is fetched, no text of a peer is markup, and every script is ours.
func TestPageStandsAlone(t *testing.T) {
	page := render(t, runs(t), options())
	standsAlone(t, page, `<script type="application/json" id="data">`, `<script type="text/plain" id="x0">`, `<script type="text/plain" id="x1">`,
		`<script type="text/plain" id="x2">`, `<script>`)
}

// standsAlone holds for every page; its scripts are those.
func standsAlone(t *testing.T, page string, scripts ...string) {
	t.Helper()
	assert.NotRegexp(t, `(?i)(src|srcset|action|data)\s*=\s*["']?(https?:)?//`, page)
	assert.NotRegexp(t, `(?i)@import|url\(`, page)
	assert.Equal(t, 1, strings.Count(page, "<link "), "the icon, which is empty")
	assert.NotContains(t, page, "<img", "a peer's")
	assert.NotContains(t, page, "\u202e")
	assert.NotContains(t, page, "\x1b")
	tags := regexp.MustCompile(`(?i)<script\b[^>]*>`).FindAllString(page, -1)
	assert.Equal(t, scripts, tags)
	assert.Equal(t, len(tags), strings.Count(strings.ToLower(page), "</script"))
	assert.Equal(t, strings.Count(page, "<"+"script>"), 1, "the policy names it by its digest")
	_, script, _ := strings.Cut(page, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	assert.Contains(t, page, "default-src &#39;none&#39;; ")
	assert.Contains(t, page, "script-src &#39;"+strings.ReplaceAll(digest(script), "+", "&#43;")+"&#39;")
	assert.Contains(t, page, "style-src &#39;"+strings.ReplaceAll(digest(style), "+", "&#43;")+"&#39;")
	for _, unsafe := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "XMLHttpRequest", "import("} {
		assert.NotContains(t, script, unsafe)
	}
}

// The matrix stands in the page as a table: whoever has no JavaScript reads it.
func TestPageHasTheMatrixAsATable(t *testing.T) {
	page := render(t, load(t), Options{})
	assert.Contains(t, page, `<th scope="row"><a href="#case/ping/echo">echo</a>`)
	assert.Contains(t, page, `<span class="v xfail in-base" title="js answers nothing to PING: libp2p/js-libp2p#1">xfail</span><span class="v xpass in-amino"`)
	assert.Contains(t, page, `<span class="v none in-amino">–</span>`)
	assert.Contains(t, page, `<input type="radio" name="profile" value="base" id="p-base" checked>`)
	assert.Contains(t, page, `<noscript>`)
	assert.Contains(t, page, `<p class="note">Note: known/js.toml:4: ping/echo: the entry expired on 2026-01-01</p>`)
	assert.Contains(t, render(t, load(t), Options{Profile: "amino"}), `id="p-amino" checked>`)
}

// What went over the streams of a case, packed: events in order, frames once, the bytes of a failure marked, ids named.
func TestExchanges(t *testing.T) {
	l := runs(t)
	page := render(t, l, options())
	c := unpack(t, page, 0)
	assert.Contains(t, c.Source, "want   s FIND_NODE")
	require.Len(t, c.Exchanges, 3)
	one := c.Exchanges[0]
	assert.Equal(t, []string{"base", "amino", "defacto"}, one.Profiles)
	require.Len(t, one.Events, 4)
	assert.Equal(t, packedEvent{At: 10, Kind: "stream", Peer: "A", Stream: "s", Event: "opened", Text: "/ipfs/kad/1.0.0"}, one.Events[0])
	assert.Equal(t, "plans/conformance/find-node/nearest.plan:8", one.Events[1].Line)
	assert.Equal(t, record.Sent, one.Events[1].Dir)
	reply := one.Events[2]
	assert.Equal(t, []int{17, 22}, reply.Mark, "the entry in question")
	f := c.Frames[*reply.Frame]
	assert.Equal(t, "FIND_NODE key closerPeers×2", f.Title)
	assert.Equal(t, 22, f.Size)
	assert.Equal(t, *one.Events[1].Frame, *c.Exchanges[1].Events[0].Frame, "equal frames are kept once")

	hostile := c.Exchanges[2]
	cut := c.Frames[*hostile.Events[1].Frame]
	assert.Equal(t, 4194305, cut.Size)
	for _, row := range cut.Fields {
		assert.Len(t, row, 6, "where the log cuts a frame, the peer is not to blame: %v", row)
	}
	bad := c.Frames[*hostile.Events[0].Frame]
	assert.Contains(t, fmt.Sprint(bad.Fields), "unexpected EOF", "a fault of the peer's is told")

	lookup := unpack(t, page, 1)
	require.Len(t, lookup.Exchanges, 1)
	var kinds []string
	for _, e := range lookup.Exchanges[0].Events {
		kinds = append(kinds, e.Kind+" "+e.Peer+e.Stream)
	}
	assert.Equal(t, []string{"operation q", "frame S11", "frame S11", "operation q"}, kinds)
}

// A frame in a line: the peers in it by the names of the plan.
func TestTitleOfAFrame(t *testing.T) {
	fields := []Field{{Path: "length", Text: "9"}, {Path: "type", Text: "FIND_NODE (4)"}, {Path: "key", Text: "abc"}}
	peers := map[string]string{}
	for i := range 3 {
		peers[fmt.Sprintf("id%d", i)] = fmt.Sprintf("S%d", i+1)
		fields = append(fields, Field{Path: fmt.Sprintf("closerPeers[%d]", i), Nested: true}, Field{Path: fmt.Sprintf("closerPeers[%d].id", i), Text: fmt.Sprintf("id%d", i), Depth: 1})
	}
	assert.Equal(t, "FIND_NODE key closerPeers×3 (S1 S2 S3)", title(fields, peers))
	assert.Equal(t, "FIND_NODE key closerPeers×3", title(fields, nil))
	for i := 3; i < 20; i++ {
		peers[fmt.Sprintf("id%d", i)] = fmt.Sprintf("S%d", i+1)
		fields = append(fields, Field{Path: fmt.Sprintf("closerPeers[%d]", i), Nested: true}, Field{Path: fmt.Sprintf("closerPeers[%d].id", i), Text: fmt.Sprintf("id%d", i), Depth: 1})
	}
	assert.Equal(t, "FIND_NODE key closerPeers×20 (S1 S2 S3 S4 S5 S6 S7 S8 …)", title(fields, peers))
	assert.Equal(t, "FIND_NODE ! cut short", title([]Field{{Path: "type", Text: "FIND_NODE (4)"}, {Path: "key", Err: "cut short"}}, nil))
}

// A target that runs once for each profile has an exchange in each; those are kept that tell something.
func TestWhichExchangesAreKept(t *testing.T) {
	l := &Log{Targets: []Target{{Name: "t"}}}
	found := map[place]*exchange{}
	for profile, v := range map[string]record.Verdict{"base": record.Pass, "amino": record.Fail, "defacto": record.Pass} {
		l.Results = append(l.Results, Result{Result: record.Result{Target: "t", Case: "a/b", Profile: profile, Verdict: v}, Detail: record.Detail{Failure: map[bool]*record.Failure{true: {}}[v == record.Fail]}})
		found[place{"a/b", "t", profile}] = &exchange{}
	}
	var kept []string
	for _, run := range l.told("a/b", l.Targets[0], found, Options{Profile: "base"}) {
		kept = append(kept, strings.Join(run.profiles, " "))
	}
	assert.Equal(t, []string{"base", "amino"}, kept)
}

// A long exchange keeps its first and its last events, a long frame its first bytes, and both say so.
func TestLongExchanges(t *testing.T) {
	dir := t.TempDir()
	w, err := record.Create(dir, record.Run{Targets: map[string]string{"t": "ref:"}})
	require.NoError(t, err)
	at := func(e record.Entry) record.Entry { e.Target, e.Case = "t", "a/b"; return e }
	for _, round := range []int{1, 3} { // the run before the last one is not kept
		w.Write(at(record.Entry{Type: record.TypeCase, Event: "begin"}))
		for i := range 500 * round {
			w.Write(at(record.Entry{Type: record.TypeFrame, Stream: fmt.Sprint(i), Dir: record.Sent, Bytes: bytes.Repeat([]byte{1}, 5000)}))
		}
		w.Write(at(record.Entry{Type: record.TypeCase, Event: "end"}))
	}
	w.Result(record.Result{Target: "t", Case: "a/b", Profile: "base", Verdict: record.Pass})
	require.NoError(t, w.Close(record.Summary{Passed: 1, Profile: "base"}))
	l, err := Load(dir)
	require.NoError(t, err)
	x := unpack(t, render(t, l, options()), 0)
	one := x.Exchanges[0]
	assert.Len(t, one.Events, maxHead+maxTail)
	assert.Equal(t, 1500-maxHead-maxTail, one.Left)
	assert.Equal(t, 2, one.Rounds)
	assert.Equal(t, "0", one.Events[0].Stream)
	assert.Equal(t, "1499", one.Events[maxHead+maxTail-1].Stream)
	require.Len(t, x.Frames, 1)
	assert.Len(t, x.Frames[0].Hex, 2*maxFrame)
	assert.Equal(t, 5000, x.Frames[0].Size)
	assert.LessOrEqual(t, len(x.Frames[0].Fields), maxFields)
	assert.NotZero(t, x.Frames[0].Left)
}

// A run of 240 cases against 5 targets makes a page of a few MB: of the larger replies that are usual, each different.
func TestSizeOfThePage(t *testing.T) {
	dir := t.TempDir()
	w, err := record.Create(dir, record.Run{})
	require.NoError(t, err)
	targets := []string{"ref", "go", "js", "rust", "py"}
	for i := range 240 {
		for j, name := range targets {
			at := func(e record.Entry) record.Entry { e.Target, e.Case = name, fmt.Sprintf("area/case-%d", i); return e }
			w.Write(at(record.Entry{Type: record.TypeCase, Event: "begin"}))
			for range 2 {
				w.Write(at(record.Entry{Type: record.TypeFrame, Dir: record.Received, Bytes: reply20(i*len(targets) + j)}))
			}
			w.Write(at(record.Entry{Type: record.TypeCase, Event: "end"}))
			for _, p := range profiles {
				w.Result(record.Result{Target: name, Case: fmt.Sprintf("area/case-%d", i), Profile: p, Level: "must", Verdict: record.Pass})
			}
		}
	}
	require.NoError(t, w.Close(record.Summary{}))
	l, err := Load(dir)
	require.NoError(t, err)
	size := len(render(t, l, options()))
	t.Logf("%d KiB", size>>10)
	assert.Less(t, size, 6<<20)
}

// reply20 is a FIND_NODE with 20 peers: their ids are those of the case, their ports those of the run.
func reply20(seed int) []byte {
	body := []byte{8, 4}
	for i := range 20 {
		id := make([]byte, 38)
		copy(id, []byte{0, 36, 8, 1, 18, 32})
		for k := range 32 {
			id[6+k] = byte((seed/5+1)*(i+7)*(k*k+11) + (seed/5)>>3)
		}
		peer := append([]byte{10, 38}, id...)
		peer = append(peer, 18, 8, 4, 127, 0, 0, 1, 6, byte(seed), byte(i))
		body = append(append(body, 66, byte(len(peer))), peer...)
	}
	return append([]byte{byte(len(body)&127 | 128), byte(len(body) >> 7)}, body...)
}

// A failure's bytes are looked for from the end, among what came, and only if they are enough to be no chance.
func TestMarkedBytes(t *testing.T) {
	entries := []record.Entry{
		{Type: record.TypeFrame, Dir: record.Received, Bytes: []byte{0, 1, 2, 3, 4, 5}, Stream: "S1#1"},
		{Type: record.TypeFrame, Dir: record.Received, Bytes: []byte{9, 9, 1, 2, 3, 4, 5, 6, 7}, Line: "x.plan:3"},
		{Type: record.TypeFrame, Dir: record.Sent, Bytes: []byte{1, 2, 3, 4}},
	}
	for _, test := range []struct {
		f    record.Failure
		at   int
		mark []int
	}{
		{record.Failure{Bytes: hex.EncodeToString([]byte{1, 2, 3, 4})}, 1, []int{2, 6}},
		{record.Failure{Bytes: "01 02 03 04 …", Where: "first of addrs, bytes 1–6"}, 1, []int{2, 8}},
		{record.Failure{Bytes: "01 02 03 04", Where: "bytes 1–6000"}, 1, []int{2, 9}},
		{record.Failure{Bytes: "01 02 03"}, 0, nil},
		{record.Failure{Bytes: "01 02 03 04 …", Where: "to S1, stream S1#1"}, 0, []int{1, 5}},
		{record.Failure{Bytes: "rubbish", Line: "x.plan:3"}, 1, []int{0, 0}},
		{record.Failure{Bytes: "05 06 07 08"}, 0, nil},
	} {
		at, mark := marked(entries, &test.f)
		assert.Equal(t, test.mark, mark, "%+v", test.f)
		assert.Equal(t, test.at, at)
	}
}

// A log without its inputs, and one that breaks off, still make a page.
func TestPageOfABareLog(t *testing.T) {
	page := render(t, runs(t), Options{})
	assert.Contains(t, page, `<p class="note">Note: the run did not end</p>`)
	assert.Empty(t, unpack(t, page, 0).Source)
	assert.NotEmpty(t, unpack(t, page, 0).Frames[0].Hex)
	path := filepath.Join(t.TempDir(), "empty.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"type":"run","run":{}}`+"\n"), 0o644))
	l, err := Load(path)
	require.NoError(t, err)
	assert.Contains(t, render(t, l, Options{}), "no target")
}
