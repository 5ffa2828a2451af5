package run

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

const (
	// A target may take two patiences, 20 s, to admit its peers: some probe each for up to 10 s, some wait for a first
	// self-query. Each fifth of one, 2 s, those who are missing are offered once more.
	seatPatiences, offerFraction = 2, 5
	// An address that did not admit somebody in this time gets less of it for the next cases, a third of a patience, 3 s:
	// most likely it keeps the dead of earlier cases, or of an earlier run, and thirty cases would wait in vain.
	secondFraction = 3
	// besideBits is how near to a peer a key is asked for: among the 400 peers of a very full table, one which shares 12
	// bits with the key is among the 20 nearest.
	besideBits = 12
)

// seat brings peers into the target's table and waits until the table shows them all.
func (s *script) seat(ctx context.Context, l *plan.Line, seat plan.Seat) (outcome, error) {
	// Filling the table is our wish, not the case's: it has its own limit, and the case's time begins anew after it.
	if s.timer.Stop() {
		defer s.timer.Reset(s.limit)
	}
	members, err := s.members(seat.Peers)
	if err != nil {
		return outcome{}, fault(l, "", err)
	}
	// All connect at once: a dial on loopback takes a few milliseconds, most of it cryptography.
	_, err = beside(len(members), func(i int) (struct{}, error) {
		if members[i].puppet.Kind() == target.Nobody {
			return struct{}{}, s.offer(ctx, members[i], "add_address")
		}
		return struct{}{}, s.dial(ctx, members[i].puppet)
	})
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	if err != nil {
		return outcome{}, s.unseated(l, err)
	}
	limit := seatPatiences * s.patience
	if c := s.node.company; c != nil && c.unseated {
		limit = s.patience / secondFraction
	}
	began := time.Now()
	offered := began
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		// All of them each time: whoever comes in may have put another one out.
		missing, err := s.unlisted(ctx, members)
		if err != nil {
			if ctx.Err() != nil {
				return outcome{}, context.Cause(ctx)
			}
			return outcome{}, s.unseated(l, err)
		}
		if len(missing) == 0 {
			return outcome{}, nil
		}
		if time.Since(began) > limit {
			var names []string
			for _, m := range missing {
				names = append(names, m.Name)
			}
			return outcome{}, s.unseated(l, fmt.Errorf("after %s the table does not hold %s", limit.Round(time.Second/10), strings.Join(names, " ")))
		}
		if time.Since(offered) > s.patience/offerFraction {
			if err := s.offerAgain(ctx, missing); err != nil {
				return outcome{}, s.unseated(l, err)
			}
			offered = time.Now()
		}
		if err := pause(ctx, wait); err != nil {
			return outcome{}, err
		}
	}
}

// offerAgain tries what is left with those whom the target has not admitted: it is told of their addresses, or else they
// come anew, since a target that has dropped a peer from its table takes it up when it connects.
func (s *script) offerAgain(ctx context.Context, missing []*member) error {
	_, err := beside(len(missing), func(i int) (struct{}, error) {
		m := missing[i]
		if s.node.offers("add_address") {
			return struct{}{}, s.offer(ctx, m, "add_address")
		}
		if m.puppet.Kind() == target.Nobody {
			return struct{}{}, nil
		}
		if err := m.puppet.Disconnect(s.node.id); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.dial(ctx, m.puppet)
	})
	return err
}

// unseated is the end of a case whose table could not be filled: through an address the target may have its reasons,
// with a control channel something is wrong.
func (s *script) unseated(l *plan.Line, err error) error {
	if s.node.remote {
		s.node.company.unseated = true
		return fmt.Errorf("%w: seat: %w", errUnsupported, err)
	}
	return fault(l, "", err)
}

func (w *world) members(names []string) ([]*member, error) {
	var all []*member
	for _, name := range names {
		m, err := w.member(name)
		if err != nil {
			return nil, err
		}
		if m.puppet == nil {
			return nil, fmt.Errorf("%s is the target itself", name)
		}
		all = append(all, m)
	}
	return all, nil
}

// unlisted are those whom the target's table does not hold yet.
func (s *script) unlisted(ctx context.Context, members []*member) ([]*member, error) {
	if s.node.offers("table") {
		var table struct {
			Peers []string `json:"peers"`
		}
		if err := s.node.target.Call(ctx, "table", nil, &table); err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if table.Peers != nil { // null: it cannot tell
			return slices.DeleteFunc(slices.Clone(members), func(m *member) bool {
				return slices.Contains(table.Peers, m.ID.String())
			}), nil
		}
	}
	// Asked from outside: for a key beside each, never for the peer itself, whom a server knows from its connection.
	own, err := s.own()
	if err != nil {
		return nil, err
	}
	if err := s.dial(ctx, own.puppet); err != nil {
		return nil, err
	}
	var missing []*member
	for _, m := range members {
		listed, err := s.listed(ctx, own.puppet, m.ID)
		if err != nil {
			return nil, err
		}
		if !listed {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// listed says whether a FIND_NODE for a key beside a peer lists it.
func (s *script) listed(ctx context.Context, p *target.Puppet, id peer.ID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var answer wire.Message
	err := ask(ctx, p, s.node, s.node.protocol, besideKey(id), s.noting("(seat)", "(harness)"), &answer)
	if err != nil {
		return false, err
	}
	for _, p := range answer.CloserPeers {
		if string(p.ID) == string(id) {
			return true, nil
		}
	}
	return false, nil
}

// besideKey is a key whose place shares besideBits bits or more with a peer's: 4,096 hashes on average, a millisecond.
func besideKey(id peer.ID) []byte {
	place := sha256.Sum256([]byte(id))
	key := []byte("beside ")
	for i := uint64(0); ; i++ {
		k := binary.BigEndian.AppendUint64(key, i)
		if CommonBits(sha256.Sum256(k), place) >= besideBits {
			return k
		}
	}
}

// healthy asks the node for any sign of life, again and again while it only resets our streams: some serve a dozen at once,
// and reset what comes on top of them until others have gone.
func healthy(ctx context.Context, n *node, patience time.Duration, log func(record.Entry)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := n.puppet(target.PuppetConfig{Kind: target.Client})
	if err != nil {
		return nil // our own trouble says nothing about the target
	}
	defer p.Close()
	if err := p.Connect(ctx, n.info()); err != nil {
		return err
	}
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err = ask(ctx, p, n, n.protocol, []byte("alive?"), log, nil)
		if err == nil || !p.Connected(n.id) || pause(ctx, wait) != nil {
			break
		}
	}
	if errors.Is(err, target.ErrRefused) {
		return nil // a client answers nobody, but it did answer us
	}
	return err
}
