package p2p

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
)

// Namespaces gives the validators of these namespaces: pk, ipns, and v, which exists for tests (see generic). The
// entry of any other name is nil, which Config.Check refuses.
func Namespaces(names ...string) map[string]kad.Validator {
	m := make(map[string]kad.Validator, len(names))
	for _, name := range names {
		switch name {
		case "pk":
			m[name] = publicKey{}
		case "ipns":
			m[name] = ipnsRecord{}
		case "v":
			m[name] = generic{}
		default:
			m[name] = nil
		}
	}
	return m
}

// SplitKey splits the key of a value, "/namespace/rest", at its second slash. The rest is binary and may hold more of
// them; neither part may be empty.
func SplitKey(key []byte) (namespace string, rest []byte, err error) {
	if len(key) == 0 || key[0] != '/' {
		return "", nil, fmt.Errorf("%w: key %.40q: want /namespace/name", ErrInvalid, key)
	}
	ns, rest, ok := bytes.Cut(key[1:], []byte{'/'})
	if !ok || len(ns) == 0 || len(rest) == 0 {
		return "", nil, fmt.Errorf("%w: key %.40q: want /namespace/name", ErrInvalid, key)
	}
	return string(ns), rest, nil
}

// namespaces judges a record by the validator of its key's namespace.
type namespaces map[string]kad.Validator

// Validate implements kad.Validator.
func (n namespaces) Validate(key, value []byte, now kad.Time) ([]byte, error) {
	ns, _, err := SplitKey(key)
	if err != nil {
		return nil, err
	}
	v := n[ns]
	if v == nil {
		return nil, fmt.Errorf("%w: %.40q", ErrNamespace, ns)
	}
	return v.Validate(key, value, now)
}

// publicKey validates /pk/<peer id>: the value is the libp2p public key of that peer (ipfs-kad L586). All such values
// hold the same key, so the rank is empty.
type publicKey struct{}

func (publicKey) Validate(key, value []byte, _ kad.Time) ([]byte, error) {
	_, rest, err := SplitKey(key)
	if err != nil {
		return nil, err
	}
	pk, err := crypto.UnmarshalPublicKey(value)
	if err != nil {
		return nil, fmt.Errorf("%w: pk value: %w", ErrInvalid, err)
	}
	id, err := peer.IDFromPublicKey(pk)
	if err != nil {
		return nil, fmt.Errorf("%w: pk value: %w", ErrInvalid, err)
	}
	if string(id) != string(rest) {
		return nil, fmt.Errorf("%w: pk value: it is the key of %s, not of the peer that the record's key names", ErrInvalid, id)
	}
	return nil, nil
}

// ipnsRecord validates /ipns/<peer id> (ipns L408-434). The key of the name must be inlined in the id or embedded in
// the record; what a peerstore happens to know is not asked, so that the verdict depends on the record alone.
type ipnsRecord struct{}

func (ipnsRecord) Validate(key, value []byte, now kad.Time) ([]byte, error) {
	if len(value) > ipns.MaxRecordSize { // ipns L254
		return nil, fmt.Errorf("%w: ipns record: %d bytes, at most %d", ErrInvalid, len(value), ipns.MaxRecordSize)
	}
	name, err := ipns.NameFromRoutingKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: ipns key: %w", ErrInvalid, err)
	}
	rec, err := ipns.UnmarshalRecord(value)
	if err != nil {
		return nil, fmt.Errorf("%w: ipns record: %w", ErrInvalid, err)
	}
	if err := ipns.ValidateWithName(rec, name); err != nil {
		return nil, fmt.Errorf("%w: ipns record: %w", ErrInvalid, err)
	}
	eol, err := rec.Validity()
	if err != nil {
		return nil, fmt.Errorf("%w: ipns record: %w", ErrInvalid, err)
	}
	if eol.Before(time.Unix(0, int64(now))) { // the node's clock may be ahead of the system's, by Advance
		return nil, fmt.Errorf("%w: ipns record: expired at %s", ErrInvalid, eol)
	}
	seq, err := rec.Sequence()
	if err != nil {
		return nil, fmt.Errorf("%w: ipns record: %w", ErrInvalid, err)
	}
	return rankIPNS(seq, eol, value), nil
}

// rankIPNS orders records of one name: by sequence (ipns L296), then by end of life, then by bytes. The seconds
// get their sign bit flipped, so that they compare as bytes do.
func rankIPNS(seq uint64, eol time.Time, value []byte) []byte {
	rank := make([]byte, 0, 20+len(value))
	rank = binary.BigEndian.AppendUint64(rank, seq)
	rank = binary.BigEndian.AppendUint64(rank, uint64(eol.Unix())^1<<63)
	rank = binary.BigEndian.AppendUint32(rank, uint32(eol.Nanosecond()))
	return append(rank, value...)
}

// generic validates /v/…, a namespace for tests: a value is valid if it begins with "ok ", and the best of several is
// the greatest by bytes.
type generic struct{}

func (generic) Validate(_, value []byte, _ kad.Time) ([]byte, error) {
	if !bytes.HasPrefix(value, []byte("ok ")) {
		return nil, fmt.Errorf(`%w: value %.20q: want it to begin with "ok "`, ErrInvalid, value)
	}
	return bytes.Clone(value), nil
}
