package target

import (
	"fmt"
	"slices"
	"strings"

	libp2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// A mutant is the reference with one mistake. `ref:mutant=NAME` shows that the cases which are about that can fail: the
// node is sound, and what it says and hears is altered at the stream, or it is configured wrongly.
type mutant struct {
	name string
	says string // the mistake, as "it …"

	// Of the server. Each may be nil.
	hear    func(t *mutation)          // alters a request before the node sees it; t.drop swallows it
	reply   func(t *mutation)          // alters the reply
	raw     func(b []byte) []byte      // alters the bytes of a reply's frame
	refused func(t *mutation) [][]byte // the node ends the stream instead of replying: what goes out before that
	after   string                     // reset or close: what follows each reply

	// Of the client.
	ask  func(t *mutation) // alters a request
	take func(t *mutation) // alters a reply before the node sees it

	config func(*p2p.Config)
	holds  bool // keeps a stream open on which it refused a request
	eager  bool // agrees to every version of the protocol
	mute   bool // has no libp2p ping
	shy    bool // dials nobody
}

// mutation is one exchange as a mutant sees it.
type mutation struct {
	self, peer peer.ID
	nth        int           // of the requests on this stream, from 1
	request    *wire.Message // nil: it cannot be decoded
	message    *wire.Message // what goes on, to be altered: the request or the reply
	frames     [][]byte      // these bytes go instead of the message, if not nil
	drop       bool          // nothing goes on
	whole      []byte        // the frame as it came
	instead    []byte        // goes out in the place of the node's reply, if not nil
	held       []byte        // kept for later
}

// framed is a message with its length before it.
func framed(m *wire.Message) []byte { return wire.AppendFrame(nil, m) }

// MutantNames lists the mutants that ref:mutant= knows, each with its mistake.
func MutantNames() (names, mistakes []string) {
	for _, m := range mutants {
		names, mistakes = append(names, m.name), append(mistakes, m.says)
	}
	return names, mistakes
}

func findMutant(name string) (*mutant, error) {
	i := slices.IndexFunc(mutants, func(m mutant) bool { return m.name == name })
	if i < 0 {
		names, _ := MutantNames()
		return nil, fmt.Errorf("ref: unknown mutant %q: expected %s", name, strings.Join(names, ", "))
	}
	return &mutants[i], nil
}

// wrap opens the host of a node with this mistake, and makes it the configuration's.
func (m *mutant) wrap(cfg *p2p.Config) (libp2phost.Host, error) {
	if m.config != nil {
		m.config(cfg)
	}
	inner, err := p2p.NewHost(*cfg)
	if err != nil {
		return nil, err
	}
	if m.mute {
		inner.RemoveStreamHandler(ping.ID)
	}
	cfg.Host = &mutantHost{Host: inner, m: m}
	cfg.PrivKey, cfg.Listen, cfg.Transports, cfg.Security, cfg.Unlimited = nil, nil, nil, nil, false
	return inner, nil
}
