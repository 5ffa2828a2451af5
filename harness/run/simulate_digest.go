package run

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

// ErrDigests: a text that is no list of digests.
var ErrDigests = errors.New("digests")

// Digests are known digests of runs: `need digest=@fixtures` asks for them. As text, a line holds the plan, the number of
// nodes, the seed, the digest, and the point of the sweep; # opens a comment.
type Digests struct {
	head  []string // the comment before the first digest
	known map[digestKey]string
}

type digestKey struct {
	plan  string
	nodes int
	seed  uint64
	point string
}

// CarriedDigests are those in the binary.
func CarriedDigests() (*Digests, error) {
	return ReadDigests("fixtures/digests.txt", fixtures.Digests())
}

// ReadDigests reads such a list; an error names file and line.
func ReadDigests(file string, text []byte) (*Digests, error) {
	d := &Digests{known: make(map[digestKey]string)}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			if len(d.known) == 0 {
				d.head = append(d.head, line)
			}
			continue
		}
		f := strings.Fields(line)
		if len(f) < 4 {
			return nil, fmt.Errorf("%w: %s:%d: plan, nodes, seed and digest were expected", ErrDigests, file, n)
		}
		nodes, err := strconv.Atoi(f[1])
		seed, seedErr := strconv.ParseUint(f[2], 10, 64)
		value, valueErr := strconv.ParseUint(f[3], 16, 64)
		if err := errors.Join(err, seedErr, valueErr); err != nil || len(f[3]) != 16 {
			return nil, fmt.Errorf("%w: %s:%d: two numbers and 16 hexadecimal digits were expected after the plan", ErrDigests, file, n)
		}
		key := digestKey{f[0], nodes, seed, strings.Join(f[4:], " ")}
		if _, twice := d.known[key]; twice {
			return nil, fmt.Errorf("%w: %s:%d: %s stands twice with these nodes and this seed", ErrDigests, file, n, f[0])
		}
		d.known[key] = fmt.Sprintf("%016x", value)
	}
	return d, nil
}

// Text is the list as ReadDigests reads it, sorted.
func (d *Digests) Text() []byte {
	var b strings.Builder
	for _, line := range d.head {
		b.WriteString(line + "\n")
	}
	keys := slices.SortedFunc(maps.Keys(d.known), func(a, b digestKey) int {
		return cmp.Or(cmp.Compare(a.plan, b.plan), cmp.Compare(a.nodes, b.nodes), cmp.Compare(a.seed, b.seed), cmp.Compare(a.point, b.point))
	})
	for _, k := range keys {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%s %d %d %s %s", k.plan, k.nodes, k.seed, d.known[k], k.point), " ") + "\n")
	}
	return []byte(b.String())
}

func (r *SimRun) digestKey() digestKey {
	return digestKey{r.Plan.Header.ID, r.config.Nodes, r.config.Seed, r.world.At()}
}

// note keeps the digest of a run that was as its plan says for so long.
func (c *SimConfig) note(r *SimRun) {
	if c.Record && c.For == 0 {
		c.Digests.known[r.digestKey()] = r.Digest
	}
}

// digestNeed holds the digest of a run against what its plan says. What was run otherwise than the plan says has another
// digest, and is not compared.
func (c *SimConfig) digestNeed(r *SimRun, n plan.Need) record.NeedGot {
	got := record.NeedGot{Text: n.Text, Line: n.Pos.String(), Got: "digest " + r.Digest, Verdict: record.Skipped}
	want, why := c.wantedDigest(r, n)
	switch {
	case want == "":
		got.Why = why
	case want == r.Digest:
		got.Verdict = record.Pass
	default:
		got.Verdict = record.Fail
		got.Why = fmt.Sprintf("%s was expected, of the same nodes, seed and point", want)
	}
	return got
}

func (c *SimConfig) wantedDigest(r *SimRun, n plan.Need) (digest, why string) {
	if c.For != 0 {
		return "", "--for changes what happens"
	}
	if n.Digest == plan.SuiteDigests && r.Plan.Fixtures["fixtures"] == nil {
		if c.IDs != nil {
			return "", "the nodes were given other ids"
		}
		if want, ok := c.Digests.known[r.digestKey()]; ok {
			return want, ""
		}
		return "", fmt.Sprintf("none is known for %d nodes and seed %d", r.config.Nodes, r.config.Seed)
	}
	if r.altered {
		return "", "the plan's is of other nodes or another seed"
	}
	name, named := strings.CutPrefix(n.Digest, "@")
	if !named {
		return n.Digest, ""
	}
	var lines []string // one for each point of the sweep
	for line := range strings.Lines(textOf(r.Plan, name)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if r.index >= len(lines) {
		return "", fmt.Sprintf("@%s has none for this point", name)
	}
	return lines[r.index], ""
}
