package sim

import "math/bits"

// All chance of a world outside its nodes comes from this file: hashes of the seed and of what is drawn for, never a
// generator with a state. So a draw is the same whoever asks, in whichever order, on any shard and any processor.

// purpose keeps the draws for different ends apart: equal numbers, different chances. The values are part of every
// digest: new ones go to the end.
type purpose uint64

const (
	forDelay purpose = iota + 1
	forJitter
	forLoss
	forLossy
	forRegion
	forUnreachable
	forSlow
	forSide
	forExit
	forStay
	forAway
	forUp
	forTrace
	forRole
	forGrind
	forHarm
	forID
	forKey
	forTable
	forClient
	forSeed
	forWho
	forSample
	forSeen
)

// mix folds words into a seed, one after the other: their order counts. It does not allocate.
func mix(seed uint64, words ...uint64) uint64 {
	for _, w := range words {
		seed = stir(seed ^ w)
	}
	return seed
}

// draw is mix for a purpose and two words, as the hot paths need it: key is keyOf, made once.
func draw(key, a, b uint64) uint64 { return stir(stir(key^a) ^ b) }

// keyOf is the seed for one purpose: draw(keyOf(seed, what), a, b) is mix(seed, what, a, b).
func keyOf(seed uint64, what purpose) uint64 { return stir(seed ^ uint64(what)) }

// stir is one step of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): a bijection
// in which each bit of x moves half of the bits.
func stir(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below maps x, any 64 bits, to 0..n-1 by multiply-shift; for n below 2^32 no result is likelier than another by more than
// one in 2^32. n of 0 gives 0.
func below(x, n uint64) uint64 {
	hi, _ := bits.Mul64(x, n)
	return hi
}

// hits says whether the draw x meets a chance.
func hits(x uint64, chance PPM) bool { return below(x, uint64(One)) < uint64(chance) }
