package check_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// cast is an environment in which each peer has an identity made from its name, and one address.
type cast struct {
	values   *plan.Evaluator
	captures map[string]plan.Value
}

func (c *cast) Peer(name string) (plan.Identity, error) {
	seed := sha256.Sum256([]byte(name))
	key, public, err := crypto.GenerateEd25519Key(strings.NewReader(string(seed[:]) + string(seed[:])))
	if err != nil {
		return plan.Identity{}, err
	}
	id, err := peer.IDFromPublicKey(public)
	return plan.Identity{ID: []byte(id), Sign: key.Sign, Addrs: [][]byte{ma.StringCast("/ip4/127.0.0.1/tcp/4001").Bytes()}}, err
}

func (c *cast) PeerID(name string) ([]byte, bool) {
	id, err := c.Peer(name)
	return id.ID, err == nil
}

func (c *cast) Capture(name string) (plan.Value, bool) {
	v, ok := c.captures[name]
	return v, ok
}

func (c *cast) Value(e *plan.Expr, _ check.Field) (plan.Value, error) { return c.values.Eval(e) }
func (c *cast) Seed() uint64                                          { return 7 }
func (c *cast) Now() time.Time                                        { return time.Unix(0, 0) }

// TestMatchers holds the messages of testdata/match.txt against the matchers below each, and what differs against the
// line after those.
func TestMatchers(t *testing.T) {
	const file = "testdata/match.txt"
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	var got string
	for line := range strings.Lines(string(src)) {
		line = strings.TrimRight(line, "\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "got":
			got = strings.TrimSpace(rest)
			fmt.Fprintln(&out, line)
		case "want":
			fmt.Fprintf(&out, "%s\n  -> %s\n", line, judged(t, got, strings.TrimSpace(rest)))
		case "":
			if !strings.HasPrefix(line, "  -> ") {
				fmt.Fprintln(&out, line)
			}
		default:
			fmt.Fprintln(&out, line)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
	}
	require.Equal(t, string(src), out.String())
}

func judged(t *testing.T, got, want string) string {
	src := "# Matchers.\nid a/b\ncatalogue ST-01\nspec libp2p-kad L1\nlevel must\n\npeer T target\npeer A\npeer B\npeer C\npeer S1..S12\nopen s A -> T\nsend s " +
		got + "\nwant s " + want + "\n"
	p, err := plan.Parse("a/b.plan", []byte(src))
	require.NoError(t, err, "%s / %s", got, want)
	env := &cast{captures: map[string]plan.Value{"old": {Kind: plan.KindNumber, Num: 3}}}
	env.values = plan.NewEvaluator(p, env)
	body, err := env.values.Encode(p.Script[1].Stmt.(plan.Send).Frame)
	require.NoError(t, err)
	m, err := check.NewMessage(body)
	require.NoError(t, err)
	names := check.Namer{}
	for _, d := range p.Peers {
		id, _ := env.PeerID(d.Name)
		names[string(id)] = d.Name
	}
	captures, miss, err := check.Judge(m, p.Script[2].Stmt.(plan.Want).Expect.Match, env, names)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case miss != nil:
		return fmt.Sprintf("%s | %s | %s", miss.Got, miss.Diff, check.Where(miss.What, miss.Span))
	case len(captures) > 0:
		var all []string
		for name, v := range captures {
			all = append(all, "$"+name+"="+names.Show(v))
		}
		return "holds, " + strings.Join(all, " ")
	}
	return "holds"
}
