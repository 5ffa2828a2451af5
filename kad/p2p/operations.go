package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// Every operation that asks other peers takes a context: when it ends, the operation returns at once with the context's
// error, and its query is finished. Beside ErrTimeout, ErrNotFound and ErrQuorum the result holds what was reached.

// ClosestPeers is the result of GetClosestPeers.
type ClosestPeers struct {
	Peers []peer.AddrInfo // nearest first
	Stats Stats
}

// FoundPeer is the result of FindPeer.
type FoundPeer struct {
	Peer  peer.AddrInfo
	Stats Stats
}

// Record is a value to be stored under a key, "/namespace/...".
type Record struct {
	Key, Value []byte
	Lifetime   time.Duration // 0: as the configuration says
}

// PutResult is the result of PutRecord.
type PutResult struct {
	Stored []peer.ID // who acknowledged it
	Stats  Stats
}

// PeerRecord is a value and who had it: this node itself, or a peer.
type PeerRecord struct {
	Peer  peer.ID
	Value []byte
}

// GetResult is the result of GetRecord: the best value, and all valid ones in the order of their arrival.
type GetResult struct {
	Value   []byte
	Records []PeerRecord
	Stats   Stats
}

// ProvideResult is the result of StartProviding.
type ProvideResult struct {
	Announced []peer.ID
	Stats     Stats
}

// ProvidersResult is the result of GetProviders.
type ProvidersResult struct {
	Providers []peer.AddrInfo
	Stats     Stats
}

// Bootstrap refreshes the routing table: a lookup of this node's own id, then one in each farther bucket. It returns
// when the last has ended; ErrNoPeers if the table is empty.
func (n *Node) Bootstrap(ctx context.Context) error {
	q, err := n.start(ctx, kad.Input{Kind: kad.OpBootstrap}, nil)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	if _, err := q.each(ctx, nil); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// GetClosestPeers finds the count peers nearest to SHA-256 of the key, at most k; 0 is k. The key of a peer is its binary
// id.
func (n *Node) GetClosestPeers(ctx context.Context, key []byte, count int) (ClosestPeers, error) {
	if len(key) == 0 || count < 0 {
		return ClosestPeers{}, fmt.Errorf("get closest peers: %w: a key of %d bytes, %d peers", ErrInvalid, len(key), count)
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetClosestPeers, Key: key, N: count}, nil)
	if err != nil {
		return ClosestPeers{}, fmt.Errorf("get closest peers: %w", err)
	}
	last, err := q.each(ctx, nil)
	res := ClosestPeers{Peers: addrInfos(last.Peers), Stats: statsOf(last.Stats)}
	if err != nil {
		return res, fmt.Errorf("get closest peers: %w", err)
	}
	return res, nil
}

// FindPeer finds the addresses of a peer: its own, or those of one that is connected, from the host's peerstore, else by
// a lookup of its id, which ends with the first reply that names it.
func (n *Node) FindPeer(ctx context.Context, id peer.ID) (FoundPeer, error) {
	if !validID([]byte(id)) {
		return FoundPeer{}, fmt.Errorf("find peer: %w: peer id %x", ErrInvalid, string(id))
	}
	switch h := n.Host(); {
	case h == nil:
		return FoundPeer{}, fmt.Errorf("find peer: %w", ErrClosed)
	case id == n.id:
		return FoundPeer{Peer: *host.InfoFromHost(h)}, nil
	case h.Network().Connectedness(id) == network.Connected:
		return FoundPeer{Peer: h.Peerstore().PeerInfo(id)}, nil
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte(id)}, []byte(id))
	if err != nil {
		return FoundPeer{}, fmt.Errorf("find peer: %w", err)
	}
	last, err := q.each(ctx, nil)
	switch {
	case errors.Is(err, errFound):
		last = q.finish()
		return FoundPeer{Peer: addrInfo(*q.found), Stats: statsOf(last.Stats)}, nil
	case err != nil && !errors.Is(err, ErrTimeout):
		return FoundPeer{}, fmt.Errorf("find peer: %w", err)
	}
	res := FoundPeer{Stats: statsOf(last.Stats)}
	for _, p := range last.Peers {
		if string(p.ID) == string(id) {
			res.Peer = addrInfo(p)
			return res, nil
		}
	}
	if err == nil {
		err = ErrNotFound
	}
	return res, fmt.Errorf("find peer: %w", err)
}

