package targettest

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/plans"
)

// variedCases are run beside smoke.txt: some of each area, with and without a table, records, many streams and large
// frames, and two which need the control channel (find-node/empty-table, put-value/value-sizes).
var variedCases = []string{
	"stream/negotiated", "stream/empty", "stream/interleaved", "stream/pipelined", "stream/thirty-two-streams", "stream/unknown-protocol",
	"framing/empty-frame", "framing/length-not-minimal", "framing/over-four-mib", "framing/truncated-frame",
	"protobuf/illegal-wire-type", "protobuf/key-twice", "protobuf/record-twice", "protobuf/unknown-type",
	"find-node/addresses", "find-node/asker-id", "find-node/client-found", "find-node/client-not-listed", "find-node/empty-table", "find-node/own-id",
	"get-value/asker-left-out", "get-value/time-received", "get-value/unknown-key",
	"put-value/ipns-expired", "put-value/newer-replaces", "put-value/older-kept", "put-value/pk-rsa", "put-value/value-sizes",
	"add-provider/half-close", "add-provider/key-81-bytes", "add-provider/other-not-stored", "add-provider/twenty-one",
	"get-providers/asker-left-out", "get-providers/same-multihash",
	"ping/serves-after", "keyspace/rsa-ids", "network/noise", "network/tls",
}

// casePlans are the plans of variedCases and of smoke.txt.
func casePlans(t *testing.T) (out []*plan.Plan) {
	smoke, err := fs.ReadFile(plans.FS, "smoke.txt")
	require.NoError(t, err)
	ids := slices.Clone(variedCases)
	for line := range strings.Lines(string(smoke)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			ids = append(ids, line)
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		p, err := plan.Load(plans.FS, "conformance/"+id+".plan", "plans/")
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}

// sameVerdicts runs real cases against a program twice, driven by its control channel and as a peer that merely listens:
// no verdict may fail, and the two ways must agree wherever an address is enough.
func sameVerdicts(t *testing.T, program string) {
	driven := parse(t, "driven=cmd:"+program)
	listening, err := driven.New(t.Context())
	require.NoError(t, err)
	defer func() { assert.NoError(t, listening.Close()) }()
	s, err := listening.Start(t.Context(), server("cases"))
	require.NoError(t, err)
	info, err := s.Info()
	require.NoError(t, err)
	address := parse(t, "address=addr:"+info.Addrs[0].String()+"/p2p/"+s.Peer)

	cases := casePlans(t)
	report, err := run.Check(t.Context(), run.Config{Targets: []target.Factory{driven, address}, Plans: cases, Seed: 7})
	require.NotNil(t, report, "%v", err)
	type asked struct{ id, profile string }
	verdicts := map[string]map[asked]string{}
	for _, r := range report.Results {
		if verdicts[r.Target] == nil {
			verdicts[r.Target] = map[asked]string{}
		}
		verdict := string(r.Verdict)
		verdicts[r.Target][asked{r.Case, r.Profile}] = verdict
		wanted := []string{"pass"}
		if r.Target == "address" {
			wanted = append(wanted, "unsupported")
		}
		assert.Contains(t, wanted, verdict, "%s on %s in %s: %s", r.Case, r.Target, r.Profile, r.Why)
	}
	assert.NoError(t, err)
	require.Len(t, verdicts["driven"], 3*len(cases), "a verdict for each case and profile")
	require.Len(t, verdicts["address"], 3*len(cases))
	var controlled []string
	for key, verdict := range verdicts["address"] {
		if verdict == "unsupported" {
			if key.profile == "base" && slices.Contains(variedCases, key.id) {
				controlled = append(controlled, key.id)
			}
			continue
		}
		assert.Equal(t, verdicts["driven"][key], verdict, "%s in %s: by the control channel, and at an address", key.id, key.profile)
	}
	// What an address cannot do is known, or this test would pass with everything unsupported.
	assert.ElementsMatch(t, []string{"find-node/empty-table", "put-value/value-sizes"}, controlled)
}
