package run

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kadbench/kadbench/harness/target"
)

// node is a running node of a target.
type node struct {
	name     string // of the target
	id       peer.ID
	addrs    []ma.Multiaddr
	protocol string
	target   target.Target
	hello    *target.Hello
	scale    time.Duration // its periods are divided by it; 0: by nothing
	remote   bool          // only an address
	puppets  string        // Config.Puppets
	company  *company

	mu      sync.Mutex
	crowded map[string]bool // the cases that run on it now: whether another ran beside them

	gone chan struct{} // closed when the run gave the node up, because it does not answer
	once sync.Once
}

// giveUp ends all cases on a node that does not answer.
func (n *node) giveUp() { n.once.Do(func() { close(n.gone) }) }

// enter and leave keep count of who runs on the node; leave says whether anybody ran beside the case.
func (n *node) enter(caseID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.crowded == nil {
		n.crowded = map[string]bool{}
	}
	for id := range n.crowded {
		n.crowded[id] = true
	}
	n.crowded[caseID] = len(n.crowded) > 0
}

func (n *node) leave(caseID string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	crowded := n.crowded[caseID]
	delete(n.crowded, caseID)
	return crowded
}

func (n *node) lost() bool {
	select {
	case <-n.gone:
		return true
	default:
		return n.died()
	}
}

// A target without a clock has its periods divided, in a case that lets time pass.
const (
	clockScale = 36_000         // 1 h is 100 ms
	slowScale  = clockScale / 4 // 1 h is 400 ms: once more for who missed something, as a machine may stall for "20 h" of 2 s
)

// period is a time as the node counts it.
func (n *node) period(d time.Duration) time.Duration {
	if n.scale == 0 {
		return d
	}
	return max(time.Millisecond, d/n.scale)
}

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.id, Addrs: n.addrs} }

// offers says whether the target's hello names a method.
func (n *node) offers(method string) bool { return slices.Contains(n.hello.Methods, method) }

// speaks says whether the node listens with a transport: tcp or quic.
func (n *node) speaks(transport string) bool {
	for _, a := range n.addrs {
		if strings.Contains(a.String(), "/"+map[string]string{"tcp": "tcp", "quic": "quic-v1"}[transport]) {
			return true
		}
	}
	return false
}

// puppet makes a puppet that can reach the node: over a transport which it listens on, and from an address that it can
// dial back. errUnsupported: the plan wants another.
func (n *node) puppet(c target.PuppetConfig) (*target.Puppet, error) {
	switch {
	case c.Over == "" && !n.speaks("tcp"):
		c.Over = "quic"
	case c.Over != "" && !n.speaks(c.Over):
		return nil, fmt.Errorf("%w: the target does not listen on %s", errUnsupported, c.Over)
	}
	here, err := n.here()
	if err != nil {
		return nil, err
	}
	if here != "" && c.IP != "" {
		return nil, fmt.Errorf("%w: the puppets of this run listen at %s, a peer at %s could not be reached", errUnsupported, here, c.IP)
	}
	if c.IP == "" {
		c.IP = here
	}
	return target.NewPuppet(c)
}

// here is where puppets listen, if that is not loopback: where the run says, or this machine's address towards a node
// that is not on it.
func (n *node) here() (string, error) {
	if n.puppets != "" {
		return n.puppets, nil
	}
	for _, a := range n.addrs {
		if manet.IsIPLoopback(a) {
			return "", nil
		}
	}
	for _, a := range n.addrs {
		to, err := manet.ToNetAddr(a)
		if err != nil {
			continue
		}
		c, err := net.Dial("udp", to.String()) // sends nothing: it only asks for the route
		if err != nil {
			continue
		}
		defer c.Close()
		host, _, err := net.SplitHostPort(c.LocalAddr().String())
		return host, err
	}
	return "", fmt.Errorf("no route to any of %s", n.addrs)
}

// died says whether the target ended by itself.
func (n *node) died() bool {
	select {
	case <-n.target.Died():
		return true
	default:
		return false
	}
}
