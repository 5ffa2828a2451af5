package targettest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

// retryEvery is how often a check looks again at what needs time to settle, such as a table.
const retryEvery = 20 * time.Millisecond

// sideBySide is how many operations a check starts at once: as many as a case with a hundred streams might.
const sideBySide = 32

// startChecks are about starting and stopping.
var startChecks = []Check{
	{"start", "The node can be dialled where it says, as the identity of the seed.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("start"), func(_ target.Target, _ *target.Hello, s *target.Started) error {
			if err := told(ctx, s, true, func(all []string) bool { return slices.Contains(all, protocol) }); err != nil {
				return fmt.Errorf("%w: expected %s of a server", err, protocol)
			}
			return nil
		})
	}},
	{"start as client", "A client does not offer the protocol.", func(ctx context.Context, f target.Factory) error {
		p := server("client")
		p.Mode = "client"
		return started(ctx, f, p, func(_ target.Target, _ *target.Hello, s *target.Started) error {
			said, err := dial(ctx, s, false)
			if err == nil && slices.Contains(said.Protocols, protocol) {
				err = fmt.Errorf("identify tells %s: expected not, of a client", protocol)
			}
			return err
		})
	}},
	{"start with another protocol", "Swarms are kept apart by it.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, h *target.Hello) error {
			if !slices.Contains(h.Options, "protocol") {
				return fmt.Errorf("%w: option protocol", ErrNotOffered)
			}
			p := server("protocol")
			p.Protocol = "/targettest/kad/1.0.0"
			s, err := t.Start(ctx, p)
			if err != nil {
				return err
			}
			right := func(all []string) bool { return !slices.Contains(all, protocol) && slices.Contains(all, p.Protocol) }
			if err := told(ctx, s, false, right); err != nil {
				return fmt.Errorf("%w: expected %s alone of kad", err, p.Protocol)
			}
			return nil
		})
	}},
	{"start twice", "It is refused, and the node goes on.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("twice"), func(t target.Target, _ *target.Hello, s *target.Started) error {
			if err := failed(t.Call(ctx, "start", server("twice"), nil)); err != nil {
				return fmt.Errorf("second start: %w", err)
			}
			_, err := dial(ctx, s, true)
			return err
		})
	}},
	{"stop and start again", "Each case gets a fresh node from the same process.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, _ *target.Hello) error {
			var ids []string
			for _, label := range []string{"again", "again", "other"} {
				s, err := t.Start(ctx, server(label))
				if err != nil {
					return fmt.Errorf("start %d: %w", len(ids)+1, err)
				}
				if _, err := dial(ctx, s, true); err != nil {
					return fmt.Errorf("start %d: %w", len(ids)+1, err)
				}
				if err := t.Stop(ctx); err != nil {
					return fmt.Errorf("stop %d: %w", len(ids)+1, err)
				}
				if _, err := dial(ctx, s, false); err == nil {
					return fmt.Errorf("stop %d: it can still be dialled at %s", len(ids)+1, s.Addrs)
				}
				ids = append(ids, s.Peer)
			}
			if ids[0] != ids[1] || ids[0] == ids[2] {
				return fmt.Errorf("peer ids %q: expected the same of the same seed, another of another", ids)
			}
			return nil
		})
	}},
	{"an unknown parameter is refused", "A setting is never ignored in silence.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, _ *target.Hello) error {
			p := map[string]any{"seed": seedOf("unknown"), "mode": "server", "protocol": protocol, "make_coffee": true}
			if err := refused(t.Call(ctx, "start", p, nil), target.CodeBadParam, "make_coffee"); err != nil {
				return err
			}
			_, err := t.Start(ctx, server("unknown")) // the refused one must not have started
			return err
		})
	}},
	{"a parameter not honoured is refused", "Else a case would judge what never was.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, h *target.Hello) error {
			for _, o := range []struct {
				option, param string
				value         any
			}{
				{"k", "k", 7}, {"alpha", "alpha", 2}, {"beta", "beta", 2}, {"profile", "profile", "amino"},
				{"filter.public", "filter", "public"}, {"filter.none", "filter", "sideways"}, {"mode", "mode", "sideways"},
				{"namespaces.nonsense", "namespaces", []string{"nonsense"}}, {"transports.pigeon", "transports", []string{"pigeon"}},
				{"expiry.record", "expiry.record", 1000}, {"expiry.nonsense", "expiry.nonsense", 1000},
				{"k.negative", "k", -1}, {"alpha.negative", "alpha", -1}, {"beta.negative", "beta", -1}, {"expiry.negative", "expiry.record", -1000},
			} {
				if slices.Contains(h.Options, o.option) && o.value != "sideways" {
					continue
				}
				p := map[string]any{"seed": seedOf("refused"), "mode": "server", "protocol": protocol}
				if name, ok := cut(o.param); ok {
					p["expiry"] = map[string]any{name: o.value}
				} else {
					p[o.param] = o.value
				}
				if err := refused(t.Call(ctx, "start", p, nil), target.CodeBadParam, o.param); err != nil {
					return fmt.Errorf("start with %s=%v, which hello does not offer: %w", o.param, o.value, err)
				}
			}
			return refused(t.Call(ctx, "start", target.StartParams{Seed: "AAAA", Mode: "server", Protocol: protocol}, nil),
				target.CodeBadParam, "seed")
		})
	}},
	{"what hello offers is honoured", "An option that start refuses would make no case unsupported, and all of them fail.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, h *target.Hello) error {
			p := server("offered")
			has := func(option string) bool { return slices.Contains(h.Options, option) }
			if has("k") {
				p.K = 10
			}
			if has("alpha") {
				p.Alpha = 2
			}
			if has("beta") {
				p.Beta = 2
			}
			if has("namespaces.v") {
				p.Namespaces = []string{"v"}
			}
			if has("profile") {
				p.Profile = "amino"
			}
			if has("filter.none") {
				p.Filter = "none"
			}
			if has("listen") {
				p.Listen = "/ip4/127.0.0.1"
			}
			for _, transport := range []string{"tcp", "quic"} {
				if has("transports." + transport) {
					p.Transports = append(p.Transports, transport)
				}
			}
			for _, period := range []string{"record", "provider", "address", "republish", "reprovide", "refresh"} {
				if has("expiry." + period) {
					if p.Expiry == nil {
						p.Expiry = map[string]int64{}
					}
					p.Expiry[period] = 3_600_000
				}
			}
			s, err := t.Start(ctx, p)
			if err != nil {
				return err
			}
			_, err = dial(ctx, s, true)
			return err
		})
	}},
}

