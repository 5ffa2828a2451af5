package p2p

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/ipfs/go-datastore"

	"github.com/kadbench/kadbench/kad"
)

// An entry of the journal is the record of one key, or all providers of one key, so that their order is kept too. Its key in
// the datastore is /kadbench/record/K or /kadbench/providers/K, where K is the key in base64url without padding. Its value is
// the CRC-32C of the rest, big endian, and then a JSON object, journalEntry. Times are Unix nanoseconds, bytes are base64.

// entryVersion is written into each entry. One of another version is left where it is: a later program may know it.
const entryVersion = 1

var errEntry = errors.New("journal entry")

type journalEntry struct {
	Version   int
	Key       []byte
	Record    *entryRecord    `json:",omitempty"`
	Providers []entryProvider `json:",omitempty"`
}

type entryRecord struct {
	Value             []byte
	Publisher         []byte   `json:",omitempty"`
	Received, Expires kad.Time // Expires 0: never
}

type entryProvider struct {
	ID                []byte // a peer id: handles mean nothing to another process
	Addrs             []byte `json:",omitempty"` // kad.Addrs; none of the node itself
	Received, Expires kad.Time
}

// entryName names an entry: a kind and a key.
type entryName struct {
	providers bool
	key       string
}

// All entries stand below one name of our own, so that a datastore may be shared with other programs: go-libp2p-kad-dht
// deletes what it cannot read below /providers.
const (
	journalPrefix   = "/kadbench"
	recordPrefix    = journalPrefix + "/record/"
	providersPrefix = journalPrefix + "/providers/"
)

func (e entryName) datastoreKey() datastore.Key {
	prefix := recordPrefix
	if e.providers {
		prefix = providersPrefix
	}
	return datastore.RawKey(prefix + base64.RawURLEncoding.EncodeToString([]byte(e.key)))
}

// parseEntryName reads what datastoreKey has made; ok is false for what is not of the journal.
func parseEntryName(key string) (name entryName, ok bool) {
	text, ok := strings.CutPrefix(key, recordPrefix)
	if !ok {
		if text, ok = strings.CutPrefix(key, providersPrefix); !ok {
			return entryName{}, false
		}
		name.providers = true
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	name.key = string(b)
	return name, err == nil && len(b) > 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e *journalEntry) encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	return append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)), body...), nil
}

// decodeEntry reads an entry that stood under a name, whatever the bytes are.
func decodeEntry(name entryName, b []byte) (*journalEntry, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes, want a checksum and an object", errEntry, len(b))
	}
	if got, want := crc32.Checksum(b[4:], castagnoli), binary.BigEndian.Uint32(b); got != want {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x", errEntry, got, want)
	}
	e := new(journalEntry)
	if err := json.Unmarshal(b[4:], e); err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	switch {
	case e.Version != entryVersion:
		return nil, fmt.Errorf("%w: version %d, want %d", errEntry, e.Version, entryVersion)
	case string(e.Key) != name.key:
		return nil, fmt.Errorf("%w: key %.40q, want that of its place, %.40q", errEntry, e.Key, name.key)
	case name.providers != (e.Record == nil) || name.providers != (len(e.Providers) > 0):
		return nil, fmt.Errorf("%w: want a record or providers, as its place says", errEntry)
	}
	if r := e.Record; r != nil && (r.Received < 0 || r.Expires < 0) {
		return nil, fmt.Errorf("%w: a time before 1970", errEntry)
	}
	for i, p := range e.Providers {
		switch {
		case !validID(p.ID):
			return nil, fmt.Errorf("%w: provider %d: peer id %x", errEntry, i, p.ID)
		case kad.Addrs(p.Addrs).Check() != nil:
			return nil, fmt.Errorf("%w: provider %d: %w", errEntry, i, kad.Addrs(p.Addrs).Check())
		case p.Received < 0 || p.Expires < 0:
			return nil, fmt.Errorf("%w: provider %d: a time before 1970", errEntry, i)
		}
	}
	return e, nil
}
