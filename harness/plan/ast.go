package plan

import "time"

// Pos is a place in a plan's file; its String is file:line.
type Pos struct {
	File string
	Line int
}

// Level is how strongly a clause binds.
type Level uint8

const (
	Must Level = iota
	Should
	May
	Info
)

// Profile is whose rules a verdict follows.
type Profile uint8

const (
	Base    Profile = iota // the libp2p specification
	Amino                  // the IPFS specification
	Defacto                // what the largest deployment accepts
)

// Profiles lists all of them in order.
var Profiles = []Profile{Base, Amino, Defacto}

// ProfileSet is a set of profiles; the zero value stands for all of them.
type ProfileSet uint8

// Plan is one file.
type Plan struct {
	File     string
	Prose    string // the comment lines before the first word
	Header   Header
	Peers    []*PeerDecl // in order; ranges expanded
	Script   []*Line
	Fixtures map[string]*Fixture
	Source   []byte

	kind WorldKind
	sims []*Simulation
}

// Header is what stands before the script.
type Header struct {
	ID        string
	Catalogue []string
	Spec      []string      // document and lines, e.g. "ipfs-kad L357-L360"
	Levels    [3]Level      // by Profile
	Profiles  ProfileSet    // in which the case is judged
	Needs     []string      // written and derived
	Timeout   time.Duration // 0: 30 s
	Slow      bool
	Alone     bool
	Repeat    int // 0: once
	Each      *Each

	leveled bool // a level is written
}

// Each is `each i=1..47`: a name and its values.
type Each struct {
	Name     string
	From, To int
}

// PeerDecl is one participant: the target, or a puppet.
type PeerDecl struct {
	Pos    Pos
	Name   string
	Group  []string // the names of its own peer line, in order; itself included
	Target bool
	Kind   string // "", "serving", "client", "nobody"
	Params []Field
}

// Line is one event of the script.
type Line struct {
	Pos   Pos
	Verb  string
	Names []string // operands: streams, peers; ranges expanded (the line stands for each, side by side)
	Stmt  Stmt     // what the verb says, parsed
	After time.Duration
	Block []*Line // deeper lines; of an each: with $i as it stands, see Iterate
	Alts  []*Line // the `or` lines of a want, result or saw

	// Sides holds, for a line with a range, one statement for each of its names, in order; they go side by side. Without
	// a range it holds Stmt alone. An or has as many sides as its want.
	Sides []Stmt
	// Text is the line as written, in canonical spacing, without its block: what a report shows.
	Text string

	row   *row
	loop  scope
	label string
}

// Stmt is the parsed rest of a line; one type a verb.
type Stmt interface{ stmt() }

type (
	Seat struct {
		Peers  []string
		Target string
	}
	Connect    struct{ From, To string }
	Disconnect struct{ From, To string }
	Identify   struct {
		Peer, Of string
		Match    []Matcher
		Within   time.Duration
	}
	Let struct {
		Name  string
		Value *Expr
	}
	Open struct {
		Stream, From, To, Proto string
		Lazy                    bool
	}
	Send struct {
		Stream string
		Frame  Frame
		Times  int
	}
	Raw struct {
		Stream string
		Values []*Expr
		Every  time.Duration
	}
	Finish struct{ Stream, How string } // half, close, reset
	// Want is a want or an or: what is accepted on a stream.
	Want struct {
		Stream   string
		Expect   Expect
		Why      string
		Profiles ProfileSet
	}
	Retry    struct{ Within time.Duration }
	EachLoop struct{ Each Each }
)

func (Seat) stmt()       {}
func (Connect) stmt()    {}
func (Disconnect) stmt() {}
func (Identify) stmt()   {}
func (Let) stmt()        {}
func (Open) stmt()       {}
func (Send) stmt()       {}
func (Raw) stmt()        {}
func (Finish) stmt()     {}
func (Want) stmt()       {}
func (Retry) stmt()      {}
func (EachLoop) stmt()   {}

// ExpectKind is what a want waits for.
type ExpectKind uint8

const (
	ExpectFrame   ExpectKind = iota // TYPE and matchers
	ExpectEOF                       // clean end
	ExpectReset                     // reset
	ExpectEnded                     // either
	ExpectRefused                   // the protocol was not agreed
	ExpectSilence                   // nothing
)

// Expect is the judged part of a want.
type Expect struct {
	Kind   ExpectKind
	Type   string // FIND_NODE, ..., "-" for a frame without a type, or a number
	Match  []Matcher
	Within time.Duration // 0: 15 s
	For    time.Duration // silence
	Times  int           // 0: once
}

// Frame is the message of a send or of a fixture, in words.
type Frame struct {
	Type   string
	Fields []Field
}

// Field is name=value. Name is a protobuf name, or number:wiretype.
type Field struct {
	Pos   Pos
	Name  string
	Value *Expr
}

// Matcher is a condition on a field: Path is `closerPeers`, `closerPeers[A].addrs`, `record.key`.
type Matcher struct {
	Pos   Pos
	Path  string
	Op    Op
	Value *Expr
	Text  string // as written
}

// Op is the relation of a matcher.
type Op uint8

const (
	OpEqual    Op = iota // f=v
	OpNotEqual           // f!=v
	OpAtMost             // f<=n
	OpAtLeast            // f>=n
	OpAll                // f~[a,b]
	OpNone               // f!~[a]
	OpOnly               // f<~R
	OpPresent            // f
	OpAbsent             // !f
	OpUnique             // f=unique
	OpCapture            // f=$x
	OpTime               // f=rfc3339: a text that RFC 3339 allows
	OpLess               // figure<n
	OpGreater            // figure>n
)

// ExprKind says what a value expression is.
type ExprKind uint8

const (
	ExprWord    ExprKind = iota // a bare word, a peer's name, a range, a number with or without a unit
	ExprString                  // "text"
	ExprHex                     // hex:1220
	ExprFixture                 // @name
	ExprCapture                 // $name
	ExprCall                    // sha256(x); named arguments in Fields
	ExprList                    // [a,b]
	ExprMessage                 // {key=@k value="x"}: an embedded message
	ExprEntry                   // A{addrs=[…]}: a peer's entry, altered
	ExprSelect                  // A.addrs
	ExprSlice                   // x[a:b]
)

// Expr is a value as written; Text is the word, the string or the name.
type Expr struct {
	Pos    Pos
	Kind   ExprKind
	Text   string
	X      *Expr // of a selection, slice or entry
	Args   []*Expr
	Fields []Field
	Lo, Hi *Expr
	Label  string // of rand(): its place in the plan, with the values of the loops around it; equal labels, equal bytes
}

// Fixture is a named value, a frame in words with its changes, or plain text, as a simulation's line wants it.
type Fixture struct {
	Pos     Pos
	Name    string
	Text    string // plain: a table, a trace, digests
	Value   *Expr
	Frame   *Frame
	Changes []Change
}

// Change is one patch of a frame fixture: patch OFFSET HEX, cut N, append X, length N.
type Change struct {
	Pos    Pos
	Verb   string
	Offset int
	Value  *Expr
	N      uint64
}
