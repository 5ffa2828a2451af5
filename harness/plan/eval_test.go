package plan_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

// world is an Env with fixed identities: the Ed25519 key of a name is seeded by the name.
type world struct {
	captures map[string]plan.Value
	rsa      map[string]crypto.PrivKey
	asked    int
}

func (w *world) Peer(name string) (plan.Identity, error) {
	w.asked++
	if name == "X" {
		return plan.Identity{}, errors.New("X has no identity")
	}
	key, ok := w.rsa[name]
	if !ok {
		seed := sha256.Sum256([]byte(name))
		var err error
		if key, _, err = crypto.GenerateEd25519Key(bytes.NewReader(seed[:])); err != nil {
			return plan.Identity{}, err
		}
	}
	pub, err := crypto.MarshalPublicKey(key.GetPublic())
	if err != nil {
		return plan.Identity{}, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return plan.Identity{}, err
	}
	out := plan.Identity{ID: []byte(id), PublicKey: pub, Sign: key.Sign}
	out.Addrs = [][]byte{multiaddr.StringCast("/ip4/127.0.0.1/tcp/4001").Bytes()}
	if name == "T" {
		out.Sign = nil
	}
	return out, nil
}

func (w *world) Capture(name string) (plan.Value, bool) { v, ok := w.captures[name]; return v, ok }
func (w *world) Seed() uint64                           { return 7 }
func (w *world) Now() time.Time                         { return time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC) }

// evaluator makes one for a plan with the given fixtures, each a line "NAME: value".
func evaluator(t testing.TB, env plan.Env, fixtures ...string) (*plan.Evaluator, *plan.Plan) {
	t.Helper()
	var src strings.Builder
	src.WriteString("# P.\nid a/b\ncatalogue FN-05\nlevel info\npeer T target\npeer A\npeer R key=rsa\npeer X\npeer S1..S40\nopen s A -> T\nwant s PING\n")
	for _, f := range fixtures {
		name, val, _ := strings.Cut(f, ": ")
		fmt.Fprintf(&src, "-- %s --\n%s\n", name, val)
	}
	p, err := plan.Parse("a/b.plan", []byte(src.String()))
	require.NoError(t, err)
	return plan.NewEvaluator(p, env), p
}

func id(t testing.TB, name string) []byte {
	x, err := (&world{}).Peer(name)
	require.NoError(t, err)
	return x.ID
}

// TestValues holds what expressions come to, as hexadecimal, numbers and lists.
func TestValues(t *testing.T) {
	a := hex.EncodeToString(id(t, "A"))
	sum := sha256.Sum256([]byte("x"))
	x := hex.EncodeToString(sum[:])
	env := &world{captures: map[string]plan.Value{"c": {Kind: plan.KindNumber, Num: 3}}}
	for _, c := range []struct{ expr, want string }{
		{`"a\x00"`, "6100"}, {`hex:1220`, "1220"}, {`sha256("x")`, x}, {`mh("x")`, "1220" + x}, {`cid("x")`, "01551220" + x},
		{`concat("a",hex:00,[hex:01,hex:02])`, "61000102"}, {`varint(300)`, "ac02"}, {`varint(-1)`, "ffffffffffffffffff01"},
		{`concat(repeat(3,"ab"))`, "616261626162"}, {`@base[1:3]`, "6263"}, {`@base[:1]`, "61"}, {`@base[$c:]`, "64"},
		{`A`, a}, {`A.id`, a}, {`concat("/pk/",A)`, "2f706b2f" + a}, {`/ipfs/x`, hex.EncodeToString([]byte("/ipfs/x"))},
		{`pk(A)`, "08011220" + a[len(a)-64:]}, {`A.pubkey`, "08011220" + a[len(a)-64:]},
	} {
		ev, _ := evaluator(t, env, "base: \"abcd\"", "v: "+c.expr)
		b, err := ev.FixtureBytes("v")
		require.NoError(t, err, c.expr)
		assert.Equal(t, c.want, hex.EncodeToString(b), c.expr)
	}
	for _, c := range []struct{ expr, want string }{
		{`20`, "20"}, {`-1`, "-1"}, {`4MiB`, "4194304"}, {`5s`, "5s"}, {`48h`, "48h"}, {`1%`, "1%"}, {`0.5%`, "0.5%"}, {`len("abc")`, "3"},
		{`len([1,2])`, "2"}, {`len(S1..S40)`, "40"}, {`CONNECTED`, "1"}, {`[FIND_NODE]`, "[4]"}, {`[A,S1..S3]`, "[A S1 S2 S3]"}, {`S1..S3[1:]`, "[S2 S3]"},
		{`$c`, "3"}, {`{key="k" 99:0=7}`, `{key="k" 99:0=7}`}, {`A.addrs`, "[hex:047f000001060fa1]"}, {`sha256("x")[0:2]`, "\"-q\""},
		{`18446744073709551615`, "-1"},
	} {
		ev, _ := evaluator(t, env, "v: "+c.expr)
		v, err := ev.Fixture("v")
		require.NoError(t, err, c.expr)
		assert.Equal(t, c.want, v.String(), c.expr)
	}
}

