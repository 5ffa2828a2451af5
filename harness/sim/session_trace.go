package sim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kadbench/kadbench/kad"
)

// A record of sessions is a text of lines; # begins a comment:
//
//	length DURATION             of the whole record; without it, until the last session ends
//	NODE FROM UNTIL             NODE, any word, was there from FROM until UNTIL: durations (90s, 3h20m) since the beginning
//
// Sessions of a node may stand in any order and must not overlap.
//
// The record is repeated without end. After the seeds, who never leave, the n-th node of the simulation lives as the n-th of
// the record, in the order in which they first stand there. If the record has fewer nodes, each further node follows one of them, but from a moment of the
// record that is drawn for it, so that not all who follow one come and go together.

// ErrSessions is a record of sessions that cannot be read. The error says where and what was expected.
var ErrSessions = errors.New("record of sessions")

// Limits of a record: a week of a network like Amino, looked at each half an hour, has some 500,000 sessions; each takes 16
// bytes in memory. And a year is longer than anybody has recorded.
const (
	maxTraceBytes                 = 64 << 20
	maxTraceSessions              = 1 << 20
	maxTraceLength   kad.Duration = 366 * 24 * 3600e9
)

// SessionTrace is sessions as somebody has recorded them. ParseSessions makes one.
type SessionTrace struct {
	length kad.Duration
	nodes  [][]span // in order of time; none touches another, nor around the end
}

// span is a session. The last one of a node may reach beyond the record's length: around its end to its beginning.
type span struct{ from, until kad.Duration }

// Nodes and Length are how many nodes the record has, and how long it is.
func (t *SessionTrace) Nodes() int           { return len(t.nodes) }
func (t *SessionTrace) Length() kad.Duration { return t.length }

// ParseSessions reads a record. The name of the file stands in errors: file:line.
func ParseSessions(file string, text []byte) (*SessionTrace, error) {
	if len(text) > maxTraceBytes {
		return nil, fmt.Errorf("%w %s: %d bytes are more than %d", ErrSessions, file, len(text), maxTraceBytes)
	}
	t := &SessionTrace{}
	index := map[string]int{}
	names, lines := []string{}, [][]int{} // lines: where each session stands
	n, count := 0, 0
	end := kad.Duration(0)
	for line := range bytes.Lines(text) {
		n++
		before, _, _ := strings.Cut(string(line), "#")
		words := strings.Fields(before)
		if len(words) == 0 {
			continue
		}
		fail := func(err error) error { return fmt.Errorf("%w %s:%d: %w", ErrSessions, file, n, err) }
		if words[0] == "length" {
			d, err := traceTime(words[1:], 1)
			if err != nil || t.length != 0 || d[0] == 0 {
				return nil, fail(fmt.Errorf("%.60q, expected one line of: length DURATION, which is more than 0 and at most 366 days", strings.Join(words, " ")))
			}
			t.length = d[0]
			continue
		}
		d, err := traceTime(words[1:], 2)
		if err != nil {
			return nil, fail(err)
		}
		if d[1] <= d[0] {
			return nil, fail(fmt.Errorf("a session from %s until %s, expected one that ends after it began", words[1], words[2]))
		}
		if count++; count > maxTraceSessions {
			return nil, fail(fmt.Errorf("more than %d sessions", maxTraceSessions))
		}
		i, ok := index[words[0]]
		if !ok {
			i = len(t.nodes)
			index[words[0]] = i
			names, t.nodes, lines = append(names, words[0]), append(t.nodes, nil), append(lines, nil)
		}
		t.nodes[i] = append(t.nodes[i], span{d[0], d[1]})
		lines[i] = append(lines[i], n)
		end = max(end, d[1])
	}
	switch {
	case len(t.nodes) == 0:
		return nil, fmt.Errorf("%w %s:%d: no session", ErrSessions, file, max(n, 1))
	case t.length == 0:
		t.length = end
	case t.length < end:
		return nil, fmt.Errorf("%w %s: the last session ends %s after the beginning, later than the record, whose length is %s", ErrSessions, file, time.Duration(end), time.Duration(t.length))
	}
	for i := range t.nodes {
		if line, err := t.order(i, lines[i]); err != nil {
			return nil, fmt.Errorf("%w %s:%d: node %.40q: %w", ErrSessions, file, line, names[i], err)
		}
	}
	return t, nil
}

