package check

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Namer gives names for peer ids, so that reports read as the plan does.
type Namer map[string]string

// Peer is the plan's name for an id, or the end of its text form for a stranger.
func (n Namer) Peer(id []byte) string {
	if name, ok := n[string(id)]; ok {
		return name
	}
	if p, err := peer.IDFromBytes(id); err == nil {
		s := p.String()
		return "…" + s[max(0, len(s)-6):]
	}
	return "bad id " + shortHex(id)
}

// text is a value for people.
func (n Namer) text(b []byte) string {
	if name, ok := n[string(b)]; ok {
		return name
	}
	return printable(b)
}

// printable shows bytes as text where they are text, else in hex.
func printable(b []byte) string {
	if len(b) > 0 && utf8.Valid(b) && strings.IndexFunc(string(b), func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		if len(b) > 64 {
			return strconv.Quote(strings.ToValidUTF8(string(b[:48]), "")+"…") + fmt.Sprintf(" (%d bytes)", len(b))
		}
		return strconv.Quote(string(b))
	}
	return shortHex(b)
}

// shortHex is the hex of up to 32 bytes.
func shortHex(b []byte) string {
	if len(b) == 0 {
		return "empty"
	}
	if len(b) > 32 {
		return fmt.Sprintf("hex:%x… (%d bytes)", b[:24], len(b))
	}
	return fmt.Sprintf("hex:%x", b)
}

// Addr is a multiaddr in the form in which two are compared: without a trailing /p2p of the peer whose it is. Bytes that
// are no multiaddr stay as they are.
func Addr(b, owner []byte) []byte {
	if len(owner) == 0 || len(b) <= len(owner) || !bytes.HasSuffix(b, owner) {
		return b
	}
	a, err := ma.NewMultiaddrBytes(b)
	if err != nil {
		return b
	}
	rest, last := ma.SplitLast(a)
	if last == nil || last.Protocol().Code != ma.P_P2P || !bytes.Equal(last.RawValue(), owner) {
		return b
	}
	return rest.Bytes()
}

// AddrBytes takes an address as a plan may write it: as text or as bytes.
func AddrBytes(b []byte) []byte {
	if len(b) > 0 && b[0] == '/' {
		if a, err := ma.NewMultiaddr(string(b)); err == nil {
			return a.Bytes()
		}
	}
	return b
}

func addrText(b []byte) string {
	if a, err := ma.NewMultiaddrBytes(b); err == nil {
		return a.String()
	}
	return shortHex(b)
}
