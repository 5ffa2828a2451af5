package target

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	libp2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/kad/wire"
)

// Echo is a server that does nothing: it reads a frame and writes constant bytes, on a host as the reference's. What it
// takes for a request is what every implementation pays for the transport. It is the Handler of `kadbench node --echo` and
// of the form echo:. A stream may stay for as long as its client likes; how many there are is the resource manager's matter.
type Echo struct {
	Unlimited bool // no resource and connection managers, for load

	answers atomic.Pointer[[echoTypes][]byte]

	mu    sync.Mutex
	host  libp2phost.Host
	peers []echoPeer
}

const (
	echoTypes = 6  // of messages: 0 to 5
	echoPeers = 20 // in an answer, as in that of any server with k of 20
	echoAddrs = 3  // of each
	// echoFrame is the largest that is read, as of every implementation but one.
	echoFrame = 4 << 20
	// echoBuffer holds a request of any type but PUT_VALUE.
	echoBuffer = 512
)

type echoPeer struct {
	id    peer.ID
	addrs []ma.Multiaddr
}

// echoHello offers what start honours. Values of any namespace are taken: none is looked at.
var echoHello = Hello{
	Name: "echo", Version: refHello.Version, Language: "go", Protocols: refHello.Protocols,
	Methods: []string{"hello", "start", "add_address", "cancel", "stop"},
	Options: []string{"protocol", "listen", "transports.tcp", "transports.quic", "namespaces.pk", "namespaces.ipns", "namespaces.v", "constant"},
}

// Do implements Handler.
func (e *Echo) Do(_ context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case "hello":
		return helloTo(params, echoHello)
	case "start":
		var p StartParams
		if err := Params(params, &p); err != nil {
			return nil, err
		}
		return e.start(p)
	case "add_address":
		var p AddressParams
		if err := Params(params, &p); err != nil {
			return nil, err
		}
		return e.add(p)
	case "stop":
		return struct{}{}, e.Close()
	}
	return nil, UnknownMethod(method)
}

func (e *Echo) start(p StartParams) (*Started, error) {
	for name, given := range map[string]bool{"profile": p.Profile != "", "k": p.K != 0, "alpha": p.Alpha != 0, "beta": p.Beta != 0,
		"filter": p.Filter != "", "background": p.Background} {
		if given {
			return nil, BadParam(name, "not honoured")
		}
	}
	for name := range p.Expiry {
		return nil, BadParam("expiry."+name, "not honoured")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.host != nil {
		return nil, Failed(Other, true, errors.New("already started"))
	}
	h, protocols, err := refHost(p, e.Unlimited)
	if err != nil {
		return nil, err
	}
	e.host, e.peers = h, nil
	e.encode()
	for _, name := range protocols {
		h.SetStreamHandler(protocol.ID(name), e.serve)
	}
	all, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	if err != nil {
		return nil, errors.Join(Failed(Other, true, err), e.close())
	}
	return &Started{Peer: h.ID().String(), Addrs: texts(all)}, nil
}

// Close ends the host, if it was started; it may be started again.
func (e *Echo) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.close()
}

func (e *Echo) close() error {
	if e.host == nil {
		return nil
	}
	err := e.host.Close()
	e.host = nil
	return err
}

// add takes the first peers into the answer; a later one fails as one that finds no place in a table.
func (e *Echo) add(p AddressParams) (any, error) {
	id, addr, err := p.parse()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.host == nil {
		return nil, Failed(Other, true, errors.New("not started"))
	}
	update := "success"
	i := slices.IndexFunc(e.peers, func(p echoPeer) bool { return p.id == id })
	switch {
	case i < 0 && len(e.peers) == echoPeers:
		update = "failed"
	case i < 0:
		e.peers = append(e.peers, echoPeer{id, []ma.Multiaddr{addr}})
		e.encode()
	case len(e.peers[i].addrs) < echoAddrs:
		e.peers[i].addrs = append(e.peers[i].addrs, addr)
		e.encode()
	}
	return UpdateResult{Update: &update}, nil
}

// encode makes the answers: the same peers to each type of request.
func (e *Echo) encode() {
	var frames [echoTypes][]byte
	m := wire.Message{}
	for _, p := range e.peers {
		var addrs [][]byte
		for _, a := range p.addrs {
			addrs = append(addrs, a.Bytes())
		}
		m.CloserPeers = append(m.CloserPeers, wire.Peer{ID: []byte(p.id), Addrs: wire.MakeAddrs(addrs...)})
	}
	for t := range frames {
		if m.Type = wire.Type(t); m.Type != wire.AddProvider {
			frames[t] = wire.AppendFrame(nil, &m)
		}
	}
	e.answers.Store(&frames)
}

// serve answers each frame of a stream.
func (e *Echo) serve(s network.Stream) {
	if e.carry(s, s) != nil {
		s.Reset()
		return
	}
	s.Close()
}

var errEcho = errors.New("echo: no request")

// carry reads frames and writes answers until there are no more, or one is no request. Of a frame it looks at the type
// alone, as no client takes an answer of another.
func (e *Echo) carry(in io.Reader, out io.Writer) error {
	r := bufio.NewReaderSize(in, echoBuffer)
	for {
		size, err := binary.ReadUvarint(r)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case size == 0 || size > echoFrame:
			return errEcho
		}
		head, err := r.Peek(int(min(size, 2)))
		if err != nil {
			return err
		}
		t := wire.PutValue // whose number, 0, an encoder may leave out
		if head[0] == 0x08 && len(head) == 2 {
			t = wire.Type(head[1])
		}
		if int(t) >= echoTypes {
			return errEcho
		}
		if _, err := r.Discard(int(size)); err != nil {
			return err
		}
		if answer := e.answers.Load()[t]; answer != nil {
			if _, err := out.Write(answer); err != nil {
				return err
			}
		}
	}
}

// echo reads what stands behind echo: nothing.
func (f *factory) echo(rest string) error {
	if rest != "" {
		return errors.New("echo: expected nothing after it")
	}
	if f.name == "" {
		f.name = "echo"
	}
	f.flags = &[]string{"--echo"}
	f.inProcess(func() Handler { return new(Echo) })
	return nil
}
