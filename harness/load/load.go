package load

import (
	"errors"
	"time"
)

// ErrConfig is wrapped by all that Config.Check finds, with the line and the field.
var ErrConfig = errors.New("load")

// Kind is an operation: a word that whoever carries it out understands. This room knows only which kinds publish what
// others seek.
type Kind string

// The operations of a simulated node. A load on sockets may name requests instead (FIND_NODE, GET_PROVIDERS, …).
const (
	Lookup    Kind = "lookup"
	Provide   Kind = "provide"
	Find      Kind = "find"
	Put       Kind = "put"
	Get       Kind = "get"
	Bootstrap Kind = "bootstrap"
)

// published says what a kind that seeks can find: keys of that kind. Equal numbers of the two are equal keys.
var published = map[Kind]Kind{
	Find: Provide, "GET_PROVIDERS": "ADD_PROVIDER",
	Get: Put, "GET_VALUE": "PUT_VALUE",
}

// Op is what is to be done.
type Op struct {
	Kind Kind
	Key  uint64 // its number; equal numbers are equal keys
	Node uint32 // who is to do it; 0: somebody by chance
}

// Shot is one operation and the moment at which it is due, since the load's beginning. A latency counts from there.
type Shot struct {
	Due time.Duration
	Op  Op
}

// Schedule is a load as data: shots in the order of their times, until ok is false. It is asked from one goroutine.
type Schedule interface {
	Next() (shot Shot, ok bool)
}

// Config is the loads of a plan. The same Config gives the same shots on every machine.
type Config struct {
	Seed  uint64
	Lines []Line // side by side; of shots at the same moment, that of the earlier line comes first
}

// Line is one stream of shots. Either Count or For must end it.
type Line struct {
	Arrivals Arrivals
	Rate     Rate          // zero: Count shots over For, or all at once if there is no For
	To       Rate          // the rate at the end of For, which is reached in a straight line; zero: Rate throughout
	From     time.Duration // when it begins
	For      time.Duration // how long it lasts; 0: until Count
	Count    uint64        // how many shots at most, those that fall away included; 0: until the end of For

	Mix []Part // what the shots are: each is of one part, by their weights
}

// Part is one kind of operation in a line.
type Part struct {
	Kind   Kind
	Weight uint32 // beside the other parts of the line; 0: 1
	Keys   Keys
	Node   uint32 // who is asked, always; 0: somebody by chance
}

// Arrivals is how the moments of a line lie.
type Arrivals uint8

const (
	Even    Arrivals = iota // at equal distances, the first at From
	Poisson                 // at distances of an exponential distribution: independent of each other
)

// Rate is N shots in each Per: {50, time.Second}.
type Rate struct {
	N   uint64
	Per time.Duration // 0: a second
}

// KeyOrder is how the numbers of keys are drawn.
type KeyOrder uint8

const (
	// Uniform: what publishes, and what neither publishes nor seeks, takes the numbers in turn, so that none comes twice
	// before all have come. What seeks (find, get) draws each with the same chance.
	Uniform KeyOrder = iota
	Zipf             // the number n with a weight of 1/(n+1)^Skew
	Hot              // Share of the shots draw among the first HotOf numbers, the rest among the others
)

// Keys says which keys the shots of a part are about.
type Keys struct {
	Order KeyOrder
	// Of is how many numbers there are, from First on. 0: no end (Uniform), or as many as have been published (Published).
	Of    uint64
	First uint64
	// Published: only numbers that a shot of this load publishes, due at least Lag before, in the order in which they were
	// published first. A shot falls away while there is none; see Load.Fell.
	Published bool
	Lag       time.Duration

	Skew  uint32 // Zipf: the exponent, in millionths; 0: 1
	Share uint32 // Hot: in parts per million; 0: nine of ten
	HotOf uint64 // Hot: 0: 1
}
