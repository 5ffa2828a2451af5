package kad

import (
	"bytes"
	"iter"
)

// MemoryStore is a Store in memory, bounded as libp2p-kad's. Maps find; slabs hold and are what is ranged over; two heaps
// know what expires first, so that expiry costs in proportion to what expires and nothing else.
type MemoryStore struct {
	limits Limits

	recordAt map[string]int32
	records  slab[StoredRecord]

	providersAt map[string]int32
	providers   slab[providerSet]
}

// providerSet is the providers of one key. It expires as its first provider does, and is gone with its last.
type providerSet struct {
	key  []byte
	list []ProviderRecord // in the order in which they came; their Key is the set's
}

// expires is when the first of the set does.
func (s *providerSet) expires() Time {
	var at Time
	for i := range s.list {
		at = earlier(at, s.list[i].Expires)
	}
	return at
}

// NewMemoryStore makes an empty store. Limits of 0 are the default. Maps are made when the first record comes: most of a
// million simulated nodes never hold any.
func NewMemoryStore(limits Limits) *MemoryStore {
	return &MemoryStore{limits: Config{Limits: limits}.WithDefaults().Limits}
}

// Get hands out the record that is stored, not a copy: Put replaces it as a whole, so the bytes stay as they are.
func (s *MemoryStore) Get(key []byte) (StoredRecord, bool) {
	i, ok := s.recordAt[string(key)]
	if !ok {
		return StoredRecord{}, false
	}
	return *s.records.at(i), true
}

// Put checks its limits before it changes anything: a refused record leaves the old one in place.
func (s *MemoryStore) Put(r StoredRecord) error {
	if len(r.Key) == 0 || len(r.Key) > s.limits.RecordKeyBytes {
		return ErrKeyLength
	}
	if len(r.Value) >= s.limits.RecordBytes {
		return ErrValueTooLarge
	}
	i, ok := s.recordAt[string(r.Key)]
	if !ok && len(s.recordAt) >= s.limits.Records {
		return ErrMaxRecords
	}
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	r.Publisher, r.Rank = bytes.Clone(r.Publisher), bytes.Clone(r.Rank)
	if !ok {
		if s.recordAt == nil {
			s.recordAt = map[string]int32{}
		}
		i = s.records.add()
		s.recordAt[string(r.Key)] = i
	}
	*s.records.at(i) = r
	s.records.due(i, r.Expires)
	return nil
}

// Remove gives the slot back; a record that is not there is no error.
func (s *MemoryStore) Remove(key []byte) {
	if i, ok := s.recordAt[string(key)]; ok {
		delete(s.recordAt, string(key))
		s.records.remove(i)
	}
}

// AddProvider replaces what the same provider announced before, with its addresses and its end: the latest counts. It keeps
// the order in which providers first came. A newcomer to a full list is ignored without an error, as in
// libp2p-kad since 0.46.1: who announces many identities cannot push the others out.
func (s *MemoryStore) AddProvider(p ProviderRecord) error {
	if len(p.Key) == 0 || len(p.Key) > s.limits.ProviderKeyBytes {
		return ErrKeyLength
	}
	i, ok := s.providersAt[string(p.Key)]
	if !ok {
		if len(s.providersAt) >= s.limits.ProviderKeys {
			return ErrMaxProviderKeys
		}
		if s.providersAt == nil {
			s.providersAt = map[string]int32{}
		}
		i = s.providers.add()
		s.providers.at(i).key = bytes.Clone(p.Key)
		s.providersAt[string(p.Key)] = i
	}
	set := s.providers.at(i)
	// All records of a set share one copy of the key.
	p.Key, p.Addrs = set.key, bytes.Clone(p.Addrs)
	known := false
	for j := range set.list {
		if set.list[j].Provider == p.Provider {
			set.list[j], known = p, true
		}
	}
	if !known && len(set.list) < s.limits.ProvidersPerKey {
		set.list = append(set.list, p)
	}
	s.providers.due(i, set.expires())
	return nil
}

// Providers copies the records, not the bytes behind them.
func (s *MemoryStore) Providers(key []byte, dst []ProviderRecord) []ProviderRecord {
	if i, ok := s.providersAt[string(key)]; ok {
		dst = append(dst, s.providers.at(i).list...)
	}
	return dst
}

// RemoveProvider forgets the key with its last provider.
func (s *MemoryStore) RemoveProvider(key []byte, p Peer) {
	if i, ok := s.providersAt[string(key)]; ok {
		s.keepProviders(i, func(r *ProviderRecord) bool { return r.Provider != p })
	}
}

// keepProviders drops the providers of a set that are not to be kept, and the set when it is empty; it says how many.
func (s *MemoryStore) keepProviders(i int32, keep func(*ProviderRecord) bool) int {
	set := s.providers.at(i)
	kept := set.list[:0]
	for j := range set.list {
		if keep(&set.list[j]) {
			kept = append(kept, set.list[j])
		}
	}
	dropped := len(set.list) - len(kept)
	clear(set.list[len(kept):])
	set.list = kept
	if len(kept) == 0 {
		delete(s.providersAt, string(set.key))
		s.providers.remove(i)
	} else {
		s.providers.due(i, set.expires())
	}
	return dropped
}

// Expire takes what is due from the tops of the two heaps: n removals cost n·log(size), and nothing is walked.
func (s *MemoryStore) Expire(now Time, limit int) int { return s.ExpireEach(now, limit, nil) }

// ExpireEach is Expire that tells of each key, whose record or some of whose providers have expired, before they are gone. The
// key is the store's own, and the store must not be changed meanwhile.
func (s *MemoryStore) ExpireEach(now Time, limit int, tell func(key []byte, providers bool)) int {
	removed := 0
	for n := 0; n < limit && expired(s.records.next(), now); n++ {
		key := s.records.at(s.records.first()).Key
		if tell != nil {
			tell(key, false)
		}
		s.Remove(key)
		removed++
	}
	for n := 0; n < limit && expired(s.providers.next(), now); n++ {
		first := s.providers.first()
		if tell != nil {
			tell(s.providers.at(first).key, true)
		}
		removed += s.keepProviders(first, func(r *ProviderRecord) bool { return !expired(r.Expires, now) })
	}
	return removed
}

// NextExpiry looks at the tops of the two heaps.
func (s *MemoryStore) NextExpiry() Time { return earlier(s.records.next(), s.providers.next()) }

// Records walks the slab, whose order depends only on what was put and removed. A walk must end before the store changes.
func (s *MemoryStore) Records() iter.Seq[StoredRecord] {
	return func(yield func(StoredRecord) bool) {
		for i := range s.records.items {
			if r := &s.records.items[i].value; r.Key != nil && !yield(*r) {
				return
			}
		}
	}
}

// AllProviders walks the slab, key by key.
func (s *MemoryStore) AllProviders() iter.Seq[ProviderRecord] {
	return func(yield func(ProviderRecord) bool) {
		for i := range s.providers.items {
			for _, r := range s.providers.items[i].value.list {
				if !yield(r) {
					return
				}
			}
		}
	}
}