// TestBadValues holds the messages: each at the place of its fixture, and each says what was expected.
func TestBadValues(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`Q`, `"Q" is neither a number nor a peer of this plan; a text stands in ""`},
		{`@none`, `no fixture of the name "none"`}, {`$none`, `$none has no value yet`}, {`@v`, `@v is made of itself: v → v`},
		{`"abc"[2:9]`, `[2:9] of a value with 3`}, {`"abc"[2:1]`, `[2:1] of a value with 3`}, {`5[0:1]`, `a list or bytes were expected, not a number`},
		{`sha256(5)`, `sha256: bytes were expected, not a number`}, {`rand(-1)`, `rand: a number of bytes from 0 to 16777216 was expected, not -1`},
		{`beside("x",21)`, `beside: a number of bits from 0 to 20 was expected, not 21`}, {`A.port`, `unknown part of a peer "port"`}, {`X`, `X has no identity`},
		{`ipns(T)`, `ipns: T is the target, whose private key only it has`}, {`ipns("x")`, `ipns: a peer was expected, not a text`},
		{`ipns(A, size=10)`, `ipns: size=10 is less than the record has without filling,`}, {`ipns(A, sequence="x")`, `ipns: sequence: a number was expected, not a text`},
		{`concat(rand(16MiB),"x")`, `concat: more than 16777216 bytes`}, {`repeat(65537,"x")`, `repeat: how often? A number from 0 to 65536 was expected`},
		{`FIND_NODE key=5`, `key: bytes were expected, not a number`}, {`FIND_NODE clusterLevelRaw="x"`, `clusterLevelRaw: a number was expected, not a text`},
		{`PING providerPeers=[A{addrs=["x"]}]`, `providerPeers: addrs: "x": `}, {`PING 9:5=hex:00`, `9:5: wire type 5 takes a number or 4 bytes, not 1`},
		{"PING\npatch 2 00", `offset 2 and 1 bytes reach beyond the message's 2`}, {"PING\ncut 3", `3 bytes of a message of 2`}, {`PING record=A`, `record: a record was expected, not a peer`},
	} {
		ev, _ := evaluator(t, &world{}, "v: "+c.expr)
		_, err := ev.FixtureBytes("v")
		require.Error(t, err, c.expr)
		assert.ErrorIs(t, err, plan.ErrPlan, c.expr)
		assert.Regexp(t, `^a/b\.plan:1\d: `, err.Error(), c.expr)
		assert.Contains(t, err.Error(), c.want, c.expr)
	}
}

