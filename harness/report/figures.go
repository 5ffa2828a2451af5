package report

import (
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// figureOf is one thing that turns or runs can be compared by. Whether more of it is better stands in the table below, and
// nowhere else.
type figureOf struct {
	Name   string  // due p99
	Unit   string  // of the Go benchmark format
	Scale  float64 // from the unit of the log to that one
	Better int     // 1: more is better, -1: less is, 0: neither
	show   func(float64) string

	turn func(*record.Turn) *float64    // of a turn under load
	most func(*Bench) *float64          // of a search for the highest rate
	kind func(*record.Figures) *float64 // of the operations of one kind
	run  func(*Simulation) *float64     // of a whole run
}

// figuresOf are all figures, in the order of every report.
var figuresOf = []figureOf{
	{Name: "requests/s", Unit: "req/s", Scale: 1, Better: 1, show: figure, turn: func(t *record.Turn) *float64 { return &t.PerSecond }},
	ofTurn("due p50", "due-p50-ns", due, 50), ofTurn("due p99", "due-p99-ns", due, 99), ofTurn("due p99.9", "due-p99.9-ns", due, 99.9),
	ofTurn("service p50", "service-p50-ns", service, 50), ofTurn("service p99", "service-p99-ns", service, 99), ofTurn("service p99.9", "service-p99.9-ns", service, 99.9),
	{Name: "server CPU", Unit: "server-ns/req", Scale: 1e3, Better: -1, show: micros, turn: func(t *record.Turn) *float64 { return t.ServerCPU }},
	{Name: "failed", Unit: "failed/req", Scale: 1, Better: -1, show: percentOf, turn: func(t *record.Turn) *float64 { return part(t.Failed(), t.Requests) }},
	{Name: "wrong", Unit: "wrong/checked", Scale: 1, Better: -1, show: percentOf, turn: func(t *record.Turn) *float64 { return part(t.Wrong, t.Checked) }},
	{Name: "bytes", Unit: "B/req", Scale: 1, show: figure, turn: func(t *record.Turn) *float64 { return some(t.Bytes) }},

	{Name: "highest rate", Unit: "max-req/s", Scale: 1, Better: 1, show: figure, most: func(b *Bench) *float64 { return b.Measured.Max }},

	{Name: "success", Unit: "success", Scale: 1, Better: 1, show: percent, kind: func(f *record.Figures) *float64 { return share(f.Success) }},
	{Name: "recall", Unit: "recall", Scale: 1, Better: 1, show: recall, kind: func(f *record.Figures) *float64 { return share(f.Recall) }},
	ofKind("p50", "p50-ns", 50), ofKind("p90", "p90-ns", 90), ofKind("p99", "p99-ns", 99),
	{Name: "first p50", Unit: "first-p50-ns", Scale: 1e6, Better: -1, show: latency, kind: func(f *record.Figures) *float64 { return told(f.First, 50) }},
	{Name: "hops", Unit: "hops/op", Scale: 1, Better: -1, show: figure, kind: func(f *record.Figures) *float64 { return ofMean(f.Hops) }},
	{Name: "rpcs", Unit: "rpcs/op", Scale: 1, Better: -1, show: figure, kind: func(f *record.Figures) *float64 { return ofMean(f.Requests) }},
	{Name: "dead", Unit: "dead/op", Scale: 1, Better: -1, show: figure, kind: func(f *record.Figures) *float64 { return ofMean(f.Failed) }},
	{Name: "bytes", Unit: "B/op", Scale: 1, Better: -1, show: size, kind: func(f *record.Figures) *float64 { return ofMean(f.Bytes) }},
	{Name: "late", Unit: "late/op", Scale: 1, Better: -1, show: percentOf, kind: func(f *record.Figures) *float64 { return part(f.TimedOut+f.Unfinished, f.Count) }},

	{Name: "busiest", Unit: "busiest", Scale: 1, Better: -1, show: percentOf, run: func(s *Simulation) *float64 { return some(s.Outcome.Busiest) }},
	{Name: "events", Unit: "events", Scale: 1, Better: -1, show: figure, run: func(s *Simulation) *float64 { return some(float64(s.Outcome.Cost.Events)) }},
	{Name: "events/s", Unit: "events/s", Scale: 1, Better: 1, show: figure, run: func(s *Simulation) *float64 { return some(s.Outcome.Cost.EventsPerSecond) }},
	{Name: "CPU/event", Unit: "cpu-ns/event", Scale: 1e3, Better: -1, show: micros, run: func(s *Simulation) *float64 { return some(s.Outcome.Cost.CPUPerEvent) }},
	{Name: "bytes/node", Unit: "B/node", Scale: 1, Better: -1, show: size, run: func(s *Simulation) *float64 { return some(s.Outcome.Cost.BytesPerNode) }},
	ofNode("heap/node", "heap-B/node", 1, size, func(n *record.NodeCost) float64 { return n.Heap }),
	ofNode("goroutines/node", "goroutines/node", 1, figure, func(n *record.NodeCost) float64 { return n.Goroutines }),
	ofNode("join CPU", "join-ns/node", 1e6, latency, func(n *record.NodeCost) float64 { return n.BootstrapCPU }),
	ofNode("CPU/op", "cpu-ns/op", 1e6, latency, func(n *record.NodeCost) float64 { return n.OperationCPU }),
	{Name: "dials/op", Unit: "dials/op", Scale: 1, Better: -1, show: figure, run: func(s *Simulation) *float64 {
		if n := s.nodeCost(); n != nil {
			return n.Dials
		}
		return nil
	}},
	{Name: "peak RSS", Unit: "peak-B", Scale: 1, Better: -1, show: size, run: func(s *Simulation) *float64 { return some(float64(s.Outcome.Cost.PeakRSS)) }},
}

func service(t *record.Turn) *record.Distribution { return t.Service }

// due is none of a closed load, where it repeats service.
func due(t *record.Turn) *record.Distribution {
	if t.Offered == 0 {
		return nil
	}
	return t.Due
}

func ofTurn(name, unit string, of func(*record.Turn) *record.Distribution, p float64) figureOf {
	return figureOf{Name: name, Unit: unit, Scale: 1e6, Better: -1, show: latency, turn: func(t *record.Turn) *float64 { return told(of(t), p) }}
}

func ofKind(name, unit string, p float64) figureOf {
	return figureOf{Name: name, Unit: unit, Scale: 1e6, Better: -1, show: latency, kind: func(f *record.Figures) *float64 { return told(f.Took, p) }}
}

func ofNode(name, unit string, scale float64, show func(float64) string, of func(*record.NodeCost) float64) figureOf {
	return figureOf{Name: name, Unit: unit, Scale: scale, Better: -1, show: show, run: func(s *Simulation) *float64 {
		if n := s.nodeCost(); n != nil {
			return some(of(n))
		}
		return nil
	}}
}

// told is a percentile for which there were enough samples. One that is known to be at least so much counts as that: by
// their order, which is all that is tested, timeouts stand above everything that was answered.
func told(d *record.Distribution, p float64) *float64 {
	if q := d.Quantile(p); q != nil && !q.Few {
		return &q.V
	}
	return nil
}

func ofMean(d *record.Distribution) *float64 {
	if d == nil || d.N == 0 {
		return nil
	}
	return &d.Mean
}

func share(r *record.Ratio) *float64 {
	if r == nil || r.Of == 0 {
		return nil
	}
	v := r.Value()
	return &v
}

func part(n, of uint64) *float64 {
	if of == 0 {
		return nil
	}
	v := float64(n) / float64(of)
	return &v
}

// some is a figure that is never 0 where it was taken.
func some(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}

// whose is what a sample is of: its values are the turns or runs that are alike in all of it.
type whose struct {
	Plan, Point, Target, Kind string
}

func (w whose) String() string {
	return strings.Join(slices.DeleteFunc([]string{w.Plan, w.Point, w.Target, w.Kind}, func(s string) bool { return s == "" }), " ")
}

// point is the settings of a run that make it another question. Runs that differ in their seed alone ask the same.
func pointOf(point []record.Setting) string {
	return settings(slices.DeleteFunc(slices.Clone(point), func(s record.Setting) bool { return s.Name == "seed" }))
}

// reading is one turn or one run with its figures.
type reading struct {
	whose
	N      uint64 // requests that were answered, operations that were begun
	Values map[*figureOf]float64
}

// readings are all turns that count, and all runs that came to their end.
func (l *Log) readings() (list []reading) {
	for _, b := range l.Benches {
		of := whose{Plan: b.Plan, Point: pointOf(b.Point), Target: b.Target}
		if b.searched() { // what a target does at the rate that it was found to bear is another question each time
			if b.Measured != nil {
				r := reading{of, b.Measured.Answered, map[*figureOf]float64{}}
				r.take(func(f *figureOf) *float64 {
					if f.most == nil {
						return nil
					}
					return f.most(b)
				})
				list = append(list, r)
			}
			continue
		}
		for _, t := range b.counted() {
			r := reading{of, t.Answered, map[*figureOf]float64{}}
			r.take(func(f *figureOf) *float64 {
				if f.turn == nil {
					return nil
				}
				return f.turn(&t)
			})
			list = append(list, r)
		}
	}
	for _, s := range l.Simulations {
		if s.Outcome == nil || s.Outcome.Error != "" {
			continue
		}
		of := whose{Plan: s.Plan, Point: pointOf(s.Point), Target: s.Target}
		operations := uint64(0)
		for i := range s.Outcome.Figures {
			k := &s.Outcome.Figures[i]
			operations += k.Count
			r := reading{of, k.Count, map[*figureOf]float64{}}
			r.Kind = k.Kind
			r.take(func(f *figureOf) *float64 {
				if f.kind == nil {
					return nil
				}
				return f.kind(k)
			})
			list = append(list, r)
		}
		r := reading{of, operations, map[*figureOf]float64{}}
		r.take(func(f *figureOf) *float64 {
			if f.run == nil {
				return nil
			}
			return f.run(s)
		})
		list = append(list, r)
	}
	return list
}

func (r *reading) take(of func(*figureOf) *float64) {
	for i := range figuresOf {
		if v := of(&figuresOf[i]); v != nil {
			r.Values[&figuresOf[i]] = *v
		}
	}
}
