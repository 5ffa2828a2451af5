// Package plans holds the plan files of the suite, embedded in the binary: each case in conformance/<area>/<slug>.plan, each
// simulation in sim/<slug>.plan, each load on sockets in load/<slug>.plan, each network of real nodes in network/<slug>.plan,
// and smoke.txt, the ids of the cases which a run without arguments makes. README.md says how to add one.
package plans

import (
	"embed"
	"fmt"
	"strings"
)

// FS holds conformance/<area>/<slug>.plan, {sim,load,network}/<slug>.plan and smoke.txt. The id of a case is its path below
// conformance without the ending; that of another plan begins with its directory.
//
//go:embed conformance sim load network smoke.txt
var FS embed.FS

// Real are the directories of the plans whose world is real.
var Real = []string{"load", "network"}

// Smoke are the ids in smoke.txt, one a line; # opens a comment.
func Smoke() (ids []string, err error) {
	text, err := FS.ReadFile("smoke.txt")
	if err != nil {
		return nil, fmt.Errorf("plans carried in the binary: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if id := strings.TrimSpace(line); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
