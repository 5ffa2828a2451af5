package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figure is one row of the table of what a need may be about.
type figure struct {
	term
	unit  Unit
	stats bool   // it is a distribution over operations, of which a need names a point
	of    string // the kinds of operation it is about; "" for all, "run" if it is about the whole run
}

var figures = slices.Concat(operationFigures, turnFigures)

// operationFigures are those of operations, and of a network of nodes as a whole.
var operationFigures = []figure{
	{term{"took", "p99<5s\ntook.p99<5s", "how long an operation takes; a point without a figure is its", "the time that an operation takes", inNodes}, UnitTime, true, ""},
	{term{"first", "first.p50<1s", "find and get: until the first provider or record", "the time until the first provider or record", inNodes}, UnitTime, true, "find get"},
	{term{"hops", "hops.p99<6", "the longest chain of peers that led to a peer of the result", "the number of hops", inNodes}, UnitCount, true, ""},
	{term{"rpcs", "rpcs.p50<40", "requests of an operation", "the number of requests", inNodes}, UnitCount, true, ""},
	{term{"dead", "dead.mean<5", "of them, those without an answer: dead, lost, or not to be dialled", "the number of requests without an answer", inNodes}, UnitCount, true, ""},
	{term{"bytes", "bytes.p50<20000", "of an operation's requests and their answers", "the bytes of requests and answers", inSim}, UnitCount, true, ""},
	{term{"recall", "recall@20>=0.999\nrecall>=0.99", "lookups: share of the closest peers that they name, of all that there are to name; `recall` alone is at k", "the recall", inNodes}, UnitShare, false, "lookup"},
	{term{"success", "success>0.99", "share of the operations that came to their end: a lookup ended by itself, a find found a provider that lives, a get the best record, " +
		"a put or provide was taken by somebody", "the share of operations that succeed", inNodes}, UnitShare, false, ""},
	{term{"timeouts", "timeouts<0.01", "share of the operations that their deadline ended", "the share of operations that their deadline ended", inNodes}, UnitShare, false, ""},
	{term{"cpu", "cpu<5ms", "processor time of the whole process for an operation", "the processor time of an operation", inNet}, UnitTime, false, "run"},
	{term{"connections", "connections<100", "open ones of a node at the end, mean; each counts at both ends", "the number of connections of a node", inNet}, UnitCount, false, "run"},
	{term{"goroutines", "goroutines<500", "that the network adds to the process, at the end, for each node", "the number of goroutines of a node", inNet}, UnitCount, false, "run"},
	{term{"heap", "heap<4MiB", "that the network adds to the process, after a collection at the end, for each node", "the heap of a node", inNet}, UnitSize, false, "run"},
	{term{"operations", "operations>=1000", "how many were begun and counted", "the number of operations", inNodes}, UnitCount, false, ""},
	{term{"unfinished", "unfinished=0", "operations without an end when the run had ended", "the number of operations without an end", inNodes}, UnitCount, false, "run"},
	{term{"survival", "survival>0.99", "share of the published records that somebody who is there holds, at the worst sample", "the share of records that survive", inSim}, UnitShare, false, "run"},
	{term{"stale", "stale<0.2", "share of the table entries that are not there or cannot be reached, at the last sample", "the share of dead entries in the tables", inSim}, UnitShare, false, "run"},
	{term{"missing", "missing<0.05", "share of its k closest servers that a node lacks in its table, at the last sample", "the share of its closest servers that a node lacks", inSim}, UnitShare, false, "run"},
	{term{"events", "events<=100000", "of the whole run", "the number of events", inSim}, UnitCount, false, "run"},
	{term{"digest", "digest=@digest\ndigest=0f1e2d3c4b5a6978", "of the whole run: 16 hexadecimal digits, or a fixture whose text has those of each point of the sweep, one a line; `@fixtures`: those that come with the suite", "the digest", inSim}, UnitDigest, false, "run"},
}

// turnFigures are those of a load of requests, all of its lines together.
var turnFigures = []figure{
	{term{"due", "p99<50ms\ndue.p99<50ms", "from the moment a request was due to its answer, so that waiting behind others counts; a point without a figure is its", "the time from due to answered", inLoad}, UnitTime, true, ""},
	{term{"service", "service.p50<5ms", "from the moment a request was sent to its answer", "the time from sent to answered", inLoad}, UnitTime, true, ""},
	{term{"start", "start.p99<1ms", "from due to sent", "the time from due to sent", inLoad}, UnitTime, true, ""},
	{term{"errors", "errors<0.1%", "share of the requests without an answer: their stream failed, what came was none, or they were given up", "the share of requests that fail", inLoad}, UnitShare, false, ""},
	{term{"timeouts", "timeouts<0.1%", "share of the requests that were given up", "the share of requests that are given up", inLoad}, UnitShare, false, ""},
	{term{"late", "late<1%", "share of the requests that began more than a millisecond after they were due though a stream was free: the generator's fault", "the share of requests that begin late", inLoad}, UnitShare, false, ""},
	{term{"dropped", "dropped=0", "requests that were never sent, as no stream was free before their timeout", "the number of requests never sent", inLoad}, UnitCount, false, ""},
	{term{"wrong", "wrong=0", "answers that are not the true nearest, of those that were compared", "the number of wrong answers", inLoad}, UnitCount, false, ""},
	{term{"rate", "rate>=1000/s", "requests that were answered", "the rate of answers", inLoad}, UnitRate, false, ""},
	{term{"cpu", "cpu<200us", "processor time of the target's process for a request", "the processor time of a request", inLoad}, UnitTime, false, ""},
}

