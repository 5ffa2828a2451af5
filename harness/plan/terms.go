package plan

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// term is a word of a line of a simulation, as help, documentation and explain show it: a kind (exponential), or the name
// of a setting with an example (k=20).
type term struct {
	Name, Usage, Meaning string
	says                 string // in a sentence; %s is the value as written
	in                   WorldKind
}

// setting is a name=value word of such a line, which it carries into a T.
type setting[T any] struct {
	term
	set func(*T, string) error
}

// terms are the rows of settings without their setters.
func terms[T any](table []setting[T]) []term {
	out := make([]term, len(table))
	for i, s := range table {
		out[i] = s.term
	}
	return out
}

func termNames(list []term) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.Name
	}
	return out
}

func findTerm(list []term, name string) (term, bool) {
	i := slices.IndexFunc(list, func(t term) bool { return t.Name == name })
	if i < 0 {
		return term{}, false
	}
	return list[i], true
}

// settings reads name=value words to the end of the line. Others go to bare, which says whether it knows them.
func settings[T any](c *cursor, table []setting[T], to *T, bare func(string) bool) {
	known := termsIn(terms(table), c.world)
	seen := map[string]bool{}
	for c.more() {
		w := c.next("")
		name, val, given := strings.Cut(w.text, "=")
		if seen[name] {
			c.fail(w.line, "%s stands twice", name)
			return
		}
		seen[name] = true
		i := slices.IndexFunc(table, func(s setting[T]) bool { return s.Name == name })
		switch {
		case i >= 0 && table[i].in&c.world == 0:
			c.fail(w.line, "%w", c.world.elsewhere(name, table[i].in))
		case !given && bare != nil && bare(name):
		case i < 0:
			c.fail(w.line, "%s; the words of this line are %s", unknown("word", name, termNames(known)), strings.Join(termNames(known), " "))
		case table[i].set == nil:
			c.fail(w.line, "%s=%s: %s stands alone", name, val, name)
		case !given:
			c.fail(w.line, "%s needs its value, as %s", name, table[i].Usage)
		default:
			if err := table[i].set(to, val); err != nil {
				c.fail(w.line, "%s=%s: %w", name, val, err)
			}
		}
	}
}

// maxSpan bounds each time of a simulation: ten years of 365 days, a thousand times what the longest plan simulates.
const maxSpan = 10 * 365 * 24 * time.Hour

// span reads a time of at least lo.
func span[T any](at func(*T) *time.Duration, lo time.Duration) func(*T, string) error {
	return func(to *T, v string) (err error) {
		*at(to), err = spanOf(v, lo)
		return err
	}
}

func spanOf(v string, lo time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < lo || d > maxSpan {
		return 0, fmt.Errorf("a time from %s to %s was expected, as 250ms or 48h", ShortTime(lo), ShortTime(maxSpan))
	}
	return d, nil
}

// period reads a time of a second at least, or off.
func period[T any](at func(*T) *time.Duration) func(*T, string) error {
	return func(to *T, v string) (err error) {
		if v == "off" {
			*at(to) = Off
			return nil
		}
		if *at(to), err = spanOf(v, time.Second); err != nil {
			err = fmt.Errorf("%w, or off", err)
		}
		return err
	}
}

// whole reads a number from lo to hi.
func whole[T any, N int | uint32 | uint64](at func(*T) *N, lo, hi uint64) func(*T, string) error {
	return func(to *T, v string) error {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("a number from %d to %d was expected", lo, hi)
		}
		*at(to) = N(n)
		return nil
	}
}

// wholeOrOff reads a number from 1 to hi, or off, which is -1.
func wholeOrOff[T any](at func(*T) *int, hi uint64) func(*T, string) error {
	number := whole(at, 1, hi)
	return func(to *T, v string) error {
		if v == "off" {
			*at(to) = -1
			return nil
		}
		if err := number(to, v); err != nil {
			return fmt.Errorf("%w, or off", err)
		}
		return nil
	}
}

// share reads a percentage as parts per million.
func share[T any](at func(*T) *uint32) func(*T, string) error {
	return func(to *T, v string) error {
		text, percent := strings.CutSuffix(v, "%")
		n, err := millionthsOf(text)
		if n /= 100; err != nil || !percent || n > 1e6 {
			return fmt.Errorf("a share from 0%% to 100%% was expected, as 5%%")
		}
		*at(to) = uint32(n)
		return nil
	}
}

// millionths reads a decimal number above 0 and up to 1000, exactly.
func millionths[T any](at func(*T) *uint32) func(*T, string) error {
	return func(to *T, v string) error {
		n, err := millionthsOf(v)
		if err != nil || n == 0 || n > 1e9 {
			return fmt.Errorf("a number from 0.000001 to 1000 was expected, as 0.5")
		}
		*at(to) = uint32(n)
		return nil
	}
}

// millionthsOf reads an unsigned decimal number without an exponent. What has more than six places is refused: it would be
// rounded, and a plan says what it means.
func millionthsOf(v string) (int64, error) {
	if strings.Trim(v, "0123456789.") != "" || len(v) > 24 {
		return 0, fmt.Errorf("a decimal number was expected")
	}
	r, ok := new(big.Rat).SetString(v)
	if !ok {
		return 0, fmt.Errorf("a decimal number was expected")
	}
	r.Mul(r, big.NewRat(1e6, 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("a decimal number with at most six places was expected")
	}
	return r.Num().Int64(), nil
}

// choice reads one of a few words.
func choice[T any](at func(*T) *string, names ...string) func(*T, string) error {
	return func(to *T, v string) error {
		if !slices.Contains(names, v) {
			return fmt.Errorf("%s was expected", strings.Join(names, " or "))
		}
		*at(to) = v
		return nil
	}
}

// toggle reads yes or no.
func toggle[T any](at func(*T) *bool, yes, no string) func(*T, string) error {
	return func(to *T, v string) error {
		if v != yes && v != no {
			return fmt.Errorf("%s or %s was expected", yes, no)
		}
		*at(to) = v == yes
		return nil
	}
}

// size reads a number of bytes, with its unit or without.
func size[T any](at func(*T) *int, hi int64) func(*T, string) error {
	return func(to *T, v string) error {
		n, ok := parseNumber(v)
		if !ok || n.Kind != KindNumber || n.Num < 1 || n.Num > hi {
			return fmt.Errorf("a size of at most %d bytes was expected, as 1KiB", hi)
		}
		*at(to) = int(n.Num)
		return nil
	}
}

// maxRate bounds a rate: a core does about a million events a second, and each operation is some hundred of them.
const maxRate = 10_000_000

var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// ParseRate reads a rate as a plan writes it: 50/s, 10/m or 3/h.
func ParseRate(text string) (r Rate, err error) {
	err = rate(func(r *Rate) *Rate { return r })(&r, text)
	return r, err
}

// rate reads so many in a second, a minute or an hour.
func rate[T any](at func(*T) *Rate) func(*T, string) error {
	return func(to *T, v string) error {
		number, unit, _ := strings.Cut(v, "/")
		n, err := strconv.Atoi(number)
		for _, u := range rateUnits {
			if err == nil && n > 0 && n <= maxRate && u.name == unit {
				*at(to) = Rate{n, u.per}
				return nil
			}
		}
		return fmt.Errorf("a rate was expected, as 50/s, 10/m or 3/h, of at most %d", maxRate)
	}
}
