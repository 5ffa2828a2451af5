// Package stats will hold histograms, confidence intervals and comparisons of latencies. A percentile is told only with
// enough samples behind it. Nothing stands here yet.
package stats
