package network

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"

	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// maxRunning operations may be under way: beyond them it is the machine that is measured. The next one waits, and its latency
// counts from when it was due.
const maxRunning = 4096

// operate lets a node do an operation, beside all else.
func (r *run) operate(ctx context.Context, op sim.Operation, number uint64) {
	m := r.someone(op, number)
	if op.Kind == sim.Put {
		r.mu.Lock()
		r.published[op.Key] = publication{op.At, number}
		r.mu.Unlock()
	}
	for r.running.Load() >= maxRunning {
		if sleep(ctx, time.Millisecond) != nil {
			return
		}
	}
	r.running.Add(1)
	r.operations.Go(func() {
		defer r.running.Add(-1)
		row := sim.Row{Op: op, Node: m.handle, Began: r.now()}
		n, ends := m.there()
		if n == nil {
			row.Censored = true
		} else {
			r.carryOut(ends, m, n, &row, number)
		}
		if !row.Censored {
			r.ended.Add(1)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.cfg.Watch.Row != nil {
			r.cfg.Watch.Row(row)
		}
	})
	r.tell(sim.Progress{Nodes: r.cfg.Nodes, At: r.now(), Until: kad.Duration(r.cfg.For), Operations: number})
}

// someone is an honest node by chance among those that are there, or the one that the operation names.
func (r *run) someone(op sim.Operation, number uint64) *member {
	if op.Node != 0 {
		return r.members[op.Node-1]
	}
	chance := r.chance(forWho, number)
	for range 256 {
		if m := r.members[chance.IntN(len(r.members))]; m.honest() {
			return m
		}
	}
	return r.members[0]
}

// carryOut does an operation to its end, and judges it.
func (r *run) carryOut(ends context.Context, m *member, n Node, row *sim.Row, number uint64) {
	ctx, cancel := context.WithTimeout(ends, r.cfg.Deadline)
	defer cancel()
	key := r.keyOf(row.Op)
	before := n.Stats()
	var stop func(result []peer.ID) spent
	c, counted := n.(counter)
	if counted && row.Op.Kind != sim.Bootstrap {
		stop = c.counted().watch(key, r.k(), n.Table())
	}
	began := time.Now()
	result, err := r.ask(ctx, n, row, key, number, began)
	row.Took = kad.Duration(time.Since(began))
	switch {
	case stop != nil:
		s := stop(result)
		row.Requests, row.Failed, row.Hops, row.Bytes = s.requests, s.failed, s.hops, s.bytes
	case !counted:
		row.Blind = true
	default:
		after := n.Stats()
		row.Requests, row.Failed = uint32(after.Requests-before.Requests), uint32(after.Failed-before.Failed)
	}
	if row.Op.Kind == sim.Lookup {
		r.compare(row, key, m, result)
	}
	switch {
	case ends.Err() != nil:
		row.Censored = true
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		row.TimedOut, row.OK = true, false
	case err != nil:
		row.OK = false
	}
}

// ask calls the method of the node, and says whether what comes is right. The result is whom a lookup has named.
func (r *run) ask(ctx context.Context, n Node, row *sim.Row, key string, number uint64, began time.Time) (result []peer.ID, err error) {
	switch row.Op.Kind {
	case sim.Lookup:
		result, err = n.Closest(ctx, []byte(key))
		row.OK, row.Found = err == nil, len(result)
	case sim.Provide:
		err = n.Provide(ctx, []byte(key))
		row.OK = err == nil
	case sim.Find:
		var found []peer.ID
		err = n.FindProviders(ctx, []byte(key), 0, func(p peer.ID) {
			if len(found) == 0 {
				row.First = kad.Duration(time.Since(began))
			}
			found = append(found, p)
		})
		row.Found = len(found)
		row.OK = slices.ContainsFunc(r.members, func(m *member) bool { return slices.Contains(found, m.id) && m.honest() })
		if row.OK || errors.Is(err, ErrNotFound) {
			err = nil // that nobody was found is no error but a result
		}
	case sim.Put:
		err = n.Put(ctx, key, valueOf(number))
		row.OK = err == nil
	case sim.Get:
		value, err := n.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		row.Found, row.First = 1, kad.Duration(time.Since(began))
		r.mu.Lock()
		best, ok := r.published[row.Op.Key]
		r.mu.Unlock()
		// One that was published while the search ran need not be found.
		row.OK = !ok || numberOf(value) >= best.number || best.at > row.Began
	case sim.Bootstrap:
		err = n.Bootstrap(ctx)
		row.OK = err == nil
	default:
		err = fmt.Errorf("operation %d: %w", row.Op.Kind, ErrUnsupported)
	}
	return result, err
}

// keyOf is the key of an operation: of equal numbers equal ones, those of provide and find, and of put and get, the same.
func (r *run) keyOf(op sim.Operation) string {
	kind := op.Kind
	switch kind {
	case sim.Find:
		kind = sim.Provide
	case sim.Get:
		kind = sim.Put
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{byte(kind)}, r.cfg.Seed), op.Key))
	switch kind {
	case sim.Provide:
		hash, err := mh.Encode(sum[:], mh.SHA2_256)
		if err != nil {
			panic(err) // of 32 bytes it is none
		}
		return string(hash)
	case sim.Put:
		return fmt.Sprintf("/v/%x", sum[:16])
	}
	return string(sum[:])
}

// valueOf is the value of a publication: of two, the later one is greater by bytes.
func valueOf(number uint64) []byte { return fmt.Appendf(nil, "ok %016x", number) }

func numberOf(value []byte) uint64 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(string(value), "ok "), 16, 64)
	return n
}

// compare counts how many of the closest servers a lookup has named: of those that were there from its beginning to its end
// and answer, but for who asked.
func (r *run) compare(row *sim.Row, key string, asker *member, got []peer.ID) {
	for _, m := range r.closest(sha256.Sum256([]byte(key)), r.k(), func(m *member) bool {
		if m == asker || !m.server {
			return false
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		n, ok := m.node.(counter)
		return m.node != nil && m.since <= row.Began && !(ok && n.counted().mood.silent.Load())
	}) {
		row.Sought++
		if slices.Contains(got, m.id) {
			row.True++
		}
	}
}

// closest are the count members nearest to a target of those for which is says so.
func (r *run) closest(target [32]byte, count int, is func(*member) bool) []*member {
	return nearest(r.members, target, count, func(m *member) [32]byte { return m.key }, is)
}

// k is how many peers a lookup is for.
func (r *run) k() int { return cmp.Or(r.cfg.Node.K, 20) }
