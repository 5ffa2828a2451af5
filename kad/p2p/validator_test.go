package p2p_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	pb "github.com/ipfs/boxo/ipns/pb"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

func TestSplitKey(t *testing.T) {
	for key, want := range map[string][2]string{
		"/pk/x":         {"pk", "x"},
		"/v/a/b":        {"v", "a/b"},
		"/ipns/\x00/\n": {"ipns", "\x00/\n"},
		"/pk//":         {"pk", "/"},
	} {
		ns, rest, err := p2p.SplitKey([]byte(key))
		require.NoError(t, err, "%q", key)
		assert.Equal(t, want, [2]string{ns, string(rest)})
	}
	for _, key := range []string{"", "/", "//", "/pk/", "//x", "/pk", "pk/x", "pk"} {
		_, _, err := p2p.SplitKey([]byte(key))
		assert.ErrorIs(t, err, p2p.ErrInvalid, "%q", key)
	}
}

func FuzzSplitKey(f *testing.F) {
	for _, key := range []string{"", "/pk/x", "/v/a/b", "//x", "/pk", "pk/x"} {
		f.Add([]byte(key))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		ns, rest, err := p2p.SplitKey(key)
		if err == nil {
			assert.Equal(t, string(key), "/"+ns+"/"+string(rest))
		}
	})
}

func FuzzValidate(f *testing.F) {
	id, pk, rec := signed(f, 1, time.Hour)
	f.Add([]byte("/pk/"+string(id)), pk)
	f.Add([]byte("/ipns/"+string(id)), rec)
	f.Add([]byte("/v/x"), []byte("ok x"))
	all := p2p.Namespaces("pk", "ipns", "v")
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for _, v := range all {
			_, _ = v.Validate(key, value, kad.Time(time.Now().UnixNano())) // whatever it says, it must not panic
		}
	})
}

// signed makes an identity, its public key as a value, and an IPNS record of it.
func signed(t testing.TB, seq uint64, lifetime time.Duration, opts ...ipns.Option) (peer.ID, []byte, []byte) {
	key, err := p2p.IdentityFromSeed(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	id, err := peer.IDFromPrivateKey(key)
	require.NoError(t, err)
	pk, err := crypto.MarshalPublicKey(key.GetPublic())
	require.NoError(t, err)
	return id, pk, ipnsOf(t, key, seq, time.Now().Add(lifetime), opts...)
}

func ipnsOf(t testing.TB, key crypto.PrivKey, seq uint64, eol time.Time, opts ...ipns.Option) []byte {
	to, err := path.NewPath("/ipfs/bafkqaddwgevxmmraojswg33smq")
	require.NoError(t, err)
	rec, err := ipns.NewRecord(key, to, seq, eol, time.Minute, opts...)
	require.NoError(t, err)
	b, err := ipns.MarshalRecord(rec)
	require.NoError(t, err)
	return b
}

func now() kad.Time { return kad.Time(time.Now().UnixNano()) }

func TestPublicKey(t *testing.T) {
	v := p2p.Namespaces("pk")["pk"]
	id, pk, _ := signed(t, 1, time.Hour)
	rank, err := v.Validate([]byte("/pk/"+string(id)), pk, now())
	require.NoError(t, err)
	assert.Empty(t, rank)

	_, rsa, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	require.NoError(t, err)
	rsaID, err := peer.IDFromPublicKey(rsa)
	require.NoError(t, err)
	value, err := crypto.MarshalPublicKey(rsa)
	require.NoError(t, err)
	_, err = v.Validate([]byte("/pk/"+string(rsaID)), value, now())
	require.NoError(t, err)

	for name, c := range map[string][2][]byte{
		"another's key": {[]byte("/pk/" + string(id)), value},
		"rubbish":       {[]byte("/pk/" + string(id)), []byte("rubbish")},
		"id in text":    {[]byte("/pk/" + id.String()), pk},
		"no id":         {[]byte("/pk/"), pk},
	} {
		_, err := v.Validate(c[0], c[1], now())
		assert.ErrorIs(t, err, p2p.ErrInvalid, name)
	}
}

func TestIPNS(t *testing.T) {
	v := p2p.Namespaces("ipns")["ipns"]
	id, _, rec := signed(t, 5, time.Hour)
	name := []byte("/ipns/" + string(id))
	_, err := v.Validate(name, rec, now())
	require.NoError(t, err)
	_, _, v2only := signed(t, 5, time.Hour, ipns.WithV1Compatibility(false))
	_, err = v.Validate(name, v2only, now())
	require.NoError(t, err)

	changed := bytes.Clone(rec)
	changed[len(changed)-1] ^= 1
	_, _, expired := signed(t, 5, -time.Hour)
	for what, c := range map[string]struct {
		name, value []byte
		now         kad.Time
	}{
		"a signature that does not fit": {name, changed, now()},
		"expired":                       {name, expired, now()},
		"expired by the node's clock":   {name, rec, now() + kad.Time(2*time.Hour)},
		"too long":                      {name, append(bytes.Clone(rec), make([]byte, ipns.MaxRecordSize)...), now()},
		"another name":                  {[]byte("/ipns/\x12\x20" + string(make([]byte, 32))), rec, now()},
		"a name in text":                {[]byte("/ipns/" + id.String()), rec, now()},
		"nothing":                       {name, nil, now()},
	} {
		_, err := v.Validate(c.name, c.value, c.now)
		assert.ErrorIs(t, err, p2p.ErrInvalid, what)
	}
}

// TestIPNSVerification goes through ipns L408-L434 with records whose fields were changed after they were signed.
func TestIPNSVerification(t *testing.T) {
	v := p2p.Namespaces("ipns")["ipns"]
	id, pk, rec := signed(t, 5, time.Hour)
	_, other, err := crypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	otherKey, err := crypto.MarshalPublicKey(other)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(r *pb.IpnsRecord)
		valid  bool
	}{
		"as it was":                          {func(*pb.IpnsRecord) {}, true},
		"V1 only":                            {func(r *pb.IpnsRecord) { r.SignatureV2, r.Data = nil, nil }, false},
		"no V2 signature":                    {func(r *pb.IpnsRecord) { r.SignatureV2 = nil }, false},
		"no data":                            {func(r *pb.IpnsRecord) { r.Data = nil }, false},
		"a broken V2 signature":              {func(r *pb.IpnsRecord) { r.SignatureV2[0] ^= 1 }, false},
		"a broken V1 signature":              {func(r *pb.IpnsRecord) { r.SignatureV1[0] ^= 1 }, true}, // ipns L433: not looked at
		"another value beside the signed":    {func(r *pb.IpnsRecord) { r.Value = append(r.Value, 'x') }, false},
		"another sequence beside the signed": {func(r *pb.IpnsRecord) { *r.Sequence = 6 }, false},
		"another ttl beside the signed":      {func(r *pb.IpnsRecord) { *r.Ttl = 1 }, false},
		"another validity beside the signed": {func(r *pb.IpnsRecord) { r.Validity[3]++ }, false},
		"no V1 fields":                       {func(r *pb.IpnsRecord) { *r = pb.IpnsRecord{SignatureV2: r.SignatureV2, Data: r.Data} }, true},
		"its key though the name has it":     {func(r *pb.IpnsRecord) { r.PubKey = pk }, true},
		"another's key":                      {func(r *pb.IpnsRecord) { r.PubKey = otherKey }, false},
		"rubbish for a key":                  {func(r *pb.IpnsRecord) { r.PubKey = []byte("rubbish") }, false},
		"10 KiB":                             {func(r *pb.IpnsRecord) { pad(r, 10<<10) }, true}, // ipns L254
		"10 KiB and a byte":                  {func(r *pb.IpnsRecord) { pad(r, 10<<10+1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(pb.IpnsRecord)
			require.NoError(t, proto.Unmarshal(rec, r))
			c.change(r)
			value, err := proto.Marshal(r)
			require.NoError(t, err)
			_, err = v.Validate([]byte("/ipns/"+string(id)), value, now())
			if c.valid {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, p2p.ErrInvalid)
			}
		})
	}
}

