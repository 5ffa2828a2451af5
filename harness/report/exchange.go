package report

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// Limits of the exchanges in an HTML report. A case of a thousand requests, or one of 4 MiB frames, says what it says in
// its first and last ones; the log has the rest. A lookup that asks 40 peers has 160 events.
const (
	maxHead   = 150      // events at the beginning of a run
	maxTail   = 50       // events at its end
	maxFrame  = 4 << 10  // bytes of a frame: a reply of 20 peers has about 1,100, with three addresses each 2,000
	maxFields = 400      // of a frame: such a reply has about 100
	maxCell   = 400      // bytes of what a field says
	maxGather = 64 << 20 // bytes of all frames of a log together, before they are packed: 1,200 exchanges of 50 KB
)

// exchange is what a case and a target said to each other in one run, in order.
type exchange struct {
	began  int64
	rounds int // runs of the case since the last verdict, this one included
	judged bool
	peers  map[string]string // names by peer id
	head   []record.Entry
	tail   []record.Entry
	left   int // between the two
}

// add keeps an entry, or counts it. room is how many bytes may be kept; add returns how many more are.
func (x *exchange) add(e record.Entry, room int) (kept int) {
	if e.Size == 0 {
		e.Size = len(e.Bytes)
	}
	e.Bytes = slices.Clone(e.Bytes[:max(0, min(len(e.Bytes), maxFrame, room))])
	kept = len(e.Bytes)
	if len(x.head) < maxHead {
		x.head = append(x.head, e)
		return kept
	}
	if len(x.tail) == maxTail {
		kept -= len(x.tail[0].Bytes)
		x.tail = slices.Delete(x.tail, 0, 1)
		x.left++
	}
	x.tail = append(x.tail, e)
	return kept
}

// bytes is how many bytes of frames it keeps.
func (x *exchange) bytes() (n int) {
	for _, e := range slices.Concat(x.head, x.tail) {
		n += len(e.Bytes)
	}
	return n
}

