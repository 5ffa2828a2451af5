package kadtest

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

var requests = map[string]kad.CommandKind{
	"find_node": kad.SendFindNode, "get_providers": kad.SendGetProviders, "add_provider": kad.SendAddProvider,
	"get_record": kad.SendGetRecord, "put_record": kad.SendPutRecord, "ping": kad.RespondPing,
}

var verbSend = verb{
	usage: "send A B REQUEST [key=KEY] [value=TEXT] [providers=A,C] [publisher=A] [target=ADDR] (A's host sends a request to B by itself; the answer goes nowhere)",
	do: func(e *Env, a args) error {
		if len(a.words) < 3 {
			return fmt.Errorf("two nodes and a request wanted")
		}
		from, err := e.Node(a.words[0])
		if err != nil {
			return err
		}
		to, err := e.Node(a.words[1])
		if err != nil {
			return err
		}
		kind, ok := requests[a.words[2]]
		if !ok {
			return fmt.Errorf("no request %q", a.words[2])
		}
		key, err := e.key(a.get("key", ""))
		if err != nil {
			return err
		}
		m := message{from: from, to: to, cmd: kad.Command{Kind: kind, Key: key}}
		for _, name := range strings.FieldsFunc(a.get("providers", ""), func(r rune) bool { return r == ',' }) {
			p := kad.PeerInfo{ID: []byte(name), Addrs: addrs([]byte("/mem/" + name))}
			if n, err := e.Node(name); err == nil {
				p.ID = n.ID
			}
			m.cmd.Providers = append(m.cmd.Providers, p)
		}
		m.cmd.Record = kad.Record{Key: m.cmd.Key, Value: []byte(a.get("value", ""))}
		if p := a.get("publisher", ""); p != "" {
			if m.cmd.Record.Publisher, err = e.key(p); err != nil {
				return err
			}
		}
		if err := a.done(3); err != nil {
			return err
		}
		e.request(m)
		e.queue = withoutReplies(e.queue)
		return nil
	},
}

// withoutReplies drops the answers to requests that no query sent.
func withoutReplies(queue []message) []message {
	kept := queue[:0]
	for _, m := range queue {
		if !m.reply || m.query != 0 {
			kept = append(kept, m)
		}
	}
	return kept
}
