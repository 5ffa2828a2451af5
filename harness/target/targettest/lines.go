package targettest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/kadbench/kadbench/harness/target"
)

// session is a control channel of which the suite writes and reads the lines itself.
type session struct {
	pipes *target.Pipes
	lines chan reply
	end   sync.Once
}

// reply is a line of the target.
type reply struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   *target.Error   `json:"error"`
	broken  error
}

func newSession(f target.Factory) (*session, error) {
	p, err := target.OpenPipes(f)
	if err != nil {
		return nil, err
	}
	s := &session{pipes: p, lines: make(chan reply, 64)}
	go func() {
		defer close(s.lines)
		r := bufio.NewReader(p.Out)
		for {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				var v reply
				if bad := json.Unmarshal(line, &v); bad != nil || v.Version != "2.0" {
					v.broken = fmt.Errorf("a line on stdout that is no JSON-RPC 2.0 response: %.100q: logs belong on stderr", line)
				}
				s.lines <- v
			}
			if err != nil {
				return
			}
		}
	}()
	return s, nil
}

// inSession makes a session for the length of use; in the end the target must end by itself.
func inSession(ctx context.Context, f target.Factory, use func(s *session) error) error {
	s, err := newSession(f)
	if err != nil {
		return err
	}
	defer s.pipes.Kill()
	if err := use(s); err != nil {
		return err
	}
	return s.finish(ctx)
}

// finish closes stdin; the target must end with 0, and say nothing but answers until then.
func (s *session) finish(ctx context.Context) error {
	s.end.Do(func() { s.pipes.In.Close() })
	for {
		select {
		case r, ok := <-s.lines:
			if ok && r.broken != nil {
				return r.broken
			}
			if !ok {
				s.lines = nil
			}
		case <-s.pipes.Exited:
			if err := s.pipes.State(); err != nil {
				return fmt.Errorf("stdin ended: %w: expected exit status 0", err)
			}
			return nil
		case <-ctx.Done():
			return errors.New("stdin ended, and the program went on: expected it to end with 0")
		}
	}
}

func (s *session) send(line string) error {
	if _, err := io.WriteString(s.pipes.In, line+"\n"); err != nil {
		return fmt.Errorf("write of a line: %w", err)
	}
	return nil
}

func (s *session) request(id, method string, params any) error {
	p, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, p))
}

// read waits for the next line.
func (s *session) read(ctx context.Context) (reply, error) {
	select {
	case r, ok := <-s.lines:
		if !ok {
			return r, errors.New("stdout ended: expected an answer")
		}
		return r, r.broken
	case <-ctx.Done():
		return reply{}, errors.New("no answer")
	}
}

// answers reads the next line, which must answer this id.
func (s *session) answers(ctx context.Context, id string) (reply, error) {
	r, err := s.read(ctx)
	if err != nil {
		return r, fmt.Errorf("request %s: %w", id, err)
	}
	if string(r.ID) != id {
		return r, fmt.Errorf("an answer to id %s: expected id %s", r.ID, id)
	}
	return r, nil
}

// alive asks hello and wants an answer.
func (s *session) alive(ctx context.Context, id string) error {
	if err := s.request(id, "hello", target.HelloParams{Version: target.Version}); err != nil {
		return err
	}
	r, err := s.answers(ctx, id)
	if err == nil && r.Error != nil {
		err = fmt.Errorf("hello: %w", r.Error)
	}
	return err
}

