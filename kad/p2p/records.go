package p2p

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// Record is a value to be stored under a key, "/namespace/...".
type Record struct {
	Key, Value []byte
	Lifetime   time.Duration // from now on; 0: as the configuration says
	Publisher  peer.ID       // of PutRecordTo: whose record it is; none: this node's. PutRecord publishes its own
}

// PutResult is the result of PutRecord and of PutRecordTo.
type PutResult struct {
	Stored []peer.ID // who acknowledged it
	Stats  Stats
}

// PeerRecord is a record that was found and who had it: this node itself, or a peer.
type PeerRecord struct {
	Peer      peer.ID
	Value     []byte
	Publisher peer.ID   // none unless the record names one
	Expires   time.Time // zero: never, or the peer does not say
}

// GetResult is the result of GetRecord: the best value, all valid ones in the order of their arrival, and who of the
// nearest peers answered without the best, nearest first.
type GetResult struct {
	Value      []byte
	Records    []PeerRecord
	Candidates []peer.AddrInfo
	Stats      Stats
}

// PutRecord stores a record locally and at the k peers nearest to its key; the quorum says how many of these must
// acknowledge it (ErrQuorum). It is validated first: ErrInvalid, also for one that is worse than what is stored here, and
// ErrNamespace. One that no message within Limits.SendBytes could carry is refused with ErrTooLarge.
func (n *Node) PutRecord(ctx context.Context, r Record, quorum kad.Quorum) (PutResult, error) {
	r.Publisher = n.id
	in, err := n.putInput(r, quorum)
	if err != nil {
		return PutResult{}, err
	}
	in.Kind = kad.OpPutRecord
	return n.put(ctx, in)
}

// PutRecordTo stores a record at the given peers and not here; the quorum is of these. They are dialled by what the
// routing table or the host's peerstore knows of their addresses. ErrNoPeers: none was given, but perhaps this node itself.
func (n *Node) PutRecordTo(ctx context.Context, r Record, to []peer.ID, quorum kad.Quorum) (PutResult, error) {
	if r.Publisher == "" {
		r.Publisher = n.id
	}
	in, err := n.putInput(r, quorum)
	if err != nil {
		return PutResult{}, err
	}
	in.Kind = kad.OpPutRecordTo
	h := n.Host()
	for _, p := range to {
		if !validID([]byte(p)) {
			return PutResult{}, fmt.Errorf("put record: %w: peer id %x", ErrInvalid, string(p))
		}
		info := kad.PeerInfo{ID: []byte(p)}
		if h != nil {
			info.Addrs = appendAddrs(nil, h.Peerstore().Addrs(p), n.servedAddr)
		}
		in.Closer = append(in.Closer, info)
	}
	return n.put(ctx, in)
}

// putInput validates a record and sees whether it can be sent at all.
func (n *Node) putInput(r Record, quorum kad.Quorum) (kad.Input, error) {
	now := n.clock.now()
	rec := kad.Record{Key: r.Key, Value: r.Value, Publisher: []byte(r.Publisher)}
	if r.Lifetime > 0 {
		rec.Expires = now + kad.Time(r.Lifetime)
	}
	valid, err := kad.Validate(n.records, rec, now)
	if err != nil {
		return kad.Input{}, fmt.Errorf("put record: %w", operationError(err))
	}
	// With the longest ttl, since the one it will be sent with is the core's choice.
	m := wire.Message{Key: r.Key, HasRecord: true,
		Record: wire.Record{Key: r.Key, Value: r.Value, Publisher: []byte(r.Publisher), TTL: 1<<32 - 1}}
	if size := wire.Size(&m); size > n.limits.SendBytes {
		return kad.Input{}, fmt.Errorf("put record: %w: %d bytes, at most %d", ErrTooLarge, size, n.limits.SendBytes)
	}
	return kad.Input{Key: r.Key, Valid: valid, Quorum: quorum}, nil
}

func (n *Node) put(ctx context.Context, in kad.Input) (PutResult, error) {
	q, err := n.start(ctx, in, nil)
	if err != nil {
		return PutResult{}, fmt.Errorf("put record: %w", err)
	}
	last, err := q.each(ctx, nil)
	res := PutResult{Stored: peerIDs(last.Peers), Stats: n.statsOf(last.Stats)}
	if err != nil {
		return res, fmt.Errorf("put record: %w", err)
	}
	return res, nil
}

