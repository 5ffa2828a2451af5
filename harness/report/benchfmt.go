package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Benchfmt writes turns and runs in the benchmark format of Go, one line each, for benchstat and its kin: with the same
// samples it comes to the verdicts of Compare. What differs between the sides of a comparison as a matter of course, the
// versions and the commands, stands in lines that the format passes over: as configuration it would make benchstat put
// each side into a table of its own, and compare nothing. Two sides are told apart by the key side, A or B.
func Benchfmt(w io.Writer, sides ...[]*Log) error {
	bw := bufio.NewWriter(w)
	logs := slices.Concat(sides...)
	for _, l := range logs {
		fmt.Fprintf(bw, "# kadbench %s, %s, %s, seed %d\n", Clean(l.Run.Version), l.Run.Started.UTC().Format("2006-01-02 15:04:05 UTC"), Clean(l.Run.Go), l.Run.Seed)
		fmt.Fprintf(bw, "# %s\n", Clean(strings.Join(l.Run.Command, " ")))
		for _, v := range l.targetVersions() {
			fmt.Fprintf(bw, "# target %s\n", Clean(v))
		}
	}
	used := make(map[*figureOf]bool)
	for _, l := range logs {
		for _, r := range l.readings() {
			for f := range r.Values {
				used[f] = true
			}
		}
	}
	if len(used) > 0 {
		for i := range figuresOf {
			f := &figuresOf[i]
			if better := map[int]string{1: "higher", -1: "lower"}[f.Better]; used[f] && better != "" {
				fmt.Fprintf(bw, "Unit %s better=%s\n", f.Unit, better)
			}
		}
	}
	for i, l := range logs {
		goos, goarch, _ := strings.Cut(l.Run.OS, "/")
		fmt.Fprintf(bw, "\ngoos: %s\ngoarch: %s\ncpus: %d\n", oneWord(goos), oneWord(goarch), l.Run.CPUs)
		if len(sides) > 1 {
			fmt.Fprintf(bw, "side: %c\n", map[bool]rune{true: 'A', false: 'B'}[i < len(sides[0])])
		}
		plan := ""
		for _, r := range l.readings() {
			if len(r.Values) == 0 {
				continue
			}
			if r.Plan != plan {
				plan = r.Plan
				fmt.Fprintf(bw, "plan: %s\n\n", Clean(plan))
			}
			fmt.Fprintf(bw, "Benchmark%s %d", r.name(), max(r.N, 1))
			for i := range figuresOf {
				f := &figuresOf[i]
				v, ok := r.Values[f]
				if !ok {
					continue
				}
				if f.Unit == "req/s" && v > 0 { // what every reader of the format looks for
					fmt.Fprintf(bw, " %s ns/op", nine(1e9/v))
				}
				fmt.Fprintf(bw, " %s %s", nine(v*f.Scale), f.Unit)
			}
			fmt.Fprintln(bw)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// nine digits are more than any measurement has, and few enough that 0.1 is not 0.10000000000000001.
func nine(v float64) string { return strconv.FormatFloat(v, 'g', 9, 64) }

// name of a benchmark: FindNode/target=ref/streams=8 of load/find-node.
func (r *reading) name() string {
	id := r.Plan[strings.LastIndexByte(r.Plan, '/')+1:]
	var b strings.Builder
	upper := true
	for _, c := range id {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			upper = true
		case upper:
			b.WriteRune(unicode.ToUpper(c))
			upper = false
		default:
			b.WriteRune(c)
		}
	}
	if r.Target != "" {
		b.WriteString("/target=" + oneWord(r.Target))
	}
	if r.Kind != "" {
		b.WriteString("/op=" + oneWord(r.Kind))
	}
	for _, p := range strings.Fields(r.Point) {
		b.WriteString("/" + oneWord(p))
	}
	return b.String()
}

// oneWord is a text as one word of the format: what would end it, or begin another part of a name, is an underscore.
func oneWord(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '/' || unicode.IsSpace(c) || !unicode.IsPrint(c) {
			return '_'
		}
		return c
	}, s)
}
