// Package report makes reports from the log of a run. A run writes its log and nothing else; whatever a person or a CI
// job wants to see of it is made here, afterwards, as often as wanted:
//
//	log, err := report.Load("kadbench-out/2026-01-02T15-04-05")
//	err = report.Text(os.Stdout, log, report.Options{Profile: "base", Width: 100, Color: true})
//	err = report.JUnit(file, log, report.Options{})
//
// Several logs become one with Join: a matrix of cases and targets. What a log does not hold, the HTML page gets from its
// caller by Options: the cases' plans, the clauses of the specifications, and the reading of frames.
//
// A log of simulations gives the same forms: tables of figures and needs, a test case for each need, and a page with a
// plot of each figure along a sweep, over simulated time and over operations, each with the table of its numbers. The page
// holds uPlot 1.6.32 (assets/uplot.js, MIT license), which draws.
//
// A log of loads on sockets has tables of what was answered at what cost, of latencies from when requests were due beside
// those from when they were sent, and of what became of all requests, each with a row for each target; then in sentences
// what makes the figures less than they look. Networks on sockets are simulations whose nodes cost something:
// several targets of a plan stand beside the first.
//
// Compare tells what changed between two logs, and which differences are more than chance; Benchfmt hands the same samples to
// benchstat:
//
//	found := report.Compare([]*report.Log{before}, []*report.Log{after}, 0.05)
//	err = found.Write(os.Stdout, report.Options{})
//
// What peers and target programs said stands in a log as it came. Reports print it with its control characters
// escaped, so that no peer writes on the reader's terminal.
package report
