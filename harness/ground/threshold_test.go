package ground

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTallyIsJudged(t *testing.T) {
	c := &Case{Params: []Param{minSuccess, minRecall, maxP99("lookup_ms")}}
	tallied := func(ok, failed int, recall float64) *tally {
		var a, b tally
		for range ok {
			a.add(true)
			a.took(5 * time.Millisecond)
			a.recalled(recall)
		}
		for range failed {
			b.add(false)
			b.took(800 * time.Millisecond)
		}
		a.merge(b)
		return &a
	}
	for _, x := range []struct {
		name  string
		tally *tally
		p     Params
		want  []string // nil: it passes
	}{
		{"all is well", tallied(20, 0, 1), Params{"min_success": "1", "min_recall": "1", "max_p99_ms": "5"}, nil},
		{"a share may fail", tallied(19, 1, 0.9), Params{"min_success": "0.95", "min_recall": "0.9", "max_p99_ms": "0"}, nil},
		{"too many failed", tallied(18, 2, 1), Params{"min_success": "0.95", "min_recall": "0", "max_p99_ms": "0"},
			[]string{"threshold missed: 18 of 20 operations succeeded (0.900), expected at least min_success 0.95"}},
		{"too little was found", tallied(4, 0, 0.5), Params{"min_success": "0", "min_recall": "0.75", "max_p99_ms": "0"},
			[]string{"threshold missed: recall is 0.500, the mean of 4 operations, expected at least min_recall 0.75"}},
		{"the slowest are those that failed", tallied(4, 1, 1), Params{"min_success": "0", "min_recall": "0", "max_p99_ms": "500"},
			[]string{"threshold missed: the 99th percentile of 5 times is 800.000 ms, expected at most max_p99_ms 500"}},
		{"no time was measured", &tally{Tried: 5, OK: 5}, Params{"min_success": "1", "min_recall": "0", "max_p99_ms": "500"},
			[]string{"threshold missed: no time was measured"}},
		{"both at once", tallied(1, 1, 0), Params{"min_success": "1", "min_recall": "1", "max_p99_ms": "0"}, []string{"1 of 2 operations", "recall is 0.000"}},
		{"nothing was done", new(tally), Params{"min_success": "0", "min_recall": "0", "max_p99_ms": "0"},
			[]string{"threshold missed: no operation was tried, expected one or more"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			err := x.tally.judge(c, x.p)
			if x.want == nil {
				assert.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrThreshold)
			for _, want := range x.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	assert.NoError(t, tallied(0, 1, 0).judge(&Case{}, Params{}), "a case without thresholds has none to miss")
}
