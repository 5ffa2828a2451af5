package targettest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/target"
)

// faultVariable makes this test binary a target with one fault.
const faultVariable = "KADBENCH_TARGETTEST_FAULT"

// faulty is the reference with one fault.
type faulty struct {
	*target.Ref
	fault string
}

func (f faulty) Do(ctx context.Context, method string, params json.RawMessage) (any, error) {
	key := f.fault + " " + method
	switch key {
	case "ignores-parameters start":
		var p map[string]any
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, err
		}
		for name := range p {
			if name != "seed" && name != "mode" && name != "protocol" && name != "expiry" {
				delete(p, name)
			}
		}
		params, _ = json.Marshal(p)
	case "modest hello", "refuses-its-options hello": // claims less, or more, than it honours
		r, err := f.Ref.Do(ctx, method, params)
		if h, ok := r.(target.Hello); ok {
			h.Options = map[string][]string{"modest": {"protocol"}, "refuses-its-options": h.Options}[f.fault]
			r = h
		}
		return r, err
	case "refuses-its-options start":
		if strings.Contains(string(params), "alpha") {
			return nil, target.BadParam("alpha", "no")
		}
	case "any-version hello":
		params = nil
		r, err := f.Ref.Do(ctx, method, json.RawMessage(`{"version":1}`))
		return r, err
	case "own-identity start":
		params = json.RawMessage(strings.Replace(string(params), `"seed":"`, `"seed":"A`, 1))
		var p map[string]any
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, err
		}
		p["seed"] = target.SeedText([32]byte{1})
		params, _ = json.Marshal(p)
	case "always-server start":
		params = json.RawMessage(strings.Replace(string(params), `"mode":"client"`, `"mode":"server"`, 1))
	case "starts-again start":
		f.Ref.Close()
	case "stops-nothing stop":
		return struct{}{}, nil
	case "empty-lookup get_closest_peers":
		return target.ClosestResult{Peers: []target.PeerAddrs{}}, nil
	case "lonely-error bootstrap":
		return nil, &target.Error{Code: target.CodeOperation, Message: "no kind"}
	case "says-yes table", "says-yes bootstrap", "says-yes set_mode":
		return struct{}{}, nil
	case "puts-nothing put_record":
		return target.PutResult{}, nil
	case "tells-nobody start_providing":
		return target.AnnouncedResult{}, nil
	case "finds-another find_peer":
		return target.FoundResult{PeerAddrs: target.PeerAddrs{Peer: strangerID()}}, nil
	case "idle bootstrap":
		return struct{}{}, nil
	case "removes-nothing remove_peer":
		return target.RemovedResult{Removed: new(bool)}, nil
	case "never-expires start":
		params = json.RawMessage(strings.Replace(string(params), `"provider":2000`, `"provider":2000000`, 1))
	case "deaf-connect connect":
		return target.PeerResult{}, nil
	}
	return f.Ref.Do(ctx, method, params)
}

// bad is the program with a fault.
func bad(fault string) {
	in, out := io.Reader(os.Stdin), io.Writer(os.Stdout)
	switch fault {
	case "logs-on-stdout":
		fmt.Println("INFO starting")
	case "exit-1":
		defer os.Exit(1)
	case "stays":
		defer func() { select {} }()
	case "one-by-one":
		serveOneByOne(in, out)
		return
	case "dies-of-garbage":
		in = &untilGarbage{bufio.NewReaderSize(in, 32<<20), nil}
	}
	target.ServeControl(context.Background(), in, out, faulty{target.NewRef(), fault})
}

// untilGarbage ends the input at the first line that does not begin as a request.
type untilGarbage struct {
	r    *bufio.Reader
	rest []byte
}

func (u *untilGarbage) Read(b []byte) (int, error) {
	if len(u.rest) == 0 {
		line, err := u.r.ReadBytes('\n')
		if err != nil || !strings.HasPrefix(string(line), `{"jsonrpc":"2.0"`) {
			return 0, io.EOF
		}
		u.rest = line
	}
	n := copy(b, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// serveOneByOne reads a request only when the one before was answered.
func serveOneByOne(in io.Reader, out io.Writer) {
	lines := bufio.NewReader(in)
	requests, answers := io.Pipe()
	results, replies := io.Pipe()
	go target.ServeControl(context.Background(), requests, replies, target.NewRef())
	answered := bufio.NewReader(results)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		answers.Write(line)
		reply, err := answered.ReadBytes('\n')
		if err != nil {
			return
		}
		out.Write(reply)
	}
}

// TestBadAdapters shows that the suite fails who should fail, and for the right reason.
func TestBadAdapters(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, c := range []struct{ fault, check, says string }{
		{"none", "", ""},
		{"logs-on-stdout", "garbage is answered and survived", "logs belong on stderr"},
		{"logs-on-stdout", "hello", "INFO starting"},
		{"exit-1", "stdin's end ends it", "exit status 1: expected exit status 0"},
		{"exit-1", "hello", "exit status 1"},
		{"stays", "stdin's end ends it", "the program went on"},
		{"one-by-one", "requests run side by side", "an answer to id 2: expected id 3"},
		{"one-by-one", "cancel", "expected an error of kind cancelled"},
		{"dies-of-garbage", "garbage is answered and survived", "stdout ended"},
		{"ignores-parameters", "an unknown parameter is refused", "it was accepted"},
		{"ignores-parameters", "a parameter not honoured is refused", "filter=sideways"},
		{"modest", "a parameter not honoured is refused", "k=7, which hello does not offer: it was accepted"},
		{"refuses-its-options", "what hello offers is honoured", "alpha: no"},
		{"any-version", "hello of another version", "it was accepted"},
		{"own-identity", "start", "the Ed25519 identity of the seed"},
		{"always-server", "start as client", "expected not, of a client"},
		{"starts-again", "start twice", "it succeeded"},
		{"stops-nothing", "stop and start again", "it can still be dialled"},
		{"empty-lookup", "table and lookup", "among them"},
		{"lonely-error", "operations of a lonely node", `of kind ""`},
		{"says-yes", "operations before start", "it succeeded"},
		{"says-yes", "set_mode", "after set_mode client identify tells"},
		{"deaf-connect", "connect", `result peer ""`},
		{"puts-nothing", "records", "the only known server never got PUT_VALUE"},
		{"tells-nobody", "providers", "the only known server never got ADD_PROVIDER"},
		{"finds-another", "find_peer and bootstrap", "with its address"},
		{"idle", "find_peer and bootstrap", "never asked FIND_NODE"},
		{"removes-nothing", "remove_peer", "removed false: expected true"},
		{"never-expires", "a provider expires", "is listed for ever"},
	} {
		t.Run(c.fault+"/"+c.check, func(t *testing.T) {
			t.Parallel()
			f := parse(t, fmt.Sprintf("bad=cmd:env GORACE=atexit_sleep_ms=0 %s=%s %s", faultVariable, c.fault, self))
			for _, check := range Checks() {
				if c.check != "" && check.Name != c.check {
					continue
				}
				limit := checkTimeout
				switch c.fault { // what the check would wait for
				case "stays":
					limit = time.Second
				case "tells-nobody", "never-expires":
					limit = 2 * shortLife
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				err := check.Run(ctx, f)
				cancel()
				if c.says == "" {
					require.NoError(t, err, check.Name)
				} else {
					require.ErrorContains(t, err, c.says)
				}
			}
		})
	}
}
