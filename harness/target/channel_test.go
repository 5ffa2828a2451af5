package target

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// programVariable makes this test binary a target program which does one thing wrong.
const programVariable = "KADBENCH_TARGET_PROGRAM"

func TestMain(m *testing.M) {
	if what, ok := os.LookupEnv(programVariable); ok {
		program(what)
		return
	}
	goleak.VerifyTestMain(m)
}

func program(what string) {
	fmt.Fprintln(os.Stderr, "log: this is", what)
	r := bufio.NewReaderSize(os.Stdin, 1<<20)
	next := func() request {
		line, err := r.ReadBytes('\n')
		if err != nil {
			os.Exit(0)
		}
		var req request
		json.Unmarshal(line, &req)
		return req
	}
	hello := func() {
		req := next()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"name":"x","version":"1","language":"go","protocols":[],"methods":["start","stop"],"options":[]}}`+"\n", req.ID)
	}
	switch what {
	case "node":
		if err := ServeControl(context.Background(), r, os.Stdout, NewRef()); err != nil {
			os.Exit(1)
		}
		return
	case "exits at once":
		fmt.Fprintln(os.Stderr, "cannot open the configuration")
		os.Exit(7)
	case "panics":
		hello()
		next()
		panic("out of peers")
	case "rubbish":
		fmt.Println("Welcome to my node!")
	case "wrong id":
		next()
		fmt.Println(`{"jsonrpc":"2.0","id":99,"result":{}}`)
	case "no hello":
		req := next()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{}}`+"\n", req.ID)
	case "mistyped":
		req := next()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"name":5}}`+"\n", req.ID)
	case "no methods":
		req := next()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"name":"x","version":"1","methods":["start"]}}`+"\n", req.ID)
	case "endless line":
		for b := bytes.Repeat([]byte("x"), 1<<20); ; {
			if _, err := os.Stdout.Write(b); err != nil {
				os.Exit(1)
			}
		}
	case "closes stdout":
		hello()
		os.Stdout.Close()
	case "wrong identity":
		hello()
		req := next()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"peer":"12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN","addrs":["/ip4/127.0.0.1/tcp/1"]}}`+"\n", req.ID)
	case "no addrs":
		hello()
		req := next()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"peer":"12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X","addrs":[]}}`+"\n", req.ID)
	case "could not read us":
		next()
		fmt.Println(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}`)
	case "hangs":
		hello()
	case "grandchild": // leaves its stdout to a process that outlives it
		hello()
		next()
		child, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "sleep 1000"}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
		if err != nil || child == nil {
			panic(err)
		}
		os.Exit(3)
	case "chatty":
		for i := range 100_000 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		hello()
	case "ends badly":
		hello()
		io.Copy(io.Discard, r)
		os.Exit(5)
	case "ignores the end":
		hello()
		io.Copy(io.Discard, r)
		select {}
	}
	for {
		next()
	}
}

// Limits for programs that hang on purpose, in a call or at their end. The others are as usual: how fast this machine is
// must not decide a test.
var (
	impatient = limits{call: 300 * time.Millisecond, operation: 300 * time.Millisecond, grace: closeGrace}
	graceless = limits{call: CallTimeout, operation: OperationTimeout, grace: 300 * time.Millisecond}
)

func startBad(t *testing.T, what string, l limits) (Target, error) {
	t.Setenv(programVariable, what)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector's programs end a second late
	self, err := os.Executable()
	require.NoError(t, err)
	p, err := startProcess([]string{self})
	require.NoError(t, err)
	f := &factory{name: "bad", given: "bad=cmd:x", make: func(ctx context.Context) (Target, error) {
		return newChannel(ctx, "bad", p.pipes(), p.how, p.log.String, l)
	}}
	return f.New(testDeadline(t))
}

func TestProgramsThatSayNoHello(t *testing.T) {
	for what, want := range map[string]string{
		"exits at once":     "target died: its process ended (exit status 7); last on stderr: \"cannot open the configuration\"",
		"rubbish":           "stdout line 1: not the control protocol: line \"Welcome to my node!\": invalid character 'W' looking for beginning of value: expected a JSON-RPC response",
		"wrong id":          "an answer to id \"99\": expected the id of a request that waits",
		"no hello":          "hello: expected a name and a version",
		"mistyped":          "result.name: expected string, got number",
		"no methods":        "hello: methods lack stop",
		"endless line":      "stdout line 1: a line of more than 16777216 bytes",
		"could not read us": "it could not read a request of ours: what?",
	} {
		t.Run(what, func(t *testing.T) {
			_, err := startBad(t, what, standard)
			require.ErrorIs(t, err, ErrUnreachable)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "target bad=cmd:x: ")
			require.NotContains(t, err.Error(), "\n")
		})
	}
	t.Run("never", func(t *testing.T) {
		_, err := startBad(t, "", impatient)
		require.ErrorIs(t, err, ErrHung)
		require.ErrorContains(t, err, "hello took more than 300ms")
	})
}

func TestProgramsThatFailLater(t *testing.T) {
	start := StartParams{Seed: SeedText([32]byte{1}), Mode: "server", Protocol: testProto}
	for what, want := range map[string]struct {
		is   error
		says string
	}{
		"panics":         {ErrDied, `its process ended (exit status 2); last on stderr: "panic: out of peers"`},
		"closes stdout":  {ErrDied, "it closed its stdout and went on"},
		"hangs":          {ErrHung, "start took more than 300ms"},
		"grandchild":     {ErrDied, "exit status 3"},
		"wrong identity": {ErrProtocol, "expected 12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X, the Ed25519 identity of the seed"},
		"no addrs":       {ErrProtocol, "no addrs"},
	} {
		t.Run(what, func(t *testing.T) {
			bad, err := startBad(t, what, standard)
			require.NoError(t, err)
			if what == "hangs" {
				bad.(*channel).limits = impatient // from now on: how long a program takes to begin is the machine's affair
			}
			_, err = bad.Start(testDeadline(t), start)
			require.ErrorIs(t, err, want.is)
			require.ErrorContains(t, err, want.says)
			if errors.Is(err, ErrDied) {
				<-bad.Died()
				require.ErrorIs(t, bad.Stop(testDeadline(t)), ErrDied, "every later call says so too")
			}
			require.Contains(t, bad.Log(), "log: this is "+what)
			require.NoError(t, bad.Close())
			require.NoError(t, bad.Close(), "again")
		})
	}
}

func TestCloseSaysHowAProgramEnds(t *testing.T) {
	for what, want := range map[string]string{"hangs": "", "ends badly": "exit status 5", "ignores the end": "went on for 300ms after its stdin was closed: killed"} {
		t.Run(what, func(t *testing.T) {
			l := standard
			if what == "ignores the end" {
				l = graceless
			}
			p, err := startBad(t, what, l)
			require.NoError(t, err)
			err = p.Close()
			if want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, want)
			}
			require.ErrorIs(t, p.Stop(testDeadline(t)), ErrDied)
		})
	}
}

func TestLogKeepsTheTail(t *testing.T) {
	p, err := startBad(t, "chatty", standard)
	require.NoError(t, err)
	require.NoError(t, p.Close())
	require.LessOrEqual(t, len(p.Log()), tailLimit)
	require.True(t, strings.HasPrefix(p.Log(), "line "), "begins with a whole line")
	require.True(t, strings.HasSuffix(p.Log(), "line 99999\n"))
}

func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		name            string
		remote, private bool
	}{
		"ref:":                           {"ref", false, true},
		"mine=ref:":                      {"mine", false, true},
		"cmd:./adapters/js --fast":       {"js", false, true},
		"cmd:./x --a=b":                  {"x", false, true},
		`go=cmd:"/a dir/go adapter" --x`: {"go", false, true},
		"addr:/ip4/127.0.0.1/tcp/1/p2p/" + someID:               {"addr", true, true},
		"a.b-c_1=addr:/ip4/8.8.8.8/udp/1/quic-v1/p2p/" + someID: {"a.b-c_1", true, false},
	} {
		f, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want.name, f.Name())
		require.Equal(t, text, f.String())
		require.Equal(t, want.remote, f.Remote())
		require.Equal(t, want.private, f.(*factory).Private())
	}
	for text, want := range map[string]string{
		"":                                "expected ref:, addr:",
		"go":                              "expected ref:, addr:",
		"=ref:":                           `name "": expected 1 to 32`,
		"a b=ref:":                        `name "a b"`,
		strings.Repeat("x", 33) + "=ref:": "expected 1 to 32",
		"tcp:1.2.3.4":                     `unknown form "tcp:"`,
		"ref:x":                           "expected nothing after it",
		"image:":                          "expected NAME or NAME:TAG",
		"image:--privileged":              "expected NAME or NAME:TAG",
		"cmd:":                            "expected a program",
		`cmd:"x`:                          "cmd: ",
		"addr:127.0.0.1:4001":             "expected a multiaddr",
		"addr:/ip4/127.0.0.1/tcp/1":       "ends in /p2p/",
		"addr:/p2p/" + someID:             "ends in /p2p/",
	} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrForm, text)
		require.ErrorContains(t, err, want)
	}
	f, err := Parse("gone=cmd:./no/such/program --x")
	require.NoError(t, err)
	_, err = f.New(testDeadline(t))
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, `target gone=cmd:./no/such/program --x: target cannot be reached: no program "./no/such/program": stat ./no/such/program: no such file or directory`)
	_, err = OpenPipes(f)
	require.ErrorIs(t, err, ErrUnreachable)
}