// TestNearest compares with another way to the same order: the length of the common prefix, then the rest bit by bit.
func TestNearest(t *testing.T) {
	ev, _ := evaluator(t, &world{}, `n: nearest(20,"key",[S1..S3,S4],S5..S40)`, `all: nearest(50,"key",S1..S40)`, `none: nearest(0,"key",S1)`)
	v, err := ev.Fixture("n")
	require.NoError(t, err)
	require.Len(t, v.List, 20)
	all, err := ev.Fixture("all")
	require.NoError(t, err)
	require.Len(t, all.List, 40)
	assert.Equal(t, v.List, all.List[:20])
	none, err := ev.Fixture("none")
	require.NoError(t, err)
	assert.Empty(t, none.List)
	key := sha256.Sum256([]byte("key"))
	for i := 1; i < len(all.List); i++ {
		assert.Negative(t, strings.Compare(distance(key, all.List[i-1].Peer.ID), distance(key, all.List[i].Peer.ID)))
	}
	assert.Zero(t, plan.CommonPrefix([32]byte{0x80}, [32]byte{}))
	assert.Equal(t, 11, plan.CommonPrefix([32]byte{0, 0x10}, [32]byte{}))
	assert.Equal(t, 256, plan.CommonPrefix(key, key))
}

// distance is the XOR of two places, bit by bit as text.
func distance(key [32]byte, id []byte) string {
	at := sha256.Sum256(id)
	var b strings.Builder
	for i := range at {
		fmt.Fprintf(&b, "%08b", at[i]^key[i])
	}
	return b.String()
}

// TestPlaces holds the places that the specification computes of a peer id (ipfs-kad L230-L236) and of a CID's multihash
// (ipfs-kad L472-L476).
func TestPlaces(t *testing.T) {
	for _, c := range []struct{ of, place string }{
		{"0024080112209e3b433cbd31c2b8a6ebbdca998bd0f4c2141c9c9af5422e976051b1e63af14d", "e43d28f0996557c0d5571d75c62a57a59d7ac1d30a51ecedcdb9d5e4afa56100"},
		{"1220e536c7f88d731f374dccb568aff6f56e838a19382e488039b1ca8ad2599e82fe", "d623250f3f660ab4c3a53d3c97b3f6a0194c548053488d093520206248253bcb"},
	} {
		b, err := hex.DecodeString(c.of)
		require.NoError(t, err)
		at := plan.Place(b)
		assert.Equal(t, c.place, hex.EncodeToString(at[:]))
	}
}

func TestBeside(t *testing.T) {
	for n := range 13 {
		ev, _ := evaluator(t, &world{}, fmt.Sprintf("v: beside(A,%d)", n))
		b, err := ev.FixtureBytes("v")
		require.NoError(t, err)
		require.Len(t, b, 34)
		x, y := sha256.Sum256(b), sha256.Sum256(id(t, "A"))
		hi := uint64(0)
		for i := range 8 {
			hi = hi<<8 | uint64(x[i]^y[i])
		}
		assert.Equal(t, n, bits.LeadingZeros64(hi))
	}
}

// TestRand: the same place gives the same bytes, another place, round or plan others; comments and spacing do not count.
func TestRand(t *testing.T) {
	src := "# P.\nid a/b\ncatalogue FN-05\nlevel info\npeer T target\npeer A\neach i=1..2\n  let x=rand(40)\n  let y=concat(rand(8),rand(8))\n" +
		"let z=@r\n-- r --\nrand(40)\n"
	draw := func(src string) map[string]string {
		p, err := plan.Parse("a/b.plan", []byte(src))
		require.NoError(t, err)
		ev := plan.NewEvaluator(p, &world{})
		out := map[string]string{}
		value := func(name string, l *plan.Line) {
			v, err := ev.Eval(l.Stmt.(plan.Let).Value)
			require.NoError(t, err)
			out[name] = hex.EncodeToString(v.Bytes)
		}
		for i := 1; i <= 2; i++ {
			block, err := p.Script[0].Iterate(i)
			require.NoError(t, err)
			value(fmt.Sprint("x", i), block[0])
			value(fmt.Sprint("y", i), block[1])
		}
		value("z", p.Script[1])
		return out
	}
	one := draw(src)
	seen := map[string]bool{}
	for _, v := range one {
		assert.False(t, seen[v], "drawn twice")
		seen[v] = true
	}
	assert.NotEqual(t, one["y1"][:16], one["y1"][16:])
	assert.Len(t, one["x1"], 80)
	assert.Equal(t, one, draw(strings.Replace(src, "  let y", "\n  # another comment\n  let   y", 1)))
	assert.NotEqual(t, one["z"], draw(strings.Replace(src, "a/b", "c/b", 1))["z"])
}