// traceTime reads n durations since the beginning of a record.
func traceTime(words []string, n int) ([2]kad.Duration, error) {
	var d [2]kad.Duration
	if len(words) != n {
		return d, fmt.Errorf("%d words, expected a node and the times from which and until which it was there", len(words)+1)
	}
	for i, w := range words {
		v, err := time.ParseDuration(w)
		if err != nil || v < 0 || kad.Duration(v) > maxTraceLength {
			return d, fmt.Errorf("%.40q, expected a duration from 0s to 366 days, as 90s or 3h20m", w)
		}
		d[i] = kad.Duration(v)
	}
	return d, nil
}

// order sorts the sessions of a node and joins those that touch, also around the end of the record. The error is an overlap,
// with the line of the later session.
func (t *SessionTrace) order(i int, lines []int) (int, error) {
	by := make([]int, len(lines))
	for j := range by {
		by[j] = j
	}
	all := t.nodes[i]
	slices.SortStableFunc(by, func(a, b int) int { return cmp.Compare(all[a].from, all[b].from) })
	spans := make([]span, 0, len(all))
	for _, j := range by {
		s, last := all[j], len(spans)-1
		switch {
		case last >= 0 && s.from < spans[last].until:
			return lines[j], fmt.Errorf("the session from %s begins before the one until %s has ended", time.Duration(s.from), time.Duration(spans[last].until))
		case last >= 0 && s.from == spans[last].until:
			spans[last].until = s.until
		default:
			spans = append(spans, s)
		}
	}
	if last := len(spans) - 1; last > 0 && spans[0].from == 0 && spans[last].until == t.length {
		spans[last].until += spans[0].until
		spans = spans[1:]
	}
	t.nodes[i] = slices.Clip(spans)
	return 0, nil
}

// of is the record that the p-th node after the seeds follows, and the moment of it at which the simulation begins.
func (t *SessionTrace) of(seed uint64, p kad.Peer) (spans []span, at kad.Duration) {
	i := uint64(p) - 1
	if i < uint64(len(t.nodes)) {
		return t.nodes[i], 0
	}
	x := draw(keyOf(seed, forTrace), uint64(p), 0)
	return t.nodes[i%uint64(len(t.nodes))], kad.Duration(below(x, uint64(t.length)))
}

// always says that a node was never away.
func (t *SessionTrace) always(spans []span) bool {
	return len(spans) == 1 && spans[0].until-spans[0].from >= t.length
}

// next is the session at a moment of the record, or the first that begins later, or around the end the first there is;
// inside says that it is at that moment.
func (t *SessionTrace) next(spans []span, at kad.Duration) (i int, inside bool, left kad.Duration) {
	last := len(spans) - 1
	if s := spans[last]; at+t.length < s.until { // at the beginning of the record, in the session around its end
		return last, true, s.until - at - t.length
	}
	i = sort.Search(len(spans), func(i int) bool { return at < spans[i].until })
	switch {
	case i > last:
		return 0, false, t.length + spans[0].from - at
	case at < spans[i].from:
		return i, false, spans[i].from - at
	}
	return i, true, spans[i].until - at
}

func (t *SessionTrace) first(seed uint64, p kad.Peer) (up bool, left kad.Duration) {
	spans, at := t.of(seed, p)
	if t.always(spans) {
		return true, forever
	}
	_, up, left = t.next(spans, at)
	return up, left
}

func (t *SessionTrace) stay(seed uint64, p kad.Peer, n uint32) kad.Duration {
	spans, at := t.of(seed, p)
	if t.always(spans) {
		return forever
	}
	i, _, _ := t.next(spans, at)
	s := spans[(uint64(i)+uint64(n))%uint64(len(spans))]
	return s.until - s.from
}

func (t *SessionTrace) absence(seed uint64, p kad.Peer, n uint32) kad.Duration {
	spans, at := t.of(seed, p)
	if t.always(spans) {
		return minStay
	}
	// The absence that begins with the end of session i.
	i, _, _ := t.next(spans, at)
	i = int((uint64(i) + uint64(n)) % uint64(len(spans)))
	if i+1 < len(spans) {
		return spans[i+1].from - spans[i].until
	}
	return spans[0].from + t.length - spans[i].until
}
