package target

import (
	"context"
	"encoding/json"
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
	New(ctx context.Context) (Target, error)
}

// Hello is the result of hello.
type Hello struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Language  string   `json:"language"`
	Protocols []string `json:"protocols"`
	Methods   []string `json:"methods"`
	Options   []string `json:"options"`
}

// StartParams are the parameters of start; zero fields are left out.
type StartParams struct {
	Seed       string           `json:"seed"` // unpadded base64url of 32 bytes
	Mode       string           `json:"mode"` // server, client
	Protocol   string           `json:"protocol"`
	Profile    string           `json:"profile,omitempty"`
	K          int              `json:"k,omitempty"`
	Alpha      int              `json:"alpha,omitempty"`
	Beta       int              `json:"beta,omitempty"`
	Listen     string           `json:"listen,omitempty"`
	Transports []string         `json:"transports,omitempty"`
	Namespaces []string         `json:"namespaces,omitempty"`
	Filter     string           `json:"filter,omitempty"`
	Background bool             `json:"background,omitempty"`
	Expiry     map[string]int64 `json:"expiry,omitempty"` // milliseconds
}

// Started is the result of start.
type Started struct {
	Peer  string   `json:"peer"`
	Addrs []string `json:"addrs"`
}

// Error is an error which the target answered.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// CallTimeout bounds one call unless the context is shorter.
const CallTimeout = 30 * time.Second
