package p2p

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
)

// Store is the record store of a node, to be read and changed by the application: to hand in records from elsewhere, to
// list what is held, to drop what is not wanted. Each call holds the node's lock for its own time, and what it returns is a
// copy. Nothing is sent to anybody; but what is put here is answered with, and given out again by the node's jobs.
type Store struct{ n *Node }

// Store may be called before Start too. With Config.Datastore it can be changed only while the node runs (ErrClosed), since
// before nobody knows what is there; and what has changed it returns when that is on disk.
func (n *Node) Store() Store { return Store{n} }

// StoredRecord is a record as the store holds it.
type StoredRecord struct {
	Key, Value []byte
	Publisher  peer.ID   // none: nobody known
	Received   time.Time // zero, to Put: now
	Expires    time.Time // zero: never
}

// StoredProvider says that a peer provides a key.
type StoredProvider struct {
	Key      []byte // a multihash
	Provider peer.AddrInfo
	Received time.Time // zero, to AddProvider: now
	Expires  time.Time // zero: never
}

// Get returns the record of a key; ok is false if there is none. One that is expired may be there until the node's next
// round of cleaning.
func (s Store) Get(key []byte) (r StoredRecord, ok bool) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	rec, ok := s.n.core.Store().Get(key)
	if !ok {
		return StoredRecord{}, false
	}
	return storedRecord(rec), true
}

// Records are all there are.
func (s Store) Records() []StoredRecord {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	var list []StoredRecord
	for rec := range s.n.core.Store().Records() {
		list = append(list, storedRecord(rec))
	}
	return list
}

// Put stores a record in the place of any other of its key. It is validated first (ErrInvalid, ErrNamespace), and refused
// if a better one is there (ErrInvalid) or where the store's limits are reached: kad.ErrMaxRecords, ErrTooLarge.
func (s Store) Put(r StoredRecord) error { return s.put(context.Background(), r) }

func (s Store) put(ctx context.Context, r StoredRecord) error {
	now := s.n.clock.now()
	rec := kad.Record{Key: r.Key, Value: r.Value, Publisher: []byte(r.Publisher), Received: coreTime(r.Received), Expires: coreTime(r.Expires)}
	if rec.Received == 0 {
		rec.Received = now
	}
	valid, err := kad.Validate(s.n.records, rec, now)
	if err == nil {
		err = s.n.changeStore(ctx, func(store kad.Store) error {
			if old, ok := store.Get(r.Key); ok && (old.Expires == 0 || old.Expires > now) && bytes.Compare(valid.Rank(), old.Rank) < 0 {
				return kad.ErrWorseRecord
			}
			return store.Put(kad.StoredRecord{Record: rec, Rank: valid.Rank()})
		})
	}
	if err != nil {
		return fmt.Errorf("store: put: %w", operationError(err))
	}
	return nil
}

// Remove forgets the record of a key, whoever published it.
func (s Store) Remove(key []byte) error {
	return s.n.changeStore(context.Background(), func(store kad.Store) error {
		store.Remove(key)
		return nil
	})
}

// Providers are the providers of a key that were announced here, this node with its present addresses among them if it
// provides the key, in the order in which they first came.
func (s Store) Providers(key []byte) []StoredProvider {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	var list []StoredProvider
	for _, r := range s.n.core.Store().Providers(key, nil) {
		list = append(list, s.n.storedProvider(r))
	}
	return list
}

// Provided is what this node provides.
func (s Store) Provided() []StoredProvider {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	var list []StoredProvider
	self := s.n.core.Self().Peer
	for r := range s.n.core.Store().AllProviders() {
		if r.Provider == self {
			list = append(list, s.n.storedProvider(r))
		}
	}
	return list
}

// AddProvider stores that a peer provides a key, in the place of what the same peer said before. A newcomer to a full list
// is ignored, but for this node itself: then the one that came last makes room. Of this node no addresses are kept: those
// of the moment are told. ErrInvalid: an id that is none, or a key that is empty or too long; kad.ErrMaxProviderKeys.
func (s Store) AddProvider(r StoredProvider) error { return s.addProvider(context.Background(), r) }

func (s Store) addProvider(ctx context.Context, r StoredProvider) error {
	if !validID([]byte(r.Provider.ID)) {
		return fmt.Errorf("store: add provider: %w: peer id %x", ErrInvalid, string(r.Provider.ID))
	}
	rec := kad.ProviderRecord{Key: r.Key, Received: coreTime(r.Received), Expires: coreTime(r.Expires)}
	if rec.Received == 0 {
		rec.Received = s.n.clock.now()
	}
	if r.Provider.ID != s.n.id {
		rec.Addrs = appendAddrs(nil, r.Provider.Addrs, s.n.servedAddr)
	}
	err := s.n.changeStore(ctx, func(store kad.Store) error {
		rec.Provider = s.n.core.Directory().Intern([]byte(r.Provider.ID))
		if err := store.AddProvider(rec); err != nil || r.Provider.ID != s.n.id {
			return err
		}
		list := store.Providers(r.Key, nil)
		if slices.ContainsFunc(list, func(p kad.ProviderRecord) bool { return p.Provider == rec.Provider }) {
			return nil
		}
		store.RemoveProvider(r.Key, list[len(list)-1].Provider)
		return store.AddProvider(rec)
	})
	if err != nil {
		return fmt.Errorf("store: add provider: %w", operationError(err))
	}
	return nil
}

// RemoveProvider forgets that a peer provides a key.
func (s Store) RemoveProvider(key []byte, id peer.ID) error {
	return s.n.changeStore(context.Background(), func(store kad.Store) error {
		if p := s.n.core.Directory().Find([]byte(id)); p != 0 {
			store.RemoveProvider(key, p)
		}
		return nil
	})
}

// changeStore is how the store is changed by hand: between two steps, and what becomes due by it is not missed.
func (n *Node) changeStore(ctx context.Context, change func(kad.Store) error) error {
	stored, err := n.changeLocked(change)
	if err != nil {
		return err
	}
	return stored.wait(ctx)
}

func (n *Node) changeLocked(change func(kad.Store) error) (*commit, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || !n.started && n.journal != nil {
		return nil, ErrClosed
	}
	if err := change(n.core.Store()); err != nil {
		return nil, err
	}
	if n.started {
		n.tell(kad.Input{Kind: kad.InNone}) // it sets the timer anew
	}
	return n.journal.ticket(), nil
}

func storedRecord(r kad.StoredRecord) StoredRecord {
	return StoredRecord{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value), Publisher: peer.ID(r.Publisher),
		Received: wallTime(r.Received), Expires: wallTime(r.Expires)}
}

func (n *Node) storedProvider(r kad.ProviderRecord) StoredProvider {
	info := n.core.Directory().Info(r.Provider)
	if string(info.ID) != string(n.id) { // of this node itself it is the present addresses
		info.Addrs = r.Addrs
	}
	return StoredProvider{Key: bytes.Clone(r.Key), Provider: addrInfo(info), Received: wallTime(r.Received), Expires: wallTime(r.Expires)}
}

// wallTime is a moment of the core's as the application reads it, and coreTime the other way; 0 and the zero Time are never.
func wallTime(t kad.Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(t))
}

func coreTime(t time.Time) kad.Time {
	if t.IsZero() {
		return 0
	}
	return kad.Time(t.UnixNano())
}
