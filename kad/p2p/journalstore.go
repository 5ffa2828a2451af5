package p2p

import (
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// journalStore is a MemoryStore that remembers which entries have changed since they were last on disk, and what they were
// then. It does no I/O: the journal does, beside the lock.
type journalStore struct {
	*kad.MemoryStore
	dir     *kad.Directory
	before  map[entryName]entryState // what is on disk of those that have changed
	writing int                      // how many more are being written; they come back to before if that fails
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

func newJournalStore(limits kad.Limits, dir *kad.Directory, changed func()) *journalStore {
	return &journalStore{MemoryStore: kad.NewMemoryStore(limits), dir: dir, before: make(map[entryName]entryState), changed: changed}
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
	s.changed()
}

// maxUnwritten entries wait for a disk that is slow or fails, those included that are being written. What a failure undid waits
// with them, for nobody knows whether it is on the disk; so a disk that fails for long must not gather the keys of all who
// try. 16384 is the 32 requests each of 512 connections. What is stored can always be removed.
const maxUnwritten = 1 << 14

var errBehind = fmt.Errorf("%w: %d changes wait to be written", ErrJournal, maxUnwritten)

// room says whether one more entry may change.
func (s *journalStore) room(name entryName) error {
	if _, known := s.before[name]; known || len(s.before)+s.writing < maxUnwritten {
		return nil
	}
	s.changed() // let it be tried again
	return errBehind
}

// Put implements kad.Store.
func (s *journalStore) Put(r kad.StoredRecord) error {
	name := entryName{key: string(r.Key)}
	if err := s.room(name); err != nil {
		return err
	}
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
	if err := s.room(name); err != nil {
		return err
	}
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

// Expire implements kad.Store.
func (s *journalStore) Expire(now kad.Time, limit int) int {
	return s.ExpireEach(now, limit, func(key []byte, providers bool) {
		name := entryName{providers, string(key)}
		s.note(name, s.state(name))
	})
}

// undo makes all that has changed what it is on disk, but for what has expired. The entries still count as changed, for what
// a write that failed has left on the disk nobody knows.
func (s *journalStore) undo(now kad.Time) {
	for name := range s.before { // first all of it goes, so that there is room for what comes back
		if !name.providers {
			s.MemoryStore.Remove([]byte(name.key))
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
