package target

import (
	"encoding/json"
	"errors"
	"fmt"
)

// What goes wrong with a target itself, as opposed to what it answers.
var (
	// ErrUnsupported: the target does not have the method, or cannot honour a parameter. An *Error with code -32601 or
	// -32602 is one too.
	ErrUnsupported = errors.New("unsupported by the target")
	// ErrDied: the process ended, or was killed because it hung or broke the protocol.
	ErrDied = errors.New("target died")
	// ErrHung: it died because it did not answer in time.
	ErrHung = errors.New("no answer in time")
	// ErrProtocol: it died because what it wrote is not the control protocol.
	ErrProtocol = errors.New("not the control protocol")
	// ErrUnreachable: nothing could be started or dialled: the program is missing, or nobody listens.
	ErrUnreachable = errors.New("target cannot be reached")
	// ErrForm: what was given is no target.
	ErrForm = errors.New("not a target")
)

// Codes of errors. The first four are JSON-RPC's; CodeOperation is that of an operation which failed.
const (
	CodeParse         = -32700 // a line that is no JSON object
	CodeRequest       = -32600 // a JSON object that is no request
	CodeUnknownMethod = -32601
	CodeBadParam      = -32602 // data: {param}
	CodeOperation     = -32000 // data: {kind, certain}
)

// Kinds of failed operations.
const (
	NotFound  = "not_found"
	Timeout   = "timeout"
	NoPeers   = "no_peers"
	Invalid   = "invalid"
	Quorum    = "quorum"
	Cancelled = "cancelled"
	Other     = "other"
)

// Error is an error which the target answered.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *Error) Error() string {
	if kind := e.Kind(); kind != "" {
		return fmt.Sprintf("%s: %s", kind, e.Message)
	}
	return fmt.Sprintf("%s (%d)", e.Message, e.Code)
}

// Is makes unknown methods and parameters ErrUnsupported.
func (e *Error) Is(target error) bool {
	return target == ErrUnsupported && (e.Code == CodeUnknownMethod || e.Code == CodeBadParam)
}

type errorData struct {
	Kind    string `json:"kind,omitempty"`
	Certain *bool  `json:"certain,omitempty"`
	Param   string `json:"param,omitempty"`
}

func (e *Error) data() (d errorData) {
	json.Unmarshal(e.Data, &d) // what cannot be read says nothing
	return d
}

// Kind of a failed operation: not_found, timeout, ...; empty for other errors.
func (e *Error) Kind() string { return e.data().Kind }

// Param is the parameter that could not be honoured, if that was the error.
func (e *Error) Param() string { return e.data().Param }

// Certain says that the operation had no effect; an error that does not say is not certain.
func (e *Error) Certain() bool {
	c := e.data().Certain
	return c != nil && *c
}

// BadParam is the answer to a parameter which cannot be honoured; want says what could be.
func BadParam(param, want string) *Error {
	return &Error{CodeBadParam, fmt.Sprintf("%s: %s", param, want), marshal(errorData{Param: param})}
}

// UnknownMethod is the answer to a method that a target does not have.
func UnknownMethod(method string) *Error {
	return &Error{Code: CodeUnknownMethod, Message: "unknown method " + method}
}

// Failed is the answer of an operation which failed; certain: it had no effect.
func Failed(kind string, certain bool, err error) *Error {
	return &Error{CodeOperation, err.Error(), marshal(errorData{Kind: kind, Certain: &certain})}
}

// marshal is for our own types, which JSON can always hold.
func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("target: marshal %T: %v", v, err))
	}
	return b
}
