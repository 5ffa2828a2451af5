package p2p

import (
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// TestPlain: an address is plain or not, and the bytes of one that is are what cleanAddrs makes of them.
func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/0":                true,
		"/ip4/8.8.8.8/tcp/65535":              true,
		"/ip4/8.8.8.8/udp/4001/quic-v1":       true,
		"/ip6/::1/tcp/4001":                   true,
		"/ip6/2001:db8::1/udp/4001/quic-v1":   true,
		"/ip4/8.8.8.8":                        false,
		"/ip4/8.8.8.8/udp/4001":               false,
		"/ip4/8.8.8.8/tcp/4001/ws":            false,
		"/ip4/8.8.8.8/udp/4001/webrtc-direct": false,
		"/dns4/example.org/tcp/4001":          false,
		"/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA": false,
	} {
		addr := ma.StringCast(text).Bytes()
		assert.Equal(t, want, plain(addr), text)
	}
}

// FuzzPlain: what passes for plain is a list that cleanAddrs would not change.
func FuzzPlain(f *testing.F) {
	f.Add(ma.StringCast("/ip4/127.0.0.1/tcp/4001").Bytes(), ma.StringCast("/ip6/::1/udp/4001/quic-v1").Bytes())
	f.Add([]byte{4, 1, 2, 3, 4, 6, 0, 1}, []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		list := kad.Addrs(wire.MakeAddrs(a, b))
		if allPlain(list) && len(list) <= maxAddrs*minPlain {
			assert.Equal(t, list, cleanAddrs(nil, []byte("id"), list, nil))
		}
	})
}
