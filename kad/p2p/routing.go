package p2p

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/kadbench/kadbench/kad"
)

// What go-libp2p knows of a router, under its own names. A program that was written for routing.Routing, such as one with
// go-libp2p-kad-dht, takes a Node in its place. Bootstrap is the operation of that name.
var (
	_ routing.Routing          = (*Node)(nil)
	_ routing.ContentProviding = (*Node)(nil)
	_ routing.PubKeyFetcher    = (*Node)(nil)
)

// Quorum is an option for PutValue, GetValue and SearchValue. A put fails with ErrQuorum unless so many peers acknowledge
// it (default 1); a search ends when so many have answered with a value (default 0: when the k nearest have been asked).
// That of go-libp2p-kad-dht is understood as well.
func Quorum(count int) routing.Option {
	return func(o *routing.Options) error {
		if count < 0 {
			return fmt.Errorf("%w: a quorum of %d peers", ErrInvalid, count)
		}
		if o.Other == nil {
			o.Other = make(map[any]any)
		}
		o.Other[quorumKey{}] = count
		return nil
	}
}

type quorumKey struct{}

// foreignQuorum is where go-libp2p-kad-dht puts the quorum among routing.Options: under a type of an internal package,
// which can be told by its name and in no other way.
const foreignQuorum = "github.com/libp2p/go-libp2p-kad-dht/internal/config.QuorumOptionKey"

// valueOptions are routing.Options as this package understands them.
type valueOptions struct {
	expired, offline bool
	quorum           int
}

func (n *Node) valueOptions(key string, options []routing.Option) (valueOptions, error) {
	var all routing.Options
	if err := all.Apply(options...); err != nil {
		return valueOptions{}, err
	}
	o := valueOptions{expired: all.Expired, offline: all.Offline}
	for k, v := range all.Other {
		t := reflect.TypeOf(k)
		if count, ok := v.(int); ok && (k == quorumKey{} || t.PkgPath()+"."+t.Name() == foreignQuorum) {
			o.quorum = count
		}
	}
	namespace, _, err := SplitKey([]byte(key))
	if err == nil && n.records[namespace] == nil {
		err = fmt.Errorf("%w: %.40q", ErrNamespace, namespace)
	}
	return o, err
}

// PutValue stores a value under a key, "/namespace/...", as PutRecord does; with routing.Offline in this node's store only.
// Where there is nobody to ask, the error is ErrNoPeers and ErrQuorum.
func (n *Node) PutValue(ctx context.Context, key string, value []byte, options ...routing.Option) error {
	o, err := n.valueOptions(key, options)
	switch {
	case err != nil:
	case o.offline:
		if err = ctx.Err(); err == nil {
			err = n.Store().put(ctx, StoredRecord{Key: []byte(key), Value: value, Publisher: n.id})
		}
	default:
		var res PutResult
		if res, err = n.PutRecord(ctx, Record{Key: []byte(key), Value: value}, kad.Quorum(o.quorum)); errors.Is(err, ErrQuorum) {
			err = asked(err, res.Stats)
		}
	}
	if err != nil {
		return fmt.Errorf("put value: %w", err)
	}
	return nil
}

// GetValue returns the best value of a key; ErrNotFound if there is none. If the context ends before the search, the best
// so far comes with its error; a search that ran out of its own time has succeeded if it has found anything.
func (n *Node) GetValue(ctx context.Context, key string, options ...routing.Option) ([]byte, error) {
	o, err := n.valueOptions(key, options)
	var best []byte
	if err == nil {
		err = n.searchValue(ctx, []byte(key), o, func(value []byte) bool {
			best = value
			return true
		})
	}
	if err != nil {
		return best, fmt.Errorf("get value: %w", err)
	}
	return best, nil
}

// SearchValue streams the values of a key, each better than the one before, and closes the channel at the end of the search
// or of the context. An error is one of the call itself: ErrNamespace, ErrInvalid, ErrClosed.
func (n *Node) SearchValue(ctx context.Context, key string, options ...routing.Option) (<-chan []byte, error) {
	o, err := n.valueOptions(key, options)
	out := make(chan []byte)
	if err == nil && !n.background(func() {
		defer close(out)
		_ = n.searchValue(ctx, []byte(key), o, func(value []byte) bool { return send(ctx, n, out, value) })
	}) {
		err = ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("search value: %w", err)
	}
	return out, nil
}

