package plan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// headerKey is one row of the table of header lines.
type headerKey struct {
	Name    string
	Usage   string
	Meaning string
	parse   func(*Header, []string) error
}

// headerKeys is the table, in the canonical order.
var headerKeys = []headerKey{
	{"id", "id find-node/asker-left-out", "a slug, the end of the file's path; never reused", parseID},
	{"catalogue", "catalogue FN-05 FN-07", "entries of the catalogue of cases", parseCatalogue},
	{"spec", "spec ipfs-kad L357-L360", "document and lines, several allowed", parseSpec},
	{"level", "level must\nlevel amino=must base=info", "must, should, may or info; where it differs, by profile: one that is not named has the bare " +
		"level, else defacto has amino's and the others are info", parseLevel},
	{"profile", "profile base amino", "in which profiles the case is judged; all three without it", parseProfileLine},
	{"needs", "needs namespace:ipns public", "what the target must offer and lint cannot see in the script", parseNeeds},
	{"timeout", "timeout 60s", "for the whole case; 30s without it", parseTimeout},
	{"slow", "slow", "it is run with --slow only", func(h *Header, w []string) error { h.Slow = true; return none(w) }},
	{"alone", "alone", "nothing runs beside it", func(h *Header, w []string) error { h.Alone = true; return none(w) }},
	{"repeat", "repeat 100", "it runs so many times, for races", parseRepeat},
	{"each", "each i=1..47", "it runs once for each value; one verdict, and the failing value is named", parseHeaderEach},
}

// Limits of a header: ten times what any case uses.
const (
	maxEntries  = 50
	maxRepeat   = 10_000
	maxTimeout  = 30 * time.Minute
	defaultTime = 30 * time.Second
)

func findHeader(name string) (headerKey, bool) {
	for _, k := range headerKeys {
		if k.Name == name {
			return k, true
		}
	}
	return headerKey{}, false
}

func headerNames() []string {
	out := make([]string, len(headerKeys))
	for i, k := range headerKeys {
		out[i] = k.Name
	}
	return out
}

var (
	slug       = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)+$`)
	catalogued = regexp.MustCompile(`^[A-Z]{2}-[0-9]{2,3}$`)
	lines      = regexp.MustCompile(`^L[0-9]+(-L[0-9]+)?$`)
	document   = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)
	needWord   = regexp.MustCompile(`^[a-z][a-z0-9_.:-]*$`)
)

func one(words []string, what string) (string, error) {
	if len(words) != 1 {
		return "", fmt.Errorf("%s was expected, and nothing else", what)
	}
	return words[0], nil
}

func none(words []string) error {
	if len(words) > 0 {
		return fmt.Errorf("%q was not expected: it stands alone", words[0])
	}
	return nil
}

func some(words []string, what string) error {
	if len(words) == 0 {
		return fmt.Errorf("%s was expected", what)
	}
	if len(words) > maxEntries {
		return fmt.Errorf("%d entries, %d at most", len(words), maxEntries)
	}
	return nil
}

func parseID(h *Header, words []string) (err error) {
	if h.ID, err = one(words, "an id, as find-node/asker-left-out,"); err == nil && !slug.MatchString(h.ID) {
		err = fmt.Errorf("%q is no slug: area/name in small letters, digits and hyphens was expected", h.ID)
	}
	return err
}

func parseCatalogue(h *Header, words []string) error {
	for _, w := range words {
		if !catalogued.MatchString(w) {
			return fmt.Errorf("%q is no entry of the catalogue: they look like FN-05", w)
		}
	}
	h.Catalogue = append(h.Catalogue, words...)
	return some(words, "an entry of the catalogue, as FN-05,")
}

// parseSpec reads documents, each with the lines that follow it.
func parseSpec(h *Header, words []string) error {
	for i := 0; i < len(words); {
		doc := words[i]
		if !document.MatchString(doc) {
			return fmt.Errorf("%q is no document: a name and lines were expected, as ipfs-kad L357-L360", doc)
		}
		j := i + 1
		for j < len(words) && lines.MatchString(strings.TrimSuffix(words[j], ",")) {
			j++
		}
		if j == i+1 {
			return fmt.Errorf("%s: its lines were expected, as L357 or L357-L360", doc)
		}
		h.Spec = append(h.Spec, strings.Join(words[i:j], " "))
		i = j
	}
	return some(words, "a document and its lines")
}

func parseLevelName(s string) (Level, error) {
	for i, n := range levelNames {
		if n == s {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("%s; it is one of %s", unknown("level", s, levelNames), strings.Join(levelNames, ", "))
}

func parseLevel(h *Header, words []string) error {
	h.leveled = true
	var bare *Level
	named := map[Profile]Level{}
	for _, w := range words {
		name, val, ok := strings.Cut(w, "=")
		if !ok {
			l, err := parseLevelName(w)
			if err != nil {
				return err
			}
			if bare != nil {
				return fmt.Errorf("two levels: for different profiles write profile=level")
			}
			bare = &l
			continue
		}
		p, err := ParseProfile(name)
		if err != nil {
			return err
		}
		if named[p], err = parseLevelName(val); err != nil {
			return err
		}
	}
	for _, p := range Profiles {
		l, ok := named[p]
		amino, hasAmino := named[Amino]
		switch {
		case ok:
		case bare != nil:
			l = *bare
		case p == Defacto && hasAmino:
			l = amino
		default:
			l = Info
		}
		h.Levels[p] = l
	}
	return some(words, "must, should, may or info")
}

func parseProfileLine(h *Header, words []string) error {
	for _, w := range words {
		set, err := parseProfiles(w)
		if err != nil {
			return err
		}
		h.Profiles |= set
	}
	return some(words, "a profile")
}

func parseNeeds(h *Header, words []string) error {
	for _, w := range words {
		if !needWord.MatchString(w) {
			return fmt.Errorf("%q: a word was expected, as namespace:ipns or public", w)
		}
	}
	h.Needs = append(h.Needs, words...)
	return some(words, "a need, as namespace:ipns,")
}

func parseTimeout(h *Header, words []string) error {
	w, err := one(words, "a time, as 60s,")
	if err != nil {
		return err
	}
	if h.Timeout, err = time.ParseDuration(w); err != nil || h.Timeout <= 0 || h.Timeout > maxTimeout {
		return fmt.Errorf("%q: a time above 0 and at most %s was expected", w, ShortTime(maxTimeout))
	}
	return nil
}

func parseRepeat(h *Header, words []string) error {
	w, err := one(words, "a number, as 100,")
	if err != nil {
		return err
	}
	if h.Repeat, err = strconv.Atoi(w); err != nil || h.Repeat < 1 || h.Repeat > maxRepeat {
		return fmt.Errorf("%q: a number from 1 to %d was expected", w, maxRepeat)
	}
	return nil
}

func parseHeaderEach(h *Header, words []string) error {
	w, err := one(words, "i=1..47")
	if err != nil {
		return err
	}
	e, err := parseEach(w)
	h.Each = &e
	return err
}
