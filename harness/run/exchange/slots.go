package exchange

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
)

// MaxWants bounds the want lines of one recording: a plan has some ten, and each may cost a run of its own.
const MaxWants = 100

// slot is a place of a plan where one answer is waited for: where a want stands, or behind a send of a stream that has none.
type slot struct {
	stream string
	typ    string // of the frame which is expected there
	want   string // what came, as a line; "" until it is known
}

// draft is a plan's source in pieces: lines that stay, and slots between them.
type draft struct {
	file   string
	lines  []string
	slots  []*slot
	at     map[int][]*slot // slots by the line before which they stand, from 0
	drop   map[int]bool    // lines of the wants that were there
	passed []string        // what could not be recorded, a line each
}

// newDraft finds the slots of a plan.
func newDraft(p *plan.Plan) (*draft, error) {
	if p.Header.Each != nil {
		return nil, fmt.Errorf("%w: %s: a plan with each in its header has other answers for each value, expected one without", ErrPlan, p.File)
	}
	d := &draft{file: p.File, lines: strings.Split(strings.TrimSuffix(string(p.Source), "\n"), "\n"), at: map[int][]*slot{}, drop: map[int]bool{}}
	judged := map[string]bool{} // streams with wants of their own
	for _, l := range p.Script {
		if _, ok := l.Stmt.(plan.Want); ok {
			for _, name := range streams(l) {
				judged[name] = true
			}
		}
	}
	last := map[string]string{} // type of the last send
	for i, l := range p.Script {
		from, to := l.Pos.Line-1, d.end(p.Script, i)
		switch stmt := l.Stmt.(type) {
		case plan.Send:
			for _, name := range streams(l) {
				last[name] = stmt.Frame.Type
				for range max(1, stmt.Times) {
					if !judged[name] {
						d.add(to, name, stmt.Frame.Type)
					}
				}
			}
		case plan.Raw:
			for _, name := range streams(l) {
				if !judged[name] {
					d.add(to, name, "FIND_NODE")
				}
			}
		case plan.Want:
			if blocks(l) {
				d.passed = append(d.passed, fmt.Sprintf("%s: a want with lines of its own stays as it is", l.Pos))
				continue
			}
			for n := from; n < to; n++ {
				d.drop[n] = true
			}
			for _, name := range streams(l) {
				typ := stmt.Expect.Type
				if stmt.Expect.Kind != plan.ExpectFrame {
					typ = last[name]
				}
				for range max(1, stmt.Expect.Times) {
					d.add(to, name, typ)
				}
			}
		case plan.Retry, plan.EachLoop:
			d.passed = append(d.passed, fmt.Sprintf("%s: what is within %s stays as it is", l.Pos, l.Verb))
		}
	}
	switch {
	case len(d.slots) == 0:
		return nil, fmt.Errorf("%w: %s: nothing is sent on a stream, expected a send or raw line at least", ErrPlan, p.File)
	case len(d.slots) > MaxWants:
		return nil, fmt.Errorf("%w: %s: %d answers, expected %d at most", ErrPlan, p.File, len(d.slots), MaxWants)
	}
	return d, nil
}

// streams are those of a send, raw or want line; a range has several.
func streams(l *plan.Line) (names []string) {
	of := l.Sides
	if len(of) == 0 {
		of = []plan.Stmt{l.Stmt}
	}
	for _, s := range of {
		switch s := s.(type) {
		case plan.Send:
			names = append(names, s.Stream)
		case plan.Raw:
			names = append(names, s.Stream)
		case plan.Want:
			names = append(names, s.Stream)
		}
	}
	return names
}

// blocks says whether a want or one of its alternatives has deeper lines.
func blocks(l *plan.Line) bool {
	for _, alt := range l.Alts {
		if len(alt.Block) > 0 {
			return true
		}
	}
	return len(l.Block) > 0
}

// end is the line behind line i of a script and what belongs to it; comments and blank lines before the next do not.
func (d *draft) end(script []*plan.Line, i int) int {
	to := len(d.lines)
	if i+1 < len(script) {
		to = script[i+1].Pos.Line - 1
	}
	for n := script[i].Pos.Line; n < to; n++ {
		if strings.HasPrefix(d.lines[n], "-- ") {
			to = n
		}
	}
	for to > script[i].Pos.Line {
		if text := strings.TrimSpace(d.lines[to-1]); text != "" && !strings.HasPrefix(text, "#") {
			break
		}
		to--
	}
	return to
}

func (d *draft) add(at int, stream, typ string) {
	if typ == "" {
		typ = "FIND_NODE"
	}
	s := &slot{stream: stream, typ: typ}
	d.slots = append(d.slots, s)
	d.at[at] = append(d.at[at], s)
}

// silence is how long nothing has to come before nothing is what came. An answer on loopback takes a millisecond; a peer
// that looks around first has 500 ms.
const silence = "500ms"

// open is the plan in which each slot accepts whatever comes, as far as a want can say it. lines are where the slots are.
func (d *draft) open() (src []byte, lines []int) {
	src, lines = d.render(func(s *slot) []string {
		or := func(what string) string { return "or " + s.stream + " " + what + ` why="whatever comes"` }
		return []string{"want " + s.stream + " " + s.typ, or("ended"), or("refused"), or("silence for=" + silence)}
	})
	return src, lines
}

// source is the plan with what came.
func (d *draft) source() []byte {
	src, _ := d.render(func(s *slot) []string { return []string{s.want} })
	return src
}

func (d *draft) render(text func(*slot) []string) (src []byte, lines []int) {
	var out []string
	place := map[*slot]int{}
	for n := 0; n <= len(d.lines); n++ {
		for _, s := range d.at[n] {
			place[s] = len(out) + 1
			out = append(out, text(s)...)
		}
		if n < len(d.lines) && !d.drop[n] {
			out = append(out, d.lines[n])
		}
	}
	for _, s := range d.slots {
		lines = append(lines, place[s])
	}
	return []byte(strings.Join(out, "\n") + "\n"), lines
}
