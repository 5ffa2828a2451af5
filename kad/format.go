package kad

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Names writes inputs, commands and events as one line each: the format of the text tests and of traces. The zero value
// names a peer by the end of its id and prints keys as text where they are text; a test gives better names.
type Names struct {
	Peer func(PeerInfo) string // "" for one that it does not know
	Key  func([]byte) string   // likewise
}

// The words are libp2p-kad's names in snake case. They are part of the text tests and of the digests of recorded runs: a word
// that changes changes all of those.

// String writes an Input with default names.
func (in Input) String() string { return Names{}.Input(&in) }

// String writes a Command with default names.
func (c Command) String() string { return Names{}.Command(&c) }

// String writes an Event with default names.
func (e Event) String() string { return Names{}.Event(&e) }

var inputNames = [...]string{
	InNone: "none", ProtocolConfirmed: "protocol_confirmed", FindNodeReq: "find_node_req", FindNodeRes: "find_node_res",
	GetProvidersReq: "get_providers_req", GetProvidersRes: "get_providers_res", QueryError: "query_error",
	AddProvider: "add_provider", AddProviderRes: "add_provider_res", GetRecord: "get_record", GetRecordRes: "get_record_res",
	PutRecord: "put_record", PutRecordRes: "put_record_res", PingReq: "ping",
	ConnectionEstablished: "connection_established", ConnectionClosed: "connection_closed", InConnected: "connected",
	InDisconnected: "disconnected", AddressChanged: "address_changed", AddressFailed: "address_failed",
	DialFailed: "dial_failed", ListenAddr: "listen_addr", ListenAddrExpired: "listen_addr_expired",
	ExternalAddr: "external_addr", ExternalAddrExpired: "external_addr_expired", ListenerError: "listener_error",
	ListenerClosed: "listener_closed", ProtocolsChanged: "protocols_changed", Tick: "tick",
	OpAddAddress: "op_add_address", OpRemoveAddress: "op_remove_address", OpRemovePeer: "op_remove_peer",
	OpGetClosestPeers: "op_get_closest_peers", OpGetRecord: "op_get_record", OpPutRecord: "op_put_record",
	OpPutRecordTo: "op_put_record_to", OpRemoveRecord: "op_remove_record", OpBootstrap: "op_bootstrap",
	OpStartProviding: "op_start_providing", OpStopProviding: "op_stop_providing", OpGetProviders: "op_get_providers",
	OpSetMode: "op_set_mode", OpFinish: "op_finish", OpCancel: "op_cancel", OpAccept: "op_accept", OpRefuse: "op_refuse",
}

var commandNames = [...]string{
	CmdNone: "none", SendFindNode: "find_node", SendGetProviders: "get_providers", SendAddProvider: "add_provider",
	SendGetRecord: "get_record", SendPutRecord: "put_record", RespondFindNode: "respond_find_node",
	RespondGetProviders: "respond_get_providers", RespondAddProvider: "respond_add_provider",
	RespondGetRecord: "respond_get_record", RespondPutRecord: "respond_put_record", RespondPing: "respond_ping",
	Reset: "reset", Dial: "dial", SetProtocols: "set_protocols",
}

var eventNames = [...]string{
	EvNone: "none", RoutingUpdated: "routing_updated", UnroutablePeer: "unroutable_peer", RoutablePeer: "routable_peer",
	PendingRoutablePeer: "pending_routable_peer", InboundRequest: "inbound_request", QueryProgressed: "query_progressed",
	ModeChanged: "mode_changed", PeerEvicted: "peer_evicted",
}

var resultNames = [...]string{
	ResNone: "none", ResBootstrap: "bootstrap", ResGetClosestPeers: "get_closest_peers", ResGetProviders: "get_providers",
	ResStartProviding: "start_providing", ResRepublishProvider: "republish_provider", ResGetRecord: "get_record",
	ResPutRecord: "put_record", ResRepublishRecord: "republish_record",
}

var queryErrNames = [...]string{
	QueryOK: "ok", QueryTimeout: "timeout", QueryNotFound: "not_found", QueryQuorumFailed: "quorum_failed",
}

