package target

import (
	"context"
	"encoding/json"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

type refMethod func(ctx context.Context, n *p2p.Node, raw json.RawMessage) (any, error)

// method reads the parameters before it calls.
func method[P any](call func(ctx context.Context, n *p2p.Node, p P) (any, error)) refMethod {
	return func(ctx context.Context, n *p2p.Node, raw json.RawMessage) (any, error) {
		var p P
		if err := Params(raw, &p); err != nil {
			return nil, err
		}
		return call(ctx, n, p)
	}
}

// refMethods are those which need a started node; hello, start, stop and cancel are elsewhere.
var refMethods = map[string]refMethod{
	"connect": method(func(ctx context.Context, n *p2p.Node, p ConnectParams) (any, error) {
		info, err := peer.AddrInfoFromString(p.Addr)
		if err != nil {
			return nil, BadParam("addr", err.Error())
		}
		return PeerResult{Peer: info.ID.String()}, n.Connect(ctx, *info)
	}),
	"add_address": method(func(_ context.Context, n *p2p.Node, p AddressParams) (any, error) {
		id, addr, err := p.parse()
		if err != nil {
			return nil, err
		}
		update, err := n.AddAddress(id, addr)
		text := map[kad.RoutingUpdate]string{kad.UpdateSuccess: "success", kad.UpdatePending: "pending", kad.UpdateFailed: "failed"}[update]
		return UpdateResult{Update: &text}, err
	}),
	"remove_address": method(func(_ context.Context, n *p2p.Node, p AddressParams) (any, error) {
		id, addr, err := p.parse()
		if err != nil {
			return nil, err
		}
		gone, err := n.RemoveAddress(id, addr)
		removed := gone != nil
		return RemovedResult{Removed: &removed}, err
	}),
	"remove_peer": method(func(_ context.Context, n *p2p.Node, p PeerParams) (any, error) {
		id, err := parsePeer("peer", p.Peer)
		if err != nil {
			return nil, err
		}
		gone, err := n.RemovePeer(id)
		removed := gone != nil
		return RemovedResult{Removed: &removed}, err
	}),
	"bootstrap": method(func(ctx context.Context, n *p2p.Node, _ struct{}) (any, error) {
		return struct{}{}, n.Bootstrap(ctx)
	}),
	"table": method(func(_ context.Context, n *p2p.Node, _ struct{}) (any, error) {
		return TableResult{Peers: texts(n.Table())}, nil
	}),
	"get_closest_peers": method(func(ctx context.Context, n *p2p.Node, p ClosestParams) (any, error) {
		r, err := n.GetClosestPeers(ctx, p.Key, p.N)
		return ClosestResult{Peers: peerAddrs(r.Peers), Stats: refStats(r.Stats)}, err
	}),
	"find_peer": method(func(ctx context.Context, n *p2p.Node, p PeerParams) (any, error) {
		id, err := parsePeer("peer", p.Peer)
		if err != nil {
			return nil, err
		}
		r, err := n.LookupPeer(ctx, id)
		return FoundResult{PeerAddrs: PeerAddrs{Peer: id.String(), Addrs: texts(r.Peer.Addrs)}, Stats: refStats(r.Stats)}, err
	}),
	"put_record": method(func(ctx context.Context, n *p2p.Node, p PutParams) (any, error) {
		var to []peer.ID
		for _, text := range p.To {
			id, err := parsePeer("to", text)
			if err != nil {
				return nil, err
			}
			to = append(to, id)
		}
		rec, quorum := p2p.Record{Key: p.Key, Value: p.Value, Lifetime: time.Duration(p.ExpiresIn) * time.Millisecond}, kad.Quorum(p.Quorum)
		var r p2p.PutResult
		var err error
		if len(to) > 0 {
			r, err = n.PutRecordTo(ctx, rec, to, quorum)
		} else {
			r, err = n.PutRecord(ctx, rec, quorum)
		}
		return PutResult{Stored: texts(r.Stored), Stats: refStats(r.Stats)}, err
	}),
	"get_record": method(func(ctx context.Context, n *p2p.Node, p GetParams) (any, error) {
		r, err := n.GetRecord(ctx, p.Key, p.Quorum)
		out := GetResult{Value: r.Value, Records: []PeerValue{}, Stats: refStats(r.Stats)}
		for _, rec := range r.Records {
			from := rec.Peer.String()
			v := PeerValue{Peer: &from, Value: rec.Value}
			if rec.Peer == n.ID() {
				v.Peer = nil
			}
			out.Records = append(out.Records, v)
		}
		return out, err
	}),
	"remove_record": method(func(_ context.Context, n *p2p.Node, p KeyParams) (any, error) {
		return struct{}{}, n.RemoveRecord(p.Key)
	}),
	"start_providing": method(func(ctx context.Context, n *p2p.Node, p KeyParams) (any, error) {
		if err := isMultihash(p.Key); err != nil {
			return nil, err
		}
		r, err := n.StartProviding(ctx, p.Key)
		return AnnouncedResult{Announced: texts(r.Announced), Stats: refStats(r.Stats)}, err
	}),
	"stop_providing": method(func(_ context.Context, n *p2p.Node, p KeyParams) (any, error) {
		return struct{}{}, n.StopProviding(p.Key)
	}),
	"get_providers": method(func(ctx context.Context, n *p2p.Node, p ProvidersParams) (any, error) {
		if err := isMultihash(p.Key); err != nil {
			return nil, err
		}
		r, err := n.GetProviders(ctx, p.Key, p.Limit)
		return ProvidersResult{Providers: peerAddrs(r.Providers), Stats: refStats(r.Stats)}, err
	}),
	"set_mode": method(func(_ context.Context, n *p2p.Node, p ModeParams) (any, error) {
		mode, err := refMode(p.Mode)
		if err != nil {
			return nil, err
		}
		return struct{}{}, n.SetMode(mode)
	}),
	"advance_clock": method(func(ctx context.Context, n *p2p.Node, p ClockParams) (any, error) {
		if p.By < 0 {
			return nil, BadParam("by", "expected a time that is not negative")
		}
		return struct{}{}, advance(ctx, n, time.Duration(p.By)*time.Millisecond)
	}),
}

func parsePeer(param, text string) (peer.ID, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return "", BadParam(param, err.Error())
	}
	return id, nil
}

func (p AddressParams) parse() (peer.ID, ma.Multiaddr, error) {
	id, err := parsePeer("peer", p.Peer)
	if err != nil {
		return "", nil, err
	}
	addr, err := ma.NewMultiaddr(p.Addr)
	if err != nil {
		return "", nil, BadParam("addr", err.Error())
	}
	return id, addr, nil
}

func isMultihash(key []byte) error {
	if _, err := multihash.Cast(key); err != nil {
		return BadParam("key", "expected a multihash: "+err.Error())
	}
	return nil
}

func refStats(s p2p.Stats) *Stats {
	count := func(n uint32) *int64 { v := int64(n); return &v }
	ms := s.Duration.Milliseconds()
	return &Stats{Requests: count(s.Requests), Successes: count(s.Successes), Failures: count(s.Failures), Hops: count(s.Hops), Duration: &ms}
}