// searchValue calls better with each value that is better than all before it, until that says no.
func (n *Node) searchValue(ctx context.Context, key []byte, o valueOptions, better func(value []byte) bool) error {
	own, held := n.Store().Get(key) // before a search drops what has expired
	best := contest{n: n, key: key}
	var why error
	if o.offline {
		why = ctx.Err()
		if now := n.clock.now(); why == nil && held && (own.Expires.IsZero() || coreTime(own.Expires) > now) {
			if found, _ := best.take(own.Value); found {
				better(own.Value)
			}
		}
	} else {
		answers := 0
		for r, err := range n.StreamRecords(ctx, key) {
			if why = err; err != nil {
				break
			}
			if found, _ := best.take(r.Value); found && !better(r.Value) {
				return nil
			}
			if r.Peer != n.id {
				answers++
			}
			if o.quorum > 0 && answers >= o.quorum {
				break
			}
		}
	}
	switch {
	case best.value != nil && (why == nil || errors.Is(why, ErrTimeout) || errors.Is(why, ErrNotFound)):
		return nil
	case why != nil && !errors.Is(why, ErrNotFound):
		return why
	case o.expired && held && best.value == nil:
		better(own.Value)
		return nil
	case best.value == nil:
		return ErrNotFound
	}
	return nil
}

// Provide announces this node as a provider, as StartProviding does. Without announce it is told to who asks this node,
// and announced with all else that it provides at the job's next round.
func (n *Node) Provide(ctx context.Context, c cid.Cid, announce bool) error {
	err := ctx.Err()
	switch {
	case err != nil:
	case !c.Defined():
		err = fmt.Errorf("%w: an undefined CID", ErrInvalid)
	case announce:
		var res ProvideResult
		if res, err = n.StartProviding(ctx, c.Hash()); err == nil && res.Stats.Requests == 0 {
			err = ErrNoPeers
		}
	default:
		r := StoredProvider{Key: c.Hash(), Provider: peer.AddrInfo{ID: n.id}}
		if ttl := n.core.Config().ProviderTTL; ttl > 0 {
			r.Expires = wallTime(n.clock.now() + kad.Time(ttl))
		}
		err = n.Store().addProvider(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("provide: %w", err)
	}
	return nil
}

// FindProvidersAsync streams up to count providers (0: all), each once, and closes the channel at the end of the search or
// of the context. If this node itself knows of so many, nobody is asked. The channel of an undefined CID, or of a node that
// does not run, is closed at once.
func (n *Node) FindProvidersAsync(ctx context.Context, c cid.Cid, count int) <-chan peer.AddrInfo {
	out := make(chan peer.AddrInfo)
	if !c.Defined() || !n.background(func() {
		defer close(out)
		found := 0
		for p, err := range n.streamProviders(ctx, c.Hash(), max(count, 0)) {
			if err != nil || !send(ctx, n, out, p) {
				return
			}
			if found++; found == count {
				return
			}
		}
	}) {
		close(out)
	}
	return out
}

// FindPeer finds the addresses of a peer: LookupPeer without the numbers. ErrNotFound, and ErrNoPeers beside it if there
// was nobody to ask.
func (n *Node) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	found, err := n.LookupPeer(ctx, id)
	return found.Peer, err
}

// GetPublicKey returns the key of a peer: from the id itself, if it is short enough to hold it, from the host's peerstore,
// or from a record /pk/..., whose key is then kept in the peerstore. ErrNotFound: nobody has it.
func (n *Node) GetPublicKey(ctx context.Context, id peer.ID) (crypto.PubKey, error) {
	fail := func(err error) (crypto.PubKey, error) { return nil, fmt.Errorf("public key: %w", err) }
	if !validID([]byte(id)) {
		return fail(fmt.Errorf("%w: peer id %x", ErrInvalid, string(id)))
	}
	h := n.Host()
	if h == nil {
		return fail(ErrClosed)
	}
	if key := h.Peerstore().PubKey(id); key != nil { // of the id, too
		return key, nil
	}
	value, err := n.GetValue(ctx, routing.KeyForPublicKey(id), Quorum(1)) // validated: it is the peer's
	if err != nil {
		return fail(err)
	}
	key, err := crypto.UnmarshalPublicKey(value)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	if err := h.Peerstore().AddPubKey(id, key); err != nil {
		return fail(err)
	}
	return key, nil
}

// background runs f in a goroutine that Close waits for; false: the node does not run.
func (n *Node) background(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || !n.started {
		return false
	}
	n.work.Go(f)
	return true
}

// send waits for the reader of a channel, but no longer than the context and the node last.
func send[T any](ctx context.Context, n *Node, out chan<- T, v T) bool {
	select {
	case out <- v:
		return true
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
	return false
}
