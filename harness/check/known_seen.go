package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// Seen is what the runs of one implementation came to; entries of known failures are written from it.
type Seen struct {
	Name, Version string

	cases map[string]map[string]*seenIn // by case and profile
}

// seenIn is one case in one profile, over all runs.
type seenIn struct {
	passed int
	whys   []string // of each failure
	link   string   // of the entry that excused it in the run
}

// ReadSeen reads logs. All that is looked at is of one target; name may be empty if the logs have no other.
func ReadSeen(paths []string, name string) (*Seen, error) {
	s := &Seen{cases: map[string]map[string]*seenIn{}}
	given := name != ""
	for _, path := range paths {
		if err := s.read(path, &name, given); err != nil {
			return nil, err
		}
	}
	if s.Name == "" {
		return nil, fmt.Errorf("%w: no target %q said who it is in %s", ErrKnown, name, strings.Join(paths, ", "))
	}
	return s, nil
}

// read reads one log. Where no target is given, the first that says who it is gives its name, and no other may be there.
func (s *Seen) read(path string, name *string, given bool) error {
	r, err := record.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	for e, err := range r.Entries() {
		if err != nil {
			return err
		}
		if e.Type == record.TypeTarget && *name == "" {
			*name = e.Target
		}
		switch {
		case e.Type == record.TypeTarget && e.Target != *name && !given:
			return fmt.Errorf("%w: %s: targets %s and %s, expected --target with one of them", ErrKnown, path, *name, e.Target)
		case e.Type == record.TypeTarget && e.Target == *name:
			version, implementation := "", e.Text
			if i := strings.LastIndexByte(e.Text, ' '); i >= 0 {
				implementation, version = e.Text[:i], e.Text[i+1:]
			}
			if s.Name != "" && (s.Name != implementation || s.Version != version) {
				return fmt.Errorf("%w: %s: target %s is %s, in the log before it was %s %s", ErrKnown, path, *name, e.Text, s.Name, s.Version)
			}
			s.Name, s.Version = implementation, version
		case e.Type == record.TypeResult && e.Target == *name:
			s.add(e.Result)
		}
	}
	return nil
}

// excused is what Ledger.Judge writes behind a reason.
var excused = regexp.MustCompile(`^(.*) \((?:known|flaky): (.*)\)$`)

// otherwise is what it writes behind a reason that no entry foresees.
var otherwise = regexp.MustCompile(` \([^ ]+ expects another reason: .*\)$`)

func (s *Seen) add(r *record.Result) {
	if s.cases[r.Case] == nil {
		s.cases[r.Case] = map[string]*seenIn{}
	}
	in := s.cases[r.Case][r.Profile]
	if in == nil {
		in = &seenIn{}
		s.cases[r.Case][r.Profile] = in
	}
	switch r.Verdict {
	case record.Pass, record.XPass:
		in.passed++
	case record.XFail:
		why := r.Why
		if m := excused.FindStringSubmatch(r.Why); m != nil {
			why, in.link = m[1], m[2]
		}
		in.whys = append(in.whys, why)
	case record.Fail, record.Warn:
		in.whys = append(in.whys, otherwise.ReplaceAllString(r.Why, ""))
	}
}

// entries are the failures, grouped: those of one case in all profiles that have the same reason are one entry.
func (s *Seen) entries(but func(id, profile string) bool) (all []KnownEntry) {
	for _, id := range slices.Sorted(maps.Keys(s.cases)) {
		first := len(all)
		for _, profile := range []string{"base", "amino", "defacto"} {
			in := s.cases[id][profile]
			if in == nil || len(in.whys) == 0 || but(id, profile) {
				continue
			}
			e := KnownEntry{Case: id, Profile: []string{profile}, Reason: Reason(in.whys), Link: in.link, Flaky: in.passed > 0}
			if e.Flaky {
				e.Note = fmt.Sprintf("It failed in %d of %d runs.", len(in.whys), len(in.whys)+in.passed)
			}
			i := slices.IndexFunc(all[first:], func(o KnownEntry) bool { return o.Reason == e.Reason && o.Flaky == e.Flaky })
			if i < 0 {
				all = append(all, e)
				continue
			}
			all[first+i].Profile = append(all[first+i].Profile, profile)
		}
	}
	for i := range all {
		if len(all[i].Profile) == 3 {
			all[i].Profile = nil
		}
	}
	return all
}

// What differs from run to run in a reason: peers by their numbers, ids and their ends, bytes, times, durations that were
// measured, how often of how many times, and what an error of the target's own says in brackets.
var unsteady = regexp.MustCompile(`(?:(?:\b[A-Z][A-Za-z]*\d+\b|…[1-9A-HJ-NP-Za-km-z]{6}\b|\b12D3Koo\w+|\bQm\w{44}|…)(?: |\b|$))+` +
	`|hex:[0-9a-f]+…?|\b\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|\b\d+(?:\.\d+)?(?:ns|µs|ms)\b|\b\d+\.\d+s\b|\(\d+ of \d+[^)]*\)|\((?:[a-z]\w*=\d+)[^)]*\)|/p2p/\w+` +
	`|error=\w+ (\(.*)|; to \S+ came (.*)`)

// Reason is the part of a failure's whys that is the same in each of them and says nothing that another seed would
// change: a text, or a regular expression between slashes.
func Reason(whys []string) string {
	text := whys[0]
	if steady(text) && !slices.ContainsFunc(whys, func(w string) bool { return w != text }) {
		return text
	}
	common := strings.Split(pattern(text), " ")
	for _, why := range whys[1:] {
		other := strings.Split(pattern(why), " ")
		n := 0
		for n < len(common) && n < len(other) && common[n] == other[n] {
			n++
		}
		common = common[:n]
	}
	for len(common) > 1 && common[len(common)-1] == ".+" {
		common = common[:len(common)-1]
	}
	return "/" + strings.Join(common, " ") + "/"
}

func steady(text string) bool { return !unsteady.MatchString(gotten(text)) && len(text) <= maxReason }

// maxReason is what a person compares by eye; what is longer is cut to its got.
const maxReason = 200

// gotten is the part that the target brought about.
func gotten(why string) string {
	if i := strings.LastIndex(why, ", got "); i >= 0 {
		return why[i+len(", "):]
	}
	return why
}

// pattern is a regular expression in which what is unsteady may be anything.
func pattern(why string) string {
	text := gotten(why)
	var b strings.Builder
	at := 0
	for _, m := range unsteady.FindAllStringSubmatchIndex(text, -1) {
		from, to := m[0], m[1]
		if m[2] >= 0 { // the code of an error stays, its text goes
			from = m[2]
		}
		if m[4] >= 0 { // who came instead differs
			from = m[0]
		}
		b.WriteString(regexp.QuoteMeta(text[at:from]) + ".+")
		if strings.HasSuffix(text[from:to], " ") {
			b.WriteByte(' ')
		}
		at = to
	}
	b.WriteString(regexp.QuoteMeta(text[at:]))
	return b.String()
}
