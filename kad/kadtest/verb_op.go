package kadtest

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

var operations = map[string]kad.InputKind{
	"add_address": kad.OpAddAddress, "remove_address": kad.OpRemoveAddress, "remove_peer": kad.OpRemovePeer,
	"get_closest_peers": kad.OpGetClosestPeers, "get_record": kad.OpGetRecord, "put_record": kad.OpPutRecord,
	"put_record_to": kad.OpPutRecordTo, "remove_record": kad.OpRemoveRecord, "bootstrap": kad.OpBootstrap,
	"start_providing": kad.OpStartProviding, "stop_providing": kad.OpStopProviding,
	"get_providers": kad.OpGetProviders, "set_mode": kad.OpSetMode, "finish": kad.OpFinish, "cancel": kad.OpCancel,
	"accept": kad.OpAccept, "refuse": kad.OpRefuse,
}

var verbOp = verb{
	usage: "op A OPERATION [key=KEY] [value=TEXT] [quorum=one|majority|all|N] [n=N] [peer=B] [addr=TEXT] [to=B,C] [mode=client|server|auto] [query=N] [ttl=DURATION] [request=N]",
	do: func(e *Env, a args) error {
		if len(a.words) < 2 {
			return fmt.Errorf("a node and an operation wanted")
		}
		n, err := e.Node(a.words[0])
		if err != nil {
			return err
		}
		kind, ok := operations[a.words[1]]
		if !ok {
			return fmt.Errorf("no operation %q", a.words[1])
		}
		in, err := e.operation(kind, a)
		if err != nil {
			return err
		}
		if err := a.done(2); err != nil {
			return err
		}
		e.result(n, e.Step(n, in, false))
		return nil
	},
}

// operation reads what an operation is given.
func (e *Env) operation(kind kad.InputKind, a args) (in kad.Input, err error) {
	in.Kind = kind
	if in.Key, err = e.key(a.get("key", "")); err != nil {
		return in, err
	}
	in.Addr = []byte(a.get("addr", ""))
	if p := a.get("peer", ""); p != "" {
		if in.Peer.ID, err = e.key(p); err != nil {
			return in, err
		}
	}
	for _, name := range strings.FieldsFunc(a.get("to", ""), func(r rune) bool { return r == ',' }) {
		to, err := e.Node(name)
		if err != nil {
			return in, err
		}
		in.Closer = append(in.Closer, kad.PeerInfo{ID: to.ID, Addrs: addrs(to.Addr)})
	}
	switch q := a.get("quorum", "one"); q {
	case "one":
	case "majority":
		in.Quorum = kad.Majority
	case "all":
		in.Quorum = kad.All
	default:
		v, err := a.number("quorum")
		if err != nil {
			return in, err
		}
		in.Quorum = kad.Quorum(v)
	}
	if in.N, err = a.number("n"); err != nil {
		return in, err
	}
	id, err := a.id("query")
	if err != nil {
		return in, err
	}
	in.Query = kad.QueryID(id)
	req, err := a.id("request")
	if err != nil {
		return in, err
	}
	in.Request = kad.RequestID(req)
	if in.Mode, err = mode(a.get("mode", "auto")); err != nil {
		return in, err
	}
	if v := a.get("value", ""); v != "" {
		rec := kad.Record{Key: in.Key, Value: []byte(v)}
		if ttl := a.get("ttl", ""); ttl != "" {
			d, err := span("ttl=", ttl)
			if err != nil {
				return in, err
			}
			rec.Expires = e.Now + kad.Time(d)
		}
		in.Valid, err = kad.Validate(e.valid, rec, e.Now)
	}
	return in, err
}

// result prints what an operation said at once.
func (e *Env) result(n *Node, r Result) {
	if r.Query != 0 && e.level != "none" {
		e.printf("query %d", r.Query)
	}
	if r.Update != kad.UpdateNone {
		e.printf("update %s", r.Update)
	}
	if v := r.Removed; v != nil {
		e.printf("removed %s", e.entry(n, *v))
	}
	if r.Err != nil {
		e.printf("error %v", r.Err)
	}
}