// PutRecord stores a record at the k peers nearest to its key, or at the given ones, and locally. It is validated first:
// ErrInvalid, ErrNamespace. One that no message within Limits.SendBytes could carry is refused with ErrTooLarge.
func (n *Node) PutRecord(ctx context.Context, r Record, quorum kad.Quorum, to ...peer.ID) (PutResult, error) {
	now := n.clock.now()
	rec := kad.Record{Key: r.Key, Value: r.Value, Publisher: []byte(n.id)}
	if r.Lifetime > 0 {
		rec.Expires = now + kad.Time(r.Lifetime)
	}
	valid, err := kad.Validate(n.records, rec, now)
	if err != nil {
		return PutResult{}, fmt.Errorf("put record: %w", operationError(err))
	}
	// With the longest ttl, since the one it will be sent with is the core's choice.
	m := wire.Message{Key: r.Key, HasRecord: true,
		Record: wire.Record{Key: r.Key, Value: r.Value, Publisher: []byte(n.id), TTL: 1<<32 - 1}}
	if size := wire.Size(&m); size > n.limits.SendBytes {
		return PutResult{}, fmt.Errorf("put record: %w: %d bytes, at most %d", ErrTooLarge, size, n.limits.SendBytes)
	}
	in := kad.Input{Kind: kad.OpPutRecord, Key: r.Key, Valid: valid, Quorum: quorum}
	if len(to) > 0 {
		in.Kind = kad.OpPutRecordTo
		for _, p := range to {
			info := kad.PeerInfo{ID: []byte(p)}
			if h := n.Host(); h != nil {
				info.Addrs = appendAddrs(nil, h.Peerstore().Addrs(p), n.servedAddr)
			}
			in.Closer = append(in.Closer, info)
		}
	}
	q, err := n.start(ctx, in, nil)
	if err != nil {
		return PutResult{}, fmt.Errorf("put record: %w", err)
	}
	last, err := q.each(ctx, nil)
	res := PutResult{Stored: peerIDs(last.Peers), Stats: statsOf(last.Stats)}
	if err != nil {
		return res, fmt.Errorf("put record: %w", err)
	}
	return res, nil
}

// GetRecord looks for the values of a key, this node's own among them, and chooses the best by its validator. With a
// quorum above 0 it ends as soon as so many peers have given the best value so far; else when the k nearest have been
// asked.
func (n *Node) GetRecord(ctx context.Context, key []byte, quorum int) (GetResult, error) {
	if _, _, err := SplitKey(key); err != nil {
		return GetResult{}, fmt.Errorf("get record: %w", err)
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetRecord, Key: key}, nil)
	if err != nil {
		return GetResult{}, fmt.Errorf("get record: %w", err)
	}
	var res GetResult
	var best []byte // rank of res.Value
	last, err := q.each(ctx, func(ev *kad.Event) bool {
		if !ev.Found || ev.Step.Last {
			return false
		}
		from := peer.ID(ev.Peer.ID)
		if from == "" {
			from = n.id
		}
		value := ev.Record.Value
		res.Records = append(res.Records, PeerRecord{Peer: from, Value: value})
		rank, err := n.records.Validate(key, value, n.clock.now())
		if err != nil { // it expired on the way
			return false
		}
		if res.Value == nil || bytes.Compare(rank, best) > 0 {
			res.Value, best = value, rank
		}
		agree := 0
		for _, r := range res.Records {
			if bytes.Equal(r.Value, res.Value) {
				agree++
			}
		}
		return quorum > 0 && agree >= quorum
	})
	res.Stats = statsOf(last.Stats)
	if err == nil && res.Value == nil {
		err = ErrNotFound
	}
	if err != nil {
		return res, fmt.Errorf("get record: %w", err)
	}
	return res, nil
}

// RemoveRecord forgets a record of this node's own, locally; other peers keep it until it expires.
func (n *Node) RemoveRecord(key []byte) error {
	if err := n.do(kad.Input{Kind: kad.OpRemoveRecord, Key: key}, nil); err != nil {
		return fmt.Errorf("remove record: %w", operationError(err))
	}
	return nil
}

// StartProviding announces this node as a provider of the key, a multihash, to the k nearest peers, and again at
// intervals until StopProviding.
func (n *Node) StartProviding(ctx context.Context, key []byte) (ProvideResult, error) {
	q, err := n.start(ctx, kad.Input{Kind: kad.OpStartProviding, Key: key}, nil)
	if err != nil {
		return ProvideResult{}, fmt.Errorf("start providing: %w", err)
	}
	last, err := q.each(ctx, nil)
	res := ProvideResult{Announced: peerIDs(last.Peers), Stats: statsOf(last.Stats)}
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

// GetProviders finds providers of a key, a multihash; with a limit above 0 it ends when so many are known.
func (n *Node) GetProviders(ctx context.Context, key []byte, limit int) (ProvidersResult, error) {
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetProviders, Key: key}, nil)
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
				res.Providers = append(res.Providers, addrInfo(p))
			case known && len(res.Providers[i].Addrs) == 0:
				res.Providers[i] = addrInfo(p) // another peer knew where it is
			}
		}
		return limit > 0 && len(res.Providers) >= limit
	})
	res.Stats = statsOf(last.Stats)
	if err != nil {
		return res, fmt.Errorf("get providers: %w", err)
	}
	return res, nil
}
