package targettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

// shortLife is the lifetime of a provider record in a check: what tests scale 48 h down to, about.
const shortLife = 2 * time.Second

// testKey is a record of the namespace v.
var testKey, testValue = target.Bytes("/v/targettest/network"), target.Bytes("ok value")

// networkChecks are about operations in a network of one puppet.
var networkChecks = []Check{
	{"records", "What a client gives out, and gets back.", func(ctx context.Context, f target.Factory) error {
		p := server("records")
		p.Namespaces = []string{"v"}
		return inNetwork(ctx, f, p, []string{"put_record", "get_record"}, func(n *network) error {
			if err := n.t.Call(ctx, "put_record", target.PutParams{Key: testKey, Value: testValue}, new(target.PutResult)); err != nil {
				return fmt.Errorf("put_record: %w", err)
			}
			if !n.heard(wire.PutValue, testKey) {
				return errors.New("put_record: the only known server never got PUT_VALUE")
			}
			for _, quorum := range []int{0, 1} {
				if quorum > 0 && !slices.Contains(n.h.Options, "get_record.quorum") {
					continue
				}
				var got target.GetResult
				if err := n.t.Call(ctx, "get_record", target.GetParams{Key: testKey, Quorum: quorum}, &got); err != nil {
					return fmt.Errorf("get_record with quorum %d: %w", quorum, err)
				}
				if string(got.Value) != string(testValue) {
					return fmt.Errorf("get_record with quorum %d: value %q: expected %q", quorum, got.Value, testValue)
				}
			}
			if err := failed(n.t.Call(ctx, "get_record", target.GetParams{Key: append(testKey, '2')}, nil), target.NotFound); err != nil {
				return fmt.Errorf("get_record of what nobody has: %w", err)
			}
			return nil
		})
	}},
	{"providers", "An announcement reaches the network.", func(ctx context.Context, f target.Factory) error {
		return inNetwork(ctx, f, server("providers"), []string{"start_providing", "get_providers"}, func(n *network) error {
			key := hashKey("providers")
			if err := n.t.Call(ctx, "start_providing", target.KeyParams{Key: key}, new(target.AnnouncedResult)); err != nil {
				return fmt.Errorf("start_providing: %w", err)
			}
			if !n.until(ctx, func() bool { return n.heard(wire.AddProvider, key) }) {
				return errors.New("start_providing: the only known server never got ADD_PROVIDER")
			}
			for _, limit := range []int{0, 1} {
				if limit > 0 && !slices.Contains(n.h.Options, "get_providers.limit") {
					continue
				}
				var got target.ProvidersResult
				if err := n.t.Call(ctx, "get_providers", target.ProvidersParams{Key: key, Limit: limit}, &got); err != nil {
					return fmt.Errorf("get_providers with limit %d: %w", limit, err)
				}
				if got.Providers == nil {
					return errors.New("get_providers: null providers: expected a list, empty if there are none")
				}
				if limit > 0 && len(got.Providers) > limit {
					return fmt.Errorf("get_providers with limit %d: %d providers", limit, len(got.Providers))
				}
			}
			return nil
		})
	}},
	{"find_peer and bootstrap", "Whom the table holds is found, and asked.", func(ctx context.Context, f target.Factory) error {
		return inNetwork(ctx, f, server("find"), nil, func(n *network) error {
			if offers(n.h, "find_peer") == nil {
				var found target.FoundResult
				if err := n.t.Call(ctx, "find_peer", target.PeerParams{Peer: n.p.ID().String()}, &found); err != nil {
					return fmt.Errorf("find_peer: %w", err)
				}
				if found.Peer != n.p.ID().String() || len(found.Addrs) == 0 {
					return fmt.Errorf("find_peer: %v: expected %s with its address", found.PeerAddrs, n.p.ID())
				}
			}
			if offers(n.h, "bootstrap") == nil {
				if err := n.t.Call(ctx, "bootstrap", nil, nil); err != nil {
					return fmt.Errorf("bootstrap: %w", err)
				}
				if !n.heard(wire.FindNode, nil) {
					return errors.New("bootstrap: the only known server was never asked FIND_NODE")
				}
			}
			return nil
		})
	}},
	{"remove_peer", "Cases take peers away.", func(ctx context.Context, f target.Factory) error {
		return inNetwork(ctx, f, server("change"), nil, func(n *network) error {
			id := n.p.ID().String()
			if err := offers(n.h, "remove_peer"); err != nil {
				return err
			}
			// An implementation may take a connected server in again at once, so the table is not looked at.
			for peer, there := range map[string]bool{id: true, strangerID(): false} {
				var r target.RemovedResult
				if err := n.t.Call(ctx, "remove_peer", target.PeerParams{Peer: peer}, &r); err != nil {
					return fmt.Errorf("remove_peer: %w", err)
				}
				if r.Removed != nil && *r.Removed != there {
					return fmt.Errorf("remove_peer %s: removed %v: expected %v", peer, *r.Removed, there)
				}
			}
			return nil
		})
	}},
	{"a provider expires", "Tests shorten the two days of a record to seconds.", func(ctx context.Context, f target.Factory) error {
		p := server("expiry")
		p.Expiry = map[string]int64{"provider": shortLife.Milliseconds()}
		return inNetwork(ctx, f, p, []string{"(expiry.provider)"}, func(n *network) error {
			key := hashKey("expiry")
			add := &wire.Message{Type: wire.AddProvider, Key: key, ProviderPeers: []wire.Peer{
				{ID: []byte(n.p.ID()), Addrs: wire.MakeAddrs(n.p.Addrs()[0].Bytes())},
			}}
			if _, err := askOne(ctx, n.p, n.s, add, false); err != nil {
				return fmt.Errorf("ADD_PROVIDER: %w", err)
			}
			// Somebody else asks: an implementation may leave the asker out of what it lists.
			asker, err := target.NewPuppet(target.PuppetConfig{})
			if err != nil {
				return err
			}
			defer asker.Close()
			info, err := n.s.Info()
			if err != nil {
				return err
			}
			if err := asker.Connect(ctx, info); err != nil {
				return err
			}
			listed := func() bool {
				m, err := askOne(ctx, asker, n.s, &wire.Message{Type: wire.GetProviders, Key: key}, true)
				return err == nil && len(m.ProviderPeers) > 0
			}
			if !n.until(ctx, listed) {
				return errors.New("the provider was never listed")
			}
			if !n.until(ctx, func() bool { return !listed() }) {
				return fmt.Errorf("with expiry.provider %v the provider is listed for ever", shortLife)
			}
			return nil
		})
	}},
}

