package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

func forSilence(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultSilence
	}
	return d
}

// patience is how long alternatives to silence may take by their own words: silence is not concluded before.
func patience(all []*alternative) (longest time.Duration) {
	for _, a := range all {
		if stmt := a.line.Stmt.(plan.Want); stmt.Expect.Kind != plan.ExpectSilence {
			longest = max(longest, stmt.Expect.Within)
		}
	}
	return longest
}

// settled says whether every profile which accepts silence is content with another alternative already; then nobody
// waits for its proof.
func settled(all []*alternative, silence int) bool {
	for _, p := range all[silence].profiles.List() {
		met := false
		for i, a := range all {
			met = met || i != silence && a.miss == nil && a.profiles.Has(p)
		}
		if !met {
			return false
		}
	}
	all[silence].miss = &failure{}
	return true
}

// proof is the exchange that proves silence: what was asked before it has been dealt with.
type proof struct {
	done  context.Context // cancelled when it is over
	stop  context.CancelFunc
	limit time.Duration
	over  time.Time // when that was
	fault error     // why there was no answer
}

// prove asks FIND_NODE for a random key on a fresh stream of the same connection, and lets the least time of silence pass.
func (s *script) prove(ctx context.Context, st *stream, least time.Duration) *proof {
	p := &proof{limit: least + s.patience}
	p.done, p.stop = context.WithCancel(context.Background())
	go func() {
		defer p.stop()
		over := make(chan error, 1)
		go func() { over <- pause(ctx, least) }()
		p.fault = s.probe(ctx, st.from, st.proto)
		<-over
		p.over = time.Now()
	}()
	return p
}

// probe asks FIND_NODE for a random key, and wants any answer.
func (s *script) probe(ctx context.Context, m *member, proto string) error {
	if m.puppet == nil || !m.puppet.Connected(s.node.id) {
		return errors.New("the connection is gone")
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	s.mu.Lock()
	s.probes++
	key := make([]byte, 32)
	r := seeded(s.seed, s.plan.Header.ID, "probe", fmt.Sprint(s.probes))
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	s.mu.Unlock()
	return ask(ctx, m.puppet, s.node, proto, key, s.noting("(probe)", m.Name), nil)
}

// ask makes one FIND_NODE exchange on a stream of its own.
func ask(ctx context.Context, p *target.Puppet, n *node, proto string, key []byte, log func(record.Entry), answer *wire.Message) error {
	st, err := p.Open(ctx, n.id, proto)
	if err != nil {
		return err
	}
	defer st.Reset()
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: key})
	log(record.Entry{Type: record.TypeFrame, Dir: record.Sent, Bytes: frame})
	if err := st.Write(ctx, frame); err != nil {
		return err
	}
	e, err := st.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer to FIND_NODE in time")
	}
	if err != nil {
		return fmt.Errorf("no answer to FIND_NODE: %w", err)
	}
	log(record.Entry{Type: record.TypeFrame, Dir: record.Received, Bytes: e.Raw})
	if e.Kind != target.Frame {
		return fmt.Errorf("no answer to FIND_NODE: %s", e.Kind)
	}
	if answer == nil {
		answer = new(wire.Message)
	}
	if err := wire.Decode(e.Body, answer); err != nil {
		return fmt.Errorf("the answer to FIND_NODE: %w", err)
	}
	return nil
}

// silent judges silence: the stream was agreed, the probe was answered, and until it was over no frame had come.
func (s *script) silent(ctx context.Context, st *stream, a *alternative, p *proof) error {
	if st.fault != nil {
		s.missed(a, *st.end) // a stream that never was is silent in vain
		a.miss.silent = !errors.Is(st.fault, target.ErrRefused)
		return nil
	}
	if e, came := st.came(); came && p.done.Err() == nil {
		s.missed(a, e)
		return nil
	}
	select {
	case <-p.done.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e, came := st.came()
	switch {
	case came && !e.At.After(p.over):
		s.missed(a, e)
	case p.fault != nil:
		a.miss = s.failure(a.line, "", fmt.Sprintf("silence, but the exchange that should prove it failed: %v", p.fault))
		a.miss.silent = true
	}
	return nil
}
