package ground

import (
	"context"
	"time"

	"github.com/kadbench/kadbench/harness/network"
)

// Case is a test case: what each instance of a run does. The same code runs as a goroutine among others, as a child
// process, and as an instance of Testground's.
type Case struct {
	Name  string
	About string // a sentence
	// How many instances there may be, and how many there are if nothing else is said.
	Min, Max, Default int
	Params            []Param
	// Fits says what is wrong with parameters that are of their types, so that a run of them does not begin; nil: nothing ever is.
	// Of the instance it sees Params, Count, GroupCount and Shape.
	Fits func(in *Instance) error
	// Run is what an instance does. An error fails the instance, and so the run; ctx ends when another has failed.
	Run func(ctx context.Context, in *Instance) error
}

// Param is a parameter of a case. Its default is a text, as all values are: in Testground's own form they hold neither =
// nor |.
type Param struct {
	Name, Type, Unit, Default, About string // Type: int, float, bool, duration, size, string
}

// Instance is one of a run's instances, as its case sees it.
type Instance struct {
	Case       *Case
	Run        string // the run's id
	Seq, Count int    // from 1 on, of so many
	Group      string // the composition's group; instances of one group have the same parameters
	GroupSeq   int    // from 1 on
	GroupCount int

	Params Params
	Sync   Sync
	Out    Recorder
	IP     string       // of its own to listen at; 127.0.0.1 where nobody has one
	Mem    *network.Mem // transport=mem: the network in memory of all instances, which are in this process then; else nil
	Shape  Shaper       // nil where nobody shapes links from outside
	Start  time.Time
}

// Sync is how instances wait for one another and tell each other things. A failed instance ends all waits.
type Sync interface {
	// Signal enters a state and returns how many have entered, this one included.
	Signal(ctx context.Context, state string) (int, error)
	// Wait returns when n have entered a state.
	Wait(ctx context.Context, state string, n int) error
	// Publish appends a value, as JSON, to a topic. More than MaxItem bytes are an error.
	Publish(ctx context.Context, topic string, value any) error
	// Collect hands over the first n values of a topic, waiting for them, each as JSON.
	Collect(ctx context.Context, topic string, n int, each func(item []byte) error) error
}

// MaxItem is the longest value of a topic: Testground's client is killed by a message of 32,769 bytes, and some go to the
// envelope.
const MaxItem = 30_000

// Recorder takes what an instance measured and did.
type Recorder interface {
	// Point is one measurement. A name has letters, digits, _ and . alone; the unit ends it: lookup_ms.
	Point(name string, v float64)
	// Message is a line for a person who reads the instance's output.
	Message(format string, args ...any)
}
