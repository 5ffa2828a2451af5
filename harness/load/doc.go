// Package load is schedules: when each operation of a load is due, and what it is, as data.
//
//	l, err := load.New(load.Config{Seed: 1, Lines: []load.Line{
//		{Rate: load.Rate{N: 10}, For: time.Hour, Mix: []load.Part{{Kind: load.Provide, Keys: load.Keys{Of: 1000}}}},
//		{Arrivals: load.Poisson, Rate: load.Rate{N: 50}, From: time.Minute, For: time.Hour,
//			Mix: []load.Part{{Kind: load.Find, Keys: load.Keys{Order: load.Zipf, Published: true, Lag: time.Minute}}}},
//	}})
//	for shot, ok := l.Next(); ok; shot, ok = l.Next() { … at shot.Due, do shot.Op … }
//
// A schedule is pure in its seed and takes no notice of what becomes of its shots (an open model), so that the pacer of
// real sockets and the simulator drive the same load, and a latency counts from the moment at which an operation was due.
// All of it is integers, with the logarithms of internal/fixed: the same shots on every machine.
//
// Keys are numbers. What provide publishes as 17, find seeks as 17; the same goes for put and get. A find of a key that
// nobody provided says nothing about a network, hence Keys.Published.
package load
