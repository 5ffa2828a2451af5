package plan

import "time"

// This file holds the statements about a target that is the client of a scripted network: what the puppets answer, which
// operation the target is asked for, and what it sent to whom.

type (
	// When is what a serving puppet does instead of its honest answer. Its line's block holds answers, which go out one
	// after another. The first when of a puppet that matches and is not used up answers.
	When struct {
		Peer  string
		Type  string // of the request
		Match []Matcher
		Nth   int // from 1: only the nth request that matches; 0: each
		Times int // how many requests it answers; 0: all
	}
	// Answer is one thing that goes out, or an end.
	Answer struct {
		How    AnswerHow
		Frame  Frame   // AnswerFrame
		Values []*Expr // AnswerRaw
		// AfterPeer holds the answer until this puppet was heard (has received a request); "" does not. A time to wait
		// is the line's After.
		AfterPeer string
	}
	// Operation begins an operation of the target over its control channel.
	Operation struct {
		Name, Target, Method string
		Params               []Field
	}
	// Result is a result, or an or below one: the outcome of an operation.
	Result struct {
		Op       string
		Error    string // an error kind of the control protocol; "" for a success
		Match    []Matcher
		Within   time.Duration // 0: 60 s
		Why      string
		Profiles ProfileSet
	}
	// Saw is a saw, or an or below one: what the target sent to a puppet, looking back over the whole case.
	Saw struct {
		Peers    []string // one per side; all together when Any
		Any      bool     // `any S1..S40`: counted all together
		Type     string   // of a request, or "dial"
		Match    []Matcher
		Times    int           // 0: at least one; else exactly so many by the end of Within
		Within   time.Duration // 0: 15 s
		Why      string
		Profiles ProfileSet
	}
	// Never is judged when the script and its operations have ended: nothing like that was heard in the whole case.
	Never struct {
		Peers []string
		Any   bool
		Type  string // of a request, or "dial"
		Match []Matcher
	}
	// InFlight bounds the most such requests that the target had open at once: sent, and not answered, ended or reset.
	InFlight struct {
		Target, Type string
		Match        []Matcher
		AtMost       int
	}
	// Clock is time that passes for the target.
	Clock struct {
		Target string
		By     time.Duration
	}
)

func (When) stmt()      {}
func (Answer) stmt()    {}
func (Operation) stmt() {}
func (Result) stmt()    {}
func (Saw) stmt()       {}
func (Never) stmt()     {}
func (InFlight) stmt()  {}
func (Clock) stmt()     {}

// AnswerHow is what kind of answer goes out.
type AnswerHow uint8

const (
	AnswerFrame    AnswerHow = iota // TYPE field=v …
	AnswerRaw                       // bytes as they are
	AnswerHonestly                  // what the puppet would have done without the when
	AnswerNothing                   // silence; the stream stays open
	AnswerEOF                       // the clean end of the stream
	AnswerReset                     // its reset
)
