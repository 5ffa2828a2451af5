package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrPlan is what every complaint about a plan is (errors.Is): its syntax, its names, its values.
var ErrPlan = errors.New("bad plan")

// maxErrors ends the list of complaints: beyond it they mostly follow from the first ones.
const maxErrors = 50

// Error is one complaint about a plan. Its text is file:line: what: message, where what is the verb, the header key or
// the fixture that it is about.
type Error struct {
	Pos     Pos
	What    string
	Msg     string
	Warning bool // advice: the plan can be run
}

func (e *Error) Error() string {
	kind := ""
	if e.Warning {
		kind = "warning: "
	}
	if e.What == "" {
		return fmt.Sprintf("%s: %s%s", e.Pos, kind, e.Msg)
	}
	return fmt.Sprintf("%s: %s%s: %s", e.Pos, kind, e.What, e.Msg)
}

// Is makes every complaint an ErrPlan.
func (e *Error) Is(target error) bool { return target == ErrPlan }

// Errors is a list of complaints in the order of their lines.
type Errors []*Error

func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Is makes the list an ErrPlan.
func (l Errors) Is(target error) bool { return target == ErrPlan }

// Fatal are those which are not merely advice.
func (l Errors) Fatal() Errors {
	return slices.DeleteFunc(slices.Clone(l), func(e *Error) bool { return e.Warning })
}

// err returns the list as an error, nil if it is empty.
func (l Errors) err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// add appends a complaint, unless the same stands there already (a range repeats its line) or the list is full.
func (l *Errors) add(pos Pos, warning bool, what, format string, args ...any) {
	e := &Error{Pos: pos, What: what, Msg: fmt.Sprintf(format, args...), Warning: warning}
	if len(*l) >= maxErrors || slices.ContainsFunc(*l, func(o *Error) bool { return *o == *e }) {
		return
	}
	*l = append(*l, e)
}

func (l Errors) sort() {
	slices.SortStableFunc(l, func(a, b *Error) int { return a.Pos.Line - b.Pos.Line })
}

// unknown is the message about a name that is none of those known, with the one that was probably meant.
func unknown(kind, name string, known []string) string {
	msg := fmt.Sprintf("unknown %s %q", kind, name)
	if s := suggest(name, known); s != "" {
		return msg + " (" + s + "?)"
	}
	return msg
}

// suggest returns the known name that is nearest to a mistaken one, or "". Two edits catch a slip of the finger; names of
// three letters bear one, shorter ones none but the case, or they would be taken for one another.
func suggest(name string, known []string) string {
	best, least := "", 3
	switch {
	case len(name) < 3:
		least = 1
	case len(name) == 3:
		least = 2
	}
	for _, k := range known {
		d := edits(strings.ToLower(name), strings.ToLower(k))
		if len(name) >= 3 && strings.HasPrefix(k, name) { // seq for sequence
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// edits is Levenshtein's distance; words longer than 40 bytes are nobody's slip.
func edits(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
