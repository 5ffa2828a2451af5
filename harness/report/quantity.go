package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// none stands where there is no figure.
const none = "–"

// figure has three significant digits, and whole numbers from 1000 on with commas: 0.0123, 3.42, 31.2, 423, 12,345.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 999.5:
		return count(uint64(math.Round(a)))
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// count has commas: 12,345.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// millis is a time in the unit that suits it: 0.42 ms, 423 ms, 2.31 s, 3m20s.
func millis(ms float64) string {
	switch {
	case ms < 999.5:
		return figure(ms) + " ms"
	case ms < 99_950:
		return figure(ms/1000) + " s"
	}
	return span(time.Duration(math.Round(ms/1000)) * time.Second)
}

// span is a simulated time, without the parts that are 0: 48h, 12h30m, 20s.
func span(d time.Duration) string {
	if d >= time.Minute {
		d = d.Round(time.Second)
	} else if d >= time.Second {
		d = d.Round(10 * time.Millisecond)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// size is a number of bytes: 812 B, 7.24 KiB, 11.3 GiB.
func size(v float64) string {
	unit := 0
	for v >= 1000 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	return figure(v) + " " + []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// percent of a share, with more digits the nearer it comes to all: 94.8 %, 99.93 %, 99.9987 %.
func percent(share float64) string {
	if share >= 1 {
		return "100 %"
	}
	digits := 1
	for left := 1 - share; left < 0.0095 && digits < 6; left *= 10 {
		digits++
	}
	return near(share*100, digits, 100) + " %"
}

// near rounds to so many digits, but down where it would become all.
func near(v float64, digits int, all float64) string {
	scale := math.Pow10(digits)
	rounded := math.Round(v*scale) / scale
	if rounded >= all {
		rounded = math.Floor(v*scale) / scale
	}
	return strconv.FormatFloat(rounded, 'f', digits, 64)
}

// recall has at least four digits, and never is 1 unless all was found.
func recall(share float64) string {
	if share >= 1 {
		return "1"
	}
	digits := 4
	for left := 1 - share; left < 0.001 && digits < 7; left *= 10 {
		digits++
	}
	return near(share, digits, 1)
}

// ratio is a share as by show; – where there was nothing to count.
func ratio(r *record.Ratio, show func(float64) string) string {
	if r == nil || r.Of == 0 {
		return none
	}
	return show(r.Value())
}

// quantile is a percentile in the unit of show. What there are too few samples for is told so, and not guessed.
func quantile(d *record.Distribution, p float64, show func(float64) string) string {
	switch q := d.Quantile(p); {
	case q == nil:
		return none
	case q.Few:
		return "too few"
	case q.AtLeast:
		return "≥ " + show(q.V)
	default:
		return show(q.V)
	}
}

// mean of a distribution in the unit of show.
func mean(d *record.Distribution, show func(float64) string) string {
	if d == nil || d.N == 0 {
		return none
	}
	return show(d.Mean)
}

// between is an interval, its unit told once where both ends have the same: 410–431 ms.
func between(low, high float64, show func(float64) string) string {
	a, b := show(low), show(high)
	if a == b {
		return a
	}
	if head, unit, ok := strings.Cut(a, " "); ok && strings.HasSuffix(b, " "+unit) {
		a = head
	}
	return a + "–" + b
}

// intervals are the 95 % confidence intervals of the figures of one kind, in one line.
func intervals(f *record.Figures) string {
	var parts []string
	share := func(name string, r *record.Ratio, show func(float64) string) {
		if r != nil && r.Of > 0 {
			parts = append(parts, name+" "+between(r.Low, r.High, show))
		}
	}
	share("success", f.Success, percent)
	share("recall", f.Recall, recall)
	for _, p := range []float64{50, 90, 99} {
		if q := f.Took.Quantile(p); q != nil && !q.Few {
			parts = append(parts, fmt.Sprintf("p%g %s", p, between(q.Low, q.High, millis)))
		}
	}
	return strings.Join(parts, ", ")
}