const someID = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"

func TestPrivate(t *testing.T) {
	for text, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/1": true, "/ip4/127.9.9.9/udp/1/quic-v1": true, "/ip4/10.1.2.3/tcp/1": true, "/ip4/192.168.0.1/tcp/1": true,
		"/ip4/172.16.0.1/tcp/1": true, "/ip4/169.254.1.1/tcp/1": true, "/ip6/::1/tcp/1": true, "/ip6/fd00::1/tcp/1": true,
		"/dns4/localhost/tcp/1": true,
		"/ip4/8.8.8.8/tcp/1":    false, "/ip6/2001:4860:4860::8888/tcp/1": false, "/dns4/example.org/tcp/1": false, "/dnsaddr/localhost.example.org": false,
		"/ip4/127.0.0.1/tcp/1/p2p/" + someID + "/p2p-circuit": false,
	} {
		require.Equal(t, want, Private(ma.StringCast(text)), text)
	}
}

func TestAddr(t *testing.T) {
	for _, over := range []string{"tcp", "quic"} {
		server := puppet(t, PuppetConfig{Kind: Serving, Over: over})
		f, err := Parse("addr:" + server.Addrs()[0].String() + "/p2p/" + server.ID().String())
		require.NoError(t, err)
		a, err := f.New(testDeadline(t))
		require.NoError(t, err)
		h, err := a.Hello(testDeadline(t))
		require.NoError(t, err)
		require.Equal(t, Agent, h.Name)
		require.Contains(t, h.Protocols, testProto)
		s, err := a.Start(testDeadline(t), StartParams{Seed: SeedText([32]byte{}), Mode: "server", Protocol: testProto})
		require.NoError(t, err)
		info, err := s.Info()
		require.NoError(t, err)
		require.Equal(t, server.Info(), info)
		_, err = a.Start(testDeadline(t), StartParams{Mode: "client"})
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorIs(t, a.Call(testDeadline(t), "table", nil, nil), ErrUnsupported)
		require.NoError(t, a.Stop(testDeadline(t)))
		require.NoError(t, a.Close())
		_, err = OpenPipes(f)
		require.ErrorIs(t, err, ErrUnsupported)
	}
	nobody := puppet(t, PuppetConfig{Kind: Nobody})
	other := puppet(t, PuppetConfig{})
	for addr, id := range map[string]peer.ID{nobody.Addrs()[0].String(): nobody.ID(), other.Addrs()[0].String(): nobody.ID()} {
		f, err := Parse("addr:" + addr + "/p2p/" + id.String())
		require.NoError(t, err)
		_, err = f.New(testDeadline(t))
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorIs(t, err, ErrDial)
		require.ErrorContains(t, err, "expected a peer that listens there")
		require.NotContains(t, err.Error(), "\n")
	}
}

