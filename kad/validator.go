package kad

import "bytes"

// Validator judges a record of its namespaces and gives its rank. It is called outside Step, from any goroutine. Of the same
// key and value it must give the same rank whenever it accepts: ranks of different days are compared.
type Validator interface {
	Validate(key, value []byte, now Time) (rank []byte, err error)
}

// Valid is a record which a Validator has accepted. Only Validate makes one, so an unvalidated record cannot be stored.
// Rank orders two valid records of one key by bytes: the greater is the better. The slices are those of the record that
// was validated; as part of an Input they are lent.
type Valid struct {
	record Record
	rank   []byte
	ok     bool
}

// Validate asks a Validator about a record and wraps what it accepts. The record's key must not be empty (libp2p-kad
// L498).
func Validate(v Validator, r Record, now Time) (Valid, error) {
	if len(r.Key) == 0 {
		return Valid{}, ErrKeyLength
	}
	rank, err := v.Validate(r.Key, r.Value, now)
	if err != nil {
		return Valid{}, err
	}
	return Valid{record: r, rank: rank, ok: true}, nil
}

// OK is false for the zero Valid, which stands for no record.
func (v Valid) OK() bool { return v.ok }

// Record is the record that was validated.
func (v Valid) Record() Record { return v.record }

// Rank is what the Validator gave it.
func (v Valid) Rank() []byte { return v.rank }

// Better says whether v is to be preferred to a record of the same key with the given rank.
func (v Valid) Better(rank []byte) bool { return bytes.Compare(v.rank, rank) > 0 }

// AcceptAll is the Validator of a network without namespaces, as libp2p-kad's default is: each record is as good as the
// next.
type AcceptAll struct{}

// Validate accepts.
func (AcceptAll) Validate(key, value []byte, now Time) ([]byte, error) { return nil, nil }
