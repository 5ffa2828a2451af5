package sim

import (
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/kadbench/kadbench/kad"
)

func TestBig(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	if n == 0 {
		t.Skip()
	}
	m, _ := strconv.Atoi(os.Getenv("M"))
	shards, _ := strconv.Atoi(os.Getenv("S"))
	debug.SetGCPercent(50)
	every, _ := strconv.Atoi(os.Getenv("E"))
	cfg := static(n, m, kad.Duration(every))
	cfg.Shards = shards
	res, rows := run(t, cfg)
	tr, so, req := 0, 0, 0
	for _, r := range rows {
		tr += r.True
		so += r.Sought
		req += int(r.Requests)
	}
	t.Logf("shards %d digest %x events %d steps %d ran %v cpu %v ns/event %d ev/s %d ready %v heap/node %d rss %d MB rows %d recall %f req %f windows %d",
		shards, res.Digest, res.Events, res.Steps, res.Ran, res.CPU, res.CPU.Nanoseconds()/int64(res.Events), int(float64(res.Events)/res.Ran.Seconds()), res.Ready, int(res.Heap)/res.Nodes, res.PeakRSS>>20, len(rows), float64(tr)/float64(so), float64(req)/float64(len(rows)), res.Windows)
}