// handler is a Handler made of a function.
type handler func(ctx context.Context, method string, params json.RawMessage) (any, error)

func (h handler) Do(ctx context.Context, m string, p json.RawMessage) (any, error) {
	return h(ctx, m, p)
}
func (h handler) Close() error { return nil }

// wired is a client of a handler behind ServeControl.
func wired(t *testing.T, h handler) *client {
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	c := newClient(stdin, stdout, func(error) {})
	served := make(chan error, 1)
	go func() { served <- ServeControl(context.Background(), in, out, h); out.Close() }()
	t.Cleanup(func() {
		stdin.Close()
		require.NoError(t, <-served)
		<-c.broken
	})
	return c
}

func TestCallsRunSideBySideAndAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := make(chan struct{})
		c := wired(t, func(ctx context.Context, method string, params json.RawMessage) (any, error) {
			if method == "get_record" {
				entered <- struct{}{}
				<-ctx.Done()
				entered <- struct{}{}
				return nil, ctx.Err()
			}
			return json.RawMessage(`{"peers":["a"]}`), nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.call(ctx, "get_record", nil, nil) }()
		<-entered
		var table TableResult
		require.NoError(t, c.call(t.Context(), "table", nil, &table), "while get_record waits")
		require.Equal(t, []string{"a"}, table.Peers)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		<-entered // the target's side was cancelled, not only ours
		require.NoError(t, c.call(t.Context(), "table", nil, &table))
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		require.Empty(t, c.waiting)
		require.Empty(t, c.abandoned, "late answers were taken")
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := wired(t, func(ctx context.Context, method string, params json.RawMessage) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		exited := make(chan struct{})
		target := &channel{name: "x", limits: standard, died: make(chan struct{}), client: c, how: func() string { return "killed" },
			pipes: &Pipes{Exited: exited, Kill: func() { close(exited); c.breakUp(io.EOF) }}}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := target.Call(ctx, "get_record", nil, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, "an operation may take as long as its caller waits")
		require.NotErrorIs(t, err, ErrDied)
		require.Equal(t, time.Minute, time.Since(began))
		began = time.Now()
		err = target.Call(t.Context(), "table", nil, nil)
		require.ErrorIs(t, err, ErrHung)
		require.ErrorIs(t, err, ErrDied)
		require.Equal(t, CallTimeout, time.Since(began))
		<-target.Died()
	})
}

