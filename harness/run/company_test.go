package run_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/run"
)

// On an address, the puppets which cases seat are the same ones, and stay; so they are in every run. On a target that is
// started, each case has its own.
func TestCompany(t *testing.T) {
	peers := func(f *fake, seed uint64) int {
		before := len(f.dialled)
		c := config(f,
			script(t, "a/one", "peer S1..S4 serving", "seat S1..S4 in T", "open s A -> T", `send s FIND_NODE key="echo"`, "want s FIND_NODE"),
			script(t, "a/two", "peer S1..S6 serving", "seat S1..S6 in T", "open s A -> T", `send s FIND_NODE key="echo"`, "want s FIND_NODE"))
		c.Seed = seed
		report, err := run.Check(context.Background(), c)
		require.NoError(t, err)
		require.Equal(t, 2, report.Summary.Passed, fmt.Sprint(report.Results))
		return len(f.dialled) - before
	}
	remote := &fake{seats: true, remote: true}
	// S1 to S6, and in each case A and the harness's own.
	require.Equal(t, 6+2+2, peers(remote, 7))
	require.Equal(t, 2+2, peers(remote, 8), "in the next run only A and the harness are new")

	started := &fake{seats: true, methods: []string{"table"}}
	require.Equal(t, 4+6+2, peers(started, 7))
	require.Equal(t, 4+6+2, peers(started, 8))
}
