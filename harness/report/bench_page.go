package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// maxPageTurns of a target are in the page with what happened in each second; of more, the first.
const maxPageTurns = 50

// maxSeconds of a turn are in the page: ten minutes. Of a longer one the first.
const maxSeconds = 600

// pageTrial is a plan's loads as the page has them: the template shows its tables, the script its plots.
type pageTrial struct {
	ID       string      `json:"-"` // of its section
	Plan     string      `json:"plan"`
	Prose    string      `json:"-"`
	Facts    []string    `json:"-"`
	Broken   []string    `json:"-"` // what is not whole, in sentences
	Doubts   []string    `json:"-"` // what makes figures less than they look
	Remarks  [][2]string `json:"-"`
	Needs    []simNeed   `json:"-"`
	Held     int         `json:"-"`
	Repeat   string      `json:"-"`
	Rates    grid        `json:"-"`
	Latency  grid        `json:"-"`
	Fates    grid        `json:"-"`
	Versions [][2]string `json:"-"`
	Axes     []string    `json:"axes"`
	Targets  []string    `json:"targets"`
	Runs     []pageBench `json:"runs"`
}

// pageBench is one target at one point.
type pageBench struct {
	Target  string               `json:"target"`
	Point   []string             `json:"point"`
	Rates   record.Spread        `json:"rates"`
	CPU     *record.Spread       `json:"cpu,omitempty"`
	Due     *record.Distribution `json:"due,omitempty"`
	Service *record.Distribution `json:"service,omitempty"`
	Closed  bool                 `json:"closed,omitempty"` // each answer brought on the next request
	Failed  float64              `json:"failed"`           // share
	Max     *float64             `json:"max,omitempty"`
	Ended   bool                 `json:"generator_ended,omitempty"` // by the generator: Max is at least so much
	Turns   []pageTurn           `json:"turns"`
	Tries   []pageTry            `json:"tries,omitempty"`
}

// pageTry is a rate that was tried.
type pageTry struct {
	Rate float64  `json:"rate"`
	Held bool     `json:"held"`
	P99  *float64 `json:"p99"` // from due
}

// pageTurn is one that counts. Seconds are from due, of a closed load from when a request was sent.
type pageTurn struct {
	Round   int             `json:"round"`
	Rate    float64         `json:"rate"`
	Due     [2]*float64     `json:"due"` // p50 and p99
	Service [2]*float64     `json:"service"`
	CPU     *float64        `json:"cpu"`
	Foreign *float64        `json:"foreign"`
	Seconds []record.Second `json:"seconds"`
}

func (l *Log) pageTrials() (list []pageTrial) {
	for i, t := range l.trials() {
		var left string
		if all := len(t.Runs); all > maxPageRuns {
			t.Runs, left = t.Runs[:maxPageRuns], fmt.Sprintf("The first %d of %d are shown; the log has all.", maxPageRuns, all)
		}
		first := t.Runs[0]
		p := pageTrial{ID: fmt.Sprintf("load-%d", i), Plan: Clean(t.Plan), Prose: Clean(first.Prose), Repeat: Clean(first.Repeat), Rates: t.rates(), Latency: t.latencies(), Fates: t.fates(),
			Axes: []string{}, Targets: cleaned(t.targets())}
		p.Axes = append(p.Axes, cleaned(t.Axes)...)
		p.Facts = []string{Plural(first.Rounds, "round"), fmt.Sprintf("seed %d", first.Seed)}
		if first.searched() {
			p.Facts[0] = "the highest rate sought"
		}
		for _, s := range t.facts() {
			p.Facts = append(p.Facts, Clean(s.Name+" "+s.Value))
		}
		for _, name := range t.targets() {
			if v := t.version(name); v != "" && v != name {
				p.Versions = append(p.Versions, [2]string{Clean(name), Clean(v)})
			}
		}
		if left != "" {
			p.Broken = append(p.Broken, left)
		}
		for _, text := range t.doubts(l) {
			p.Doubts = append(p.Doubts, Clean(text))
		}
		for _, b := range t.Runs {
			p.add(t, b)
		}
		place := func(n simNeed) int { return slices.Index([]string{"fail", "skipped", "pass"}, n.Class) }
		slices.SortStableFunc(p.Needs, func(a, b simNeed) int { return place(a) - place(b) }) // a long table shows its first rows alone
		list = append(list, p)
	}
	return list
}

// add takes in one target at one point.
func (p *pageTrial) add(t *trial, b *Bench) {
	which := Clean(t.which(b))
	if why := b.Broken(); why != "" {
		p.Broken = append(p.Broken, which+Clean(why))
	}
	for _, r := range t.remarks(b) {
		p.Remarks = append(p.Remarks, [2]string{r[0], which + Clean(r[1])})
	}
	m := b.total()
	if b.Measured != nil {
		for _, n := range m.Needs {
			if n.Verdict == record.Pass && len(t.Runs) > maxIntervals {
				p.Held++
				continue
			}
			p.Needs = append(p.Needs, pageNeed(Clean(b.Target+" "+settings(b.Point)), n, ""))
		}
	}
	if m.Turns == 0 {
		return
	}
	one := pageBench{Target: Clean(b.Target), Point: []string{}, Rates: m.Rates, CPU: m.CPU, Due: b.due(m), Service: m.Service, Closed: b.closed(), Max: m.Max, Ended: m.GeneratorEnded(), Turns: []pageTurn{}}
	if m.Requests > 0 {
		one.Failed = float64(m.Failed()) / float64(m.Requests)
	}
	for _, a := range t.Axes {
		one.Point = append(one.Point, Clean(chosen(b.Point, a)))
	}
	turns := b.counted()
	for _, turn := range turns[:min(len(turns), maxPageTurns)] {
		of := func(d *record.Distribution) [2]*float64 { return [2]*float64{told(d, 50), told(d, 99)} }
		whole := min(len(turn.Seconds), maxSeconds, int(turn.Span/time.Second)) // in a part of one less is answered, which looks like a stall
		one.Turns = append(one.Turns, pageTurn{turn.Round, turn.PerSecond, of(due(&turn)), of(turn.Service), turn.ServerCPU, turn.Foreign, turn.Seconds[:whole]})
	}
	for i, try := range m.Tries[:min(len(m.Tries), maxPageTurns)] {
		shown := pageTry{Rate: try.Rate, Held: try.Held}
		for _, turn := range b.Turns {
			if turn.Void == "" && turn.Round == i+1 {
				shown.P99 = told(turn.Due, 99)
			}
		}
		one.Tries = append(one.Tries, shown)
	}
	p.Runs = append(p.Runs, one)
}

// pageNeed is a need as a page shows it. What is missed has the command that repeats it.
func pageNeed(run string, n record.NeedGot, repeat string) simNeed {
	word, _ := needWord(n.Verdict)
	one := simNeed{Run: run, Text: Clean(n.Text), Got: Clean(n.Got), Why: Clean(n.Why), Line: Clean(n.Line), Word: word}
	switch n.Verdict {
	case record.Pass:
		one.Class = "pass"
	case record.Skipped:
		one.Class = "skipped"
	default:
		one.Class, one.Repeat = "fail", Clean(repeat)
	}
	return one
}