func TestErrorsCrossTheChannel(t *testing.T) {
	c := wired(t, func(_ context.Context, method string, params json.RawMessage) (any, error) {
		switch method {
		case "find_peer":
			return nil, Failed(NotFound, true, errors.New("nobody knows"))
		case "put_record":
			return nil, errors.New("disk full")
		case "connect":
			return nil, Params(params, &ConnectParams{})
		}
		return nil, UnknownMethod(method)
	})
	var e *Error
	err := c.call(t.Context(), "find_peer", nil, nil)
	require.ErrorAs(t, err, &e)
	require.Equal(t, "not_found: nobody knows", e.Error())
	require.True(t, e.Certain())
	require.NotErrorIs(t, err, ErrUnsupported)
	require.ErrorAs(t, c.call(t.Context(), "put_record", nil, nil), &e)
	require.Equal(t, Other, e.Kind())
	require.False(t, e.Certain())
	for params, param := range map[string]string{`{"addr":"x","too":1}`: "too", `{"addr":5}`: "addr", `[]`: "params", `{"addr"`: ""} {
		err = c.call(t.Context(), "connect", json.RawMessage(params), nil)
		if !json.Valid([]byte(params)) {
			require.ErrorContains(t, err, "parameters")
			continue
		}
		require.ErrorIs(t, err, ErrUnsupported, params)
		require.ErrorAs(t, err, &e)
		require.Equal(t, param, e.Param(), params)
	}
	err = c.call(t.Context(), "make_coffee", nil, nil)
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorAs(t, err, &e)
	require.Equal(t, CodeUnknownMethod, e.Code)
}

func TestServeControlAnswersEveryLine(t *testing.T) {
	var out bytes.Buffer
	in := strings.Join([]string{
		`rubbish`, `{"jsonrpc":"2.0","id":1}`, `[1]`, ``, `   `, `{"jsonrpc":"2.0","method":"x"}`,
		`{"jsonrpc":"2.0","id":{},"method":"x"}`, `{"jsonrpc":"2.0","id":"last","method":"x"}`,
	}, "\n")
	require.NoError(t, ServeControl(t.Context(), strings.NewReader(in), &out, handler(func(context.Context, string, json.RawMessage) (any, error) {
		return func() {}, nil // nothing that JSON could hold
	})))
	var got []string
	for line := range strings.Lines(out.String()) {
		r, err := parseResponse([]byte(line))
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%s %d", r.ID, r.Error.Code))
	}
	require.Equal(t, []string{"null -32700", "1 -32600", "null -32600", "null -32600", "null -32600", `"last" -32000`}, got)

	long := io.MultiReader(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"`), io.LimitReader(forever('x'), LineLimit))
	require.ErrorContains(t, ServeControl(t.Context(), long, io.Discard, handler(nil)), "more than 16777216 bytes")
}

func TestServeControlLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, stdin := io.Pipe()
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- ServeControl(ctx, in, &out, handler(func(ctx context.Context, _ string, _ json.RawMessage) (any, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}))
		}()
		for id := range runningLimit + 1 {
			fmt.Fprintf(stdin, `{"jsonrpc":"2.0","id":%d,"method":"x"}`+"\n", id)
		}
		fmt.Fprintln(stdin, `{"jsonrpc":"2.0","id":0,"method":"x"}`)
		synctest.Wait()
		require.Equal(t, 2, strings.Count(out.String(), "\n"))
		require.Contains(t, out.String(), fmt.Sprintf(`"id":%d,"error":{"code":-32000,"message":"512 requests are under way`, runningLimit))
		require.Contains(t, out.String(), `"id":0,"error":{"code":-32600`)
		cancel() // with stdin open, as at an interrupt
		require.NoError(t, <-done)
		require.Equal(t, runningLimit, strings.Count(out.String(), `"kind":"cancelled"`))
		stdin.Close()
	})
}

