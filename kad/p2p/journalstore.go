package p2p

import "github.com/kadbench/kadbench/kad"

// journalStore is a MemoryStore that remembers which entries have changed since they were last on disk, and what they were
// then. It does no I/O: the journal does, beside the lock.
type journalStore struct {
	*kad.MemoryStore
	dir     *kad.Directory
	before  map[entryName]entryState // what is on disk of those that have changed
	changed func()                   // called after each change
}

// entryState is an entry as the store holds it; nothing in it is ever overwritten.
type entryState struct {
	record    kad.StoredRecord
	found     bool // there is a record
	providers []namedProvider
}

// namedProvider keeps the id beside the handle, which may be given to another once nobody refers to it.
type namedProvider struct {
	id []byte
	kad.ProviderRecord
}

func newJournalStore(limits kad.Limits, dir *kad.Directory) *journalStore {
	return &journalStore{MemoryStore: kad.NewMemoryStore(limits), dir: dir, before: make(map[entryName]entryState)}
}

func (s *journalStore) state(name entryName) (st entryState) {
	if !name.providers {
		st.record, st.found = s.Get([]byte(name.key))
		return st
	}
	for _, r := range s.Providers([]byte(name.key), nil) {
		st.providers = append(st.providers, namedProvider{s.dir.ID(r.Provider), r})
	}
	return st
}

// note remembers an entry as it was before it changed, unless it had changed before.
func (s *journalStore) note(name entryName, old entryState) {
	if _, known := s.before[name]; !known {
		s.before[name] = old
	}
	if s.changed != nil {
		s.changed()
	}
}

// Put implements kad.Store.
func (s *journalStore) Put(r kad.StoredRecord) error {
	name := entryName{key: string(r.Key)}
	old := s.state(name)
	err := s.MemoryStore.Put(r)
	if err == nil {
		s.note(name, old)
	}
	return err
}

// Remove implements kad.Store.
func (s *journalStore) Remove(key []byte) {
	name := entryName{key: string(key)}
	if old := s.state(name); old.found {
		s.MemoryStore.Remove(key)
		s.note(name, old)
	}
}

// AddProvider implements kad.Store.
func (s *journalStore) AddProvider(r kad.ProviderRecord) error {
	name := entryName{providers: true, key: string(r.Key)}
	old := s.state(name)
	err := s.MemoryStore.AddProvider(r)
	if err == nil {
		s.note(name, old)
	}
	return err
}

// RemoveProvider implements kad.Store.
func (s *journalStore) RemoveProvider(key []byte, p kad.Peer) {
	name := entryName{providers: true, key: string(key)}
	old := s.state(name)
	s.MemoryStore.RemoveProvider(key, p)
	for i := range old.providers {
		if old.providers[i].Provider == p {
			s.note(name, old)
			return
		}
	}
}

// Expire implements kad.Store. The store does not say what it removed, so all that is due is looked at before and after: a
// walk of 0.2 ms at the default limits when both are full, and only when something is due.
func (s *journalStore) Expire(now kad.Time, limit int) int {
	if next := s.NextExpiry(); next == 0 || next > now {
		return 0
	}
	due := make(map[entryName]entryState)
	for r := range s.Records() {
		if over(r.Expires, now) {
			due[entryName{key: string(r.Key)}] = entryState{record: r, found: true}
		}
	}
	for r := range s.AllProviders() {
		if name := (entryName{providers: true, key: string(r.Key)}); over(r.Expires, now) && due[name].providers == nil {
			due[name] = s.state(name)
		}
	}
	removed := s.MemoryStore.Expire(now, limit)
	for name, old := range due {
		if is := s.state(name); is.found != old.found || len(is.providers) != len(old.providers) {
			s.note(name, old)
		}
	}
	return removed
}

// undo makes all that has changed what it is on disk, but for what has expired. The entries still count as changed, for what
// a write that failed has left on the disk nobody knows.
func (s *journalStore) undo(now kad.Time) {
	for name, old := range s.before { // first all that is to go, so that there is room for what is to come
		if !name.providers {
			if !old.found {
				s.MemoryStore.Remove([]byte(name.key))
			}
			continue
		}
		for _, r := range s.Providers([]byte(name.key), nil) {
			s.MemoryStore.RemoveProvider(r.Key, r.Provider)
		}
	}
	for name, old := range s.before {
		s.restore(old, now)
		s.before[name] = s.state(name)
	}
}

// restore puts an entry into the memory, leaves out what has expired, and says of how much there was no room.
func (s *journalStore) restore(e entryState, now kad.Time) (refused int) {
	if e.found && !over(e.record.Expires, now) && s.MemoryStore.Put(e.record) != nil {
		refused++
	}
	for _, p := range e.providers {
		if over(p.Expires, now) {
			continue
		}
		p.Provider = s.dir.Intern(p.id)
		if p.Provider == 0 || s.MemoryStore.AddProvider(p.ProviderRecord) != nil {
			refused++
		}
	}
	return refused
}

// entry is what the journal writes of an entry; nil: nothing is left of it.
func (st *entryState) entry(name entryName) *journalEntry {
	e := &journalEntry{Version: entryVersion, Key: []byte(name.key)}
	if st.found {
		r := &st.record
		e.Record = &entryRecord{Value: r.Value, Publisher: r.Publisher, Received: r.Received, Expires: r.Expires}
	}
	for _, p := range st.providers {
		e.Providers = append(e.Providers, entryProvider{ID: p.id, Addrs: p.Addrs, Received: p.Received, Expires: p.Expires})
	}
	if e.Record == nil && e.Providers == nil {
		return nil
	}
	return e
}

// state is what an entry says, with neither handles nor rank yet.
func (e *journalEntry) state() (st entryState) {
	if r := e.Record; r != nil {
		st.found = true
		st.record.Record = kad.Record{Key: e.Key, Value: r.Value, Publisher: r.Publisher, Received: r.Received, Expires: r.Expires}
	}
	for _, p := range e.Providers {
		st.providers = append(st.providers, namedProvider{p.ID,
			kad.ProviderRecord{Key: e.Key, Addrs: p.Addrs, Received: p.Received, Expires: p.Expires}})
	}
	return st
}

// over says whether what expires at a moment (0: never) has expired.
func over(at, now kad.Time) bool { return at != 0 && at <= now }
