package kad

import "iter"

// Store keeps the records and the provider records of a node. It is called inside Step: it does no I/O, copies what it
// keeps, and replaces but never overwrites the bytes that it has given out. Its answers depend on nothing but the calls
// before them. kadtest.TestStore is the suite that any Store must pass.
type Store interface {
	// Get returns the record of a key with its rank, expired or not.
	Get(key []byte) (StoredRecord, bool)
	// Put stores a record in the place of any other of its key: ErrKeyLength, ErrValueTooLarge, ErrMaxRecords.
	Put(StoredRecord) error
	// Remove forgets the record of a key.
	Remove(key []byte)

	// AddProvider stores a provider record, in the place of that of the same provider: ErrKeyLength, ErrMaxProviderKeys.
	// When a key has as many providers as it may have, newcomers are ignored: who fills the list cannot push others out.
	AddProvider(ProviderRecord) error
	// Providers appends the providers of a key, expired or not, in the order in which they first came.
	Providers(key []byte, dst []ProviderRecord) []ProviderRecord
	// RemoveProvider forgets one provider of a key.
	RemoveProvider(key []byte, p Peer)

	// Expire removes what has expired by now, at most limit records and limit provider keys' worth, and says how much
	// it removed.
	Expire(now Time, limit int) int
	// NextExpiry is when the first of all expires; 0 if nothing does.
	NextExpiry() Time

	// Records and AllProviders yield all there is, in an order that depends only on the calls before.
	Records() iter.Seq[StoredRecord]
	AllProviders() iter.Seq[ProviderRecord]
}

// StoredRecord is a record with the rank that its Validator gave it.
type StoredRecord struct {
	Record
	Rank []byte
}

// ProviderRecord says that a peer provides what has the key. Its addresses are those that it announced; the local node's
// own record has none, since they are taken from the present when it is asked.
type ProviderRecord struct {
	Key      []byte
	Provider Peer
	Addrs    Addrs
	Received Time
	Expires  Time // 0: never
}

// expired says whether something that expires at a moment (0: never) is over by now.
func expired(at, now Time) bool { return at != 0 && at <= now }
