package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
)

// when is a when of one puppet, in force from its line on.
type when struct {
	plan.When
	line  *plan.Line
	holds map[string]<-chan struct{} // by the puppet that an answer waits for

	matched, used int // requests so far
}

// when puts a rule in force.
func (s *script) when(l *plan.Line, stmt plan.When) error {
	m, err := s.member(stmt.Peer)
	if err != nil {
		return err
	}
	if m.puppet == nil || m.puppet.Kind() != target.Serving {
		return fmt.Errorf("%s answers nobody: a serving peer was expected", stmt.Peer)
	}
	w := &when{When: stmt, line: l, holds: map[string]<-chan struct{}{}}
	for _, a := range l.Block {
		answer, ok := a.Stmt.(plan.Answer)
		if !ok {
			return fmt.Errorf("%s: the block of a when holds answers", a.Pos)
		}
		if name := answer.AfterPeer; name != "" && w.holds[name] == nil {
			if s.cast[name] == nil || s.cast[name].decl.Target {
				return fmt.Errorf("after=%s: no such puppet", name)
			}
			w.holds[name] = s.hearing.until(name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whens = append(s.whens, w)
	return nil
}

// answer says what a puppet answers to a request: by the first when that matches and is not used up; nil: honestly. Each
// when counts the requests that match it, also those which another answers.
func (w *world) answer(m *member, r *target.Request) []target.Act {
	w.mu.Lock()
	mine := slices.DeleteFunc(slices.Clone(w.whens), func(o *when) bool { return o.Peer != m.Name })
	w.mu.Unlock()
	if len(mine) == 0 {
		return nil
	}
	message, err := check.NewMessage(r.Body)
	if err != nil {
		return nil
	}
	var chosen *when
	var captures map[string]plan.Value
	for _, o := range mine {
		if want, ok := check.TypeOf(o.Type); !ok || message.Type != want {
			continue
		}
		found, miss, err := check.Judge(message, o.Match, w, w.names)
		if err != nil {
			w.stop(fault(o.line, "", err))
			return nil
		}
		if miss != nil {
			continue
		}
		w.mu.Lock()
		o.matched++
		fits := chosen == nil && (o.Nth == 0 || o.Nth == o.matched) && (o.Times == 0 || o.used < o.Times)
		if fits {
			o.used++
			chosen, captures = o, found
		}
		w.mu.Unlock()
	}
	if chosen == nil {
		return nil
	}
	acts, err := w.acts(chosen, captures)
	if err != nil {
		w.stop(err)
	}
	return acts
}

// acts are the answers of a when to one request, whose captures they may use.
func (w *world) acts(o *when, captures map[string]plan.Value) ([]target.Act, error) {
	values := w.values
	if len(captures) > 0 {
		values = plan.NewEvaluator(w.plan, lineEnv{w, captures})
	}
	acts := []target.Act{}
	for _, l := range o.line.Block {
		stmt := l.Stmt.(plan.Answer)
		act := target.Act{After: l.After, Until: o.holds[stmt.AfterPeer]}
		switch stmt.How {
		case plan.AnswerFrame:
			b, err := values.EncodeFrame(stmt.Frame)
			if err != nil {
				return nil, fault(l, "", err)
			}
			act.Bytes = b
		case plan.AnswerRaw:
			b, err := rawBytes(values, stmt.Values)
			if err != nil {
				return nil, fault(l, "", err)
			}
			act.Bytes = b
		default:
			act.How = hows[stmt.How]
		}
		acts = append(acts, act)
	}
	return acts, nil
}

var hows = map[plan.AnswerHow]target.How{
	plan.AnswerHonestly: target.Honestly, plan.AnswerNothing: target.Nothing, plan.AnswerEOF: target.EndWrite, plan.AnswerReset: target.Break,
}

// clock lets time pass for the target: by a jump of its clock, or by waiting, where the node was started with its periods
// divided.
func (s *script) clock(ctx context.Context, l *plan.Line, c plan.Clock) error {
	if !s.node.offers("advance_clock") {
		return pause(ctx, s.node.period(c.By))
	}
	err := s.node.target.Call(ctx, "advance_clock", target.ClockParams{By: c.By.Milliseconds()}, nil)
	if why, ok := unsupported(err); ok && err != nil {
		return fmt.Errorf("%w: advance_clock: %s", errUnsupported, why)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fault(l, "", err)
}
