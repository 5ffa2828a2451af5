package record

import "fmt"

// Add counts one verdict.
func (s *Summary) Add(v Verdict) {
	switch v {
	case Pass:
		s.Passed++
	case Warn:
		s.Warned++
	case Fail, XPass:
		s.Failed++
	case XFail:
		s.Expected++
	case Unsupported:
		s.Unsupported++
	case Skipped:
		s.Skipped++
	default: // an unknown verdict is a fault of ours, never a pass
		s.Errors++
	}
}

// Total is the number of verdicts counted.
func (s Summary) Total() int {
	return s.Passed + s.Failed + s.Warned + s.Expected + s.Unsupported + s.Skipped + s.Errors
}

// String is the counts in words, in the order that scripts rely on.
func (s Summary) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d warned, %d expected, %d unsupported, %d skipped, %d errors",
		s.Passed, s.Failed, s.Warned, s.Expected, s.Unsupported, s.Skipped, s.Errors)
}
