package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// Bench is one target under a load on sockets, as its log tells it.
type Bench struct {
	record.Bench
	Run      int              `json:"run,omitempty"` // which of the logs that were joined
	Turns    []record.Turn    `json:"turns"`         // with those that were done again
	Measured *record.Measured `json:"measured"`      // nil: the log was cut off before
}

// bench takes in one line of a load.
func (l *Log) bench(e record.Entry) error {
	at := func(number int) *Bench {
		i := slices.IndexFunc(l.Benches, func(b *Bench) bool { return b.Number == number })
		if i < 0 {
			return nil
		}
		return l.Benches[i]
	}
	if e.Type == record.TypeBench {
		if at(e.Bench.Number) != nil {
			return fmt.Errorf("%s: %w: bench %d begins twice", l.Path, record.ErrLog, e.Bench.Number)
		}
		l.Benches = append(l.Benches, &Bench{Bench: *e.Bench, Turns: []record.Turn{}})
		return nil
	}
	number := 0
	if e.Turn != nil {
		number = e.Turn.Number
	} else {
		number = e.Measured.Number
	}
	b := at(number)
	switch {
	case b == nil:
		return fmt.Errorf("%s: %w: a line of type %s of bench %d, which has not begun", l.Path, record.ErrLog, e.Type, number)
	case e.Turn != nil:
		b.Turns = append(b.Turns, *e.Turn)
	default:
		b.Measured = e.Measured
	}
	return nil
}

// Name is the plan with what its sweep chose, and the target: load/find-node streams=8, go.
func (b *Bench) Name() string {
	return strings.TrimSpace(b.Plan+" "+settings(b.Point)) + ", " + b.Target
}

// searched says whether the highest rate was sought: then each round is a try at a rate of its own.
func (b *Bench) searched() bool {
	return b.Measured != nil && (b.Measured.Max != nil || len(b.Measured.Tries) > 0) ||
		b.Measured == nil && (strings.Contains(b.Repeat, " --find-max") || slices.ContainsFunc(b.Turns, func(t record.Turn) bool { return t.Round > b.Rounds }))
}

// counted are the turns of which the figures are: those that were not done again, and of a search the last try at the
// rate that it found. A search that was cut off has none.
func (b *Bench) counted() (turns []record.Turn) {
	found := 0
	if b.searched() {
		if b.Measured == nil || b.Measured.Max == nil {
			return nil
		}
		for i, try := range b.Measured.Tries {
			if try.Held && try.Rate == *b.Measured.Max {
				found = i + 1
			}
		}
		if found == 0 {
			return nil
		}
	}
	for _, t := range b.Turns {
		if t.Void == "" && (found == 0 || t.Round == found) {
			turns = append(turns, t)
		}
	}
	return turns
}

// again is how many turns were done again.
func (b *Bench) again() (n int) {
	for _, t := range b.Turns {
		if t.Void != "" {
			n++
		}
	}
	return n
}

// spread of a figure over turns, as record has it.
func spread(values []float64) record.Spread {
	if len(values) == 0 {
		return record.Spread{}
	}
	m := stats.MiddleOf(values)
	return record.Spread{Median: m.Value, Low: m.Low, High: m.High, Min: m.Min, Max: m.Max, N: m.N}
}

// total is what came of all turns. Of a log that was cut off it is what its turns tell: rates and counts; percentiles only
// of a single one, since those of several cannot be put together.
func (b *Bench) total() *record.Measured {
	if b.Measured != nil {
		return b.Measured
	}
	turns := b.counted()
	m := &record.Measured{Number: b.Number, Turns: len(turns)}
	var rates, cpu, foreign []float64
	for _, t := range turns {
		m.Span += t.Span
		m.Requests, m.Answered, m.Errors, m.Timeouts = m.Requests+t.Requests, m.Answered+t.Answered, m.Errors+t.Errors, m.Timeouts+t.Timeouts
		m.Late, m.Dropped, m.Checked, m.Wrong = m.Late+t.Late, m.Dropped+t.Dropped, m.Checked+t.Checked, m.Wrong+t.Wrong
		m.ClientCPU += t.ClientCPU / float64(len(turns))
		m.Bytes += t.Bytes / float64(len(turns))
		rates = append(rates, t.PerSecond)
		if t.Foreign != nil {
			foreign = append(foreign, *t.Foreign)
		}
		if t.ServerCPU != nil {
			cpu = append(cpu, *t.ServerCPU)
		}
	}
	m.Rates = spread(rates)
	m.PerSecond = m.Rates.Median
	if len(foreign) > 0 {
		m.Foreign = new(spread(foreign).Median)
	}
	if len(cpu) > 0 {
		s := spread(cpu)
		m.CPU, m.ServerCPU = &s, &s.Median
	}
	if len(turns) == 1 {
		m.Due, m.Service, m.Start = turns[0].Due, turns[0].Service, turns[0].Start
	}
	return m
}

