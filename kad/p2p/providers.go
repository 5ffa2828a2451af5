package p2p

import (
	"context"
	"fmt"
	"iter"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
)

// ProvideResult is the result of StartProviding.
type ProvideResult struct {
	Announced []peer.ID // who has been told
	Stats     Stats
}

// ProvidersResult is the result of GetProviders.
type ProvidersResult struct {
	Providers []peer.AddrInfo // each once, in the order of their arrival; without addresses if nobody named any
	Closest   []peer.AddrInfo // the peers nearest to the key, nearest first
	Stats     Stats
}

// StartProviding announces this node as a provider of the key, a multihash, to the k nearest peers, and again at
// intervals until StopProviding.
func (n *Node) StartProviding(ctx context.Context, key []byte) (ProvideResult, error) {
	q, err := n.start(ctx, kad.Input{Kind: kad.OpStartProviding, Key: key}, nil)
	if err != nil {
		return ProvideResult{}, fmt.Errorf("start providing: %w", err)
	}
	last, err := q.each(ctx, nil)
	res := ProvideResult{Announced: peerIDs(last.Peers), Stats: n.statsOf(last.Stats)}
	if err != nil {
		return res, fmt.Errorf("start providing: %w", err)
	}
	return res, nil
}

// StopProviding ends the announcements. It is local: others name this node until their records expire.
func (n *Node) StopProviding(key []byte) error {
	if err := n.do(kad.Input{Kind: kad.OpStopProviding, Key: key}, nil); err != nil {
		return fmt.Errorf("stop providing: %w", operationError(err))
	}
	return nil
}

// GetProviders finds providers of a key, a multihash; with a limit above 0 it ends when so many are known. Those that this
// node itself knows of come first, and if they are enough nobody is asked.
func (n *Node) GetProviders(ctx context.Context, key []byte, limit int) (ProvidersResult, error) {
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetProviders, Key: key, N: max(limit, 0)}, nil)
	if err != nil {
		return ProvidersResult{}, fmt.Errorf("get providers: %w", err)
	}
	var res ProvidersResult
	at := make(map[string]int) // index in res.Providers
	last, err := q.each(ctx, func(ev *kad.Event) bool {
		for _, p := range ev.Providers {
			i, known := at[string(p.ID)]
			switch {
			case !known && (limit <= 0 || len(res.Providers) < limit):
				at[string(p.ID)] = len(res.Providers)
				res.Providers = append(res.Providers, n.give(p))
			case known && len(res.Providers[i].Addrs) == 0:
				res.Providers[i] = n.give(p) // another peer knew where it is
			}
		}
		return limit > 0 && len(res.Providers) >= limit
	})
	res.Closest, res.Stats = addrInfos(last.Peers), n.statsOf(last.Stats)
	if err != nil {
		return res, fmt.Errorf("get providers: %w", err)
	}
	return res, nil
}

// StreamProviders finds providers of a key, a multihash, as GetProviders does and yields each peer once, when it is first
// named, whether addresses come with it or not. To stop ranging ends the search. What went wrong is yielded last:
// ErrTimeout, the context's error.
func (n *Node) StreamProviders(ctx context.Context, key []byte) iter.Seq2[peer.AddrInfo, error] {
	return n.streamProviders(ctx, key, 0)
}

// streamProviders asks nobody if this node itself knows of as many as the limit says; 0: it asks. It does not count what it
// yields: who has enough stops ranging.
func (n *Node) streamProviders(ctx context.Context, key []byte, limit int) iter.Seq2[peer.AddrInfo, error] {
	return func(yield func(peer.AddrInfo, error) bool) {
		q, err := n.start(ctx, kad.Input{Kind: kad.OpGetProviders, Key: key, N: limit}, nil)
		if err != nil {
			yield(peer.AddrInfo{}, fmt.Errorf("get providers: %w", err))
			return
		}
		more, seen := true, make(map[peer.ID]bool)
		_, err = q.each(ctx, func(ev *kad.Event) bool {
			for _, p := range ev.Providers {
				info := n.give(p) // of one that was named before, too: addresses may have come only now
				if more && !seen[info.ID] {
					seen[info.ID] = true
					more = yield(info, nil)
				}
			}
			return !more
		})
		if err != nil && more {
			yield(peer.AddrInfo{}, fmt.Errorf("get providers: %w", err))
		}
	}
}
