package network

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad"
)

// kinds are the implementations that run in this process.
var kinds = []Kind{
	kind{"ref", "kadbench " + kad.Version, newRef, nil},
	kind{"go", "go-libp2p-kad-dht " + moduleVersion("github.com/libp2p/go-libp2p-kad-dht"), newGo, goRefuses},
}

// Names are the names that Find knows.
func Names() (names []string) {
	for _, k := range kinds {
		names = append(names, k.Name())
	}
	return names
}

// Find is the kind of a name.
func Find(name string) (Kind, error) {
	for _, k := range kinds {
		if k.Name() == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("kind %q: expected %s", name, strings.Join(Names(), " or "))
}

// kind is one of those in this process.
type kind struct {
	name, version string
	create        func(ctx context.Context, s Spec, h *countingHost) (Node, error)
	refuses       func(s Spec) error // nil: nothing
}

func (k kind) Name() string    { return k.name }
func (k kind) Version() string { return k.version }

// check says what such a node cannot be.
func (k kind) check(s Spec) (err error) {
	if k.refuses != nil {
		err = k.refuses(s)
	}
	if err == nil && s.Host == nil {
		err = s.check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	return nil
}

// New opens a host for a node if none is given, and counts what leaves it, alike for all implementations.
func (k kind) New(ctx context.Context, s Spec) (Node, error) {
	if err := k.check(s); err != nil {
		return nil, err
	}
	opened := s.Host
	if opened == nil {
		var err error
		if opened, err = openHost(s); err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	h := counting(opened, s.Host == nil || s.owned)
	n, err := k.create(ctx, s, h)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", k.name, err), h.release())
	}
	return n, nil
}

// protocol is that of a node, in full.
func (s Spec) protocol() string {
	if s.Protocol == "" {
		return "/ipfs/kad/1.0.0"
	}
	return s.Protocol
}

// InProcess is an implementation in this process in the form of a target, for a place that takes targets: it has a name,
// and is a node of a network and nothing else. KindOf finds its Kind again.
func InProcess(name string) (target.Factory, error) {
	k, err := Find(name)
	if err != nil {
		return nil, err
	}
	return inProcess{k}, nil
}

type inProcess struct{ Kind }

func (f inProcess) String() string { return f.Name() + ":" }
func (f inProcess) Remote() bool   { return false }
func (f inProcess) Private() bool  { return true }
func (f inProcess) New(context.Context) (target.Target, error) {
	return nil, fmt.Errorf("target %s: %w: it lives only in a network, where a plan's world has nodes", f, target.ErrUnsupported)
}

// KindOf is what a network makes of a target: of ref: and go: nodes in this process, of any other a process for each node.
func KindOf(f target.Factory) (Kind, error) {
	if in, ok := f.(inProcess); ok {
		return in.Kind, nil
	}
	switch _, form, _ := target.Split(f.String()); {
	case form == "ref:":
		return Find("ref")
	case f.Remote():
		return nil, fmt.Errorf("target %s: %w: it is one node, and a network needs as many as its plan says", f, ErrUnsupported)
	}
	return Process(f), nil
}

// moduleVersion is the version of a module that we were built with; a test binary does not know it.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path && d.Replace != nil {
				return d.Replace.Version
			} else if d.Path == path {
				return d.Version
			}
		}
	}
	return "of unknown version"
}