// lineChecks are about the channel itself.
var lineChecks = []Check{
	{"hello", "A run asks first what the target is and can do.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(_ target.Target, h *target.Hello) error {
			if h.Language == "" || len(h.Protocols) == 0 {
				return fmt.Errorf("language %q, protocols %q: expected both", h.Language, h.Protocols)
			}
			for _, m := range h.Methods {
				if !slices.ContainsFunc(target.Methods, func(known target.Method) bool { return known.Name == m }) {
					return fmt.Errorf("method %q: not in the protocol's table", m)
				}
			}
			return nil
		})
	}},
	{"hello of another version", "A later protocol must not be half understood.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, _ *target.Hello) error {
			return refused(t.Call(ctx, "hello", target.HelloParams{Version: 99}, nil), target.CodeBadParam, "version")
		})
	}},
	{"unknown method", "It reads as unsupported, not as a failure.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, _ *target.Hello) error {
			return refused(t.Call(ctx, "make_coffee", nil, nil), target.CodeUnknownMethod, "")
		})
	}},
	{"ids come back as they went", "Answers come in any order.", func(ctx context.Context, f target.Factory) error {
		return inSession(ctx, f, func(s *session) error {
			return errors.Join(s.alive(ctx, `7`), s.alive(ctx, `"a-1"`), s.alive(ctx, `7`))
		})
	}},
	{"garbage is answered and survived", "One broken line must not lose a run.", func(ctx context.Context, f target.Factory) error {
		return inSession(ctx, f, func(s *session) error {
			for i, bad := range []struct {
				line string
				code int
			}{
				{`rubbish`, target.CodeParse}, {`{"jsonrpc":"2.0","id":1,`, target.CodeParse}, {"\x00\xff\xfe", target.CodeParse},
				{`[]`, target.CodeRequest}, {`{"jsonrpc":"2.0","id":1}`, target.CodeRequest}, {`{"id":1,"method":"hello"}`, target.CodeRequest},
			} {
				if err := s.send(bad.line); err != nil {
					return err
				}
				r, err := s.read(ctx)
				if err != nil {
					return fmt.Errorf("line %q: %w", bad.line, err)
				}
				if r.Error == nil || r.Error.Code != bad.code {
					return fmt.Errorf("line %q: answer %v: expected error %d", bad.line, r.Error, bad.code)
				}
				if err := s.alive(ctx, fmt.Sprint(100+i)); err != nil {
					return fmt.Errorf("after line %q: %w", bad.line, err)
				}
			}
			return s.send("") // an empty line is nothing
		})
	}},
	{"a long line is read", "A value may have megabytes.", func(ctx context.Context, f target.Factory) error {
		return inSession(ctx, f, func(s *session) error {
			if err := s.request("1", "hello", map[string]string{"padding": strings.Repeat("x", 6<<20)}); err != nil {
				return err
			}
			r, err := s.answers(ctx, "1")
			if err != nil {
				return err
			}
			if r.Error == nil {
				return errors.New("an unknown parameter of 6 MiB was ignored")
			}
			return s.alive(ctx, "2")
		})
	}},
	{"stdin's end ends it", "Nothing must be left behind after a run.", func(ctx context.Context, f target.Factory) error {
		idle := inSession(ctx, f, func(*session) error { return nil })
		running := inSession(ctx, f, func(s *session) error {
			if err := s.request("1", "start", server("stdin")); err != nil {
				return err
			}
			r, err := s.answers(ctx, "1")
			if err == nil && r.Error != nil {
				err = r.Error
			}
			return err
		})
		return errors.Join(idle, running)
	}},
	{"requests run side by side", "A case asks while an operation is under way.", func(ctx context.Context, f target.Factory) error {
		return duringConnect(ctx, f, func(s *session) error { return s.alive(ctx, "3") })
	}},
	{"cancel", "A case that is over must not keep its operations.", func(ctx context.Context, f target.Factory) error {
		return duringConnect(ctx, f, func(s *session) error {
			if err := s.request("3", "cancel", map[string]int{"id": 2}); err != nil {
				return err
			}
			done := map[string]reply{}
			for len(done) < 2 {
				r, err := s.read(ctx)
				if err != nil {
					return fmt.Errorf("after cancel: %w", err)
				}
				done[string(r.ID)] = r
			}
			if r := done["3"]; r.Error != nil || r.Result == nil {
				return fmt.Errorf("cancel: %v: expected a result", r.Error)
			}
			if r := done["2"]; r.Error == nil || r.Error.Kind() != target.Cancelled {
				return fmt.Errorf("the cancelled request: %v: expected an error of kind cancelled", r.Error)
			}
			return nil
		})
	}},
}

// duringConnect has the target (request 1: start) connect (request 2) to a port that accepts and says nothing, so that
// the request lasts for seconds.
func duringConnect(ctx context.Context, f target.Factory, use func(*session) error) error {
	err := with(ctx, f, func(_ target.Target, h *target.Hello) error { return offers(h, "connect", "cancel") })
	if err != nil {
		return err
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer mute.Close()
	dialled := make(chan net.Conn, 8)
	go func() {
		defer close(dialled)
		for {
			c, err := mute.Accept()
			if err != nil {
				return
			}
			dialled <- c
		}
	}()
	return inSession(ctx, f, func(s *session) error {
		if err := s.request("1", "start", server("busy")); err != nil {
			return err
		}
		r, err := s.answers(ctx, "1")
		if err == nil && r.Error != nil {
			err = r.Error
		}
		if err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(mute.Addr().String())
		if err != nil {
			return err
		}
		addr := "/ip4/127.0.0.1/tcp/" + port + "/p2p/" + strangerID()
		if err := s.request("2", "connect", target.ConnectParams{Addr: addr}); err != nil {
			return err
		}
		select {
		case c := <-dialled:
			defer c.Close()
		case <-ctx.Done():
			return errors.New("connect: it never dialled")
		}
		return use(s)
	})
}
