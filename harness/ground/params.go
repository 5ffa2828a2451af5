package ground

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrParam is a parameter that a case does not have, or a value that is not of its type.
var ErrParam = errors.New("parameter")

// Params are the values of a case's parameters, the defaults included. Every value was found to be of its parameter's type
// before the case began, so reading one cannot fail, except for a parameter that the case has not declared: that panics.
type Params map[string]string

// Int is the value of a parameter of type int.
func (p Params) Int(name string) int { return read(p, name, strconv.Atoi) }

// Float is that of a float, with all of its 64 bits (Testground's own reader keeps 32).
func (p Params) Float(name string) float64 { return read(p, name, parseFloat) }

// Bool is that of a bool: true or false.
func (p Params) Bool(name string) bool { return read(p, name, parseBool) }

// Duration is that of a duration: 1m30s.
func (p Params) Duration(name string) time.Duration { return read(p, name, time.ParseDuration) }

// Size is that of a size in bytes: 64KiB, 10MB, 512.
func (p Params) Size(name string) int64 { return read(p, name, parseSize) }

// Text is that of a string.
func (p Params) Text(name string) string {
	return read(p, name, func(s string) (string, error) { return s, nil })
}

func read[T any](p Params, name string, parse func(string) (T, error)) T {
	text, ok := p[name]
	if !ok {
		panic(fmt.Sprintf("the case has no parameter %q", name))
	}
	v, err := parse(text)
	if err != nil {
		panic(fmt.Sprintf("parameter %s=%s: it was declared as another type", name, text))
	}
	return v
}

// types are those of parameters, each with what finds a text to be of it, and with examples.
var types = map[string]struct {
	check   func(string) error
	example string
}{
	"int":      {checks(strconv.Atoi), "20"},
	"float":    {checks(parseFloat), "0.5"},
	"bool":     {checks(parseBool), "true or false"},
	"duration": {checks(time.ParseDuration), "1m30s"},
	"size":     {checks(parseSize), "64KiB"},
	"string":   {func(string) error { return nil }, "a text"},
}

func checks[T any](parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

// parseFloat reads a number. What is none compares with nothing: a threshold of NaN could not be missed.
func parseFloat(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = strconv.ErrSyntax
	}
	return v, err
}

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, strconv.ErrSyntax
	}
	return s == "true", nil
}

// parseSize reads a number of bytes with or without a unit.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGi")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, strconv.ErrSyntax
	}
	factor, ok := map[string]int64{"": 1, "B": 1, "KB": 1e3, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20, "GB": 1e9, "GiB": 1 << 30}[s[len(digits):]]
	if !ok || n > 1<<53/factor { // as many as a float64 counts one by one, which is what a point is
		return 0, strconv.ErrRange
	}
	return n * factor, nil
}

// Parse makes the values of a case's parameters: what is given, and else the default. The text null is as good as none,
// because Testground says so for a parameter to which its manifest gives no default.
func (c *Case) Parse(given map[string]string) (Params, error) {
	all := Params{}
	for _, p := range c.Params {
		all[p.Name] = p.Default
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		p := c.param(name)
		value := given[name]
		switch {
		case p == nil:
			return nil, fmt.Errorf("%w %s: case %s has none of this name: expected %s", ErrParam, name, c.Name, c.names())
		case value == "null":
			continue
		case strings.ContainsAny(value, "=|"):
			return nil, fmt.Errorf("%w %s: %q has = or |, which Testground takes for the end of a value", ErrParam, name, value)
		case types[p.Type].check(value) != nil:
			return nil, fmt.Errorf("%w %s: %q is no %s: expected something like %s (default %q)",
				ErrParam, name, value, p.Type, types[p.Type].example, p.Default)
		}
		all[name] = value
	}
	return all, nil
}

func (c *Case) param(name string) *Param {
	if i := slices.IndexFunc(c.Params, func(p Param) bool { return p.Name == name }); i >= 0 {
		return &c.Params[i]
	}
	return nil
}

func (c *Case) names() string {
	if len(c.Params) == 0 {
		return "no parameters at all"
	}
	var names []string
	for _, p := range c.Params {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// Check says what is wrong with a case's own description.
func (c *Case) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("case %q: %s", c.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case !word(c.Name):
		return wrong("its name: expected letters, digits, _ . and -")
	case c.Run == nil:
		return wrong("it does nothing: Run was expected")
	case c.Min < 1 || c.Default < c.Min || c.Max < c.Default:
		return wrong("instances %d to %d, default %d: expected 1 <= min <= default <= max", c.Min, c.Max, c.Default)
	}
	for i, p := range c.Params {
		t, ok := types[p.Type]
		switch {
		case !word(p.Name) || c.param(p.Name) != &c.Params[i]:
			return wrong("parameter %q: expected a name of its own, of letters, digits, _ . and -", p.Name)
		case !ok:
			return wrong("parameter %s: type %q: expected %s", p.Name, p.Type, strings.Join(slices.Sorted(maps.Keys(types)), ", "))
		case t.check(p.Default) != nil || strings.ContainsAny(p.Default, "=|") || p.Default == "null":
			return wrong("parameter %s: default %q: expected a %s without = and |, as %s", p.Name, p.Default, p.Type, t.example)
		}
	}
	return nil
}

// word says whether a name may stand in a path, an environment and a metric alike.
func word(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-' {
			return false
		}
	}
	return s != "" && s[0] != '.' && len(s) <= 100 // a file's name has 255 bytes at the most
}
