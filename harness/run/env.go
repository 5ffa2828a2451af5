package run

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

// A world is where a plan's words get their values: it is the environment of matchers and of the evaluator.
var (
	_ check.Env = (*world)(nil)
	_ plan.Env  = (*world)(nil)
)

// Peer implements plan.Env. A puppet whose address is asked for gets one: it is made.
func (w *world) Peer(name string) (plan.Identity, error) {
	m, ok := w.cast[name]
	if !ok {
		return plan.Identity{}, fmt.Errorf("%s is not cast yet: a peer whose place depends on it is declared below it", name)
	}
	id := plan.Identity{ID: []byte(m.ID)}
	var public crypto.PubKey
	var err error
	if m.Key != nil {
		public = m.Key.GetPublic()
		id.Sign = m.Key.Sign
	} else if public, err = m.ID.ExtractPublicKey(); err != nil {
		public = nil // the target has an RSA id: its key cannot be told from it
	}
	if public != nil {
		if id.PublicKey, err = crypto.MarshalPublicKey(public); err != nil {
			return id, err
		}
	}
	if !m.decl.Target && !w.casting {
		if err := w.make(m); err != nil {
			return id, err
		}
	}
	if !w.casting {
		for _, a := range w.addrs(m) {
			id.Addrs = append(id.Addrs, a.Bytes())
		}
	}
	return id, nil
}

// PeerID implements check.Env.
func (w *world) PeerID(name string) ([]byte, bool) {
	m, ok := w.cast[name]
	if !ok {
		return nil, false
	}
	return []byte(m.ID), true
}

// Capture implements both.
func (w *world) Capture(name string) (plan.Value, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.captures[name]
	return v, ok
}

// Seed implements plan.Env.
func (w *world) Seed() uint64 { return w.seed }

// Now implements plan.Env.
func (w *world) Now() time.Time { return w.began }

// value evaluates an expression.
func (w *world) value(e *plan.Expr) (plan.Value, error) { return w.values.Eval(e) }

// Value implements check.Env. The table of an address may hold peers that no plan put there: nearest(20, …) then means the
// nearest that are left beside those of the list that came.
func (w *world) Value(e *plan.Expr, got check.Field) (plan.Value, error) {
	if !w.node.remote || !got.Peers || e.Kind != plan.ExprCall || e.Text != "nearest" {
		return w.values.Eval(e)
	}
	var strangers []plan.Value
	for _, item := range got.Items {
		if _, known := w.names[item.Key]; !known {
			strangers = append(strangers, plan.Value{Kind: plan.KindBytes, Bytes: []byte(item.Key)})
		}
	}
	v, err := w.values.Eval(e)
	if err != nil || v.Kind != plan.KindList {
		return v, err
	}
	// The value is in order, nearest first: each stranger took the place of one at its end.
	n, err := w.values.Eval(e.Args[0])
	if err != nil {
		return v, err
	}
	left := max(0, int(n.Num)-len(strangers))
	v.List = append(append([]plan.Value{}, v.List[:min(left, len(v.List))]...), strangers...)
	return v, nil
}

// capture keeps what a line captured.
func (w *world) capture(values map[string]plan.Value) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, v := range values {
		w.captures[name] = v
		w.shown[name] = w.names.Show(v)
	}
}

// logPeers tells a reader of the log who took part.
func (w *world) logPeers() {
	peers := map[string]string{}
	for name, m := range w.cast {
		peers[name] = m.ID.String()
	}
	w.record(record.Entry{Type: record.TypePeers, Peers: peers})
}
