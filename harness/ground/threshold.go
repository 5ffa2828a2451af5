package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/stats"
)

// ErrThreshold: what a case measured is not what its parameters demand.
var ErrThreshold = errors.New("threshold")

// maxTimes of an instance are told to the one that judges: 8 bytes each, so that they fit in an item.
const maxTimes = 3000

// tally is what operations came to. One instance makes a handful, too few for a share or a percentile, so those of a group
// are judged together.
type tally struct {
	Tried   int     `json:"tried"`
	OK      int     `json:"ok"`
	Recall  float64 `json:"recall"` // sum
	Recalls int     `json:"recalls"`
	Times   []int64 `json:"us"` // microseconds, of what failed too: as long as it went on
}

// add counts an operation.
func (t *tally) add(ok bool) {
	t.Tried++
	if ok {
		t.OK++
	}
}

// took counts how long one went on.
func (t *tally) took(took time.Duration) {
	if len(t.Times) < maxTimes {
		t.Times = append(t.Times, took.Microseconds())
	}
}

// recalled counts which share of the truth was found.
func (t *tally) recalled(share float64) {
	t.Recall += share
	t.Recalls++
}

func (t *tally) merge(o tally) {
	t.Tried += o.Tried
	t.OK += o.OK
	t.Recall += o.Recall
	t.Recalls += o.Recalls
	t.Times = append(t.Times, o.Times...)
}

// percentile is in milliseconds.
func (t *tally) percentile(p float64) float64 {
	if len(t.Times) == 0 {
		return 0
	}
	slices.Sort(t.Times)
	return float64(t.Times[max(stats.Rank(uint64(len(t.Times)), p), 1)-1]) / 1000
}

// judge holds a tally against those thresholds that the case has.
func (t *tally) judge(c *Case, p Params) error {
	has := func(name string) bool {
		return slices.ContainsFunc(c.Params, func(d Param) bool { return d.Name == name })
	}
	var missed []error
	miss := func(format string, args ...any) {
		missed = append(missed, fmt.Errorf("%w missed: "+format, append([]any{ErrThreshold}, args...)...))
	}
	if t.Tried == 0 {
		miss("no operation was tried, expected one or more")
	}
	if has(minSuccess.Name) && t.Tried > 0 {
		if got, want := float64(t.OK)/float64(t.Tried), p.Float(minSuccess.Name); got < want {
			miss("%d of %d operations succeeded (%.3f), expected at least min_success %v", t.OK, t.Tried, got, want)
		}
	}
	if has(minRecall.Name) && t.Recalls > 0 {
		if got, want := t.Recall/float64(t.Recalls), p.Float(minRecall.Name); got < want {
			miss("recall is %.3f, the mean of %d operations, expected at least min_recall %v", got, t.Recalls, want)
		}
	}
	if has(maxP99Name) && p.Float(maxP99Name) > 0 {
		if len(t.Times) == 0 && t.Tried > 0 {
			miss("no time was measured, expected some, and their 99th percentile at most max_p99_ms %v", p.Float(maxP99Name))
		}
		if got, want := t.percentile(0.99), p.Float(maxP99Name); got > want {
			miss("the 99th percentile of %d times is %.3f ms, expected at most max_p99_ms %v", len(t.Times), got, want)
		}
	}
	return errors.Join(missed...)
}

// settle tells the tally to the first instance of the group, which judges all of them.
func (t *tally) settle(ctx context.Context, in *Instance) error {
	topic := "tally." + in.Group
	t.Recall = math.Round(t.Recall*1e6) / 1e6
	if err := in.Sync.Publish(ctx, topic, t); err != nil {
		return fmt.Errorf("tally: %w", err)
	}
	if in.GroupSeq != 1 {
		return nil
	}
	var group tally
	err := in.Sync.Collect(ctx, topic, in.GroupCount, func(item []byte) error {
		var one tally
		err := json.Unmarshal(item, &one)
		group.merge(one)
		return err
	})
	if err != nil {
		return fmt.Errorf("tally: %w", err)
	}
	if group.Tried > 0 {
		in.Out.Point("group_success", float64(group.OK)/float64(group.Tried))
	}
	if group.Recalls > 0 {
		in.Out.Point("group_recall", group.Recall/float64(group.Recalls))
	}
	if len(group.Times) > 0 {
		in.Out.Point("group_p50_ms", group.percentile(0.5))
		in.Out.Point("group_p99_ms", group.percentile(0.99))
	}
	return group.judge(in.Case, in.Params)
}
