// Package stats is numbers about many samples, each with how sure it is.
//
//	Histogram   times with those that were given up; bytes             percentiles, mean
//	Counts      small whole numbers: hops, requests                   percentiles, mean
//	Mean        whole numbers of any size                             mean
//	Proportion  how many of so many: successes                        Wilson's interval
//	Ratio       a sum of parts over a sum of wholes: recall@k         an interval over operations
//	Spread      the load over nodes                                   Gini, the busiest 1 %
//	Middle      some turns of the same                                median
//	Compare     two samples of turns                                  medians, and whether they differ by more than chance
//
// Zero values are ready. Everything is kept as integers, so samples can come in any order and be merged in any order: the
// figures are the same to the last bit. Intervals are of 95 %. A percentile is told only with enough samples on either
// side (Beyond), and what was cut short (a timeout, the end of a run) is a sample too, one that is later than those that
// ended: without it, the slowest would be missing, and the more of them, the better the figures would look.
package stats
