package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// What a network on sockets took is told for each of its nodes, and several targets of one plan stand beside the first.

// nodes is what each node took of the machine.
func (e *experiment) nodes() grid {
	g := grid{Head: append(cleaned(e.Axes), "nodes", "heap", "goroutines", "connections", "table", "join CPU", "CPU/op", "dials/op", "peak RSS", "ready", "ran"),
		Left: len(e.Axes), Least: []string{"ran", "peak RSS", "table", "nodes", "connections", "ready"}}
	for _, s := range e.Runs {
		n := s.nodeCost()
		if n == nil {
			continue
		}
		g.Rows = append(g.Rows, append(e.point(s), count(uint64(s.Nodes)), known(n.Heap, size), known(n.Goroutines, figure), known(n.Connections, figure), known(n.Entries, figure),
			known(n.BootstrapCPU, latency), known(n.OperationCPU, latency), dials(n), known(float64(s.Outcome.Cost.PeakRSS), size),
			latency(float64(s.Outcome.Cost.Ready.Microseconds())/1000), latency(float64(s.Outcome.Cost.Ran.Microseconds())/1000)))
	}
	return g.dense()
}

// known is a figure that is 0 only where nobody knows it.
func known(v float64, show func(float64) string) string {
	if v == 0 {
		return none
	}
	return show(v)
}

func whole(v float64) string { return count(uint64(v)) }

func dials(n *record.NodeCost) string {
	if n.Dials == nil {
		return none
	}
	return figure(*n.Dials)
}

// point is the beginning of a run's row.
func (e *experiment) point(s *Simulation) (cells []string) {
	for _, name := range e.Axes {
		cells = append(cells, Clean(s.value(name)))
	}
	return cells
}

func (s *Simulation) nodeCost() *record.NodeCost {
	if s.Outcome == nil {
		return nil
	}
	return s.Outcome.Cost.Nodes
}

// first is the run of the first target at the point of another; nil for the first itself, and where there is none.
func (e *experiment) first(s *Simulation) *Simulation {
	rest := func(s *Simulation) string {
		return settings(slices.DeleteFunc(slices.Clone(s.Point), func(p record.Setting) bool { return p.Name == "target" }))
	}
	for _, f := range e.Runs {
		if f == s || f.Target == s.Target {
			return nil
		}
		if f.Target != "" && f.Outcome != nil && rest(f) == rest(s) {
			return f
		}
	}
	return nil
}

// ratios are the figures of each target divided by those of the first at the same point.
func (e *experiment) ratios() grid {
	g := grid{Head: append(cleaned(e.Axes), "operation", "against", "p50", "p90", "p99", "hops", "rpcs", "bytes", "heap", "goroutines", "join CPU", "CPU/op", "dials/op"),
		Left: len(e.Axes) + 2, Least: []string{"p90", "bytes", "dials/op", "goroutines", "operation", "hops", "against"}}
	for _, s := range e.Runs {
		f := e.first(s)
		if f == nil || s.Outcome == nil {
			continue
		}
		for _, kind := range e.kinds() {
			a, b := f.figures(kind), s.figures(kind)
			if a == nil || b == nil {
				continue
			}
			row := append(e.point(s), Clean(kind), Clean(f.Target))
			for _, p := range []float64{50, 90, 99} {
				row = append(row, over(quantileValue(b.Took, p), quantileValue(a.Took, p)))
			}
			row = append(row, over(meanValue(b.Hops), meanValue(a.Hops)), over(meanValue(b.Requests), meanValue(a.Requests)), over(meanValue(b.Bytes), meanValue(a.Bytes)))
			if x, y := f.nodeCost(), s.nodeCost(); x != nil && y != nil {
				row = append(row, over(y.Heap, x.Heap), over(y.Goroutines, x.Goroutines), over(y.BootstrapCPU, x.BootstrapCPU), over(y.OperationCPU, x.OperationCPU), overKnown(y.Dials, x.Dials))
			}
			g.Rows = append(g.Rows, row)
		}
	}
	return g.dense()
}

// over is a quotient; – where there is none.
func over(a, b float64) string {
	if a == 0 || b == 0 {
		return none
	}
	return times(a / b)
}

func overKnown(a, b *float64) string {
	if a == nil || b == nil {
		return none
	}
	return over(*a, *b)
}

// quantileValue is a percentile, 0 where there is none to count on.
func quantileValue(d *record.Distribution, p float64) float64 {
	if q := d.Quantile(p); q != nil && !q.Few && !q.AtLeast {
		return q.V
	}
	return 0
}

func meanValue(d *record.Distribution) float64 {
	if d == nil {
		return 0
	}
	return d.Mean
}

// minSamples are needed to tell where processor time went: two seconds of one processor. The interval of a tenth of them
// reaches from 6 to 15 %.
const minSamples = 200

// shares is where the processor time of a load went, the most first as the log has it.
func shares(n *record.NodeCost) string {
	if n.Samples < minSamples {
		return fmt.Sprintf("too few samples: %d of the %d that are needed", n.Samples, minSamples)
	}
	var parts []string
	for _, s := range n.Shares {
		parts = append(parts, Clean(s.What)+" "+percentOf(s.Of))
	}
	return strings.Join(parts, ", ")
}

// writeNetwork prints what the nodes took, and what each target is beside the first.
func (e *experiment) writeNetwork(w io.Writer, o Options) {
	if g := e.nodes(); len(g.Rows) > 0 {
		fmt.Fprintf(w, "\n%s\n", o.paint(dim, "what each node took: heap after a collection; CPU of joining, and of the load for each operation"))
		g.write(w, o)
	}
	if g := e.ratios(); len(g.Rows) > 0 {
		fmt.Fprintf(w, "\n%s\n", o.paint(dim, "divided by the figures of the first target"))
		g.write(w, o)
	}
	for _, s := range e.Runs {
		if n := s.nodeCost(); n != nil && len(n.Shares) > 0 {
			o.row(w, "CPU went to", Clean(e.which(s))+shares(n))
		}
	}
}
