package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Forms lists how a target is given, for help and errors.
const Forms = "ref:, addr:/ip4/…/p2p/…, cmd:./program arguments, image:name:tag; with a name before it: go=cmd:./program"

// nameForm keeps names fit for columns of reports and names of files.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

// factory is a target as given.
type factory struct {
	name, given string
	remote      bool
	at          ma.Multiaddr // of addr:
	make        func(ctx context.Context) (Target, error)
	pipes       func() (*Pipes, error) // nil for addr:
	flags       *[]string              // of kadbench node for the same as a program; nil if there is none
}

// Pipes is a target's control channel without anybody on it: for those who test an adapter line by line.
type Pipes struct {
	In     io.WriteCloser
	Out    io.ReadCloser
	Exited <-chan struct{}
	State  func() error // how it ended, after Exited; nil: with exit status 0
	Kill   func()
	CPU    func() (time.Duration, error) // processor time of the program; nil: nobody knows
}

// OpenPipes starts a target of the forms cmd:, image: and ref: and leaves the control protocol to the caller.
func OpenPipes(f Factory) (*Pipes, error) {
	own, ok := f.(*factory)
	if !ok || own.pipes == nil {
		return nil, fmt.Errorf("target %s: %w: it has no control channel", f, ErrUnsupported)
	}
	return own.pipes()
}

func (f *factory) Name() string   { return f.name }
func (f *factory) String() string { return f.given }
func (f *factory) Remote() bool   { return f.remote }

// Private says whether the target is on this machine or in a private network.
func (f *factory) Private() bool { return f.at == nil || Private(f.at) }

func (f *factory) New(ctx context.Context) (Target, error) {
	t, err := f.make(ctx)
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, ErrUnreachable):
		return nil, fmt.Errorf("target %s: %w", f.given, err)
	default:
		return nil, fmt.Errorf("target %s: %w: %w", f.given, ErrUnreachable, err)
	}
}

// Parse reads a target: a form, or name=form. Without a name, ref: is ref, echo: is echo, cmd: the program's name, image: the image's,
// addr: addr.
func Parse(text string) (Factory, error) { return Images{}.Parse(text) }

// Split takes a target apart into its name, if it is given one, and its form. It judges neither.
func Split(text string) (name, form string, named bool) {
	name, form, named = strings.Cut(text, "=")
	if !named || strings.ContainsRune(name, ':') { // the = is part of the form
		return "", text, false
	}
	return name, form, true
}

// Parse is the function Parse, with settings for targets of the form image:.
func (i Images) Parse(text string) (Factory, error) {
	name, form, named := Split(text)
	if named && !nameForm.MatchString(name) {
		return nil, fmt.Errorf("%w: %q: name %q: expected 1 to 32 letters, digits, dots, - or _", ErrForm, text, name)
	}
	kind, rest, ok := strings.Cut(form, ":")
	if !ok {
		return nil, fmt.Errorf("%w: %q: expected %s", ErrForm, text, Forms)
	}
	f := &factory{name: name, given: text}
	var err error
	switch kind {
	case "ref":
		err = f.ref(rest)
	case "echo":
		err = f.echo(rest)
	case "addr":
		err = f.addr(rest)
	case "cmd":
		err = f.cmd(rest)
	case "image":
		err = f.image(i, rest)
	default:
		err = fmt.Errorf("unknown form %q: expected %s", kind+":", Forms)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrForm, text, err)
	}
	return f, nil
}

func (f *factory) cmd(line string) error {
	words, err := shellquote.Split(line)
	if err != nil {
		return fmt.Errorf("cmd: %w", err)
	}
	if len(words) == 0 {
		return errors.New("cmd: expected a program and its arguments")
	}
	if f.name == "" {
		f.name = strings.TrimSuffix(filepath.Base(words[0]), ".exe")
	}
	f.pipes = func() (*Pipes, error) {
		p, err := startProcess(words)
		if err != nil {
			return nil, err
		}
		return p.pipes(), nil
	}
	f.make = func(ctx context.Context) (Target, error) {
		p, err := startProcess(words)
		if err != nil {
			return nil, err
		}
		return newChannel(ctx, f.name, p.pipes(), p.how, p.log.String, standard)
	}
	return nil
}

func (f *factory) addr(text string) error {
	full, err := ma.NewMultiaddr(text)
	if err != nil {
		return fmt.Errorf("addr: %w: expected a multiaddr as /ip4/127.0.0.1/tcp/4001/p2p/12D3…", err)
	}
	at, id := peer.SplitAddr(full)
	if id == "" || at == nil {
		return errors.New("addr: expected an address that ends in /p2p/ and a peer id")
	}
	if f.name == "" {
		f.name = "addr"
	}
	f.remote = true
	f.make = func(ctx context.Context) (Target, error) {
		t, err := newListener(ctx, f.name, full, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{at}})
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	f.at = full
	return nil
}

// Private says whether an address stays on this machine or in a private network: floods, huge frames and load may go
// there without asking. A name is not looked up: only localhost is private.
func Private(a ma.Multiaddr) bool {
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return false // the relay's address says nothing about the peer's
	}
	for _, p := range []int{ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR} {
		if host, err := a.ValueForProtocol(p); err == nil {
			return host == "localhost"
		}
	}
	return manet.IsIPLoopback(a) || manet.IsPrivateAddr(a)
}
