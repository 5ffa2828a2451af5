package sim

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

// A table of delays is a text of lines; # begins a comment:
//
//	source TEXT                     where the numbers come from; one at least
//	region NAME WEIGHT              a region and its part of the nodes, in proportion to the other weights
//	quantiles 0 P … 100             percent, ascending, from the least delay to the longest
//	delay NAME NAME US …            for each two regions, and each with itself: one microsecond figure for each quantile
//
// Regions stand before delays, quantiles too.

// ErrLatency is a table of delays that cannot be read. The error says where and what was expected.
var ErrLatency = errors.New("latency table")

// Limits of a table. 64 regions are more than there are clouds' regions to measure; a line of 16 quantiles shows any shape;
// a table of both has 2,080 delays, 400 KiB.
const (
	maxRegions      = 64
	maxQuantiles    = 16
	maxWeight       = 1_000_000
	maxLatencyBytes = 1 << 20
)

// one is the certainty of LatencyTable.at.
const one = 1 << 63

// latencyParser is a table half read.
type latencyParser struct {
	t      LatencyTable
	index  map[string]int
	source bool
	seen   []bool // of regions a and b, both ways
}

// ParseLatencies reads a table of delays. The name of the file stands in errors: file:line.
func ParseLatencies(file string, text []byte) (*LatencyTable, error) {
	if len(text) > maxLatencyBytes {
		return nil, fmt.Errorf("%w %s: %d bytes are more than %d", ErrLatency, file, len(text), maxLatencyBytes)
	}
	p := latencyParser{t: LatencyTable{least: 1<<63 - 1}, index: map[string]int{}}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		before, _, _ := strings.Cut(string(line), "#")
		if words := strings.Fields(before); len(words) > 0 {
			if err := p.line(words[0], words[1:]); err != nil {
				return nil, fmt.Errorf("%w %s:%d: %w", ErrLatency, file, n, err)
			}
		}
	}
	if err := p.complete(); err != nil {
		return nil, fmt.Errorf("%w %s:%d: %w", ErrLatency, file, max(n, 1), err)
	}
	return &p.t, nil
}

func (p *latencyParser) line(word string, args []string) error {
	switch word {
	case "source":
		if len(args) == 0 {
			return errors.New("source is empty, expected where the numbers come from")
		}
		p.source = true
		return nil
	case "region":
		return p.region(args)
	case "quantiles":
		return p.quantiles(args)
	case "delay":
		return p.delay(args)
	}
	return fmt.Errorf("%.40q is no line of a table, expected source, region, quantiles or delay", word)
}

func (p *latencyParser) region(args []string) error {
	t := &p.t
	switch {
	case len(args) != 2:
		return fmt.Errorf("region has %d words, expected its name and its weight", len(args))
	case len(p.seen) > 0:
		return errors.New("region after a delay, expected all regions before it")
	case len(t.regions) == maxRegions:
		return fmt.Errorf("more than %d regions", maxRegions)
	}
	if _, ok := p.index[args[0]]; ok {
		return fmt.Errorf("region %.40q stands here twice", args[0])
	}
	w, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil || w > maxWeight {
		return fmt.Errorf("weight = %.40q, expected a number from 0 to %d", args[1], maxWeight)
	}
	if n := len(t.weight); n > 0 {
		w += t.weight[n-1]
	}
	p.index[args[0]] = len(t.regions)
	t.regions = append(t.regions, args[0])
	t.weight = append(t.weight, w)
	return nil
}

func (p *latencyParser) quantiles(args []string) error {
	t := &p.t
	if len(t.at) > 0 {
		return errors.New("quantiles stand here twice")
	}
	if len(args) < 2 || len(args) > maxQuantiles {
		return fmt.Errorf("%d quantiles, expected 2 to %d", len(args), maxQuantiles)
	}
	last := uint64(0)
	for i, a := range args {
		q, err := strconv.ParseUint(a, 10, 64)
		if err != nil || q > 100 || i == 0 && q != 0 || i > 0 && q <= last || i == len(args)-1 && q != 100 {
			return fmt.Errorf("quantile %.40q, expected whole percents that ascend from 0 to 100", a)
		}
		hi, lo := bits.Mul64(q, one)
		at, _ := bits.Div64(hi, lo, 100)
		t.at = append(t.at, at)
		last = q
	}
	return nil
}

func (p *latencyParser) delay(args []string) error {
	t := &p.t
	if len(t.regions) == 0 || len(t.at) == 0 {
		return errors.New("delay stands before the regions or the quantiles")
	}
	if len(args) != 2+len(t.at) {
		return fmt.Errorf("delay has %d words, expected two regions and %d figures", len(args), len(t.at))
	}
	n := len(t.regions)
	if p.seen == nil {
		p.seen = make([]bool, n*n)
		t.delays = make([]uint64, n*n*len(t.at))
	}
	a, aok := p.index[args[0]]
	b, bok := p.index[args[1]]
	switch {
	case !aok || !bok:
		return fmt.Errorf("delay between %.40q and %.40q, expected two of %s", args[0], args[1], strings.Join(t.regions, ", "))
	case p.seen[a*n+b]:
		return fmt.Errorf("delay between %s and %s stands here twice", args[0], args[1])
	}
	p.seen[a*n+b], p.seen[b*n+a] = true, true
	last := uint64(0)
	for i, word := range args[2:] {
		us, err := strconv.ParseUint(word, 10, 64)
		switch {
		case err != nil || us > uint64(maxDelay)/1000:
			return fmt.Errorf("delay = %.40q, expected microseconds, an hour at most", word)
		case us*1000 < uint64(MinDelay):
			return fmt.Errorf("a delay of %d us %w", us, errShort)
		case us < last:
			return fmt.Errorf("delay = %d after %d, expected figures that ascend", us, last)
		}
		t.delays[(a*n+b)*len(t.at)+i] = us * 1000
		t.delays[(b*n+a)*len(t.at)+i] = us * 1000
		t.least, t.most = min(t.least, kad.Duration(us*1000)), max(t.most, kad.Duration(us*1000))
		last = us
	}
	return nil
}

// complete says what is missing at the end.
func (p *latencyParser) complete() error {
	t := &p.t
	switch {
	case !p.source:
		return errors.New("no source, expected a line that says where the numbers come from")
	case len(t.regions) == 0:
		return errors.New("no region")
	case t.weight[len(t.weight)-1] == 0:
		return errors.New("the weights of all regions are 0")
	case len(t.at) == 0:
		return errors.New("no quantiles")
	}
	n := len(t.regions)
	for a := range n {
		for b := a; b < n; b++ {
			if p.seen == nil || !p.seen[a*n+b] {
				return fmt.Errorf("no delay between %s and %s", t.regions[a], t.regions[b])
			}
		}
	}
	return nil
}