var errorNames = [...]string{
	ErrNone: "none", ErrTimeout: "timeout", ErrUnsupported: "unsupported", ErrInvalid: "invalid", ErrReset: "reset",
	ErrDial: "dial", ErrRefused: "refused",
}

var modeNames = [...]string{ModeAuto: "auto", ModeClient: "client", ModeServer: "server"}

var updateNames = [...]string{
	UpdateNone: "none", UpdateSuccess: "success", UpdatePending: "pending", UpdateFailed: "failed",
}

// name looks a value up; one that has no name is a number.
func name[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprint(uint8(v))
}

func (k InputKind) String() string     { return name(inputNames[:], k) }
func (k CommandKind) String() string   { return name(commandNames[:], k) }
func (k EventKind) String() string     { return name(eventNames[:], k) }
func (k ResultKind) String() string    { return name(resultNames[:], k) }
func (e QueryErr) String() string      { return name(queryErrNames[:], e) }
func (e ErrorKind) String() string     { return name(errorNames[:], e) }
func (m Mode) String() string          { return name(modeNames[:], m) }
func (u RoutingUpdate) String() string { return name(updateNames[:], u) }

// Input writes one input: its kind and what is set of its fields.
func (n Names) Input(in *Input) string {
	l := line{n: n}
	l.word(in.Kind.String())
	l.peer("", in.Peer)
	l.number("conn", uint64(in.Conn))
	l.number("req", uint64(in.Request))
	l.number("query", uint64(in.Query))
	l.key("key", in.Key)
	l.text("value", in.Value)
	if in.Valid.ok {
		l.record(in.Valid.record)
	}
	l.peers("closer", in.Closer)
	l.peers("providers", in.Providers)
	l.peer("target", in.Target)
	l.text("addr", in.Addr)
	l.text("old", in.OldAddr)
	l.flag("dialer", in.Dialer)
	l.flag("supported", in.Supported)
	if in.Kind == OpSetMode {
		l.pair("mode", in.Mode.String())
	}
	l.number("n", uint64(max(0, in.N)))
	if in.Quorum != 0 {
		l.pair("quorum", in.Quorum.String())
	}
	if in.Err != ErrNone {
		l.pair("err", in.Err.String())
	}
	if in.Late != 0 {
		l.pair("late", time.Duration(in.Late).String())
	}
	return l.String()
}

// Command writes one command.
func (n Names) Command(c *Command) string {
	l := line{n: n}
	l.word(c.Kind.String())
	l.peer("", c.Peer)
	l.number("req", uint64(c.Request))
	l.number("query", uint64(c.Query))
	l.key("key", c.Key)
	if c.Found {
		l.record(c.Record)
	}
	l.peers("closer", c.Closer)
	l.peers("providers", c.Providers)
	if c.Kind == SetProtocols {
		l.pair("mode", c.Mode.String())
	}
	return l.String()
}

// Event writes one event.
func (n Names) Event(e *Event) string {
	l := line{n: n}
	if e.Kind == QueryProgressed {
		l.word(e.Result.String())
	} else {
		l.word(e.Kind.String())
	}
	if e.Inbound != InNone {
		l.word(e.Inbound.String())
	}
	l.peer("", e.Peer)
	if e.Held { // else the number of the request is of no use to anybody
		l.number("held", uint64(e.Request))
	}
	l.number("query", uint64(e.Query))
	if e.Kind == RoutingUpdated {
		l.flag("new", e.New)
		l.pair("bucket", fmt.Sprint(e.Bucket))
		l.peer("old", e.Old)
	}
	if e.Kind == PeerEvicted {
		l.pair("bucket", fmt.Sprint(e.Bucket))
	}
	l.key("key", e.Key)
	if len(e.Record.Key) > 0 {
		l.record(e.Record)
	}
	l.flag("found", e.Found)
	l.peers("peers", e.Peers)
	l.peers("providers", e.Providers)
	l.peers("candidates", e.Candidates)
	l.number("num_closer", uint64(e.NumCloser))
	l.number("num_providers", uint64(e.NumProviders))
	if e.Kind == ModeChanged {
		l.pair("mode", e.Mode.String())
	}
	if e.Kind == QueryProgressed {
		if e.Result == ResBootstrap {
			l.pair("remaining", fmt.Sprint(e.Remaining))
		}
		l.pair("err", e.Err.String())
		s := e.Stats
		l.pair("requests", fmt.Sprintf("%d/%d/%d", s.Requests, s.Successes, s.Failures))
		l.number("hops", uint64(s.Hops))
		l.pair("step", fmt.Sprint(e.Step.Count))
		l.flag("last", e.Step.Last)
	}
	return l.String()
}