// pad fills a record up to a size with a field that nobody knows.
func pad(r *pb.IpnsRecord, size int) {
	b := protowire.AppendTag(nil, 99, protowire.BytesType)
	b = protowire.AppendBytes(b, make([]byte, size-proto.Size(r)-len(b)-2)) // a length in two bytes
	r.ProtoReflect().SetUnknown(b)
	if got := proto.Size(r); got != size {
		panic(got)
	}
}

// TestIPNSRank: the higher sequence is better, then the later end of life, then the greater bytes.
func TestIPNSRank(t *testing.T) {
	v := p2p.Namespaces("ipns")["ipns"]
	key, err := p2p.IdentityFromSeed(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	id, err := peer.IDFromPrivateKey(key)
	require.NoError(t, err)
	soon := time.Now().Add(time.Hour)
	var ranks [][]byte
	for _, rec := range [][]byte{
		ipnsOf(t, key, 1, soon.Add(time.Hour)),
		ipnsOf(t, key, 2, soon),
		ipnsOf(t, key, 2, soon.Add(time.Nanosecond)),
		ipnsOf(t, key, 2, soon.Add(time.Second)),
		ipnsOf(t, key, 256, soon),
	} {
		rank, err := v.Validate([]byte("/ipns/"+string(id)), rec, now())
		require.NoError(t, err)
		ranks = append(ranks, rank)
	}
	assert.True(t, slices.IsSortedFunc(ranks, bytes.Compare))
}

func TestConfig(t *testing.T) {
	require.NoError(t, p2p.Config{}.Check())
	for name, cfg := range map[string]p2p.Config{
		"transport":   {Transports: []string{"udp"}},
		"security":    {Security: []string{"plain"}},
		"protocol":    {Protocols: []string{"kad"}},
		"listen":      {Listen: []string{"127.0.0.1:4001"}},
		"bootstrap":   {Bootstrap: []string{"/ip4/127.0.0.1/tcp/4001"}},
		"namespace":   {Validators: p2p.Namespaces("pk", "nobody")},
		"limit":       {Limits: p2p.Limits{InboundStreams: -1}},
		"timeout":     {Limits: p2p.Limits{IdleTimeout: -1}},
		"of the core": {Kad: kad.Config{K: -1}},
	} {
		_, err := p2p.New(cfg)
		assert.ErrorIs(t, err, p2p.ErrConfig, name)
	}
	_, err := p2p.IdentityFromSeed(make([]byte, 31))
	assert.Error(t, err)
}