// GetRecord looks for the values of a key, this node's own among them, and chooses the best by its validator. With a
// quorum above 0 it ends as soon as so many peers have given the best value so far; else when the k nearest have been
// asked. In the classic behaviour (kad.Config.QuorumEndsGet) it ends with the quorum of any values, one by default, and too
// few are ErrQuorum, beside what was found.
func (n *Node) GetRecord(ctx context.Context, key []byte, quorum int) (GetResult, error) {
	q, err := n.startGet(ctx, key, quorum)
	if err != nil {
		return GetResult{}, err
	}
	var res GetResult
	best := contest{n: n, key: key}
	last, err := q.each(ctx, func(ev *kad.Event) bool {
		if !ev.Found || ev.Step.Last {
			return false
		}
		r := n.peerRecord(ev)
		res.Records = append(res.Records, r)
		if _, err := best.take(r.Value); err != nil { // it expired on the way
			return false
		}
		agree := 0
		for _, r := range res.Records {
			if bytes.Equal(r.Value, best.value) {
				agree++
			}
		}
		return quorum > 0 && agree >= quorum
	})
	res.Value, res.Candidates, res.Stats = best.value, addrInfos(last.Candidates), n.statsOf(last.Stats)
	if err == nil && res.Value == nil {
		err = ErrNotFound
	}
	if err != nil {
		return res, fmt.Errorf("get record: %w", err)
	}
	return res, nil
}

// StreamRecords looks for the values of a key as GetRecord does and yields each as it arrives, the worse ones too. To stop
// ranging ends the search. What went wrong is yielded last: ErrNotFound, ErrTimeout, the context's error.
func (n *Node) StreamRecords(ctx context.Context, key []byte) iter.Seq2[PeerRecord, error] {
	return func(yield func(PeerRecord, error) bool) {
		q, err := n.startGet(ctx, key, 0)
		if err != nil {
			yield(PeerRecord{}, err)
			return
		}
		more := true
		_, err = q.each(ctx, func(ev *kad.Event) bool {
			if ev.Found && !ev.Step.Last {
				more = yield(n.peerRecord(ev), nil)
			}
			return !more
		})
		if err != nil && more {
			yield(PeerRecord{}, fmt.Errorf("get record: %w", err))
		}
	}
}

// startGet begins a search. The core looks at the quorum in the classic behaviour only.
func (n *Node) startGet(ctx context.Context, key []byte, quorum int) (*query, error) {
	if _, _, err := SplitKey(key); err != nil {
		return nil, fmt.Errorf("get record: %w", err)
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetRecord, Key: key, Quorum: kad.Quorum(quorum)}, nil)
	if err != nil {
		return nil, fmt.Errorf("get record: %w", err)
	}
	return q, nil
}

func (n *Node) peerRecord(ev *kad.Event) PeerRecord {
	r := PeerRecord{Peer: peer.ID(ev.Peer.ID), Value: ev.Record.Value, Publisher: peer.ID(ev.Record.Publisher),
		Expires: wallTime(ev.Record.Expires)}
	if r.Peer == "" {
		r.Peer = n.id
	}
	return r
}

// contest finds the best of the values of one key.
type contest struct {
	n     *Node
	key   []byte
	value []byte // the best so far; nil: none came
	rank  []byte
}

// take says whether a value is better than all before it.
func (c *contest) take(value []byte) (better bool, err error) {
	rank, err := c.n.records.Validate(c.key, value, c.n.clock.now())
	if err != nil {
		return false, err
	}
	if better = c.value == nil || bytes.Compare(rank, c.rank) > 0; better {
		c.value, c.rank = value, rank
	}
	return better, nil
}

// RemoveRecord forgets a record of this node's own, locally; other peers keep it until it expires. One that another has
// published is not ours to remove: kad.ErrNotPublisher. One that is not there is removed already.
func (n *Node) RemoveRecord(key []byte) error {
	if err := n.do(kad.Input{Kind: kad.OpRemoveRecord, Key: key}, nil); err != nil {
		return fmt.Errorf("remove record: %w", operationError(err))
	}
	return nil
}
