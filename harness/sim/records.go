package sim

import (
	"encoding/binary"
	"errors"

	"github.com/kadbench/kadbench/kad"
)

// The records of a simulation: a number that orders those of one key, and a check of both, which whoever invents a record
// does not get right.

// recordBytes is how long a value is: an IPNS record without its signature has some 60 to 400 bytes.
const recordBytes = 64

var errRecord = errors.New("record: not one of the simulation's")

// recordValue is the value number n of a key.
func recordValue(key []byte, n uint64) []byte {
	v := make([]byte, recordBytes)
	binary.BigEndian.PutUint64(v, n)
	binary.BigEndian.PutUint64(v[8:], checkOf(key, n))
	return v
}

func checkOf(key []byte, n uint64) uint64 {
	if len(key) < 8 {
		return 0
	}
	return mix(n, binary.BigEndian.Uint64(key))
}

// validator accepts those values; the rank is the number.
type validator struct{}

func (validator) Validate(key, value []byte, _ kad.Time) ([]byte, error) {
	if len(value) != recordBytes || binary.BigEndian.Uint64(value[8:]) != checkOf(key, binary.BigEndian.Uint64(value)) {
		return nil, errRecord
	}
	return value[:8], nil
}

// numberOf is the number of a record.
func numberOf(r *kad.Record) uint64 {
	if len(r.Value) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(r.Value)
}

// carry puts a record into a message as the wire would: its life is told in whole seconds.
func (x *extra) carry(r *kad.Record, now kad.Time) {
	x.found, x.record = true, kad.Record{Key: r.Key, Value: r.Value, Publisher: r.Publisher}
	if r.Expires != 0 {
		x.ttl = uint32(max((r.Expires-now)/kad.Time(kad.Second), 1))
	}
}

// receive is the record as it arrives.
func (x *extra) receive(now kad.Time) kad.Record {
	r := x.record
	if x.ttl != 0 {
		r.Expires = now + kad.Time(x.ttl)*kad.Time(kad.Second)
	}
	return r
}
