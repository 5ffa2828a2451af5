package plan_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

var position = regexp.MustCompile(`"Line":\d+`)

// shape is all that a plan says, without where in the file it says it.
func shape(t testing.TB, file string, src []byte) string {
	t.Helper()
	p, err := plan.Parse(file, src)
	require.NoError(t, err)
	p.Source = nil
	b, err := json.Marshal(p)
	require.NoError(t, err)
	return position.ReplaceAllString(string(b), "")
}
