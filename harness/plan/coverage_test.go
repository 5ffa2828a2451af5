package plan_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

// TestCoverage: each normative sentence of the specifications has a case or the reason why it can have none; each entry of
// the catalogue too, and of the 239 at least 230 run.
func TestCoverage(t *testing.T) {
	plans, err := plan.LoadAll(os.DirFS("../../plans"), "conformance", "plans/")
	require.NoError(t, err)
	c := plan.Cover(plans)

	last := plan.Demand{}
	for _, d := range c.Demands {
		if d.Document == last.Document {
			assert.GreaterOrEqual(t, d.From, last.From, "%s: the sentences stand in the order of the document", d.At())
		}
		last = d
		assert.NotEmpty(t, plan.Link(d.At()), d.At())
		assert.False(t, len(d.Cases) == 0 && d.Reason == "", "%s: %s: neither a case nor a reason", d.At(), d.Text)
	}

	run := 0
	known := map[string]bool{}
	for _, e := range c.Catalogue {
		known[e.ID] = true
		assert.False(t, len(e.Cases) == 0 && e.Reason == "", "%s: neither a case nor a reason", e.ID)
		assert.False(t, len(e.Cases) > 0 && e.Reason != "", "%s: a reason, though %v covers it", e.ID, e.Cases)
		if len(e.Cases) > 0 {
			run++
		}
	}
	assert.Len(t, c.Catalogue, 239)
	assert.GreaterOrEqual(t, run, 230)
	for _, p := range plans {
		for _, id := range p.Header.Catalogue {
			assert.True(t, known[id], "%s: the catalogue has no %s", p.Header.ID, id)
		}
	}
}
