package target

import (
	"context"
	"time"
)

// Target is a peer under test. Call is the control protocol (methods and parameters of docs/control-protocol.md); a
// target without a control channel (addr:) answers ErrUnsupported to all but hello and start.
type Target interface {
	// Name is what reports call it: go, ref, js, ...
	Name() string
	// Hello says what the target is and what it can do.
	Hello(ctx context.Context) (*Hello, error)
	// Start starts the node; Started holds where it can be dialled.
	Start(ctx context.Context, p StartParams) (*Started, error)
	// Call performs one method. Errors are *Error where the target itself answered with one, ErrUnsupported where it
	// cannot, ErrDied (wrapped) when the process ended.
	Call(ctx context.Context, method string, params, result any) error
	// Stop ends the node; it may be started again.
	Stop(ctx context.Context) error
	// Close ends everything, the process too.
	Close() error
	// Died is closed when the target's process ended by itself (or the target hung and was killed).
	Died() <-chan struct{}
	// Log is the tail of what it wrote to stderr, for the report.
	Log() string
}

// Factory makes targets of one kind: a target may be made several times in a run (isolation, restart after a crash).
type Factory interface {
	Name() string
	String() string // as given: go=cmd:./x
	// Remote: only an address; cannot be restarted or given parameters.
	Remote() bool
	// Private: the target is on this machine or in a private network. What is not must be allowed with --remote, and is
	// never sent floods, huge frames or load.
	Private() bool
	// New makes a target that has said hello. An error says what could not be had, where, and what was expected.
	New(ctx context.Context) (Target, error)
}

const (
	// CallTimeout bounds one call of a method that has nothing to wait for on the network; a target that does not
	// answer by then hangs and is killed. The slowest start measured is js's with 1.2 s; eight side by side on two
	// cores need ten times that.
	CallTimeout = 30 * time.Second
	// OperationTimeout bounds one operation (Method.Operation) when the caller's context does not. The longest query
	// timeout of an implementation is js's with 180 s.
	OperationTimeout = 5 * time.Minute
	// RestartLimit is how many times a run should make a target anew after it died, before it says that the target
	// kept crashing: enough for a bug which a handful of cases meet, too few to spend a run on a target that is broken.
	RestartLimit = 10
)
