package check

import (
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

// Area is the part of a case's id before its first slash: find-node of find-node/asker-left-out.
func Area(id string) string {
	area, _, _ := strings.Cut(id, "/")
	return area
}

// Verdict of a case in one profile, by the level of its clause there: a must that is missed fails, a should warns (with
// strict it fails too), and a may or info is measured only.
func Verdict(level plan.Level, missed, strict bool) record.Verdict {
	switch {
	case !missed:
		return record.Pass
	case level == plan.Must, level == plan.Should && strict:
		return record.Fail
	case level == plan.Should:
		return record.Warn
	}
	return record.Pass
}

// Why is a failure in one line: what the list of known failures matches, and what a summary shows.
func Why(f *record.Failure) string {
	why := "wanted " + f.Want + ", got " + f.Got
	if f.Diff != "" {
		why += "; " + f.Diff
	}
	return why
}
