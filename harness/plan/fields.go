package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/kad/wire"
)

// MessageTypes are the types of the specification by number (libp2p-kad L427-L434).
var MessageTypes = messageTypes()

func messageTypes() (names []string) {
	for t := wire.PutValue; t <= wire.Ping; t++ {
		names = append(names, t.String())
	}
	return names
}

// connections are the values of Peer.connection by number (libp2p-kad L436-L449).
var connections = []string{"NOT_CONNECTED", "CONNECTED", "CAN_CONNECT", "CANNOT_CONNECT"}

// kind says how a field stands on the wire, and what values it takes.
type kind uint8

const (
	kindBytes  kind = iota // wire type 2
	kindInt                // a varint; negative ones as 64 bits in two's complement
	kindEnum               // a varint which may be written by name
	kindRecord             // an embedded Record
	kindPeers              // embedded Peers
	kindAddrs              // multiaddrs
	kindList               // of identify only: a list of texts
	kindSize               // of a reply only: its length
	kindStats              // of a result only: what an operation cost
)

// field is one row of a message's table.
type field struct {
	Name    string
	Number  int // 0: not on the wire
	Kind    kind
	Meaning string
	enum    []string
}

// messageFields is Message (libp2p-kad L426-L482).
var messageFields = []field{
	{Name: "type", Number: 1, Kind: kindEnum, Meaning: "the type once more: given as a field it goes where it stands", enum: MessageTypes},
	{Name: "key", Number: 2, Kind: kindBytes, Meaning: "what the request is about"},
	{Name: "record", Number: 3, Kind: kindRecord, Meaning: "a value, as `{key=… value=…}`"},
	{Name: "closerPeers", Number: 8, Kind: kindPeers, Meaning: "peers nearer to the key"},
	{Name: "providerPeers", Number: 9, Kind: kindPeers, Meaning: "providers of the key"},
	{Name: "clusterLevelRaw", Number: 10, Kind: kindInt, Meaning: "not used by the specification"},
}

// sizeField may be matched, not sent: how long the reply is.
var sizeField = field{Name: "size", Kind: kindSize, Meaning: "of a reply: the bytes of its message, without the length before it"}

// recordFields is Record (libp2p-kad L408-L425); 666 and 777 are rust-libp2p's.
var recordFields = []field{
	{Name: "key", Number: 1, Kind: kindBytes, Meaning: "the key which the record is for"},
	{Name: "value", Number: 2, Kind: kindBytes, Meaning: "what is stored"},
	{Name: "timeReceived", Number: 5, Kind: kindBytes, Meaning: "RFC 3339 text, set by the receiver"},
	{Name: "publisher", Number: 666, Kind: kindBytes, Meaning: "rust-libp2p's: who published it"},
	{Name: "ttl", Number: 777, Kind: kindInt, Meaning: "rust-libp2p's: seconds to live"},
}

// peerFields is Message.Peer (libp2p-kad L451-L460).
var peerFields = []field{
	{Name: "id", Number: 1, Kind: kindBytes, Meaning: "the peer id, binary"},
	{Name: "addrs", Number: 2, Kind: kindAddrs, Meaning: "its multiaddrs, binary; a text is written as the multiaddr that it names"},
	{Name: "connection", Number: 3, Kind: kindEnum, Meaning: "the sender's connection to it, by number or name", enum: connections},
}

// identifyFields are what the verb identify can be asked about.
var identifyFields = []field{
	{Name: "protocols", Kind: kindList, Meaning: "the protocols it lists"},
	{Name: "addrs", Kind: kindAddrs, Meaning: "the addresses it listens on"},
	{Name: "agent", Kind: kindBytes, Meaning: "its agent version"},
}

func fieldNames(table []field) []string {
	out := make([]string, len(table))
	for i, f := range table {
		out[i] = f.Name
	}
	return out
}

func findField(table []field, name string) (field, bool) {
	for _, f := range table {
		if f.Name == name {
			return f, true
		}
	}
	return field{}, false
}

// maxFieldNumber is the largest that protobuf has.
const maxFieldNumber = 1<<29 - 1

// rawField reads 99:2: a field by its number, with its wire type. It is not ok when name is not of that form.
func rawField(name string) (number, wireType int, ok bool, err error) {
	num, typ, found := strings.Cut(name, ":")
	if !found || num == "" || num[0] < '0' || num[0] > '9' {
		return 0, 0, false, nil
	}
	number, err = strconv.Atoi(num)
	if err != nil || number < 0 || number > maxFieldNumber {
		return 0, 0, true, fmt.Errorf("%q is no field number: 0 to %d (0 is not legal on the wire, but can be sent)", num, maxFieldNumber)
	}
	wireType, err = strconv.Atoi(typ)
	if err != nil || wireType < 0 || wireType > 7 {
		return 0, 0, true, fmt.Errorf("%q is no wire type: 0 varint, 1 fixed 64, 2 bytes, 3 group, 4 end of group, 5 fixed 32, 6 and 7 illegal", typ)
	}
	return number, wireType, true, nil
}

// checkFields holds the fields of a message against its table, and those inside it against theirs.
func checkFields(table []field, fields []Field) error {
	for _, f := range fields {
		if _, _, raw, err := rawField(f.Name); err != nil {
			return err
		} else if raw {
			continue
		}
		row, ok := findField(table, f.Name)
		if !ok {
			return fmt.Errorf("%s", unknown("field", f.Name, fieldNames(table)))
		}
		if err := checkValue(row, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// checkValue looks into what a field is given as far as it can be known without evaluating it.
func checkValue(row field, e *Expr) error {
	if e == nil {
		return nil
	}
	inner := map[kind][]field{kindRecord: recordFields, kindPeers: peerFields}[row.Kind]
	switch e.Kind {
	case ExprMessage:
		if inner == nil {
			return fmt.Errorf("%s is not an embedded message; only record and peers are", row.Name)
		}
		return checkFields(inner, e.Fields)
	case ExprEntry:
		if row.Kind != kindPeers {
			return fmt.Errorf("%s takes no peer's entry; closerPeers and providerPeers do", row.Name)
		}
		return checkFields(peerFields, e.Fields)
	case ExprList:
		if row.Kind != kindPeers && row.Kind != kindAddrs && row.Kind != kindList {
			return fmt.Errorf("%s is not a list; write the field again to send it twice", row.Name)
		}
		for _, a := range e.Args {
			if err := checkValue(row, a); err != nil {
				return err
			}
		}
	case ExprWord:
		if row.Kind == kindEnum && !isNumber(e.Text) && e.Text != "" && !strings.Contains(e.Text, "$") {
			if _, ok := enumNumber(row, e.Text); !ok {
				return fmt.Errorf("%s; or a number", unknown("value of "+row.Name, e.Text, row.enum))
			}
		}
	}
	return nil
}

func enumNumber(row field, name string) (int64, bool) {
	for i, n := range row.enum {
		if n == name {
			return int64(i), true
		}
	}
	return 0, false
}

func isNumber(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// checkType says what is wrong with the TYPE of a frame.
func checkType(t string) error {
	if t == "-" || isNumber(t) || strings.HasPrefix(t, "$") {
		return nil
	}
	if _, ok := wire.ParseType(t); ok {
		return nil
	}
	return fmt.Errorf("%s; or a number, or - for none", unknown("message type", t, MessageTypes))
}

// typeNumber is the number of a TYPE that checkType accepted; - has none.
func typeNumber(t string) (int64, bool) {
	if named, ok := wire.ParseType(t); ok {
		return int64(named), true
	}
	n, err := strconv.ParseInt(t, 10, 64)
	return n, err == nil
}
