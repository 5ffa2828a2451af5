package exchange

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/kad/wire"
)

// maxHex is how long a value may be that is written out in a plan: 512 bytes are a screen of digits. Of a longer one its
// presence is held.
const maxHex = 512

func decodeID(text string) []byte {
	id, err := peer.Decode(text)
	if err != nil {
		return []byte(text)
	}
	return []byte(id)
}

// writer writes answers in the words of a plan.
type writer struct {
	words  map[string]string // by the bytes
	names  check.Namer
	ids    map[string]string // names: ids as text
	seated []string          // as the seat lines name them: S1..S40, A
	askers map[string]string // by stream
}

func newWriter(p *plan.Plan, t *tape) *writer {
	w := &writer{words: t.words(p.Script), names: t.names, ids: t.ids, askers: map[string]string{}}
	for _, l := range p.Script {
		switch stmt := l.Stmt.(type) {
		case plan.Seat: // seat A S1..S40 in T
			words := strings.Fields(l.Text)
			w.seated = append(w.seated, words[1:max(1, slices.Index(words, "in"))]...)
		case plan.Open:
			for _, side := range append(slices.Clone(l.Sides), stmt) {
				if open, ok := side.(plan.Open); ok {
					w.askers[open.Stream] = open.From
				}
			}
		}
	}
	return w
}

// want is a message as a line. The key is the request's, when the reply does not repeat it.
func (w *writer) want(stream string, m *check.Message, asked []byte) string {
	parts := []string{"want", stream, check.TypeName(m.Type)}
	if len(m.Key) > 0 {
		parts = append(parts, w.is("key", m.Key))
		asked = m.Key
	} else {
		parts = append(parts, "!key")
	}
	if !m.HasRecord {
		parts = append(parts, "!record")
	} else {
		for _, f := range []struct {
			path  string
			value []byte
		}{{"record.key", m.Record.Key}, {"record.value", m.Record.Value}, {"record.timeReceived", m.Record.TimeReceived}} {
			switch _, err := time.Parse(time.RFC3339Nano, string(f.value)); {
			case len(f.value) == 0:
				parts = append(parts, "!"+f.path)
			case f.path == "record.timeReceived" && err == nil:
				parts = append(parts, f.path+"=rfc3339")
			default:
				parts = append(parts, w.is(f.path, f.value))
			}
		}
	}
	parts = append(parts, w.peers("closerPeers", m.CloserPeers, asked, w.askers[stream]), w.peers("providerPeers", m.ProviderPeers, nil, ""))
	return strings.Join(parts, " ")
}

// is holds a field to a value.
func (w *writer) is(path string, value []byte) string {
	if word, ok := w.words[string(value)]; ok {
		return path + "=" + word
	}
	if len(value) > maxHex {
		return path
	}
	return fmt.Sprintf("%s=hex:%x", path, value)
}

// peers holds a list to those which it names. Where they are the nearest of all that were seated, that is said instead,
// so that it holds with other identities too. Strangers, whom the plan has no name for, are let be.
func (w *writer) peers(field string, list []wire.Peer, key []byte, asker string) string {
	if len(list) == 0 {
		return "!" + field
	}
	var names []string
	strangers := 0
	for _, p := range list {
		if name, ok := w.names[string(p.ID)]; ok {
			names = append(names, name)
		} else {
			strangers++
		}
	}
	if word, ok := w.words[string(key)]; ok && strangers == 0 && key != nil {
		others := slices.DeleteFunc(slices.Clone(w.seated), func(name string) bool { return name == asker })
		for _, of := range [][]string{w.seated, others} { // most leave the asker out
			if n := w.nearest(names, of, key); n > 0 {
				return fmt.Sprintf("%s=nearest(%d,%s,%s)", field, n, word, strings.Join(of, ","))
			}
		}
	}
	switch {
	case len(names) == 0:
		return field
	case strangers > 0:
		return field + "~[" + strings.Join(names, ",") + "]"
	}
	return field + "=[" + strings.Join(names, ",") + "]"
}

// nearest says of how many of the seated peers these are the nearest to a key: 20, as k is, where fewer than that are seated; 0:
// they are others.
func (w *writer) nearest(names, seated []string, key []byte) int {
	var all []string
	for _, r := range seated {
		more, err := plan.Range(r)
		if err != nil {
			return 0
		}
		all = append(all, more...)
	}
	if len(names) > len(all) || len(all) == 0 {
		return 0
	}
	place := sha256.Sum256(key)
	distance := func(name string) []byte {
		d := sha256.Sum256(decodeID(w.ids[name]))
		for i := range d {
			d[i] ^= place[i]
		}
		return d[:]
	}
	slices.SortFunc(all, func(a, b string) int { return bytes.Compare(distance(a), distance(b)) })
	first := slices.Clone(all[:len(names)])
	slices.Sort(first)
	if got := slices.Sorted(slices.Values(names)); !slices.Equal(first, got) {
		return 0
	}
	if len(names) == len(all) {
		return max(20, len(names))
	}
	return len(names)
}