// SuiteDigests is what digest= names when the suite's own table of digests is meant; a fixture of this name goes first.
const SuiteDigests = "@fixtures"

// stats are the points of a distribution.
var stats = []string{"min", "mean", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p999", "max"}

func figureTerms() []term {
	out := make([]term, len(figures))
	for i, f := range figures {
		out[i] = f.term
	}
	return out
}

// findFigure prefers the row of this world: some names mean one thing of an operation and another of a request.
func findFigure(name string, world WorldKind) (figure, bool) {
	i := slices.IndexFunc(figures, func(f figure) bool { return f.Name == name && f.in&world != 0 })
	if i < 0 {
		i = slices.IndexFunc(figures, func(f figure) bool { return f.Name == name })
	}
	if i < 0 {
		return figure{}, false
	}
	return figures[i], true
}

// condition splits get.took.p99<=5s into what is measured, how it compares, and with what.
var condition = regexp.MustCompile(`^([A-Za-z0-9.@_-]+)(<=|>=|<|>|=)(.+)$`)

var needOps = map[string]Op{"<=": OpAtMost, ">=": OpAtLeast, "<": OpLess, ">": OpGreater, "=": OpEqual}

func parseNeed(c *cursor) Stmt {
	var s Needs
	for c.more() {
		w := c.next("")
		n, err := c.need(w)
		if err != nil {
			c.fail(w.line, "%q: %w", w.text, err)
			return s
		}
		n.Pos, n.Text = Pos{File: c.file, Line: w.line}, w.text
		s.All = append(s.All, n)
	}
	if len(s.All) == 0 {
		c.fail(c.line, "a figure and its bound are missing, as p99<5s")
	}
	return s
}

func (c *cursor) need(w word) (n Need, err error) {
	m := condition.FindStringSubmatch(w.text)
	if m == nil {
		return n, fmt.Errorf("a figure and its bound were expected, as p99<5s or get.success>0.99")
	}
	parts := strings.Split(m[1], ".")
	if kind, ok := findTerm(askKinds, parts[0]); ok && len(parts) > 1 {
		if c.world == LoadWorld {
			return n, fmt.Errorf("the figures of a load are those of all its requests together: it takes none of %s alone", kind.Name)
		}
		n.Of, parts = parts[0], parts[1:]
	}
	if contains(stats, parts[0]) {
		first := "took"
		if c.world == LoadWorld {
			first = "due"
		}
		parts = append([]string{first}, parts...)
	}
	name, at, hasAt := strings.Cut(parts[0], "@")
	f, ok := findFigure(name, c.world)
	if !ok {
		known := termNames(termsIn(figureTerms(), c.world))
		return n, fmt.Errorf("%s; they are %s", unknown("figure", name, append(known, stats...)), strings.Join(known, " "))
	}
	if f.in&c.world == 0 {
		return n, c.world.elsewhere(name, f.in)
	}
	n.Figure, n.Unit, n.Op = f.Name, f.unit, needOps[m[2]]
	if hasAt {
		if n.N, err = strconv.Atoi(at); err != nil || f.Name != "recall" || n.N < 1 || n.N > maxWidth {
			return n, fmt.Errorf("recall@20 alone has a number behind @, from 1 to %d", maxWidth)
		}
	}
	switch {
	case f.stats && (len(parts) != 2 || !contains(stats, parts[1])):
		return n, fmt.Errorf("a point of the distribution was expected behind %s: %s", f.Name, strings.Join(stats, " "))
	case f.stats:
		n.Stat = parts[1]
	case len(parts) > 1:
		return n, fmt.Errorf("%s is one number, without %s", f.Name, parts[1])
	}
	if n.Of != "" && f.of != "" && !contains(strings.Fields(f.of), n.Of) {
		return n, fmt.Errorf("%s is not about %s", f.Name, n.Of)
	}
	if n.Unit == UnitDigest {
		return n, c.digest(&n, m[2], m[3], w.line)
	}
	n.Value, err = n.Unit.read(m[3])
	return n, err
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{16}$`)

func (c *cursor) digest(n *Need, op, val string, line int) error {
	n.Digest = val
	if _, isText := c.text(word{text: val, line: line}); !isText && !hexDigest.MatchString(val) || op != "=" {
		return fmt.Errorf("digest= with 16 hexadecimal digits, or a fixture, as @digest, was expected")
	}
	return nil
}

// read reads a bound.
func (u Unit) read(v string) (int64, error) {
	switch u {
	case UnitTime:
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 || d > maxSpan {
			return 0, fmt.Errorf("a time was expected, as 5s or 250ms")
		}
		return int64(d), nil
	case UnitShare:
		text, percent := strings.CutSuffix(v, "%")
		n, err := millionthsOf(text)
		if percent {
			n /= 100
		}
		if err != nil || n > 1e6 {
			return 0, fmt.Errorf("a share from 0 to 1 was expected, as 0.99 or 99%%")
		}
		return n, nil
	case UnitRate:
		r, err := ParseRate(v)
		if err != nil {
			return 0, err
		}
		return int64(r.Count) * 1e6 / int64(r.Per/time.Second), nil
	case UnitSize:
		n, ok := parseNumber(v)
		if !ok || n.Kind != KindNumber || n.Num < 0 {
			return 0, fmt.Errorf("a size was expected, as 4MiB")
		}
		return n.Num, nil
	}
	n, err := millionthsOf(v)
	if err != nil {
		return 0, fmt.Errorf("a number was expected, as 40")
	}
	return n, nil
}
