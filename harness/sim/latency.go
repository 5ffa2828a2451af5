package sim

import (
	"math/bits"

	"github.com/kadbench/kadbench/kad"
)

// LatencyTable is how long messages take between regions: for each pair of regions the quantiles of the one-way delay
// between a node of one and a node of the other, and for each region its share of the nodes. ParseLatencies makes one.
type LatencyTable struct {
	regions []string
	weight  []uint64 // cumulated; the last is their sum
	at      []uint64 // the probabilities of the quantiles, in 2^-63: from 0 to 1, ascending
	delays  []uint64 // nanoseconds; those of regions a and b begin at (a*len(regions)+b)*len(at)
	least   kad.Duration
	most    kad.Duration
}

// Least and Most are the shortest and the longest delay of the table.
func (t *LatencyTable) Least() kad.Duration { return t.least }
func (t *LatencyTable) Most() kad.Duration  { return t.most }

// Regions are the names of the regions, in the order of the file.
func (t *LatencyTable) Regions() []string { return t.regions }

// regionOf draws the region of a peer by the regions' shares.
func (t *LatencyTable) regionOf(seed uint64, p kad.Peer) uint8 {
	x := below(draw(keyOf(seed, forRegion), uint64(p), 0), t.weight[len(t.weight)-1])
	r := 0
	for x >= t.weight[r] {
		r++
	}
	return uint8(r)
}

// delay is the quantile x·2^-64 of the delays between two regions in nanoseconds, straight between the points of the table.
func (t *LatencyTable) delay(a, b uint8, x uint64) uint64 {
	n := len(t.at)
	row := t.delays[(int(a)*len(t.regions)+int(b))*n:][:n]
	x >>= 1
	i := 1
	for i < n-1 && x >= t.at[i] {
		i++
	}
	hi, lo := bits.Mul64(x-t.at[i-1], row[i]-row[i-1])
	q, _ := bits.Div64(hi, lo, t.at[i]-t.at[i-1])
	return row[i-1] + q
}
