package check

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/harness/record"
)

// ErrKnown: a file of known failures says something that cannot be.
var ErrKnown = errors.New("known failures")

// Known is one file of expected failures, fixtures/known/<implementation>.toml:
//
//	name     = "go-libp2p-kad-dht"        # as the target's hello says
//	versions = ["v0.42.1"]                # none: every version
//
//	[[known]]
//	case    = "put-value/keys-differ"
//	profile = ["base"]                    # none: every profile
//	reason  = "wanted ended, got PUT_VALUE"  # part of the verdict's why, up to the end of a word, or /a regular expression/
//	link    = "https://…"                 # the report, or the clause with the ruling
//	until   = 2027-06-01                  # from then on the entry is expired
//	note    = "echoes before it validates" # for whoever reads the file
//	flaky   = true                        # it passes at times: either is accepted; needs a note
type Known struct {
	File     string       `toml:"-"`
	Name     string       `toml:"name"`
	Versions []string     `toml:"versions"`
	Entries  []KnownEntry `toml:"known"`
}

// KnownEntry is one expected failure.
type KnownEntry struct {
	Case    string    `toml:"case"`
	Profile []string  `toml:"profile"`
	Reason  string    `toml:"reason"`
	Link    string    `toml:"link"`
	Until   time.Time `toml:"until"`
	Note    string    `toml:"note"`
	Flaky   bool      `toml:"flaky"`

	reason *regexp.Regexp
}

// ReadKnown parses a file; name is for its errors.
func ReadKnown(name string, src []byte) (*Known, error) {
	k := Known{File: name}
	meta, err := toml.Decode(string(src), &k)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKnown, name, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return nil, fmt.Errorf("%w: %s: unknown word %q", ErrKnown, name, extra[0].String())
	}
	if k.Name == "" {
		return nil, fmt.Errorf("%w: %s: name is missing, expected what the target's hello says", ErrKnown, name)
	}
	for i := range k.Entries {
		if err := k.Entries[i].check(); err != nil {
			return nil, fmt.Errorf("%w: %s: entry %d (%s): %w", ErrKnown, name, i+1, k.Entries[i].Case, err)
		}
	}
	return &k, nil
}

// CarriedKnown reads the files of expected failures which the project carries.
func CarriedKnown() ([]*Known, error) {
	fsys := fixtures.FS()
	names, err := fs.Glob(fsys, "known/*.toml")
	if err != nil {
		return nil, err
	}
	var all []*Known
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		k, err := ReadKnown("fixtures/"+name, src)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

func (e *KnownEntry) check() (err error) {
	for field, v := range map[string]string{"case": e.Case, "reason": e.Reason, "link": e.Link} {
		if v == "" {
			return fmt.Errorf("%s is missing", field)
		}
	}
	if e.Until.IsZero() {
		return errors.New("until is missing, expected a date such as 2027-06-01")
	}
	if e.Flaky && e.Note == "" {
		return errors.New("note is missing, expected what makes it flaky")
	}
	for _, p := range e.Profile {
		if !slices.Contains([]string{"base", "amino", "defacto"}, p) {
			return fmt.Errorf("profile %q, expected base, amino or defacto", p)
		}
	}
	pattern := words(e.Reason)
	if n := len(e.Reason); n > 2 && strings.HasPrefix(e.Reason, "/") && strings.HasSuffix(e.Reason, "/") {
		pattern = e.Reason[1 : n-1]
	}
	if e.reason, err = regexp.Compile(pattern); err != nil {
		return fmt.Errorf("reason: %w", err)
	}
	return nil
}

// words matches a text that ends where it ends: the reason "not wanted: S1" does not excuse "not wanted: S12".
func words(text string) string {
	pattern := regexp.QuoteMeta(text)
	if last := text[len(text)-1]; last == '_' || last >= '0' && last <= '9' || last >= 'A' && last <= 'Z' || last >= 'a' && last <= 'z' {
		pattern += `\b`
	}
	return pattern
}

// Ledger holds the known failures that apply to one target.
type Ledger struct {
	entries []ledgerEntry
	now     time.Time
}

type ledgerEntry struct {
	*KnownEntry
	file    string
	builtin bool
}

// NewLedger picks the files that name this implementation and version. What is expired at now excuses no longer, unless
// it is built in: whoever runs a released binary cannot mend the file inside it.
func NewLedger(name, version string, now time.Time, known, builtin []*Known) *Ledger {
	l := &Ledger{now: now}
	add := func(files []*Known, builtin bool) {
		for _, k := range files {
			if k.Name != name || len(k.Versions) > 0 && !slices.Contains(k.Versions, version) {
				continue
			}
			for i := range k.Entries {
				l.entries = append(l.entries, ledgerEntry{&k.Entries[i], k.File, builtin})
			}
		}
	}
	add(known, false)
	add(builtin, true)
	return l
}

// Judge turns a verdict into the expected one. A fail or warn which an entry foresees, with its reason, is xfail; the
// pass of a case for which an entry foresees a failure is xpass, unless the entry is flaky. Everything else stays as it is, and a failure for another
// reason than the entry's says so.
func (l *Ledger) Judge(caseID, profile string, v record.Verdict, why string) (record.Verdict, string) {
	var other string
	for _, e := range l.entries {
		if e.Case != caseID || len(e.Profile) > 0 && !slices.Contains(e.Profile, profile) {
			continue
		}
		switch v {
		case record.Fail, record.Warn:
			if !e.reason.MatchString(why) {
				other = fmt.Sprintf(" (%s expects another reason: %s)", e.file, e.Reason)
			} else if e.builtin || !l.expired(e) {
				word := "known"
				if e.Flaky {
					word = "flaky"
				}
				return record.XFail, fmt.Sprintf("%s (%s: %s)", why, word, e.Link)
			}
		case record.Pass:
			if e.Flaky {
				if !e.builtin && l.expired(e) {
					continue
				}
				return v, "passes this time (flaky: " + e.Link + ")"
			}
			return record.XPass, "passes, but " + e.file + " expects it to fail: " + e.Reason
		}
	}
	return v, why + other
}

func (l *Ledger) expired(e ledgerEntry) bool { return !l.now.Before(e.Until) }

// Stale lists, a line each, the entries that hold no longer: expired ones and those whose case does not exist. The user's
// own are fatal. An expired entry of the built-in files is a note, and one without a case is nothing: who runs plans of his
// own has not the project's cases among them.
func (l *Ledger) Stale(exists func(caseID string) bool) (fatal, notes []string) {
	for _, e := range l.entries {
		expired := fmt.Sprintf("%s: %s: expired on %s (%s)", e.file, e.Case, e.Until.Format(time.DateOnly), e.Link)
		switch {
		case !exists(e.Case) && e.builtin:
		case !exists(e.Case):
			fatal = append(fatal, fmt.Sprintf("%s: %s: no such case", e.file, e.Case))
		case l.expired(e) && e.builtin:
			notes = append(notes, expired)
		case l.expired(e):
			fatal = append(fatal, expired)
		}
	}
	return fatal, notes
}