func cut(param string) (name string, expiry bool) {
	const prefix = "expiry."
	if len(param) > len(prefix) && param[:len(prefix)] == prefix {
		return param[len(prefix):], true
	}
	return "", false
}

// nodeChecks are about the running node.
var nodeChecks = []Check{
	{"operations before start", "They fail, and the program lives.", func(ctx context.Context, f target.Factory) error {
		return with(ctx, f, func(t target.Target, h *target.Hello) error {
			for _, op := range operations() {
				if offers(h, op.method) == nil {
					if err := failed(t.Call(ctx, op.method, op.params, nil)); err != nil {
						return fmt.Errorf("%s before start: %w", op.method, err)
					}
				}
			}
			_, err := t.Start(ctx, server("before"))
			return err
		})
	}},
	{"operations of a lonely node", "Each ends, with a result or an error of a known kind.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("lonely"), func(t target.Target, h *target.Hello, _ *target.Started) error {
			for _, op := range operations() {
				if offers(h, op.method) != nil {
					continue
				}
				err := t.Call(ctx, op.method, op.params, nil)
				if err == nil {
					continue
				}
				if err := failed(err, kinds...); err != nil {
					return fmt.Errorf("%s: %w", op.method, err)
				}
			}
			return nil
		})
	}},
	{"connect", "A case brings the target into its network.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("connect"), func(t target.Target, h *target.Hello, _ *target.Started) error {
			if err := offers(h, "connect"); err != nil {
				return err
			}
			p, err := target.NewPuppet(target.PuppetConfig{Kind: target.Serving})
			if err != nil {
				return err
			}
			defer p.Close()
			var got target.PeerResult
			if err := t.Call(ctx, "connect", target.ConnectParams{Addr: addrOf(p)}, &got); err != nil {
				return err
			}
			if got.Peer != p.ID().String() {
				return fmt.Errorf("result peer %q: expected %s", got.Peer, p.ID())
			}
			if p.Dials() == 0 {
				return errors.New("connect was answered before the connection was there")
			}
			if err := refused(t.Call(ctx, "connect", target.ConnectParams{Addr: "nonsense"}, nil), target.CodeBadParam, "addr"); err != nil {
				return fmt.Errorf("connect to nonsense: %w", err)
			}
			nobody, err := target.NewPuppet(target.PuppetConfig{Kind: target.Nobody})
			if err != nil {
				return err
			}
			defer nobody.Close()
			if err := failed(t.Call(ctx, "connect", target.ConnectParams{Addr: addrOf(nobody)}, nil)); err != nil {
				return fmt.Errorf("connect to nobody: %w", err)
			}
			return nil
		})
	}},
	{"table and lookup", "A connected server is taken in, shown and asked.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("table"), func(t target.Target, h *target.Hello, s *target.Started) error {
			if err := offers(h, "connect", "table", "get_closest_peers"); err != nil {
				return err
			}
			p, err := seated(ctx, t, h)
			if err != nil {
				return err
			}
			defer p.Close()
			var got target.ClosestResult
			key := sha256.Sum256([]byte("targettest"))
			if err := t.Call(ctx, "get_closest_peers", target.ClosestParams{Key: key[:]}, &got); err != nil {
				return fmt.Errorf("get_closest_peers: %w", err)
			}
			if !slices.ContainsFunc(got.Peers, func(a target.PeerAddrs) bool { return a.Peer == p.ID().String() }) {
				return fmt.Errorf("get_closest_peers: %v: expected %s among them", got.Peers, p.ID())
			}
			for _, heard := range p.Heard().From(0) {
				var m wire.Message
				if !heard.Dial && wire.Decode(heard.Body, &m) == nil && m.Type == wire.FindNode && string(m.Key) == string(key[:]) {
					return nil
				}
			}
			return errors.New("get_closest_peers: the only known server was never asked FIND_NODE for the key")
		})
	}},
	{"operations side by side", "Every one is answered, none with another's answer.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("side by side"), func(t target.Target, h *target.Hello, _ *target.Started) error {
			if err := offers(h, "connect", "table", "get_closest_peers"); err != nil {
				return err
			}
			p, err := seated(ctx, t, h)
			if err != nil {
				return err
			}
			defer p.Close()
			errs := make([]error, sideBySide)
			var all sync.WaitGroup
			for i := range sideBySide {
				all.Go(func() {
					key := sha256.Sum256(fmt.Append(nil, "side by side", i))
					errs[i] = t.Call(ctx, "get_closest_peers", target.ClosestParams{Key: key[:]}, new(target.ClosestResult))
				})
			}
			all.Wait()
			return errors.Join(errs...)
		})
	}},
	{"set_mode", "Cases watch the protocol come and go.", func(ctx context.Context, f target.Factory) error {
		return started(ctx, f, server("mode"), func(t target.Target, h *target.Hello, s *target.Started) error {
			if err := offers(h, "set_mode"); err != nil {
				return err
			}
			for _, mode := range []string{"client", "server"} {
				if err := t.Call(ctx, "set_mode", target.ModeParams{Mode: mode}, nil); err != nil {
					return fmt.Errorf("set_mode %s: %w", mode, err)
				}
				right := func(all []string) bool { return slices.Contains(all, protocol) == (mode == "server") }
				if err := told(ctx, s, false, right); err != nil {
					return fmt.Errorf("after set_mode %s %w", mode, err)
				}
			}
			return refused(t.Call(ctx, "set_mode", target.ModeParams{Mode: "sideways"}, nil), target.CodeBadParam, "mode")
		})
	}},
}

