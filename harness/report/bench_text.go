package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// writeBenches prints what an engineer who distrusts figures asks of a load: how much was answered and at what cost, how
// sure that is, what it is beside the first target, how long it took from when it was due, what failed and why, and what
// else the machine did meanwhile.
func writeBenches(w io.Writer, l *Log, o Options) {
	for _, t := range l.trials() {
		t.write(w, l, o)
	}
}

func (t *trial) write(w io.Writer, l *Log, o Options) {
	first := t.Runs[0]
	facts := []string{first.Plan, Plural(len(t.targets()), "target"), Plural(first.Rounds, "round")}
	if first.searched() {
		facts[2] = "the highest rate sought in turns"
	}
	if len(first.Turns) > 0 {
		facts[2] += " of " + span(first.Turns[0].Span)
	}
	facts = append(facts, fmt.Sprintf("seed %d", first.Seed))
	fmt.Fprintln(w, o.paint(bold, Clean(strings.Join(facts, ", "))))
	for _, line := range wrap(Clean(t.world()), o.Width) {
		if line != "" {
			fmt.Fprintln(w, o.paint(dim, line))
		}
	}
	for _, name := range t.targets() {
		if v := t.version(name); v != "" && v != name {
			o.row(w, Clean(name), Clean(v))
		}
	}
	for _, b := range t.Runs {
		if why := b.Broken(); why != "" {
			o.note(w, t.which(b)+why)
		}
	}
	for _, g := range t.tables() {
		if len(g.Rows) > 0 {
			fmt.Fprintln(w)
			g.write(w, o)
		}
	}
	fmt.Fprintln(w)
	for _, b := range t.Runs {
		if len(t.Runs) > maxIntervals && !o.All {
			break
		}
		if text := intervalsOfLoad(b); text != "" {
			o.row(w, "95 %", Clean(t.which(b))+text)
		}
	}
	for _, b := range t.Runs {
		for _, line := range t.remarks(b) {
			o.row(w, line[0], Clean(t.which(b)+line[1]))
		}
	}
	for _, text := range t.doubts(l) {
		o.note(w, text)
	}
	t.writeNeeds(w, o)
	o.repeat(w, first.Repeat)
	fmt.Fprintln(w)
}

// maxIntervals are listed: two lines for each target are as much as anybody reads.
const maxIntervals = 8

// version is what a target said of itself; in joined logs it may be several.
func (t *trial) version(target string) string {
	var versions []string
	for _, b := range t.Runs {
		if b.Target == target && b.Version != "" && !slices.Contains(versions, b.Version) {
			versions = append(versions, b.Version)
		}
	}
	return strings.Join(versions, ", ")
}

// note is a sentence that begins with the word, wrapped.
func (o Options) note(w io.Writer, text string) {
	for i, line := range wrap("note: "+Clean(text), o.Width-6) {
		fmt.Fprintln(w, map[bool]string{true: "", false: "      "}[i == 0]+line)
	}
}

// remarks are why requests failed, what was done again and why, and how the highest rate was sought: each with its name.
func (t *trial) remarks(b *Bench) (list [][2]string) {
	m := b.total()
	if reasons := reasonsOf(m); reasons != "" {
		list = append(list, [2]string{"failed", reasons})
	}
	if text := againOf(b); text != "" {
		list = append(list, [2]string{"again", text})
	}
	if text := highest(m); text != "" {
		list = append(list, [2]string{"highest", text})
	}
	return list
}

// maxAgain turns that were done again are told one by one.
const maxAgain = 3

// againOf tells which turns were done again, and why; of many the first.
func againOf(b *Bench) string {
	var told []string
	again := 0
	for _, turn := range b.Turns {
		if turn.Void == "" {
			continue
		}
		if again++; again <= maxAgain {
			told = append(told, fmt.Sprintf("round %d (%s/s): %s", turn.Round, figure(turn.PerSecond), turn.Void))
		}
	}
	text := strings.Join(told, "; ")
	if again > maxAgain {
		text += fmt.Sprintf("; and %s more", Plural(again-maxAgain, "turn"))
	}
	return text
}

// reasonsOf are the errors by their text, the most frequent as the log has them.
func reasonsOf(m *record.Measured) string {
	var parts []string
	for _, c := range m.Why {
		parts = append(parts, count(c.N)+" × "+c.What)
	}
	return strings.Join(parts, "; ")
}