func (q Quorum) String() string {
	switch q {
	case One:
		return "one"
	case Majority:
		return "majority"
	case All:
		return "all"
	}
	return fmt.Sprint(int(q))
}

// peer names a peer.
func (n Names) peer(p PeerInfo) string {
	if n.Peer != nil {
		if s := n.Peer(p); s != "" {
			return s
		}
	}
	if len(p.ID) == 0 {
		return fmt.Sprintf("#%d", p.Peer)
	}
	return "…" + hex.EncodeToString(p.ID[max(0, len(p.ID)-4):])
}

// bytes writes bytes as text if they are printable, else as the start of their hexadecimal form.
// What stands in a line came from a peer, perhaps: bytes that are not printable never reach a terminal or a file as they
// are, and a line's length is bounded by the number of its peers alone.
func (n Names) bytes(b []byte) string {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			if len(b) > 8 {
				return hex.EncodeToString(b[:8]) + "…"
			}
			return hex.EncodeToString(b)
		}
	}
	if len(b) > 48 {
		return fmt.Sprintf("%s…(%d)", b[:40], len(b))
	}
	return string(b)
}

// line puts words together, with one space between them. Fields that are not set leave no word, so that a line says what
// matters and stays the same when a field is added.
type line struct {
	strings.Builder
	n Names
}

// word adds a word.
func (l *line) word(s string) {
	if l.Len() > 0 {
		l.WriteByte(' ')
	}
	l.WriteString(s)
}

// pair adds name=value.
func (l *line) pair(name, s string) { l.word(name + "=" + s) }

// number adds a number that is not 0, flag a word that is true, text bytes that are not empty.
func (l *line) number(name string, v uint64) {
	if v != 0 {
		l.pair(name, fmt.Sprint(v))
	}
}

func (l *line) flag(name string, v bool) {
	if v {
		l.word(name)
	}
}

func (l *line) text(name string, b []byte) {
	if len(b) > 0 {
		l.pair(name, l.n.bytes(b))
	}
}

// key adds a key by the name that it has in the test, if it has one.
func (l *line) key(name string, b []byte) {
	if len(b) == 0 {
		return
	}
	if l.n.Key != nil {
		if s := l.n.Key(b); s != "" {
			l.pair(name, s)
			return
		}
	}
	l.text(name, b)
}

// peer adds a peer, if there is one.
func (l *line) peer(name string, p PeerInfo) {
	if p.Peer == 0 && len(p.ID) == 0 {
		return
	}
	s := l.n.peer(p)
	if name != "" {
		s = name + "=" + s
	}
	l.word(s)
}

// peers adds a list of peers. Their addresses would fill the line; what matters is whether there are any.
func (l *line) peers(name string, list []PeerInfo) {
	if len(list) == 0 {
		return
	}
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = l.n.peer(p)
		if len(p.Addrs) == 0 && len(p.ID) > 0 { // by handle alone: the Directory knows them
			words[i] += "(no addresses)"
		}
	}
	l.word(name + "=[" + strings.Join(words, " ") + "]")
}

// record adds a record: what it says, who published it and when it ends, to the second.
func (l *line) record(r Record) {
	l.pair("record", l.n.bytes(r.Key)+"→"+l.n.bytes(r.Value))
	if len(r.Publisher) > 0 {
		l.pair("publisher", l.n.peer(PeerInfo{ID: r.Publisher}))
	}
	if r.Expires != 0 {
		l.pair("expires", time.Unix(0, int64(r.Expires)).UTC().Format("01-02T15:04:05"))
	}
}
