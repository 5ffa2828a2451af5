package target

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Version of the control protocol.
const Version = 1

// Method is one line of the control protocol's table.
type Method struct {
	Name string
	// Operation: it may take as long as the network does. The others answer at once, within CallTimeout.
	Operation bool
	// Always: each target has it. The others are offered by hello.
	Always bool
}

// Methods is the vocabulary, in the order of docs/control-protocol.md.
var Methods = []Method{
	{Name: "hello", Always: true},
	{Name: "start", Always: true},
	{Name: "connect"},
	{Name: "add_address"},
	{Name: "remove_address"},
	{Name: "remove_peer"},
	{Name: "bootstrap", Operation: true},
	{Name: "table"},
	{Name: "get_closest_peers", Operation: true},
	{Name: "find_peer", Operation: true},
	{Name: "put_record", Operation: true},
	{Name: "get_record", Operation: true},
	{Name: "remove_record"},
	{Name: "start_providing", Operation: true},
	{Name: "stop_providing"},
	{Name: "get_providers", Operation: true},
	{Name: "set_mode"},
	{Name: "advance_clock"},
	{Name: "cancel"},
	{Name: "stop", Always: true},
}

// Bytes are bytes on the control channel: in JSON unpadded base64url.
type Bytes []byte

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(b)), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("%q: expected unpadded base64url", text)
	}
	*b = raw
	return nil
}

// Hello is the result of hello.
type Hello struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Language  string   `json:"language"`
	Protocols []string `json:"protocols"`
	Methods   []string `json:"methods"`
	Options   []string `json:"options"`
}

// StartParams are the parameters of start; zero fields are left out.
type StartParams struct {
	Seed       string           `json:"seed"` // unpadded base64url of 32 bytes
	Mode       string           `json:"mode"` // server, client
	Protocol   string           `json:"protocol"`
	Profile    string           `json:"profile,omitempty"`
	K          int              `json:"k,omitempty"`
	Alpha      int              `json:"alpha,omitempty"`
	Beta       int              `json:"beta,omitempty"`
	Listen     string           `json:"listen,omitempty"`
	Transports []string         `json:"transports,omitempty"`
	Namespaces []string         `json:"namespaces,omitempty"`
	Filter     string           `json:"filter,omitempty"`
	Background bool             `json:"background,omitempty"`
	Expiry     map[string]int64 `json:"expiry,omitempty"` // milliseconds
}

// Started is the result of start.
type Started struct {
	Peer  string   `json:"peer"`
	Addrs []string `json:"addrs"`
}

// The parameters and results of the other methods. A nil slice or pointer in a result was null: the implementation
// cannot tell.
type (
	HelloParams struct {
		Version int `json:"version"`
	}
	ConnectParams struct {
		Addr string `json:"addr"`
	}
	PeerParams struct {
		Peer string `json:"peer"`
	}
	AddressParams struct {
		Peer string `json:"peer"`
		Addr string `json:"addr"`
	}
	KeyParams struct {
		Key Bytes `json:"key"`
	}
	ClosestParams struct {
		Key Bytes `json:"key"`
		N   int   `json:"n,omitempty"`
	}
	PutParams struct {
		Key       Bytes    `json:"key"`
		Value     Bytes    `json:"value"`
		Quorum    int      `json:"quorum,omitempty"`
		To        []string `json:"to,omitempty"`
		ExpiresIn int64    `json:"expires_in,omitempty"` // milliseconds
	}
	GetParams struct {
		Key    Bytes `json:"key"`
		Quorum int   `json:"quorum,omitempty"`
	}
	ProvidersParams struct {
		Key   Bytes `json:"key"`
		Limit int   `json:"limit,omitempty"`
	}
	ModeParams struct {
		Mode string `json:"mode"`
	}
	ClockParams struct {
		By int64 `json:"by"` // milliseconds
	}
	CancelParams struct {
		ID json.RawMessage `json:"id"`
	}

	// PeerAddrs is a peer in a result.
	PeerAddrs struct {
		Peer  string   `json:"peer"`
		Addrs []string `json:"addrs"`
	}
	PeerResult struct {
		Peer string `json:"peer"`
	}
	UpdateResult struct {
		Update *string `json:"update"` // success, pending or failed
	}
	RemovedResult struct {
		Removed *bool `json:"removed"`
	}
	TableResult struct {
		Peers []string `json:"peers"`
	}
	ClosestResult struct {
		Peers []PeerAddrs `json:"peers"`
		Stats *Stats      `json:"stats,omitempty"`
	}
	FoundResult struct {
		PeerAddrs
		Stats *Stats `json:"stats,omitempty"`
	}
	PutResult struct {
		Stored []string `json:"stored"`
		Stats  *Stats   `json:"stats,omitempty"`
	}
	PeerValue struct {
		Peer  *string `json:"peer"` // null: its own store
		Value Bytes   `json:"value"`
	}
	GetResult struct {
		Value   Bytes       `json:"value"`
		Records []PeerValue `json:"records"`
		Stats   *Stats      `json:"stats,omitempty"`
	}
	AnnouncedResult struct {
		Announced []string `json:"announced"`
		Stats     *Stats   `json:"stats,omitempty"`
	}
	ProvidersResult struct {
		Providers []PeerAddrs `json:"providers"`
		Stats     *Stats      `json:"stats,omitempty"`
	}
)

// Stats of an operation; nil: the implementation does not count it.
type Stats struct {
	Requests  *int64 `json:"requests"`
	Successes *int64 `json:"successes"`
	Failures  *int64 `json:"failures"`
	Hops      *int64 `json:"hops"`
	Duration  *int64 `json:"duration"` // milliseconds
}
