package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	mh "github.com/multiformats/go-multihash"
)

const literal = "/ipfs/kad/1.0.0"

// node is one go-libp2p-kad-dht on a host of its own; it may be started and stopped again and again.
type node struct {
	unlimited bool

	mu    sync.Mutex
	host  host.Host
	dht   *dht.IpfsDHT
	proto protocol.ID
	ctx   context.Context // ends with stop
	end   context.CancelFunc
}

// operation is a method that needs a started node.
func operation[P any](n *node, do func(context.Context, *node, P) (any, error)) method {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		p, err := read[P](raw)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		now := &node{host: n.host, dht: n.dht, proto: n.proto, ctx: n.ctx} // a view: stop may come any time
		n.mu.Unlock()
		if now.dht == nil {
			return nil, failed("other", true, errors.New("not started"))
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(now.ctx, cancel)()
		result, err := do(ctx, now, p)
		if ctx.Err() != nil {
			return nil, failed("cancelled", false, ctx.Err())
		}
		return result, kindly(err)
	}
}

// kindly gives an error of the library its kind.
func kindly(err error) error {
	var f *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, routing.ErrNotFound):
		return failed("not_found", true, err)
	case errors.Is(err, kb.ErrLookupFailure):
		return failed("no_peers", true, err)
	case errors.Is(err, context.DeadlineExceeded):
		return failed("timeout", false, err)
	}
	return failed("other", false, err)
}

type none struct{}
type info struct {
	Peer  peer.ID  `json:"peer"`
	Addrs []string `json:"addrs"`
}

