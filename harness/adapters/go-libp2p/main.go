// The adapter of go-libp2p-kad-dht: the implementation as a program that speaks the control protocol
// (docs/control-protocol.md). This file is the protocol, and the same for any Go implementation; node.go is what is
// particular to this one.
//
//	go build -C harness/adapters/go-libp2p -o ../../../bin/go-libp2p .
//	kadbench check go=cmd:bin/go-libp2p
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
)

// lineLimit is the longest line we read: a value of 4 MiB in base64, and room.
const lineLimit = 16 << 20

type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (f *failure) Error() string { return f.Message }

// badParam is the answer to a parameter that we cannot honour.
func badParam(param, format string, args ...any) *failure {
	return &failure{-32602, fmt.Sprintf(param+": "+format, args...), map[string]string{"param": param}}
}

// failed is the answer of an operation; certain is false when it may have taken effect.
func failed(kind string, certain bool, err error) *failure {
	return &failure{-32000, err.Error(), map[string]any{"kind": kind, "certain": certain}}
}

type method func(ctx context.Context, params json.RawMessage) (any, error)

// server reads requests, starts each on a goroutine of its own, and writes each answer when it is there.
type server struct {
	methods map[string]method
	writing sync.Mutex
	out     io.Writer
	mu      sync.Mutex
	running map[string]context.CancelFunc // by the request's id
	ended   sync.WaitGroup
}

func (s *server) serve(ctx context.Context, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.ended.Wait()
	defer cancel()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, lineLimit)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			s.take(ctx, bytes.Clone(lines.Bytes()))
		}
	}
	return lines.Err()
}

func (s *server) take(ctx context.Context, line []byte) {
	var r request
	err := json.Unmarshal(line, &r)
	var notJSON *json.SyntaxError
	if errors.As(err, &notJSON) {
		s.answer(nil, nil, &failure{Code: -32700, Message: "not JSON: " + err.Error()})
		return
	}
	if err != nil || r.Version != "2.0" || r.Method == "" || len(r.ID) == 0 {
		s.answer(r.ID, nil, &failure{Code: -32600, Message: `expected {"jsonrpc":"2.0","id":…,"method":"…","params":{…}}`})
		return
	}
	m, ok := s.methods[r.Method]
	switch {
	case r.Method == "cancel":
		s.answer(r.ID, struct{}{}, s.cancel(r.Params))
		return
	case !ok:
		s.answer(r.ID, nil, &failure{Code: -32601, Message: "unknown method " + r.Method})
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.running[string(r.ID)] = cancel
	s.mu.Unlock()
	s.ended.Go(func() {
		defer cancel()
		result, err := m(ctx, r.Params)
		s.mu.Lock()
		delete(s.running, string(r.ID))
		s.mu.Unlock()
		s.answer(r.ID, result, err)
	})
}

// cancel ends an operation; one that is not running has ended by itself.
func (s *server) cancel(params json.RawMessage) error {
	p, err := read[struct {
		ID json.RawMessage `json:"id"`
	}](params)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stop := s.running[string(p.ID)]; stop != nil {
		stop()
	}
	return nil
}

func (s *server) answer(id json.RawMessage, result any, err error) {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	reply := map[string]any{"jsonrpc": "2.0", "id": id}
	var f *failure
	switch {
	case errors.As(err, &f):
		reply["error"] = f
	case err != nil:
		reply["error"] = failed("other", false, err)
	default:
		reply["result"] = result
	}
	line, err := json.Marshal(reply)
	if err != nil {
		line, _ = json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "error": failed("other", false, err)})
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.out.Write(append(line, '\n'))
}

// read takes a method's parameters; one that T does not have is refused by name, never ignored.
func read[T any](params json.RawMessage) (T, error) {
	var p T
	if len(params) == 0 {
		return p, nil
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	err := d.Decode(&p)
	if err == nil {
		return p, nil
	}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		if mistyped.Field == "" {
			return p, badParam("params", "expected an object, not %s", mistyped.Value)
		}
		return p, badParam(strings.ToLower(mistyped.Field), "expected %s, not %s", mistyped.Type, mistyped.Value)
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return p, badParam(strings.Trim(name, `"`), "not honoured")
	}
	return p, badParam("params", "%v", err)
}

// What hello and identify call this target.
const (
	name    = "go-libp2p"
	library = "github.com/libp2p/go-libp2p-kad-dht"
)

// version of a module that we were built with.
func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == module {
				return d.Version
			}
		}
	}
	return "unknown"
}

func main() {
	unlimited := flag.Bool("unlimited", false, "no resource manager and no connection manager, for load tests")
	flag.Parse()
	out := os.Stdout
	os.Stdout = os.Stderr // whatever a library prints, the answers stay clean
	n := &node{unlimited: *unlimited}
	s := &server{out: out, methods: n.methods(), running: make(map[string]context.CancelFunc)}
	err := s.serve(context.Background(), os.Stdin)
	n.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stdin:", err)
		os.Exit(1)
	}
}