// exchanges reads the logs once more, for what Load leaves out: the last run of each case before its verdict, by its
// place in the matrix. Verdicts of several profiles may share one.
func (l *Log) exchanges() (map[place]*exchange, error) {
	found := make(map[place]*exchange)
	for i, part := range l.parts() {
		named := make(map[string]string)
		for _, t := range l.Targets {
			if t.Run == i {
				named[orElse(t.As, t.Name)] = t.Name
			}
		}
		if err := gather(part.Path, named, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func gather(path string, named map[string]string, found map[place]*exchange) error {
	r, err := record.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	running := make(map[place]*exchange)
	kept := 0
	for e, err := range r.Entries() {
		if err != nil {
			return err
		}
		at := place{id: e.Case, target: named[e.Target]}
		x := running[at]
		switch {
		case e.Type == record.TypeCase && e.Event == "begin":
			next := &exchange{began: e.At, rounds: 1}
			if x != nil && !x.judged {
				next.rounds = x.rounds + 1
				kept -= x.bytes()
			}
			running[at] = next
		case e.Type == record.TypeResult && x != nil:
			x.judged = true
			found[place{e.Case, at.target, e.Result.Profile}] = x
		case x == nil:
		case e.Type == record.TypePeers:
			x.peers = make(map[string]string, len(e.Peers))
			for name, id := range e.Peers {
				x.peers[id] = name
			}
		case e.Type == record.TypeFrame, e.Type == record.TypeStream, e.Type == record.TypeOperation, e.Type == record.TypeNote:
			kept += x.add(e, maxGather-kept)
		}
	}
	return nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// The packed form of a case: what its view shows beside the verdicts. Keys are short, since there are many of them.
type (
	packedCase struct {
		Source    string           `json:"source,omitempty"`
		Words     string           `json:"words,omitempty"`
		Frames    []packedFrame    `json:"frames,omitempty"`
		Exchanges []packedExchange `json:"exchanges,omitempty"`
	}
	packedExchange struct {
		Target   int           `json:"target"`
		Profiles []string      `json:"profiles"`
		Rounds   int           `json:"rounds,omitempty"` // where there was more than one
		Events   []packedEvent `json:"events"`
		Left     int           `json:"left,omitempty"` // events that are not kept, behind the first maxHead
	}
	packedEvent struct {
		At      int64  `json:"at"` // microseconds since the case began
		Kind    string `json:"k"`
		Dir     string `json:"d,omitempty"`
		Peer    string `json:"p,omitempty"`
		Stream  string `json:"s,omitempty"`
		Line    string `json:"l,omitempty"`
		Event   string `json:"e,omitempty"`
		Text    string `json:"x,omitempty"`
		Attempt int    `json:"a,omitempty"`
		Frame   *int   `json:"f,omitempty"` // in Frames
		Mark    []int  `json:"m,omitempty"` // from, to: the bytes that a failure is about
	}
	packedFrame struct {
		Hex    string  `json:"h"`
		Size   int     `json:"n"`
		Title  string  `json:"t,omitempty"`
		Fields [][]any `json:"r,omitempty"` // offset, length, head, depth, path, text, error
		Left   int     `json:"left,omitempty"`
	}
)

// packer turns the exchanges of one case into their packed form; equal frames are kept once.
type packer struct {
	options Options
	out     packedCase
	seen    map[string]int
}

func (p *packer) exchange(x *exchange, target int, profiles []string, failures []*record.Failure) {
	one := packedExchange{Target: target, Profiles: profiles, Left: x.left, Events: []packedEvent{}}
	if x.rounds > 1 {
		one.Rounds = x.rounds
	}
	entries := slices.Concat(x.head, x.tail)
	marks := make(map[int][]int)
	for _, f := range failures {
		if i, m := marked(entries, f); m != nil {
			marks[i] = m
		}
	}
	for i, e := range entries {
		v := packedEvent{At: max(0, e.At-x.began), Kind: e.Type, Dir: e.Dir, Peer: Clean(e.Peer), Stream: Clean(e.Stream),
			Line: Clean(e.Line), Event: Clean(e.Event), Text: short(Clean(e.Text)), Attempt: e.Attempt, Mark: marks[i]}
		if len(e.Bytes) > 0 || e.Type == record.TypeFrame {
			n := p.frame(e, x.peers)
			v.Frame = &n
		}
		one.Events = append(one.Events, v)
	}
	p.out.Exchanges = append(p.out.Exchanges, one)
}

// frame keeps a frame with what it says, and returns its number.
func (p *packer) frame(e record.Entry, peers map[string]string) int {
	key := fmt.Sprintf("%d %s", e.Size, e.Bytes)
	if n, ok := p.seen[key]; ok {
		return n
	}
	f := packedFrame{Hex: hex.EncodeToString(e.Bytes), Size: e.Size}
	if p.options.Annotate != nil && len(e.Bytes) > 0 {
		fields := p.options.Annotate(e.Bytes)
		if e.Size > len(e.Bytes) {
			forgive(fields, e)
		}
		for i, r := range fields {
			if i == maxFields {
				f.Left = len(fields) - i
				break
			}
			text := Clean(r.Text)
			for _, word := range strings.Fields(r.Text) {
				if name := peers[word]; name != "" {
					text += " = " + Clean(name)
				}
			}
			row := []any{r.Offset, r.Len, r.Head, r.Depth, short(Clean(r.Path)), short(text)}
			if r.Err != "" {
				row = append(row, Clean(r.Err))
			}
			f.Fields = append(f.Fields, row)
		}
		f.Title = title(fields, peers)
	}
	n := len(p.out.Frames)
	p.out.Frames = append(p.out.Frames, f)
	p.seen[key] = n
	return n
}

// forgive takes back the faults that a frame has only because it was cut, by the log or here.
func forgive(fields []Field, e record.Entry) {
	for i, f := range fields {
		if f.Err != "" && (f.Path == "length" || f.Offset+f.Len >= len(e.Bytes)) {
			fields[i].Err = ""
			fields[i].Text += fmt.Sprintf(" (%d of %d bytes are kept)", len(e.Bytes), e.Size)
		}
	}
}

// maxNames is how many peers of a list the title of a frame names.
const maxNames = 8

// title is a message in a few words: its type, its key, how many peers are in it, and the first of them by their names.
func title(fields []Field, peers map[string]string) string {
	var parts []string
	count, named := map[string]int{}, map[string][]string{}
	for _, f := range fields {
		if list, rest, _ := strings.Cut(f.Path, "["); strings.HasSuffix(rest, "].id") {
			if name := peers[f.Text]; name != "" {
				named[list] = append(named[list], Clean(name))
			}
		}
		switch {
		case f.Err != "":
			parts = append(parts, "! "+Clean(f.Err))
		case f.Path == "type":
			name, _, _ := strings.Cut(f.Text, " ")
			parts = append(parts, Clean(name))
		case f.Depth == 0 && f.Path == "key", f.Depth == 0 && f.Path == "record":
			parts = append(parts, f.Path)
		case f.Depth == 0 && strings.HasSuffix(f.Path, "]"):
			name, _, _ := strings.Cut(f.Path, "[")
			if count[name]++; count[name] == 1 {
				parts = append(parts, name+"×")
			}
		}
	}
	for i, part := range parts {
		if name, ok := strings.CutSuffix(part, "×"); ok {
			parts[i] = fmt.Sprintf("%s×%d", name, count[name])
			if names := named[name]; len(names) > maxNames {
				parts[i] += fmt.Sprintf(" (%s …)", strings.Join(names[:maxNames], " "))
			} else if len(names) > 0 {
				parts[i] += fmt.Sprintf(" (%s)", strings.Join(names, " "))
			}
		}
	}
	return short(strings.Join(parts[:min(len(parts), 8)], " "))
}

// marked finds what a failure is about in what came last: the number of the entry, and from where to where in its bytes
// (0, 0: nowhere in particular).
func marked(entries []record.Entry, f *record.Failure) (int, []int) {
	if i, m := markedBytes(entries, f); m != nil {
		return i, m
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Dir != record.Sent && entries[i].Line != "" && entries[i].Line == f.Line {
			return i, []int{0, 0}
		}
	}
	return 0, nil
}

func markedBytes(entries []record.Entry, f *record.Failure) (int, []int) {
	digits, _, _ := strings.Cut(f.Bytes, "…")
	want, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
	if err != nil || len(want) < 4 { // fewer bytes stand in many places by chance
		return 0, nil
	}
	length := len(want)
	if _, where, ok := strings.Cut(f.Where, "bytes "); ok {
		var from, to int
		if n, _ := fmt.Sscanf(where, "%d–%d", &from, &to); n == 2 && to > from {
			length = max(length, to-from+1)
		}
	}
	on := "" // the stream, where the failure names it: the same request goes to many peers
	if _, after, ok := strings.Cut(f.Where, "stream "); ok {
		on, _, _ = strings.Cut(after, ",")
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Dir == record.Sent || on != "" && entries[i].Stream != on {
			continue
		}
		if at := bytes.Index(entries[i].Bytes, want); at >= 0 {
			return i, []int{at, min(at+length, len(entries[i].Bytes))}
		}
	}
	return 0, nil
}

// short cuts what a cell or a line shows.
func short(s string) string {
	if len(s) <= maxCell {
		return s
	}
	return strings.ToValidUTF8(s[:maxCell], "") + fmt.Sprintf(" … (%d bytes)", len(s))
}
