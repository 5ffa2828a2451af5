package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// LinkWanted stands in a written entry until a person has put a link in its place: a failure that nobody has looked at is
// not a known one. Check refuses it.
const LinkWanted = "put here the link to the report, or to the lines of source that say the same"

// Merge writes the failures of runs as a file of known failures. src is the file as it is, nil for a new one: what it
// says of cases that were not run stays, and so do links, notes and comments. Entries whose case passes now are dropped,
// and those which fail for another reason get the new one. The changes are a line each. New entries end at until.
func (s *Seen) Merge(file string, src []byte, until time.Time) (out []byte, changes []string, err error) {
	m := merger{seen: s, covered: map[[2]string]bool{}}
	head := fmt.Sprintf("name     = %s\nversions = [%s]\n", quote(s.Name), quote(s.Version))
	if s.Version == "" {
		head = fmt.Sprintf("name = %s\n", quote(s.Name))
	}
	var old *Known
	var blocks []string
	if src != nil {
		if old, err = ReadKnown(file, src); err != nil {
			return nil, nil, err
		}
		if old.Name != s.Name || len(old.Versions) > 0 && !slices.Contains(old.Versions, s.Version) {
			return nil, nil, fmt.Errorf("%w: %s is of %s %s, the log of %s %s: expected a file of its own, or this version in the line versions",
				ErrKnown, file, old.Name, strings.Join(old.Versions, ", "), s.Name, s.Version)
		}
		head, blocks = split(string(src))
		if len(blocks) != len(old.Entries) {
			return nil, nil, fmt.Errorf("%w: %s: %d lines [[known]] and %d entries, expected a line of its own for each", ErrKnown, file, len(blocks), len(old.Entries))
		}
	}
	var b bytes.Buffer
	b.WriteString(head)
	for i, block := range blocks {
		b.WriteString(m.keep(&old.Entries[i], block))
	}
	for _, e := range s.entries(func(id, profile string) bool { return m.covered[[2]string{id, profile}] }) {
		e.Until = until
		if e.Link == "" {
			e.Link = LinkWanted
		}
		m.changes = append(m.changes, "new: "+e.Case+": "+e.Reason)
		b.WriteString("\n" + e.text())
	}
	out = append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
	if _, err := ReadKnown(file, out); err != nil {
		return nil, nil, fmt.Errorf("what was written cannot be read: %w", err)
	}
	return out, m.changes, nil
}

// split cuts a file before each [[known]], with the comments right above it.
func split(src string) (head string, blocks []string) {
	var cur strings.Builder
	var comments strings.Builder // may belong to the next entry
	first := true
	end := func() {
		if first {
			head, first = cur.String(), false
		} else {
			blocks = append(blocks, cur.String())
		}
		cur.Reset()
	}
	for line := range strings.Lines(src) {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "[[known]]"):
			end()
			cur.WriteString(comments.String() + line)
			comments.Reset()
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
			comments.WriteString(line)
		default:
			cur.WriteString(comments.String() + line)
			comments.Reset()
		}
	}
	cur.WriteString(comments.String())
	end()
	return head, blocks
}

type merger struct {
	seen    *Seen
	covered map[[2]string]bool // case, profile: an entry of the file foresees its failure
	changes []string
}

// keep is the text of an entry that was there: as it is, altered, or nothing.
func (m *merger) keep(e *KnownEntry, block string) string {
	all := m.seen.cases[e.Case]
	var fails, failsOtherwise, passes []string
	for _, profile := range []string{"base", "amino", "defacto"} {
		in := all[profile]
		if in == nil || len(e.Profile) > 0 && !slices.Contains(e.Profile, profile) {
			continue
		}
		switch {
		case len(in.whys) > 0 && !slices.ContainsFunc(in.whys, func(w string) bool { return !e.reason.MatchString(w) }):
			fails = append(fails, profile)
			m.covered[[2]string{e.Case, profile}] = true
		case len(in.whys) > 0:
			failsOtherwise = append(failsOtherwise, profile)
		case in.passed > 0:
			passes = append(passes, profile)
		}
	}
	note := func(what string) { m.changes = append(m.changes, what+": "+e.Case+": "+e.Reason) }
	switch {
	case len(fails) > 0 && (len(passes) == 0 || e.Flaky):
		return block
	case len(fails) > 0:
		e.Profile = fails
		note("passes now in " + strings.Join(passes, " and "))
		return "\n" + e.text()
	case len(failsOtherwise) > 0:
		in := all[failsOtherwise[0]]
		note("fails for another reason now")
		e.Reason, e.Profile = Reason(in.whys), nil
		for _, profile := range failsOtherwise {
			if Reason(all[profile].whys) == e.Reason {
				e.Profile = append(e.Profile, profile)
				m.covered[[2]string{e.Case, profile}] = true
			}
		}
		return "\n" + e.text()
	case len(passes) > 0 && !e.Flaky:
		note("dropped, it passes")
		return ""
	}
	return block
}