func (n *node) methods() map[string]method {
	return map[string]method{
		"hello": n.hello,
		"start": n.start,
		"stop":  func(context.Context, json.RawMessage) (any, error) { return none{}, n.close() },
		"connect": operation(n, func(ctx context.Context, n *node, p struct{ Addr string }) (any, error) {
			to, err := peer.AddrInfoFromString(p.Addr)
			if err != nil {
				return nil, badParam("addr", "%v", err)
			}
			return map[string]peer.ID{"peer": to.ID}, n.host.Connect(ctx, *to)
		}),
		"add_address": operation(n, func(_ context.Context, n *node, p struct {
			Peer peer.ID
			Addr string
		}) (any, error) {
			addr, err := ma.NewMultiaddr(p.Addr)
			if err != nil {
				return nil, badParam("addr", "%v", err)
			}
			n.host.Peerstore().AddAddr(p.Peer, addr, peerstore.PermanentAddrTTL)
			if _, err := n.dht.RoutingTable().TryAddPeer(p.Peer, true, true); err != nil {
				return map[string]string{"update": "failed"}, nil // a full bucket, or a diversity filter
			}
			return map[string]string{"update": "success"}, nil
		}),
		"remove_peer": operation(n, func(_ context.Context, n *node, p struct{ Peer peer.ID }) (any, error) {
			had := n.dht.RoutingTable().Find(p.Peer) != ""
			n.dht.RoutingTable().RemovePeer(p.Peer)
			return map[string]bool{"removed": had}, nil
		}),
		"bootstrap": operation(n, func(ctx context.Context, n *node, _ none) (any, error) {
			select {
			case err := <-n.dht.ForceRefresh(): // a plain refresh would skip what was refreshed lately
				return none{}, err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}),
		"table": operation(n, func(_ context.Context, n *node, _ none) (any, error) {
			return map[string][]peer.ID{"peers": append([]peer.ID{}, n.dht.RoutingTable().ListPeers()...)}, nil
		}),
		"get_closest_peers": operation(n, func(ctx context.Context, n *node, p struct{ Key key }) (any, error) {
			ids, err := n.dht.GetClosestPeers(ctx, string(p.Key))
			peers := []info{}
			for _, id := range ids {
				peers = append(peers, infoOf(n.host.Peerstore().PeerInfo(id)))
			}
			return map[string]any{"peers": peers}, err
		}),
		"find_peer": operation(n, func(ctx context.Context, n *node, p struct{ Peer peer.ID }) (any, error) {
			found, err := n.dht.FindPeer(ctx, p.Peer)
			return infoOf(found), err
		}),
		"put_record": operation(n, func(ctx context.Context, n *node, p struct{ Key, Value key }) (any, error) {
			if err := n.dht.Validator.Validate(string(p.Key), p.Value); err != nil {
				return nil, failed("invalid", true, err)
			}
			// PutValue does not tell who took it.
			return map[string]any{"stored": nil}, n.dht.PutValue(ctx, string(p.Key), p.Value)
		}),
		"get_record": operation(n, func(ctx context.Context, n *node, p struct {
			Key    key
			Quorum int
		}) (any, error) {
			if p.Quorum < 0 {
				return nil, badParam("quorum", "%d: expected 0 or more", p.Quorum)
			}
			v, err := n.dht.GetValue(ctx, string(p.Key), dht.Quorum(p.Quorum)) // 0: until the lookup ends
			return map[string]any{"value": key(v), "records": nil}, err
		}),
		"start_providing": operation(n, func(ctx context.Context, n *node, p struct{ Key key }) (any, error) {
			c, err := contentID(p.Key)
			if err != nil {
				return nil, err
			}
			return map[string]any{"announced": nil}, n.dht.Provide(ctx, c, true)
		}),
		"get_providers": operation(n, func(ctx context.Context, n *node, p struct {
			Key   key
			Limit int
		}) (any, error) {
			c, err := contentID(p.Key)
			if err != nil {
				return nil, err
			}
			if p.Limit < 0 {
				return nil, badParam("limit", "%d: expected 0 or more", p.Limit)
			}
			found := []info{}
			for p := range n.dht.FindProvidersAsync(ctx, c, p.Limit) { // 0: all
				found = append(found, infoOf(p))
			}
			return map[string]any{"providers": found}, nil
		}),
		"set_mode": operation(n, setMode),
	}
}

// setMode tells the DHT what autonat would: there is no call for it. It returns when the protocol came or went.
func setMode(ctx context.Context, n *node, p struct{ Mode string }) (any, error) {
	reach, ok := map[string]network.Reachability{"server": network.ReachabilityPublic, "client": network.ReachabilityPrivate}[p.Mode]
	if !ok {
		return nil, badParam("mode", "%q: expected server or client", p.Mode)
	}
	e, err := n.host.EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if err := e.Emit(event.EvtLocalReachabilityChanged{Reachability: reach}); err != nil {
		return nil, err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for slices.Contains(n.host.Mux().Protocols(), n.proto) != (p.Mode == "server") {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return none{}, nil
}

func (n *node) hello(_ context.Context, raw json.RawMessage) (any, error) {
	p, err := read[struct{ Version int }](raw)
	if err == nil && p.Version != 1 {
		err = badParam("version", "%d: this adapter speaks 1", p.Version)
	}
	methods := []string{"cancel"}
	for name := range n.methods() {
		methods = append(methods, name)
	}
	slices.Sort(methods)
	return map[string]any{
		"name": name, "version": version(library), "language": "go",
		"protocols": []string{literal}, "methods": methods,
		"options": []string{"protocol", "k", "alpha", "beta", "listen", "transports.tcp", "transports.quic", "namespaces.pk", "namespaces.ipns", "namespaces.v",
			"filter.none", "filter.public", "background", "expiry.record", "expiry.provider", "expiry.address", "expiry.refresh",
			"get_record.quorum", "get_providers.limit"},
	}, err
}

// close ends the node; the process stays.
func (n *node) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dht == nil {
		return nil
	}
	n.end()
	err := errors.Join(n.dht.Close(), n.host.Close())
	n.dht, n.host = nil, nil
	return err
}

// key is bytes, in JSON unpadded base64url.
type key []byte

func (k *key) UnmarshalText(b []byte) (err error) {
	if *k, err = base64.RawURLEncoding.DecodeString(string(b)); err != nil {
		return fmt.Errorf("%.60q: expected unpadded base64url", b)
	}
	return nil
}

func (k key) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(k)), nil
}

// contentID wraps the multihash of a provider operation, as this library wants it.
func contentID(k key) (cid.Cid, error) {
	hash, err := mh.Cast(k)
	if err != nil {
		return cid.Undef, badParam("key", "expected a multihash: %v", err)
	}
	return cid.NewCidV1(cid.Raw, hash), nil
}

func infoOf(p peer.AddrInfo) info {
	addrs := []string{}
	for _, a := range p.Addrs {
		addrs = append(addrs, fmt.Sprint(a))
	}
	return info{p.ID, addrs}
}