// network is a started target whose table holds one puppet.
type network struct {
	t target.Target
	h *target.Hello
	s *target.Started
	p *target.Puppet
}

// inNetwork makes a network for the length of use. Methods are those that use needs; one in brackets is an option. What start names and
// hello does not offer is left out.
func inNetwork(ctx context.Context, f target.Factory, params target.StartParams, methods []string, use func(n *network) error) error {
	return with(ctx, f, func(t target.Target, h *target.Hello) error {
		for _, m := range append([]string{"connect", "table"}, methods...) {
			if m[0] != '(' {
				if err := offers(h, m); err != nil {
					return err
				}
			} else if option := m[1 : len(m)-1]; !slices.Contains(h.Options, option) {
				return fmt.Errorf("%w: option %s", ErrNotOffered, option)
			}
		}
		if len(params.Namespaces) > 0 && !slices.Contains(h.Options, "namespaces.v") {
			return fmt.Errorf("%w: option namespaces.v", ErrNotOffered)
		}
		s, err := t.Start(ctx, params)
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		p, err := seated(ctx, t, h)
		if err != nil {
			return err
		}
		defer p.Close()
		return use(&network{t, h, s, p})
	})
}

// heard says whether the puppet has got a message of this type, about key unless that is nil.
func (n *network) heard(kind wire.Type, key []byte) bool {
	for _, h := range n.p.Heard().From(0) {
		var m wire.Message
		if !h.Dial && wire.Decode(h.Body, &m) == nil && m.Type == kind && (key == nil || string(m.Key) == string(key)) {
			return true
		}
	}
	return false
}

// until asks again and again until right holds or the check's time is over.
func (n *network) until(ctx context.Context, right func() bool) bool {
	again := time.NewTicker(retryEvery)
	defer again.Stop()
	for !right() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
