package kadtest

import (
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

var hooks = map[string]kad.InputKind{
	"protocol_confirmed": kad.ProtocolConfirmed, "protocols_changed": kad.ProtocolsChanged,
	"connection_established": kad.ConnectionEstablished, "connection_closed": kad.ConnectionClosed,
	"connected": kad.InConnected, "disconnected": kad.InDisconnected, "address_changed": kad.AddressChanged,
	"address_failed": kad.AddressFailed, "dial_failed": kad.DialFailed, "listen_addr": kad.ListenAddr,
	"listen_addr_expired": kad.ListenAddrExpired, "external_addr": kad.ExternalAddr,
	"external_addr_expired": kad.ExternalAddrExpired, "listener_error": kad.ListenerError,
	"listener_closed": kad.ListenerClosed, "query_error": kad.QueryError,
}

var verbInput = verb{
	usage: "input A HOOK [peer=B] [conn=N] [addr=TEXT] [old=TEXT] [addrs=TEXT] [query=N] [err=KIND] [dialer] [supported]",
	do: func(e *Env, a args) error {
		in := kad.Input{Dialer: a.flag("dialer"), Supported: a.flag("supported")}
		if len(a.words) < 2 {
			return fmt.Errorf("a node and a hook wanted")
		}
		n, err := e.Node(a.words[0])
		if err != nil {
			return err
		}
		kind, ok := hooks[a.words[1]]
		if !ok {
			return fmt.Errorf("no hook %q", a.words[1])
		}
		in.Kind = kind
		in.Addr, in.OldAddr = []byte(a.get("addr", "")), []byte(a.get("old", ""))
		if p := a.get("peer", ""); p != "" {
			if in.Peer.ID, err = e.key(p); err != nil {
				return err
			}
			in.Peer.Addrs = addrs([]byte(a.get("addrs", "")))
		}
		conn, err := a.id("conn")
		if err != nil {
			return err
		}
		query, err := a.id("query")
		if err != nil {
			return err
		}
		in.Conn, in.Query = kad.ConnID(conn), kad.QueryID(query)
		if in.Err, err = errorKind(a.get("err", kad.ErrNone.String())); err != nil {
			return err
		}
		if err := a.done(2); err != nil {
			return err
		}
		e.result(n, e.Step(n, in, false))
		return nil
	},
}

func errorKind(word string) (kad.ErrorKind, error) {
	for e := range kad.ErrRefused + 1 {
		if e.String() == word {
			return e, nil
		}
	}
	return 0, fmt.Errorf("no kind of error %q", word)
}
