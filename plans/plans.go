// Package plans holds the plan files of the suite, embedded in the binary: each case in conformance/<area>/<slug>.plan, each
// simulation in sim/<slug>.plan, and smoke.txt, the ids of the cases which a run without arguments makes. README.md says how
// to add one.
package plans

import "embed"

// FS holds conformance/<area>/<slug>.plan, sim/<slug>.plan and smoke.txt. The id of a case is its path below conformance
// without the ending; that of a simulation begins with sim/.
//
//go:embed conformance sim smoke.txt
var FS embed.FS