// TestFixtureOnce: a fixture is computed once in a run, one with a capture each time.
func TestFixtureOnce(t *testing.T) {
	env := &world{captures: map[string]plan.Value{"c": {Bytes: []byte("1")}}}
	ev, _ := evaluator(t, env, "k: A.id", "c: concat($c)", "d: @c")
	for range 3 {
		_, err := ev.Fixture("k")
		require.NoError(t, err)
	}
	assert.Equal(t, 2, env.asked, "by the one evaluation: as a peer of the plan, and for its id")
	before, err := ev.FixtureBytes("d")
	require.NoError(t, err)
	env.captures["c"] = plan.Value{Bytes: []byte("2")}
	after, err := ev.FixtureBytes("d")
	require.NoError(t, err)
	assert.Equal(t, "1 2", string(before)+" "+string(after))
}

// TestIPNS: boxo accepts what ipns() signs, for a key inside the id and for one that the record must carry; each
// alteration is refused or seen.
func TestIPNS(t *testing.T) {
	rsa, _, err := crypto.GenerateKeyPair(crypto.RSA, 2048)
	require.NoError(t, err)
	env := &world{rsa: map[string]crypto.PrivKey{"R": rsa}}
	for _, c := range []struct {
		expr string
		want error
	}{
		{`ipns(A)`, nil}, {`ipns(R)`, nil}, {`ipns(A, sequence=2, value="/ipfs/bafkqaaa", validity="2100-01-01T00:00:00Z", ttl=1h)`, nil},
		{`ipns(A, size=10240)`, nil}, {`ipns(A, size=10241)`, ipns.ErrRecordSize}, {`ipns(R, size=5000)`, nil},
		{`ipns(A, validity="2020-01-01T00:00:00Z")`, ipns.ErrExpiredRecord}, {`ipns(A, validity=-1h)`, ipns.ErrExpiredRecord},
		{`ipns(A, pb.value="/ipfs/other")`, errAny}, {`ipns(A, !pb.signatureV2)`, errAny}, {`ipns(A, !pb.data)`, errAny},
		{`ipns(A, pb.signatureV2=hex:00)`, ipns.ErrSignature}, {`ipns(A, pb.sequence=9)`, errAny}, {`ipns(A, pb.ttl=9)`, errAny},
		{`ipns(A, !pb.value, !pb.signatureV1, !pb.validityType, !pb.validity, !pb.sequence, !pb.ttl)`, nil},
		{`ipns(R, !pb.pubKey)`, errAny}, {`ipns(A, validityType=1)`, errAny},
	} {
		t.Run(c.expr, func(t *testing.T) {
			ev, _ := evaluator(t, env, "v: "+c.expr)
			b, err := ev.FixtureBytes("v")
			require.NoError(t, err)
			who := "A"
			if strings.HasPrefix(c.expr, "ipns(R") {
				who = "R"
			}
			x, err := env.Peer(who)
			require.NoError(t, err)
			err = validate(b, peer.ID(x.ID))
			switch {
			case c.want == nil:
				assert.NoError(t, err)
			case errors.Is(c.want, errAny):
				assert.Error(t, err)
			default:
				assert.ErrorIs(t, err, c.want)
			}
		})
	}
	for size := 600; size < 900; size++ {
		ev, _ := evaluator(t, env, fmt.Sprintf("v: ipns(A, size=%d)", size))
		b, err := ev.FixtureBytes("v")
		require.NoError(t, err)
		require.Len(t, b, size)
	}
}

var errAny = errors.New("any error")

func validate(b []byte, id peer.ID) error {
	r, err := ipns.UnmarshalRecord(b)
	if err != nil {
		return err
	}
	return ipns.ValidateWithName(r, ipns.NameFromPeer(id))
}
