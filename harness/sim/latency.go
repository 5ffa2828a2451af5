package sim

// LatencyTable is how long messages take between regions.
type LatencyTable struct{}
