package exchange

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// Difference is the first thing in which a peer does not do what was recorded.
type Difference struct {
	Target  string // name and version by hello
	Stream  string // "" where the line is about none
	Frame   int    // which of those that came on the stream, from 1; 0: none came there
	Failure record.Failure
	Body    []byte // of that frame, without its length

	names map[string]string // the plan's names by peer id, as text
}

// Replay runs a recorded plan against another target. Nil: it does the same. who is its name and version.
func Replay(ctx context.Context, c Config, file string, src []byte, f target.Factory) (d *Difference, who string, err error) {
	p, err := plan.Parse(file, src)
	if err != nil {
		return nil, "", err
	}
	// What was recorded holds whatever the level of the clause: a recording says what was, not what must be.
	for i := range p.Header.Levels {
		p.Header.Levels[i] = plan.Must
	}
	t, err := c.run(ctx, p, f)
	if err != nil || t.result.Failure == nil {
		return nil, name(t), err
	}
	d = &Difference{Target: t.implementation, Failure: *t.result.Failure, names: map[string]string{}}
	for name, id := range t.ids {
		d.names[id] = name
	}
	for i, l := range p.Script {
		if l.Pos.String() != d.Failure.Line {
			continue
		}
		if names := streams(l); len(names) > 0 {
			d.Stream = names[0]
			for _, name := range names { // of a range, the one that failed
				if strings.HasPrefix(d.Failure.Got, "("+name+") ") {
					d.Stream = name
				}
			}
			d.frame(p.Script[:i], t)
		}
	}
	return d, t.implementation, nil
}

func name(t *tape) string {
	if t == nil {
		return ""
	}
	return t.implementation
}

// frame finds what the line judged: the frame behind those that the wants before it took.
func (d *Difference) frame(before []*plan.Line, t *tape) {
	taken := 0
	for _, l := range before {
		want, ok := l.Stmt.(plan.Want)
		if !ok || want.Expect.Kind != plan.ExpectFrame {
			continue
		}
		for _, name := range streams(l) {
			if name == d.Stream {
				taken += max(1, want.Expect.Times)
			}
		}
	}
	if frames := t.came[d.Stream]; taken < len(frames) {
		d.Frame, d.Body = taken+1, body(frames[taken].Bytes)
	}
}

// maxShown is how many rows of a frame are shown: more than a screen is no first difference any more.
const maxShown = 40

var span = regexp.MustCompile(`bytes (\d+)–(\d+)$`)

// Write shows a difference to people, its bytes annotated: those in question alone where they are known.
func (d *Difference) Write(w io.Writer) error {
	var b strings.Builder
	at := d.Failure.Line
	if d.Frame > 0 {
		at = fmt.Sprintf("%s: frame %d of stream %s", at, d.Frame, d.Stream)
	} else if d.Stream != "" {
		at = fmt.Sprintf("%s: stream %s", at, d.Stream)
	}
	fmt.Fprintf(&b, "%s\n  want  %s\n  got   %s\n", at, d.Failure.Want, d.Failure.Got)
	if d.Failure.Diff != "" {
		fmt.Fprintf(&b, "  diff  %s\n", d.Failure.Diff)
	}
	if d.Failure.Where != "" {
		fmt.Fprintf(&b, "  at    %s\n", d.Failure.Where)
	}
	from, to := 0, len(d.Body)
	if m := span.FindStringSubmatch(d.Failure.Where); m != nil {
		from, _ = strconv.Atoi(m[1])
		to, _ = strconv.Atoi(m[2])
		to++
	}
	rows := 0
	for _, r := range check.Annotate(d.Body, false) {
		if r.Offset+r.Len <= from || r.Offset >= to {
			continue
		}
		if rows++; rows > maxShown {
			fmt.Fprintf(&b, "  … %d bytes in all\n", len(d.Body))
			break
		}
		text := r.Text
		if name, ok := d.names[text]; ok {
			text = name + "  " + text
		}
		if r.Err != nil {
			text = "! " + r.Err.Error()
		}
		part := d.Body[r.Offset : r.Offset+r.Head]
		if !r.Nested {
			part = d.Body[r.Offset : r.Offset+r.Len]
		}
		fmt.Fprintf(&b, "  %6d  %s%-*s %-26s %s\n",
			r.Offset, strings.Repeat("  ", r.Depth), 27-2*r.Depth, check.Hex(part, check.Span{To: min(len(part), shownHex)}), r.Path, text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shownHex is how many bytes of a field stand in its row: eight fit a column.
const shownHex = 8
