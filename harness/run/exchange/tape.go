package exchange

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

// tape is what the log of a run has of one case: frames in order, verdict, and who is who.
type tape struct {
	implementation string
	came           map[string][]record.Entry // by stream: frames that came, and its ends
	sent           map[string][]byte         // by line of the plan: the first frame that it sent
	names          check.Namer
	ids            map[string]string // name: id, as text
	result         *record.Result
}

// readTape reads what a log has of a case in one profile; a run with one target and one profile has no other.
func readTape(path, caseID, profile string) (*tape, error) {
	r, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	t := &tape{came: map[string][]record.Entry{}, sent: map[string][]byte{}, names: check.Namer{}}
	for e, err := range r.Entries() {
		switch {
		case err != nil:
			return nil, err
		case e.Type == record.TypeTarget:
			t.implementation = e.Text
		case e.Case != caseID:
		case e.Type == record.TypeCase && e.Event == "begin": // what fails beside others is run again
			clear(t.came)
			clear(t.sent)
		case e.Type == record.TypeFrame && e.Dir == record.Sent:
			if _, ok := t.sent[e.Line]; !ok {
				t.sent[e.Line] = e.Bytes
			}
		case e.Type == record.TypeFrame:
			if max(e.Size, len(e.Bytes)) > record.MaxBytes {
				return nil, fmt.Errorf("%w: stream %s: a frame of %d bytes, expected at most %d", ErrRecording, e.Stream, e.Size, record.MaxBytes)
			}
			t.came[e.Stream] = append(t.came[e.Stream], e)
		case e.Type == record.TypePeers:
			t.ids = e.Peers
		case e.Type == record.TypeResult && e.Result.Profile == profile:
			t.result = e.Result
		}
	}
	if t.result == nil {
		return nil, fmt.Errorf("%w: %s: the log has no verdict of it", ErrRecording, caseID)
	}
	for name, id := range t.ids {
		t.names[string(decodeID(id))] = name
	}
	return t, nil
}

// body is a frame without its length.
func body(frame []byte) []byte {
	_, n := binary.Uvarint(frame)
	return frame[max(0, n):]
}

// words are the plan's own words for bytes: what its sends have as keys and values, and its peers.
func (t *tape) words(script []*plan.Line) map[string]string {
	words := map[string]string{}
	for id, name := range t.names {
		words[id] = name
	}
	var walk func([]*plan.Line)
	walk = func(lines []*plan.Line) {
		for _, l := range lines {
			if _, loop := l.Stmt.(plan.EachLoop); loop {
				continue // its values are named by $i, which nobody else knows
			}
			walk(l.Block)
			send, ok := l.Stmt.(plan.Send)
			frame := t.sent[l.Pos.String()]
			if !ok || len(frame) == 0 {
				continue
			}
			m, err := check.NewMessage(body(frame))
			if err != nil {
				continue
			}
			for _, f := range send.Frame.Fields {
				switch {
				case f.Name == "key":
					remember(words, m.Key, f.Value)
				case f.Name == "record" && f.Value.Kind == plan.ExprMessage:
					for _, part := range f.Value.Fields {
						switch part.Name {
						case "key":
							remember(words, m.Record.Key, part.Value)
						case "value":
							remember(words, m.Record.Value, part.Value)
						}
					}
				}
			}
		}
	}
	walk(script)
	return words
}

// remember keeps how the plan writes a value. rand() is other bytes wherever it stands, so it is no word.
func remember(words map[string]string, value []byte, e *plan.Expr) {
	text := e.String()
	if _, ok := words[string(value)]; !ok && len(value) > 0 && !strings.Contains(text, "rand(") {
		words[string(value)] = text
	}
}