// cancelling ends a context whenever something is written.
type cancelling struct{ cancel func() }

func (c *cancelling) Write(b []byte) (int, error) { c.cancel(); return len(b), nil }

func TestTooManyCallsGivenUp(t *testing.T) {
	out, in := io.Pipe()
	var w cancelling
	broke := make(chan error, 1)
	exited := make(chan struct{})
	target := &channel{name: "x", limits: standard, died: make(chan struct{}), how: func() string { return "" },
		pipes: &Pipes{Exited: exited, Kill: func() { close(exited); in.Close() }}}
	target.client = newClient(&w, out, func(err error) { broke <- err })
	for range abandonedLimit {
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		require.ErrorIs(t, target.Call(ctx, "table", nil, nil), context.Canceled)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	require.ErrorIs(t, target.Call(ctx, "table", nil, nil), context.Canceled)
	err := target.Call(t.Context(), "table", nil, nil)
	require.ErrorIs(t, err, ErrHung)
	require.ErrorIs(t, err, ErrDied)
	<-broke
}

type forever byte

func (f forever) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(f)
	}
	return len(b), nil
}

func FuzzControlLine(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"version":1}}`, `{"jsonrpc":"2.0","id":1,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","data":{"kind":"other","certain":false}}}`, `{"jsonrpc":"2.0","id":null,"error":null}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := parseRequest(line); err == nil {
			require.True(t, validID(r.ID) && r.Method != "")
			var start StartParams
			if err := Params(r.Params, &start); err != nil {
				require.ErrorIs(t, err, ErrUnsupported)
			}
		} else {
			require.NotContains(t, err.Error(), "\n")
		}
		c := &client{waiting: map[string]chan response{"1": make(chan response, 1)}, abandoned: map[string]struct{}{"2": {}}, broken: make(chan struct{})}
		if err := c.take(line); err != nil {
			require.ErrorIs(t, err, ErrProtocol)
			require.NotContains(t, err.Error(), "\n")
		} else {
			require.Equal(t, 1, len(c.waiting)+len(c.abandoned), "somebody got it")
		}
		var out bytes.Buffer
		single := bytes.ReplaceAll(line, []byte("\n"), nil)
		err := ServeControl(t.Context(), bytes.NewReader(single), &out, handler(func(context.Context, string, json.RawMessage) (any, error) { return struct{}{}, nil }))
		require.NoError(t, err)
		lines := bytes.Count(out.Bytes(), []byte("\n"))
		require.LessOrEqual(t, lines, 1)
		if lines == 1 {
			_, err := parseResponse(bytes.TrimSpace(out.Bytes()))
			require.NoError(t, err)
		}
	})
}

// A call that finds the channel broken while the target is being closed must not wait for a reason that nobody notes.
func TestCallDuringClose(t *testing.T) {
	broken := make(chan struct{})
	close(broken)
	ch := &channel{client: &client{broken: broken}, closing: make(chan struct{}), died: make(chan struct{})}
	answered := make(chan error, 1)
	go func() { answered <- ch.why() }()
	close(ch.closing)
	select {
	case err := <-answered:
		require.ErrorIs(t, err, ErrDied)
		require.ErrorContains(t, err, "it was closed")
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for ever")
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][2]string{
		"ref:": {"", "ref:"}, "mine=ref:": {"mine", "ref:"}, "=ref:": {"", "ref:"}, "cmd:./x --a=echo:": {"", "cmd:./x --a=echo:"}, "x=cmd:./x --a=b": {"x", "cmd:./x --a=b"},
	} {
		name, form, named := Split(text)
		require.Equal(t, want, [2]string{name, form}, text)
		require.Equal(t, form != text, named, text)
	}
}
