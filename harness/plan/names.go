package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// String is file:line.
func (p Pos) String() string {
	if p.File == "" {
		return "line " + strconv.Itoa(p.Line)
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

var levelNames = []string{"must", "should", "may", "info"}

func (l Level) String() string { return levelNames[min(int(l), len(levelNames)-1)] }

var profileNames = []string{"base", "amino", "defacto"}

func (p Profile) String() string { return profileNames[min(int(p), len(profileNames)-1)] }

// ParseProfile reads base, amino or defacto.
func ParseProfile(s string) (Profile, error) {
	for i, n := range profileNames {
		if n == s {
			return Profile(i), nil
		}
	}
	return 0, fmt.Errorf("%s; it is one of %s", unknown("profile", s, profileNames), strings.Join(profileNames, ", "))
}

// Has says whether p is in the set; all are in the zero set.
func (s ProfileSet) Has(p Profile) bool { return s == 0 || s&(1<<p) != 0 }

// List is the set in order.
func (s ProfileSet) List() []Profile {
	var out []Profile
	for _, p := range Profiles {
		if s.Has(p) {
			out = append(out, p)
		}
	}
	return out
}

func (s ProfileSet) String() string {
	var out []string
	for _, p := range s.List() {
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}

// parseProfiles reads a,b.
func parseProfiles(text string) (ProfileSet, error) {
	var set ProfileSet
	for _, n := range strings.Split(text, ",") {
		p, err := ParseProfile(n)
		if err != nil {
			return 0, err
		}
		set |= 1 << p
	}
	return set, nil
}

// maxRange bounds a range of names. One host carries about a thousand puppets before its sockets become the test.
const maxRange = 1000

// Range expands S1..S40 into its names; another word stands for itself.
func Range(w string) ([]string, error) {
	lo, hi, ok := strings.Cut(w, "..")
	if !ok {
		if !isName(w) {
			return nil, fmt.Errorf("%q is no name: letters and digits, a letter first", w)
		}
		return []string{w}, nil
	}
	stem, from, ok1 := stemAndNumber(lo)
	stem2, to, ok2 := stemAndNumber(hi)
	if !ok1 || !ok2 || stem != stem2 || from > to || !isName(lo) {
		return nil, fmt.Errorf("%q is no range: it is written S1..S40, with one stem and the smaller number first", w)
	}
	if to-from+1 > maxRange {
		return nil, fmt.Errorf("%q has %d names, %d at most", w, to-from+1, maxRange)
	}
	names := make([]string, 0, to-from+1)
	for i := from; i <= to; i++ {
		names = append(names, stem+strconv.Itoa(i))
	}
	return names, nil
}

func stemAndNumber(s string) (string, int, bool) {
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' {
		i--
	}
	n, err := strconv.Atoi(s[i:])
	return s[:i], n, err == nil && i > 0 && len(s)-i <= 6 && s[i:] == strconv.Itoa(n)
}

// maxEach bounds a loop: at 1 ms an exchange ten thousand rounds fill a third of a case's 30 s.
const maxEach = 10_000

// parseEach reads i=1..47.
func parseEach(w string) (Each, error) {
	bad := fmt.Errorf("%q is no loop: it is written i=1..47", w)
	name, vals, ok := strings.Cut(w, "=")
	lo, hi, ok2 := strings.Cut(vals, "..")
	if !ok || !ok2 || !isName(name) || strings.Contains(name, "$") {
		return Each{}, bad
	}
	from, err1 := strconv.Atoi(lo)
	to, err2 := strconv.Atoi(hi)
	if err1 != nil || err2 != nil || from > to {
		return Each{}, bad
	}
	if from < -maxEach || to > 1<<31 || to-from+1 > maxEach {
		return Each{}, fmt.Errorf("%q has more than %d values", w, maxEach)
	}
	return Each{Name: name, From: from, To: to}, nil
}
