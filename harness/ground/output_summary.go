package ground

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/stats"
)

// Metric is all points of one name, of one group or of all instances.
type Metric struct {
	Name string
	N    int
	// P50 and P99 are NaN where fewer than stats.Beyond points lie on a side of them.
	P50, P99, Min, Max float64
}

// Metrics are those of a group, by name; of "" those of all instances.
func (r *Run) Metrics(group string) []Metric {
	values := map[string][]float64{}
	for _, o := range r.Instances {
		if group != "" && o.Group != group {
			continue
		}
		for _, p := range o.Points {
			values[p.Name] = append(values[p.Name], p.Value)
		}
	}
	var all []Metric
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		slices.Sort(v)
		all = append(all, Metric{Name: name, N: len(v), P50: quantile(v, 0.5), P99: quantile(v, 0.99), Min: v[0], Max: v[len(v)-1]})
	}
	return all
}

// quantile is the exact one of sorted values.
func quantile(sorted []float64, p float64) float64 {
	n := uint64(len(sorted))
	rank := stats.Rank(n, p)
	if min(rank, n-rank) < stats.Beyond {
		return math.NaN()
	}
	return sorted[rank-1]
}

func (m Metric) String() string {
	parts := []string{fmt.Sprintf("n %d", m.N)}
	for _, p := range []struct {
		name string
		v    float64
	}{{"p50", m.P50}, {"p99", m.P99}, {"min", m.Min}, {"max", m.Max}} {
		if !math.IsNaN(p.v) {
			parts = append(parts, fmt.Sprintf("%s %.4g", p.name, p.v))
		}
	}
	return strings.Join(parts, ", ")
}

// Groups are the names of the groups, sorted.
func (r *Run) Groups() (names []string) {
	for _, o := range r.Instances {
		if !slices.Contains(names, o.Group) {
			names = append(names, o.Group)
		}
	}
	slices.Sort(names)
	return names
}

// Count is how many instances of a group ended in each way; of "" those of all.
func (r *Run) Count(group string) map[State]int {
	counts := map[State]int{}
	for _, o := range r.Instances {
		if group == "" || o.Group == group {
			counts[o.State]++
		}
	}
	return counts
}

// Took is from the first event of any instance of a group to the last; of "" of all.
func (r *Run) Took(group string) time.Duration {
	var began, ended time.Time
	for _, o := range r.Instances {
		if group != "" && o.Group != group || o.Began.IsZero() {
			continue
		}
		if began.IsZero() || o.Began.Before(began) {
			began = o.Began
		}
		if o.Ended.After(ended) {
			ended = o.Ended
		}
	}
	return ended.Sub(began)
}

// Log writes the run to a results log: a verdict for each group, and its metrics. by says who ran it, and repeat is the
// command that runs it again, if there is one. The summary counts the verdicts.
func (r *Run) Log(w *record.Writer, by, repeat string) record.Summary {
	var sum record.Summary
	sum.Profile = "base"
	for _, g := range r.Groups() {
		counts := r.Count(g)
		all := 0
		for _, n := range counts {
			all += n
		}
		w.Write(record.Entry{Type: record.TypeTarget, Target: g, Text: fmt.Sprintf("%s as %s", report.Plural(all, "instance"), by)})
		res := record.Result{Target: g, Case: "testground/" + r.Case, Profile: "base", Level: "must", Verdict: record.Pass}
		res.Detail.Took = r.Took(g)
		if err := worst(slices.DeleteFunc(slices.Clone(r.Instances), func(o Outcome) bool { return o.Group != g })); err != nil {
			res.Verdict, res.Why = record.Fail, err.Error()
			res.Detail.Failure = &record.Failure{
				Prose:  fmt.Sprintf("Instances of the test case %s end with success, and its thresholds hold.", r.Case),
				Want:   fmt.Sprintf("%d instances ok", all),
				Got:    fmt.Sprintf("%s: %s", tell(counts), err),
				Repeat: repeat,
			}
			if counts[OK]+counts[Aborted] == all { // the failure was another group's
				res.Verdict, res.Detail.Failure = record.Skipped, nil
			}
		}
		results := []record.Result{res}
		if points := r.measured(g); len(points) > 0 { // a case of its own: a report shows what was measured at level info
			results = append(results, record.Result{Target: g, Case: res.Case + "/points", Profile: "base", Level: "info",
				Verdict: record.Pass, Detail: record.Detail{Measured: points}})
		}
		for _, res := range results {
			w.Result(res)
			sum.Add(res.Verdict)
		}
	}
	return sum
}

// measured is the metrics of a group in words.
func (r *Run) measured(group string) map[string]string {
	all := map[string]string{}
	for _, m := range r.Metrics(group) {
		if len(all) == maxMeasured {
			break
		}
		all[m.Name] = m.String()
	}
	return all
}

// maxMeasured are the metrics of a group that a log keeps: as many as fit its line, at under 200 bytes each.
const maxMeasured = 1000

// tell is how many instances ended in each way, in words.
func tell(counts map[State]int) string {
	var parts []string
	for _, s := range []State{OK, Failed, Crashed, Incomplete, Aborted} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "no instance")
}
