package target

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocumentation holds the page for adapter writers to the code: its table has the methods in their order, its session
// is made of lines that both sides read, and the limits it names are ours.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/control-protocol.md")
	require.NoError(t, err)
	text := string(page)

	_, table, ok := strings.Cut(text, "## Methods")
	require.True(t, ok)
	table, _, ok = strings.Cut(table, "### start")
	require.True(t, ok)
	var documented, known []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		documented = append(documented, row[1])
	}
	for _, m := range Methods {
		known = append(known, m.Name)
	}
	require.Equal(t, known, documented)

	lines := 0
	asked := map[string]bool{}
	for line := range strings.Lines(text) {
		if request, ok := strings.CutPrefix(line, "-> "); ok {
			r, err := parseRequest([]byte(request))
			require.NoError(t, err, line)
			asked[string(r.ID)] = true
			lines++
		}
		if answer, ok := strings.CutPrefix(line, "<- "); ok {
			r, err := parseResponse([]byte(answer))
			require.NoError(t, err, line)
			require.True(t, asked[string(r.ID)], line)
			delete(asked, string(r.ID))
			lines++
		}
	}
	require.Equal(t, 20, lines)
	require.Empty(t, asked, "every request is answered")

	require.Equal(t, "10s", closeGrace.String())
	require.Equal(t, "30s 5m0s", CallTimeout.String()+" "+OperationTimeout.String())
	require.Equal(t, 16<<20, LineLimit)
	require.Equal(t, 64<<10, tailLimit)
	for _, limit := range []string{"within 10 s", "30 s for what", "at most 5 min", "16 MiB is the limit", "the last 64 KiB"} {
		require.Contains(t, text, limit)
	}
}