// intervalsOfLoad are the 95 % confidence intervals of ratios and percentiles, in one line. That of a percentile is as if no
// request had to do with another; those that fell into one stall have, so the least and the most of the turns stand beside it.
func intervalsOfLoad(b *Bench) string {
	m := b.total()
	var groups []string
	if a := m.Against; a != nil && a.Rate.N > 1 {
		text := "/ " + Clean(a.Target) + " " + spreadText(&a.Rate, times)
		if a.CPU != nil {
			text += ", CPU " + spreadText(a.CPU, times)
		}
		groups = append(groups, text)
	}
	for _, d := range []struct {
		name string
		of   *record.Distribution
		turn func(*record.Turn) *record.Distribution
	}{{"due", b.due(m), due}, {"service", m.Service, service}} {
		var parts []string
		for _, p := range []float64{50, 99, 99.9} {
			if q := d.of.Quantile(p); q != nil && !q.Few {
				text := between(q.Low, q.High, latency)
				if s := b.amongTurns(d.turn, p); s.N > 1 && p > 50 {
					text += " (turns " + between(s.Min, s.Max, latency) + ")"
				}
				if q.AtLeast {
					text = "≥ " + latency(q.V)
				}
				parts = append(parts, fmt.Sprintf("p%g %s", p, text))
			}
		}
		if len(parts) > 0 {
			groups = append(groups, d.name+" "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(groups, "; ")
}

// doubts are what makes figures less than they look, in sentences.
func (t *trial) doubts(l *Log) (list []string) {
	few, single, full, shares := 0, []string{}, []string{}, []float64{}
	say := func(b *Bench, format string, args ...any) {
		list = append(list, t.which(b)+fmt.Sprintf(format, args...))
	}
	for _, b := range t.Runs {
		m := b.total()
		if m.Late > 0 {
			say(b, "%s of %s requests began more than a millisecond after they were due and not for want of a stream: the load generator was late, so part of the latency from due is its own", count(m.Late), count(m.Requests))
		}
		if m.Dropped > 0 {
			say(b, "%s of %s requests were never sent, as no stream was free before their timeout: more was asked than it could answer", count(m.Dropped), count(m.Requests))
		}
		if m.Wrong > 0 {
			say(b, "%s of the %s answers that were compared with the true nearest were wrong: its rate is that of something else", count(m.Wrong), count(m.Checked))
		}
		if m.Foreign != nil && *m.Foreign > muchForeign {
			say(b, "others kept %s of the processors busy meanwhile: its rate may be too low and its latency too high", percentOf(*m.Foreign))
		}
		name := strings.TrimSuffix(t.which(b), ": ")
		if share := clientShare(m, l.parts()[b.Run].Run.CPUs); share > 0 {
			full, shares = append(full, name), append(shares, share)
		}
		if m.Turns == 1 {
			single = append(single, name)
		} else if m.Turns > 0 && m.Turns < 6 {
			few = max(few, m.Turns)
		}
	}
	if slices.ContainsFunc(t.Runs, func(b *Bench) bool { return b.closed() && len(b.counted()) > 0 }) {
		list = append(list, "a closed load: while a target stalls nobody asks it, so its percentiles tell little of that; an open one (--rate) does")
	}
	some := func(of []string, text string) string { // of all nobody is named
		if len(of) == len(t.Runs) {
			return text
		}
		return strings.Join(of, ", ") + ": " + text
	}
	if len(full) > 0 {
		list = append(list, some(full, fmt.Sprintf("the processors were full, %s of them with the load generator: rates and latencies are those of this machine, the server CPU that of the target",
			between(slices.Min(shares), slices.Max(shares), percentOf))))
	}
	if len(single) > 0 {
		list = append(list, some(single, "one turn: nothing tells how much the figures differ from turn to turn"))
	}
	if few > 0 {
		list = append(list, fmt.Sprintf("an interval of a rate or of CPU is that of the least and the most of %d turns: from six on it has 95 %%", few))
	}
	return list
}

// muchForeign is where what others do begins to show in a rate: a twentieth, several times what differs between turns.
const muchForeign = 0.05

// clientShare is which part of the processors the load generator took, where it and the target filled nine tenths of them;
// 0 else, also where others did much of that, which is a doubt of its own. A generator on the machine of its target takes from
// it what it uses.
func clientShare(m *record.Measured, processors int) float64 {
	if processors == 0 || m.ServerCPU == nil {
		return 0
	}
	all := float64(processors) * 1e6
	client, server := m.ClientCPU*m.PerSecond/all, *m.ServerCPU*m.PerSecond/all
	foreign := 0.0
	if m.Foreign != nil {
		foreign = *m.Foreign
	}
	if client+server+foreign < 0.9 || foreign > muchForeign {
		return 0
	}
	return client
}

// highest is what the search for the highest rate found, with the rates that it tried, in order; empty where none was
// sought. Why a need was missed is told of the least rate at which one was.
func highest(m *record.Measured) string {
	if m.Max == nil {
		return ""
	}
	text := figure(*m.Max) + " requests/s, at which all needs held"
	switch {
	case *m.Max == 0:
		text = "at no rate that was tried did all needs hold"
	case m.GeneratorEnded():
		text += ", and more as far as the target goes: at the next rate it was the load generator that was late"
	}
	least := -1
	for i, try := range m.Tries {
		if !try.Held && (least < 0 || try.Rate < m.Tries[least].Rate) {
			least = i
		}
	}
	var tries []string
	for i, try := range m.Tries {
		one := figure(try.Rate) + map[bool]string{true: " held", false: " missed"}[try.Held]
		if i == least && try.Why != "" {
			one += " (" + try.Why + ")"
		}
		tries = append(tries, one)
	}
	if len(tries) > 0 {
		text += "; tried " + strings.Join(tries, ", ")
	}
	return text
}

// writeNeeds lists the needs: of several targets too, each with what came.
func (t *trial) writeNeeds(w io.Writer, o Options) {
	held, shown, left := 0, 0, 0
	brief := len(t.Runs) > 4 && !o.All
	for _, b := range t.Runs {
		if b.Measured == nil {
			continue
		}
		for _, n := range b.Measured.Needs {
			switch {
			case n.Verdict == record.Pass && brief:
				held++
				continue
			case brief && shown == maxNeeds:
				left++
				continue
			}
			shown++
			o.need(w, t.which(b), n)
		}
	}
	o.needsLeft(w, held, left)
}
