package run

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// rowColumns are those of --rows: exact numbers, times in nanoseconds since the beginning of the simulated time.
var rowColumns = []string{"plan", "point", "kind", "key", "due_ns", "node", "began_ns", "took_ns", "first_ns", "requests", "failed", "hops", "bytes",
	"found", "true", "sought", "ok", "timed_out", "censored"}

// rowWriter writes operations as CSV; a nil one drops them.
type rowWriter struct {
	csv  *csv.Writer
	line []string
}

func newRowWriter(w io.Writer) (*rowWriter, error) {
	if w == nil {
		return nil, nil
	}
	r := &rowWriter{csv: csv.NewWriter(w)}
	return r, r.csv.Write(rowColumns)
}

var kindNames = [...]string{
	sim.Lookup: "lookup", sim.Provide: "provide", sim.Find: "find", sim.Put: "put", sim.Get: "get", sim.Bootstrap: "bootstrap",
}

func (w *rowWriter) write(r *SimRun, row sim.Row) error {
	if w == nil {
		return nil
	}
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	w.line = append(w.line[:0], r.Plan.Header.ID, r.world.At(), kindNames[row.Op.Kind], strconv.FormatUint(row.Op.Key, 10),
		whole(int64(row.Op.At)), whole(int64(row.Node)), whole(int64(row.Began)), whole(int64(row.Took)), whole(int64(row.First)),
		whole(int64(row.Requests)), whole(int64(row.Failed)), whole(int64(row.Hops)), whole(int64(row.Bytes)),
		whole(int64(row.Found)), whole(int64(row.True)), whole(int64(row.Sought)),
		strconv.FormatBool(row.OK), strconv.FormatBool(row.TimedOut), strconv.FormatBool(row.Censored))
	return w.csv.Write(w.line)
}

// flush writes what is held back, and returns the first error of all writes.
func (w *rowWriter) flush() error {
	if w == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}

// writeStep tells one step of a node that is traced: when, what came in, and below it what the node did, in the format of
// the core's own tests.
func writeStep(w io.Writer, at kad.Duration, node kad.Peer, in string, out []string) {
	stamp := fmt.Sprintf("%4d.%09ds", at/kad.Second, at%kad.Second)
	fmt.Fprintf(w, "%s #%d%s\n", stamp, node, in)
	for _, line := range out {
		fmt.Fprintf(w, "%*s #%d%s\n", len(stamp), "", node, line)
	}
}