// text is an entry as it stands in a file.
func (e *KnownEntry) text() string {
	var b strings.Builder
	b.WriteString("[[known]]\n")
	fmt.Fprintf(&b, "case    = %s\n", quote(e.Case))
	if len(e.Profile) > 0 {
		var names []string
		for _, p := range e.Profile {
			names = append(names, quote(p))
		}
		fmt.Fprintf(&b, "profile = [%s]\n", strings.Join(names, ", "))
	}
	fmt.Fprintf(&b, "reason  = %s\n", quote(e.Reason))
	fmt.Fprintf(&b, "link    = %s\n", quote(e.Link))
	fmt.Fprintf(&b, "until   = %s\n", e.Until.Format(time.DateOnly))
	if e.Flaky {
		b.WriteString("flaky   = true\n")
	}
	if e.Note != "" {
		fmt.Fprintf(&b, "note    = %s\n", quote(e.Note))
	}
	return b.String()
}

// quote is a text in TOML; with a backslash in it, as regular expressions have, between single quotes where it can be.
func quote(text string) string {
	if strings.ContainsAny(text, `\"`) && !strings.ContainsAny(text, "'\n\r\t") {
		return "'" + text + "'"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(text) // JSON's escapes are among TOML's
	return strings.TrimSuffix(b.String(), "\n")
}

// perishable are things in a reason that the next run has otherwise.
var perishable = regexp.MustCompile(`12D3Koo\w{8}|\bQm\w{44}|\d{4}-\d\d-\d\dT\d\d|hex:[0-9a-f]{16}`)

// Check holds a file to what a person owes the next one: a line for each thing that is wrong. profiles says in which
// profiles a case is judged, none if there is no such case.
func (k *Known) Check(now time.Time, profiles func(caseID string) []string) (complaints []string) {
	seen := map[string]bool{}
	for i := range k.Entries {
		e := &k.Entries[i]
		for _, err := range e.complaints(now, profiles(e.Case)) {
			complaints = append(complaints, fmt.Sprintf("%s: entry %d (%s): %v", k.File, i+1, e.Case, err))
		}
		key := fmt.Sprint(e.Case, e.Profile, e.Reason)
		if seen[key] {
			complaints = append(complaints, fmt.Sprintf("%s: entry %d (%s): there twice", k.File, i+1, e.Case))
		}
		seen[key] = true
	}
	return complaints
}

func (e *KnownEntry) complaints(now time.Time, judged []string) (all []error) {
	add := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if len(judged) == 0 {
		all = append(all, errors.New("no such case"))
	}
	for _, p := range e.Profile {
		if len(judged) > 0 && !slices.Contains(judged, p) {
			add("profile %q, expected one in which the case is judged: %s", p, strings.Join(judged, ", "))
		}
	}
	if !strings.HasPrefix(e.Link, "https://") && !strings.HasPrefix(e.Link, "http://") {
		add("link %q, expected the address of a report, of a clause, or of the lines of source that say the same", e.Link)
	}
	if !now.Before(e.Until) {
		add("expired on %s", e.Until.Format(time.DateOnly))
	}
	if e.reason.MatchString("wanted , got ") || e.reason.MatchString("") {
		add("reason %q matches anything, expected a part of what came", e.Reason)
	}
	if what := perishable.FindString(e.Reason); what != "" {
		add("reason has %s, which is another in the next run: expected a regular expression between slashes", what)
	}
	return all
}
