package run

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
)

// draft is the text of a simulation, taken apart so far that lines and numbers can be changed. It knows nothing of what
// words mean beyond their form: whether a draft is a plan, the parser says.
type draft struct {
	lines    []draftLine
	fixtures string // with the line that begins the first
}

// draftLine is a line of the script with those that continue it, or a comment or blank line (words is empty then).
type draftLine struct {
	text  string
	words []string
}

var beginsFixture = regexp.MustCompile(`(?m)^-- .+ --$`)

func draftOf(text string) (d draft) {
	if at := beginsFixture.FindStringIndex(text); at != nil {
		text, d.fixtures = text[:at[0]], text[at[0]:]
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		last := len(d.lines) - 1
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			d.lines = append(d.lines, draftLine{text: line})
		case last >= 0 && strings.TrimLeft(line, " \t") != line && len(d.lines[last].words) > 0:
			d.lines[last].words = append(d.lines[last].words, strings.Fields(line)...)
			d.lines[last].text = strings.Join(d.lines[last].words, " ")
		default:
			d.lines = append(d.lines, draftLine{line, strings.Fields(line)})
		}
	}
	return d
}

// text is the draft as a file. A fixture that no line names any more is left out.
func (d draft) text() string {
	var b strings.Builder
	for _, l := range d.lines {
		b.WriteString(l.text + "\n")
	}
	script := b.String()
	starts := beginsFixture.FindAllStringIndex(d.fixtures, -1)
	for i, at := range starts {
		end := len(d.fixtures)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		name := strings.TrimSuffix(strings.TrimPrefix(d.fixtures[at[0]:at[1]], "-- "), " --")
		if regexp.MustCompile(`@` + regexp.QuoteMeta(name) + `\b`).MatchString(script) {
			b.WriteString(d.fixtures[at[0]:end])
		}
	}
	return b.String()
}

// with is a copy in which one line has other words; none: the line is gone.
func (d draft) with(i int, words []string) draft {
	d.lines = slices.Clone(d.lines)
	if len(words) == 0 {
		d.lines = slices.Delete(d.lines, i, i+1)
	} else {
		d.lines[i] = draftLine{strings.Join(words, " "), words}
	}
	return d
}

// plain says whether a line's words may be changed: one with a text in quotes is not taken apart.
func (l draftLine) plain(verbs ...string) bool {
	return len(l.words) > 1 && slices.Contains(verbs, l.words[0]) && !strings.ContainsAny(l.text, `"(`)
}

// set gives a name=value word of the first line of a verb its value.
func (d *draft) set(verb, name, value string) {
	for i, l := range d.lines {
		if len(l.words) == 0 || l.words[0] != verb {
			continue
		}
		words := slices.DeleteFunc(slices.Clone(l.words), func(w string) bool { return strings.HasPrefix(w, name+"=") })
		*d = d.with(i, append(words, name+"="+value))
		return
	}
}

// fix leaves of the sweep one point.
func (d *draft) fix(point []plan.Setting) {
	for i := len(d.lines) - 1; i >= 0; i-- {
		if len(d.lines[i].words) == 0 || d.lines[i].words[0] != "sweep" {
			continue
		}
		words := []string{"sweep"}
		for _, w := range d.lines[i].words[1:] {
			name, _, _ := strings.Cut(w, "=")
			for _, s := range point {
				if s.Name == name {
					words = append(words, name+"="+s.Value)
				}
			}
		}
		*d = d.with(i, words)
	}
}

// withNeed leaves one need, or none where no line has it.
func (d draft) withNeed(need string) (out draft, changed bool) {
	out = d
	for i := len(d.lines) - 1; i >= 0; i-- {
		l := d.lines[i]
		if len(l.words) == 0 || l.words[0] != "need" || len(l.words) == 2 && l.words[1] == need {
			continue
		}
		changed = true
		if slices.Contains(l.words, need) {
			out = out.with(i, []string{"need", need})
		} else {
			out = out.with(i, nil)
		}
	}
	return out, changed
}

// without leaves out a line about what happens.
func (d draft) without(i int) (out draft, what string, ok bool) {
	l := d.lines[i]
	if len(l.words) == 0 || !slices.Contains([]string{"faults", "churn", "load", "link"}, l.words[0]) {
		return d, "", false
	}
	return d.with(i, nil), "without " + l.text, true
}

// withoutWord leaves out a word that says how something is, and has a default.
func (d draft) withoutWord(i, j int) (out draft, what string, ok bool) {
	l := d.lines[i]
	if !l.plain("world", "link", "churn", "load") || !strings.Contains(l.words[j], "=") && l.words[j] != "poisson" {
		return d, "", false
	}
	if name, _, _ := strings.Cut(l.words[j], "="); name == "nodes" || name == "seed" {
		return d, "", false
	}
	words := slices.Delete(slices.Clone(l.words), j, j+1)
	return d.with(i, words), fmt.Sprintf("%s without %s", l.words[0], l.words[j]), true
}

// halves are the words whose numbers are halved: how much there is, and how long it lasts.
var halves = []string{"nodes", "count", "keys", "rate", "to", "for", "from", "at", "until", "every", "first", "batch"}

// halved halves the number of a word.
func (d draft) halved(i, j int) (out draft, what string, ok bool) {
	l := d.lines[i]
	if j >= len(l.words) || !l.plain("world", "faults", "load", "sweep") {
		return d, "", false
	}
	name, value, given := strings.Cut(l.words[j], "=")
	if !given || !slices.Contains(halves, name[strings.LastIndexByte(name, '.')+1:]) {
		return d, "", false
	}
	half := halfOf(value)
	if half == "" {
		return d, "", false
	}
	words := slices.Clone(l.words)
	words[j] = name + "=" + half
	return d.with(i, words), fmt.Sprintf("%s %s", l.words[0], words[j]), true
}

// halfOf is half of a number, a rate or a time, rounded down so that people can read it; "" for what is not halved.
func halfOf(value string) string {
	number, unit, rate := strings.Cut(value, "/")
	if n, err := strconv.ParseUint(number, 10, 64); err == nil {
		switch {
		case n < 2:
			return ""
		case rate:
			return fmt.Sprintf("%d/%s", n/2, unit)
		}
		return fmt.Sprint(n / 2)
	}
	t, err := time.ParseDuration(value)
	if err != nil || rate || t < 2*time.Second {
		return ""
	}
	return plan.ShortTime((t / 2).Truncate(time.Second))
}
