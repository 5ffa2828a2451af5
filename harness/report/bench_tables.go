package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/kadbench/kadbench/harness/record"
)

// The tables of a load: what was answered at what cost, how long it took, and what became of all requests. Each has a row
// for each target; every column has its figure for every row, also where it is 0, since what is left out of a table of
// loads is what its reader would have asked for.

// row is the beginning of a target's row: its point and its name.
func (t *trial) row(b *Bench) (cells []string) {
	for _, name := range t.Axes {
		cells = append(cells, Clean(chosen(b.Point, name)))
	}
	return append(cells, Clean(b.Target))
}

// grid is a table whose rows begin with point and target.
func (t *trial) grid(cells func(*Bench, *record.Measured) []string, head ...string) grid {
	g := grid{Head: slices.Concat(cleaned(t.Axes), []string{"target"}, head), Left: len(t.Axes) + 1, Least: leastOfLoads}
	for _, b := range t.Runs {
		if m := b.total(); m.Turns > 0 {
			g.Rows = append(g.Rows, append(t.row(b), cells(b, m)...))
		}
	}
	return g.dense()
}

// leastOfLoads are the columns that go first on a narrow screen.
var leastOfLoads = []string{"bytes", "p99.99", "turns", "client CPU", "CPU interval", "answered", "offered/s"}

// rates is what was answered, and what of the machine it took.
func (t *trial) rates() grid {
	return t.grid(func(b *Bench, m *record.Measured) []string {
		offered := none
		if v := b.offered(); v > 0 {
			offered = figure(v)
		}
		highest := none
		if m.Max != nil {
			highest = figure(*m.Max)
			if m.GeneratorEnded() {
				highest = "≥ " + highest
			}
		}
		cells := []string{highest, offered, figure(m.PerSecond), spreadText(&m.Rates, figure)}
		rate, cost := none, none
		if a := m.Against; a != nil {
			rate, cost = quotient(&a.Rate), quotient(a.CPU)
		}
		cpu := none
		if m.ServerCPU != nil {
			cpu = micros(*m.ServerCPU)
		}
		foreign := none
		if m.Foreign != nil {
			foreign = percentOf(*m.Foreign)
		}
		return append(cells, rate, cpu, spreadText(m.CPU, micros), cost, foreign)
	}, "highest/s", "offered/s", "requests/s", "interval", t.beside(), "server CPU", "CPU interval", t.beside(), "foreign")
}

// beside is the head of the column of ratios: / ref.
func (t *trial) beside() string {
	for _, b := range t.Runs {
		if m := b.Measured; m != nil && m.Against != nil {
			return "/ " + Clean(m.Against.Target)
		}
	}
	return "/ the first"
}

// latencies from when requests were due, beside those from when they were sent; of a closed load these alone.
func (t *trial) latencies() grid {
	return t.grid(func(b *Bench, m *record.Measured) (cells []string) {
		for _, d := range []struct {
			of   *record.Distribution
			open bool // whether some never came to their end
		}{{b.due(m), m.Failed() > 0}, {m.Service, m.Errors+m.Timeouts > 0}} {
			for _, p := range benchPercentiles {
				cells = append(cells, quantile(d.of, p, latency))
			}
			cells = append(cells, most(d.of, d.open))
		}
		return cells
	}, "due p50", "p99", "p99.9", "p99.99", "most", "service p50", "p99", "p99.9", "p99.99", "most")
}

// most is the longest of all, exactly; at least so long if some never came to their end.
func most(d *record.Distribution, open bool) string {
	switch {
	case d == nil || d.N == 0:
		return none
	case open:
		return "≥ " + latency(d.Max)
	}
	return latency(d.Max)
}

// benchPercentiles are those of a table.
var benchPercentiles = []float64{50, 99, 99.9, 99.99}

// fates is what became of the requests.
func (t *trial) fates() grid {
	return t.grid(func(b *Bench, m *record.Measured) []string {
		wrong := "none checked"
		if m.Checked > 0 {
			wrong = count(m.Wrong) + " of " + count(m.Checked)
		}
		turns := fmt.Sprint(m.Turns)
		if again := b.again(); again > 0 {
			turns += fmt.Sprintf(" + %d", again)
		}
		return []string{turns, count(m.Requests), count(m.Answered), count(m.Errors), count(m.Timeouts), count(m.Dropped), count(m.Late), wrong, figure(m.Bytes), micros(m.ClientCPU)}
	}, "turns", "requests", "answered", "errors", "timeouts", "dropped", "late", "wrong", "bytes", "client CPU")
}

// tables are the three.
func (t *trial) tables() []grid { return []grid{t.rates(), t.latencies(), t.fates()} }

// spreadText is the interval of a median over turns.
func spreadText(s *record.Spread, show func(float64) string) string {
	switch {
	case s == nil || s.N == 0:
		return none
	case s.N == 1:
		return "one turn"
	}
	return between(s.Low, s.High, show)
}

// quotient is a ratio over rounds: 0.220; its interval stands with the others.
func quotient(s *record.Spread) string {
	if s == nil || s.N == 0 {
		return none
	}
	return times(s.Median)
}

// times is a ratio with three digits.
func times(v float64) string {
	if a := math.Abs(v); a > 0 && a < 0.9995 {
		return fmt.Sprintf("%.3f", v)
	}
	return figure(v)
}

// latency is a time from a microsecond on: 42.0 µs, 1.09 ms, 2.31 s.
func latency(ms float64) string {
	if math.Abs(ms) < 0.9995 {
		return micros(ms * 1000)
	}
	return millis(ms)
}

func micros(us float64) string { return figure(us) + " µs" }

// percentOf a share that is mostly small: 1.2 %.
func percentOf(share float64) string { return fmt.Sprintf("%.1f %%", share*100) }