var kinds = []string{target.NotFound, target.Timeout, target.NoPeers, target.Invalid, target.Quorum, target.Cancelled, target.Other}

func addrOf(p *target.Puppet) string { return p.Addrs()[0].String() + "/p2p/" + p.ID().String() }

// seated makes a serving puppet and brings it into the target's table.
func seated(ctx context.Context, t target.Target, h *target.Hello) (*target.Puppet, error) {
	p, err := target.NewPuppet(target.PuppetConfig{Kind: target.Serving})
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*target.Puppet, error) { return nil, errors.Join(err, p.Close()) }
	if err := t.Call(ctx, "connect", target.ConnectParams{Addr: addrOf(p)}, nil); err != nil {
		return fail(fmt.Errorf("connect: %w", err))
	}
	if offers(h, "add_address") == nil {
		params := target.AddressParams{Peer: p.ID().String(), Addr: p.Addrs()[0].String()}
		if err := t.Call(ctx, "add_address", params, nil); err != nil {
			return fail(fmt.Errorf("add_address: %w", err))
		}
	}
	again := time.NewTicker(retryEvery)
	defer again.Stop()
	for {
		var table target.TableResult
		if err := t.Call(ctx, "table", nil, &table); err != nil {
			return fail(fmt.Errorf("table: %w", err))
		}
		if slices.Contains(table.Peers, p.ID().String()) {
			return p, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fail(fmt.Errorf("table: %v: expected %s, which is connected and serves", table.Peers, p.ID()))
		}
	}
}