// closed says that each answer brought on the next request: one is due when it is sent, so that its latency from due is
// that of the service.
func (b *Bench) closed() bool { return b.offered() == 0 }

// due is the latency from due where it tells more than that of the service; else nil.
func (b *Bench) due(m *record.Measured) *record.Distribution {
	if b.closed() {
		return nil
	}
	return m.Due
}

// amongTurns is a percentile of each turn: of all requests together it may be that of one bad turn, and its own interval knows
// of no turns. None if a turn has too few samples to tell it, which may be the bad one.
func (b *Bench) amongTurns(of func(*record.Turn) *record.Distribution, p float64) record.Spread {
	var values []float64
	for _, t := range b.counted() {
		v := told(of(&t), p)
		if v == nil {
			return record.Spread{}
		}
		values = append(values, *v)
	}
	return spread(values)
}

// offered is the rate that was due, median; 0 where each answer brought on the next request.
func (b *Bench) offered() float64 {
	var rates []float64
	for _, t := range b.counted() {
		rates = append(rates, t.Offered)
	}
	return spread(rates).Median
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// Broken says why and where a load did not come to its end; empty where it did.
func (b *Bench) Broken() string {
	done := fmt.Sprintf("%d of %s", len(b.counted()), Plural(b.Rounds, "turn"))
	if b.searched() {
		done = tries(len(b.Turns) - b.again())
	}
	switch {
	case b.Measured == nil:
		return "the log was cut off after " + done
	case b.Measured.Error != "":
		return "broken off after " + done + ": " + b.Measured.Error
	}
	return ""
}

// trial is all that one plan asked: of each target, at each point of its sweep, in one log or several.
type trial struct {
	Plan string
	Axes []string
	Runs []*Bench
}

// trials groups the loads by plan, in the order of the log; within a plan the targets of a point stand together.
func (l *Log) trials() (list []*trial) {
	for _, b := range l.Benches {
		i := slices.IndexFunc(list, func(t *trial) bool { return t.Plan == b.Plan })
		if i < 0 {
			i, list = len(list), append(list, &trial{Plan: b.Plan})
		}
		list[i].Runs = append(list[i].Runs, b)
	}
	for _, t := range list {
		tellApart(t.Runs, func(b *Bench) string { return settings(b.Point) + " " + b.Target }, func(b *Bench) *[]record.Setting { return &b.Point },
			mark[*Bench]{"seed", func(b *Bench) string { return fmt.Sprint(b.Seed) }},
			mark[*Bench]{"log", func(b *Bench) string { return l.folder(b.Run) }},
			mark[*Bench]{"run", func(b *Bench) string { return fmt.Sprint(b.Run + 1) }})
		var points []string
		for _, b := range t.Runs {
			t.Axes = axes(append([][]record.Setting{named(t.Axes)}, b.Point)...)
			if p := settings(b.Point); !slices.Contains(points, p) {
				points = append(points, p)
			}
		}
		slices.SortStableFunc(t.Runs, func(a, b *Bench) int {
			return cmp.Compare(slices.Index(points, settings(a.Point)), slices.Index(points, settings(b.Point)))
		})
	}
	return list
}

// named are settings without values.
func named(names []string) (list []record.Setting) {
	for _, n := range names {
		list = append(list, record.Setting{Name: n})
	}
	return list
}

// targets of a trial, in the order of the log.
func (t *trial) targets() (names []string) {
	for _, b := range t.Runs {
		if !slices.Contains(names, b.Target) {
			names = append(names, b.Target)
		}
	}
	return names
}

// which names a load among several: "streams=8 go: ".
func (t *trial) which(b *Bench) string {
	if len(t.Runs) == 1 {
		return ""
	}
	return strings.TrimSpace(settings(b.Point)+" "+b.Target) + ": "
}

// facts are what is told of the load and alike for all.
func (t *trial) facts() []record.Setting {
	var lists [][]record.Setting
	for _, b := range t.Runs {
		lists = append(lists, b.World)
	}
	return alike(lists...)
}

// world is that in one line.
func (t *trial) world() string {
	var parts []string
	for _, p := range t.facts() {
		parts = append(parts, p.Name+" "+p.Value)
	}
	return strings.Join(parts, " · ")
}

// measures says whether a log holds loads or simulations, which have figures and needs in the place of verdicts.
func (l *Log) measures() bool { return len(l.Simulations)+len(l.Benches) > 0 }
