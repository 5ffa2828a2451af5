package run

import (
	"context"
	"fmt"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// do carries out one statement.
func (s *script) do(ctx context.Context, l *plan.Line, stmt plan.Stmt) (outcome, error) {
	at := l.Pos.String()
	switch stmt := stmt.(type) {
	case plan.Connect:
		return s.connect(ctx, l, stmt)
	case plan.Disconnect:
		m, err := s.member(stmt.From)
		if err != nil || m.puppet == nil {
			return outcome{}, fault(l, "disconnect is said of a puppet and the target", err)
		}
		return outcome{}, fault(l, "", m.puppet.Disconnect(s.node.id))
	case plan.Identify:
		return s.identify(ctx, l, stmt)
	case plan.Let:
		v, err := s.value(stmt.Value)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		s.capture(map[string]plan.Value{stmt.Name: v})
	case plan.Open:
		return s.openStream(ctx, l, stmt)
	case plan.Send:
		st, err := s.stream(stmt.Stream)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		frame, err := s.values.EncodeFrame(stmt.Frame)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		for range max(1, stmt.Times) {
			if err := st.write(ctx, frame, at); err != nil {
				return outcome{}, err
			}
		}
	case plan.Raw:
		return outcome{}, s.raw(ctx, l, stmt)
	case plan.Finish:
		st, err := s.stream(stmt.Stream)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		st.log(record.Entry{Type: record.TypeStream, Event: stmt.How, Dir: record.Sent, Line: at})
		if st.raw == nil {
			return outcome{}, nil
		}
		// That the target ended the stream before us is for the next want to judge.
		switch stmt.How {
		case "half":
			st.raw.CloseWrite()
		case "close":
			st.raw.Close()
		default:
			st.raw.Reset()
		}
	case plan.When:
		return outcome{}, fault(l, "", s.when(l, stmt))
	case plan.Operation:
		return outcome{}, fault(l, "", s.begin(l, stmt))
	case plan.Clock:
		return outcome{}, s.clock(ctx, l, stmt)
	case plan.Never, plan.InFlight:
		s.later(l, stmt)
	default:
		return outcome{}, fault(l, l.Verb+" is not carried out by this version", nil)
	}
	return outcome{}, nil
}

// fault places an error at its line; nil without a reason.
func fault(l *plan.Line, what string, err error) error {
	switch {
	case err == nil && what == "":
		return nil
	case err == nil:
		return fmt.Errorf("%s: %s: %s", l.Pos, l.Verb, what)
	case what == "":
		return fmt.Errorf("%s: %s: %w", l.Pos, l.Verb, err)
	}
	return fmt.Errorf("%s: %s: %s: %w", l.Pos, l.Verb, what, err)
}

func (s *script) openStream(ctx context.Context, l *plan.Line, o plan.Open) (outcome, error) {
	m, err := s.member(o.From)
	if err != nil {
		return outcome{}, fault(l, "", err)
	}
	if m.puppet == nil || m.puppet.Kind() == target.Nobody {
		return outcome{}, fault(l, o.From+" opens no streams: a puppet with a host was expected", nil)
	}
	if to := s.cast[o.To]; to == nil || !to.decl.Target {
		return outcome{}, fault(l, fmt.Sprintf("a stream to %s: streams are opened to the target", o.To), nil)
	}
	proto := o.Proto
	if proto == "" {
		proto = s.node.protocol
	}
	st, err := s.open(ctx, l, o.Stream, m, proto, o.Lazy)
	if err != nil {
		return outcome{}, fault(l, "", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.streams[o.Stream]
	s.streams[o.Stream] = st
	if old != nil {
		old.finish()
	}
	return s.never(old), nil
}

func (s *script) raw(ctx context.Context, l *plan.Line, r plan.Raw) error {
	st, err := s.stream(r.Stream)
	if err != nil {
		return fault(l, "", err)
	}
	rest, err := rawBytes(s.values, r.Values)
	if err != nil {
		return fault(l, "", err)
	}
	// One write, so that a target may see it all at once; with every, one for each byte.
	step := len(rest)
	if r.Every > 0 {
		step = 1
	}
	for ; len(rest) > 0; rest = rest[step:] {
		if err := st.write(ctx, rest[:step], l.Pos.String()); err != nil {
			return err
		}
		if err := pause(ctx, r.Every); err != nil {
			return err
		}
	}
	return nil
}

// rawBytes are the bytes of values, one after the other.
func rawBytes(values *plan.Evaluator, list []*plan.Expr) (all []byte, err error) {
	for _, e := range list {
		v, err := values.Eval(e)
		if err != nil {
			return nil, err
		}
		b, err := v.AsBytes()
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

func (s *script) connect(ctx context.Context, l *plan.Line, c plan.Connect) (outcome, error) {
	name := c.From
	if m := s.cast[name]; m != nil && m.decl.Target {
		name = c.To
	}
	m, err := s.member(name)
	if err != nil {
		return outcome{}, fault(l, "", err)
	}
	if m.puppet == nil {
		return outcome{}, fault(l, "connect is said of a puppet and the target", nil)
	}
	if name == c.To || m.puppet.Kind() == target.Nobody {
		return outcome{}, fault(l, "", s.offer(ctx, m, "connect"))
	}
	if err := s.dial(ctx, m.puppet); err != nil {
		switch {
		case ctx.Err() != nil:
			return outcome{}, context.Cause(ctx)
		case ours(err):
			return outcome{}, fault(l, "", err)
		}
		f := s.failure(l, "a connection", err.Error())
		f.silent = true
		return fails(f), nil
	}
	return outcome{}, nil
}

// offer tells the target of a puppet through its control channel: connect dials it, add_address only notes it.
func (s *script) offer(ctx context.Context, m *member, method string) error {
	for _, a := range m.puppet.Addrs() {
		var params any = map[string]string{"addr": a.String() + "/p2p/" + m.ID.String()}
		if method == "add_address" {
			params = map[string]string{"peer": m.ID.String(), "addr": a.String()}
		}
		if err := s.node.target.Call(ctx, method, params, nil); err != nil {
			if why, ok := unsupported(err); ok {
				return fmt.Errorf("%w: %s: %s", errUnsupported, method, why)
			}
			return err
		}
	}
	return nil
}

// identify asks what the target tells about itself, again and again until it matches or the time is over.
func (s *script) identify(ctx context.Context, l *plan.Line, i plan.Identify) (outcome, error) {
	m, err := s.member(i.Peer)
	if err != nil || m.puppet == nil {
		return outcome{}, fault(l, "identify is asked by a puppet", err)
	}
	within := i.Within
	if within == 0 {
		within = plan.DefaultWait
	}
	s.mu.Lock()
	s.seen |= 1<<len(plan.Profiles) - 1
	s.mu.Unlock()
	ctx2, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var bad *failure
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		told, err := s.tell(ctx2, m)
		if err == nil {
			captures, miss, err := check.Judge(told, i.Match, s, s.names)
			if err != nil {
				return outcome{}, fault(l, "", err)
			}
			if miss == nil {
				s.capture(captures)
				return outcome{}, nil
			}
			bad = s.failure(l, l.Text, miss.Got)
			bad.Diff = miss.Diff
		} else if bad == nil || ctx2.Err() == nil {
			bad = s.failure(l, l.Text, err.Error())
		}
		// Without within it is judged once: it is what the target tells now.
		if i.Within == 0 || pause(ctx2, wait) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	return fails(bad), nil
}

func (s *script) tell(ctx context.Context, m *member) (check.Identity, error) {
	if err := s.dial(ctx, m.puppet); err != nil {
		return check.Identity{}, err
	}
	told, err := m.puppet.Identify(ctx, s.node.id)
	if err != nil {
		return check.Identity{}, err
	}
	id := check.Identity{Protocols: told.Protocols, Agent: told.Agent, ID: []byte(s.node.id)}
	for _, a := range told.Addrs {
		id.Addrs = append(id.Addrs, a.Bytes())
	}
	return id, nil
}

// addrs are the addresses of a member, as they are told to others.
func (w *world) addrs(m *member) []ma.Multiaddr {
	if m.decl.Target {
		return w.node.addrs
	}
	return m.puppet.Addrs()
}
