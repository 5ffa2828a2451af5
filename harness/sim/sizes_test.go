package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// everyMessage is one or more of each kind that is on the wire: empty ones, full ones, and those whose lengths take one byte
// more to tell.
func everyMessage() map[string]message {
	key := recordKey(1, Put, 1)
	long := make([]byte, 200) // its length takes two bytes
	named := func(kind kad.InputKind, key []byte, n int) message {
		m := message{kind: kind, key: key}
		for p := kad.Peer(1); int(p) <= n; p++ {
			m.name(p)
		}
		return m
	}
	record := func(kind kad.InputKind, n int, ttl uint32) message {
		m := named(kind, key, n)
		m.more().found, m.extra.ttl = true, ttl
		m.extra.record = kad.Record{Key: key, Value: recordValue(key, 3)}
		return m
	}
	published := record(kad.PutRecord, 0, 48*3600)
	published.extra.record.Publisher = peerID(1, 2)
	providers := named(kad.GetProvidersRes, key, 20)
	providers.more().providers = []kad.Peer{3, 4, 5}
	return map[string]message{
		"FIND_NODE":                named(kad.FindNodeReq, key, 0),
		"FIND_NODE, a long key":    named(kad.FindNodeReq, long, 0),
		"nobody":                   named(kad.FindNodeRes, key, 0),
		"one":                      named(kad.FindNodeRes, key, 1),
		"twenty":                   named(kad.FindNodeRes, key, 20),
		"more than stand inline":   named(kad.FindNodeRes, key, 40),
		"GET_PROVIDERS":            named(kad.GetProvidersReq, key, 0),
		"providers":                providers,
		"ADD_PROVIDER":             named(kad.AddProvider, key, 0),
		"GET_VALUE":                named(kad.GetRecord, key, 0),
		"no value":                 named(kad.GetRecordRes, key, 20),
		"value":                    record(kad.GetRecordRes, 20, 0),
		"value that expires":       record(kad.GetRecordRes, 0, 100),
		"PUT_VALUE":                record(kad.PutRecord, 0, 48*3600),
		"PUT_VALUE of a publisher": published,
		"PUT_VALUE's echo":         record(kad.PutRecordRes, 0, 48*3600),
	}
}

// TestSizes: what sizes says of a message without encoding it is how long its frame is, and what is decoded is what went in.
func TestSizes(t *testing.T) {
	w, err := New(t.Context(), Config{Seed: 1, Nodes: 50, Kad: quietConfig(), Wire: true})
	require.NoError(t, err)
	s := w.shards[0]
	for name, m := range everyMessage() {
		was := m
		before := m.peers(nil)
		require.True(t, s.decode(2, &m), name)
		require.Equal(t, before, m.peers(nil), name)
		require.Equal(t, was.key, m.key, name)
		if was.extra != nil && was.extra.found {
			require.Equal(t, was.extra.record, m.extra.record, name)
			require.Equal(t, was.extra.ttl, m.extra.ttl, name)
		}
		if m.kind == kad.AddProvider {
			require.Len(t, s.codec.decoded.ProviderPeers, 1, "who sends it provides")
			assert.Equal(t, w.dir.ID(2), s.codec.decoded.ProviderPeers[0].ID)
		}
		frame := s.codec.frame
		size := w.sizes.request(&m) + w.sizes.answer(&m)
		assert.EqualValues(t, len(frame), size, "%s: a request has no size as an answer, an answer none as a request", name)
		assert.EqualValues(t, len(wire.AppendFrame(nil, &s.codec.message)), size, name)
	}
	for _, kind := range []kad.InputKind{dialled, kad.ConnectionEstablished, kad.AddProviderRes, kad.QueryError, kad.DialFailed} {
		m := message{kind: kind, key: []byte("k")}
		assert.Zero(t, w.sizes.request(&m)+w.sizes.answer(&m), "%v is no frame", kind)
	}
}

// TestWrongSize: a message whose size is not that of its frame is not decoded, so Config.Wire tells when sizes and codec part.
func TestWrongSize(t *testing.T) {
	w, err := New(t.Context(), Config{Seed: 1, Nodes: 50, Kad: quietConfig(), Wire: true})
	require.NoError(t, err)
	w.sizes.peer++
	for name, m := range everyMessage() {
		peers := len(m.peers(nil)) > 0 || m.extra != nil && len(m.extra.providers) > 0 || m.kind == kad.AddProvider
		assert.Equal(t, !peers, w.shards[0].decode(2, &m), name)
	}
}
