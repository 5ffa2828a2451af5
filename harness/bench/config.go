package bench

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/load"
)

// Errors of a turn.
var (
	// ErrConfig is wrapped by what Config.Check finds.
	ErrConfig = errors.New("bench")
	// ErrUnreachable: the server could not be connected to, or took no stream, before the load began.
	ErrUnreachable = errors.New("the server cannot be reached")
)

// Limits of a turn, and what holds where Config says nothing.
const (
	DefaultProtocol    = "/ipfs/kad/1.0.0"
	DefaultConnections = 4
	// DefaultStreams of a connection: what every implementation bears as it comes. js and rust take 32 from one peer,
	// go-libp2p's resource manager about 64, fewer where streams come and go.
	DefaultStreams = 32
	DefaultSpan    = 10 * time.Second
	// DefaultTimeout is that of a request of every implementation but js (30 s).
	DefaultTimeout = 10 * time.Second
	DefaultJudge   = 10_000 // one answer in a hundred

	MaxConnections = 1024  // peers: each takes two descriptors, and some 200 KB
	MaxStreams     = 4096  // of a connection: what go-libp2p's yamux can have open
	MaxWorkers     = 16384 // streams in all: two goroutines and 10 KB each
	MaxSpan        = time.Hour
	// maxQueue is how many requests may wait for a stream. At 100,000 a second that is 2.6 s of a server that stands still;
	// what comes on top of them is dropped.
	maxQueue = 1 << 18
)

// Reuse says what one request leaves for the next.
type Reuse uint8

const (
	Streams     Reuse = iota // one stream carries many requests, one after another
	Connections              // a stream for each request
	Nothing                  // a connection for each request, and a stream
)

// Config is the load of one server. Its zero value lacks Server, and Load.
type Config struct {
	Server   peer.AddrInfo
	Protocol string // "": DefaultProtocol

	Transport string // "tcp" or "quic"; "": tcp
	Security  string // of tcp: "noise" or "tls"; "": noise

	Connections int // each from a peer of its own; 0: DefaultConnections
	Streams     int // of each, so many requests at once; 0: DefaultStreams
	Reuse       Reuse

	// Load is the requests of a turn, warming up included: kinds are the message types. Its Seed is that of a turn's too;
	// the number of the turn is added to it, so that no two turns ask for the same keys.
	Load load.Config
	// Closed: the moments of Load are not looked at, and its lines are one mix.
	Closed bool
	Sizes  map[load.Kind]int // bytes of the values of PUT_VALUE; 0: 100

	Warmup  time.Duration // not measured
	Span    time.Duration // that is measured; 0: DefaultSpan
	Timeout time.Duration // of a request that was sent; one that waits for a stream as long is dropped; 0: DefaultTimeout

	Truth *Truth // nil: no answer is judged
	Judge uint32 // share of the answers that are, in parts per million; 0: DefaultJudge

	// CPU is the processor time that the server has used so far; nil: nobody knows.
	CPU func() (time.Duration, error)
	// Progress is called some times a second, from one goroutine; nil: nobody.
	Progress func(elapsed time.Duration, answered uint64)
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Connections, DefaultConnections)
	set(&c.Streams, DefaultStreams)
	span(&c.Span, DefaultSpan)
	span(&c.Timeout, DefaultTimeout)
	if c.Protocol == "" {
		c.Protocol = DefaultProtocol
	}
	if c.Transport == "" {
		c.Transport = "tcp"
	}
	if c.Security == "" {
		c.Security = "noise"
	}
	if c.Judge == 0 {
		c.Judge = DefaultJudge
	}
	return c
}

// Check says what is wrong with a configuration: a wrapped ErrConfig that names the field.
func (c Config) Check() error {
	if c.Server.ID == "" || len(c.Server.Addrs) == 0 {
		return bad("server: a peer id and an address were expected")
	}
	return c.CheckLoad()
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// CheckLoad is Check before there is a server.
func (c Config) CheckLoad() error {
	c = c.withDefaults()
	switch {
	case c.Transport != "tcp" && c.Transport != "quic":
		return bad("transport %q: tcp or quic was expected", c.Transport)
	case c.Security != "noise" && c.Security != "tls":
		return bad("security %q: noise or tls was expected", c.Security)
	case c.Connections < 1 || c.Connections > MaxConnections:
		return bad("connections: %d: 1 to %d", c.Connections, MaxConnections)
	case c.Streams < 1 || c.Streams > MaxStreams:
		return bad("streams: %d: 1 to %d of a connection", c.Streams, MaxStreams)
	case c.Connections*c.Streams > MaxWorkers:
		return bad("%d connections of %d streams: %d streams in all at most", c.Connections, c.Streams, MaxWorkers)
	case c.Reuse == Nothing && c.Connections*c.Streams > MaxConnections:
		return bad("%d requests at once, each on a connection of its own: %d at most", c.Connections*c.Streams, MaxConnections)
	case c.Reuse > Nothing:
		return bad("reuse: there is no %d", c.Reuse)
	case c.Span < 0 || c.Span > MaxSpan || c.Warmup < 0 || c.Warmup > MaxSpan:
		return bad("span %v after %v: up to %v each", c.Span, c.Warmup, MaxSpan)
	case c.Timeout < 0 || c.Timeout > MaxSpan:
		return bad("timeout: %v: up to %v", c.Timeout, MaxSpan)
	case len(c.Load.Lines) == 0:
		return bad("load: no line")
	}
	for _, l := range c.Load.Lines {
		for _, p := range l.Mix {
			if _, ok := types[p.Kind]; !ok {
				return bad("load: %s is no request", p.Kind)
			}
		}
	}
	if err := c.Load.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}
