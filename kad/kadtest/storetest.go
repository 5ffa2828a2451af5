package kadtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// StoreLimits are the limits with which TestStore wants a Store to be made.
var StoreLimits = kad.Limits{Records: 4, RecordBytes: 100, RecordKeyBytes: 10, ProviderKeys: 3, ProvidersPerKey: 2, ProviderKeyBytes: 8}

// TestStore holds a Store to what its interface says. open makes an empty one with StoreLimits.
func TestStore(t *testing.T, open func(t *testing.T) kad.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, kad.Store)
	}{
		{"Records", storeRecords},
		{"RecordLimits", storeRecordLimits},
		{"Copies", storeCopies},
		{"Providers", storeProviders},
		{"ProviderLimits", storeProviderLimits},
		{"Expiry", storeExpiry},
		{"ExpiryIsBounded", storeExpiryBounded},
		{"RandomUse", storeRandomUse},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func record(key, value string, expires kad.Time) kad.StoredRecord {
	return kad.StoredRecord{
		Record: kad.Record{Key: []byte(key), Value: []byte(value), Publisher: []byte("p"), Received: 7, Expires: expires},
		Rank:   []byte{1},
	}
}

func provider(key string, p kad.Peer, expires kad.Time) kad.ProviderRecord {
	return kad.ProviderRecord{Key: []byte(key), Provider: p, Addrs: addrs([]byte("addr")), Received: 7, Expires: expires}
}

func storeRecords(t *testing.T, s kad.Store) {
	_, ok := s.Get([]byte("a"))
	require.False(t, ok)
	s.Remove([]byte("a"))
	require.NoError(t, s.Put(record("a", "1", 0)))
	require.NoError(t, s.Put(record("b", "2", 50)))
	require.NoError(t, s.Put(record("a", "3", 60)), "in the place of the other")
	got, ok := s.Get([]byte("a"))
	require.True(t, ok)
	require.Equal(t, record("a", "3", 60), got)
	require.Len(t, slices.Collect(s.Records()), 2)
	for r := range s.Records() { // a walk may be ended
		require.NotEmpty(t, r.Key)
		break
	}
	s.Remove([]byte("a"))
	_, ok = s.Get([]byte("a"))
	require.False(t, ok)
	require.Equal(t, []kad.StoredRecord{record("b", "2", 50)}, slices.Collect(s.Records()))
}

func storeRecordLimits(t *testing.T, s kad.Store) {
	require.ErrorIs(t, s.Put(record("", "x", 0)), kad.ErrKeyLength)
	require.ErrorIs(t, s.Put(record("12345678901", "x", 0)), kad.ErrKeyLength)
	require.ErrorIs(t, s.Put(record("k", string(make([]byte, 100)), 0)), kad.ErrValueTooLarge)
	require.NoError(t, s.Put(record("1234567890", string(make([]byte, 99)), 0)))
	for i := range 3 {
		require.NoError(t, s.Put(record(fmt.Sprint(i), "", 0)))
	}
	require.ErrorIs(t, s.Put(record("one more", "", 0)), kad.ErrMaxRecords)
	require.NoError(t, s.Put(record("2", "new", 0)), "what is there can be replaced")
	s.Remove([]byte("0"))
	require.NoError(t, s.Put(record("one more", "", 0)))
}

// What is stored is a copy, and what was given out does not change when it is replaced.
func storeCopies(t *testing.T, s kad.Store) {
	r, p := record("key", "value", 0), provider("key", 1, 0)
	require.NoError(t, s.Put(r))
	require.NoError(t, s.AddProvider(p))
	for _, b := range [][]byte{r.Key, r.Value, r.Publisher, r.Rank, p.Key, p.Addrs} {
		for i := range b {
			b[i] = 0xAA
		}
	}
	held, _ := s.Get([]byte("key"))
	heldProviders := s.Providers([]byte("key"), nil)
	require.Equal(t, record("key", "value", 0), held)
	require.Equal(t, []kad.ProviderRecord{provider("key", 1, 0)}, heldProviders)
	require.NoError(t, s.Put(record("key", "other", 0)))
	other := provider("key", 1, 9)
	other.Addrs = addrs([]byte("else"))
	require.NoError(t, s.AddProvider(other))
	s.Remove([]byte("key"))
	s.RemoveProvider([]byte("key"), 1)
	require.Equal(t, record("key", "value", 0), held)
	require.Equal(t, []kad.ProviderRecord{provider("key", 1, 0)}, heldProviders)
}

func storeProviders(t *testing.T, s kad.Store) {
	require.Empty(t, s.Providers([]byte("a"), nil))
	s.RemoveProvider([]byte("a"), 1)
	require.NoError(t, s.AddProvider(provider("a", 1, 50)))
	require.NoError(t, s.AddProvider(provider("a", 2, 60)))
	require.NoError(t, s.AddProvider(provider("b", 1, 70)))
	again := provider("a", 1, 90)
	again.Addrs = addrs([]byte("new"))
	require.NoError(t, s.AddProvider(again), "announced again: refreshed, not doubled")
	before := provider("x", 9, 0)
	require.Equal(t, []kad.ProviderRecord{before, again, provider("a", 2, 60)},
		s.Providers([]byte("a"), []kad.ProviderRecord{before}), "appended, in the order in which they came")
	require.Len(t, slices.Collect(s.AllProviders()), 3)
	for p := range s.AllProviders() {
		require.NotZero(t, p.Provider)
		break
	}
	s.RemoveProvider([]byte("a"), 3)
	s.RemoveProvider([]byte("a"), 1)
	s.RemoveProvider([]byte("b"), 1)
	require.Equal(t, []kad.ProviderRecord{provider("a", 2, 60)}, slices.Collect(s.AllProviders()))
}

// A full list ignores newcomers, so that nobody can push others out of it, and refreshes those it has.
func storeProviderLimits(t *testing.T, s kad.Store) {
	require.ErrorIs(t, s.AddProvider(provider("", 1, 0)), kad.ErrKeyLength)
	require.ErrorIs(t, s.AddProvider(provider("123456789", 1, 0)), kad.ErrKeyLength)
	require.NoError(t, s.AddProvider(provider("12345678", 1, 0)))
	for p := range kad.Peer(4) {
		require.NoError(t, s.AddProvider(provider("a", p+1, 50)))
	}
	require.NoError(t, s.AddProvider(provider("a", 2, 60)))
	require.Equal(t, []kad.ProviderRecord{provider("a", 1, 50), provider("a", 2, 60)}, s.Providers([]byte("a"), nil))
	require.NoError(t, s.AddProvider(provider("b", 1, 0)))
	require.ErrorIs(t, s.AddProvider(provider("c", 1, 0)), kad.ErrMaxProviderKeys)
	require.NoError(t, s.AddProvider(provider("b", 2, 0)))
	s.RemoveProvider([]byte("12345678"), 1)
	require.NoError(t, s.AddProvider(provider("c", 1, 0)))
}

func storeExpiry(t *testing.T, s kad.Store) {
	require.Zero(t, s.NextExpiry())
	require.NoError(t, s.Put(record("never", "", 0)))
	require.NoError(t, s.AddProvider(provider("never", 1, 0)))
	require.Zero(t, s.NextExpiry())
	require.NoError(t, s.Put(record("a", "", 50)))
	require.NoError(t, s.Put(record("b", "", 40)))
	require.NoError(t, s.AddProvider(provider("p", 1, 30)))
	require.NoError(t, s.AddProvider(provider("p", 2, 60)))
	require.Equal(t, kad.Time(30), s.NextExpiry())
	require.Zero(t, s.Expire(29, 10))
	require.Equal(t, 1, s.Expire(30, 10), "at the moment itself")
	require.Equal(t, []kad.ProviderRecord{provider("p", 2, 60)}, s.Providers([]byte("p"), nil))
	require.Equal(t, kad.Time(40), s.NextExpiry())
	require.NoError(t, s.Put(record("b", "", 70)), "replaced: its time starts anew")
	require.Equal(t, kad.Time(50), s.NextExpiry())
	require.Equal(t, 2, s.Expire(60, 10))
	require.Equal(t, kad.Time(70), s.NextExpiry())
	require.NoError(t, s.Put(record("b", "", 0)), "and it may lose its end")
	require.Zero(t, s.NextExpiry())
	require.Zero(t, s.Expire(1000, 10))
	require.Len(t, slices.Collect(s.Records()), 2)
}

func storeExpiryBounded(t *testing.T, s kad.Store) {
	for i := range 4 {
		require.NoError(t, s.Put(record(fmt.Sprint(i), "", kad.Time(10+i))))
	}
	require.Equal(t, 3, s.Expire(100, 3))
	require.Equal(t, kad.Time(13), s.NextExpiry(), "the rest is due")
	require.Equal(t, 1, s.Expire(100, 3))
	for i := range 3 {
		require.NoError(t, s.AddProvider(provider(fmt.Sprint(i), 1, kad.Time(10+i))))
	}
	require.Equal(t, 2, s.Expire(100, 2), "so many keys of providers")
	require.Equal(t, kad.Time(12), s.NextExpiry())
	require.Equal(t, 1, s.Expire(100, 2))
}

// Random use agrees with a list that is searched from end to end.
func storeRandomUse(t *testing.T, s kad.Store) {
	rng := rand.New(rand.NewPCG(1, 1))
	var records []kad.StoredRecord
	var providers []kad.ProviderRecord
	now := kad.Time(1)
	sameKey := func(key []byte) func(kad.StoredRecord) bool {
		return func(r kad.StoredRecord) bool { return bytes.Equal(r.Key, key) }
	}
	for range 5000 {
		key := fmt.Sprint(rng.IntN(6))
		expires := kad.Time(0)
		if rng.IntN(4) > 0 {
			expires = now + kad.Time(1+rng.IntN(50))
		}
		switch rng.IntN(5) {
		case 0:
			r := record(key, fmt.Sprint(now), expires)
			i := slices.IndexFunc(records, sameKey(r.Key))
			switch err := s.Put(r); {
			case i >= 0:
				require.NoError(t, err)
				records[i] = r
			case len(records) == StoreLimits.Records:
				require.ErrorIs(t, err, kad.ErrMaxRecords)
			default:
				require.NoError(t, err)
				records = append(records, r)
			}
		case 1:
			s.Remove([]byte(key))
			records = slices.DeleteFunc(records, sameKey([]byte(key)))
		case 2:
			p := provider(key, kad.Peer(1+rng.IntN(4)), expires)
			i := slices.IndexFunc(providers, func(x kad.ProviderRecord) bool { return bytes.Equal(x.Key, p.Key) && x.Provider == p.Provider })
			keys, ofKey := map[string]bool{}, 0
			for _, x := range providers {
				keys[string(x.Key)] = true
				if bytes.Equal(x.Key, p.Key) {
					ofKey++
				}
			}
			switch err := s.AddProvider(p); {
			case i >= 0:
				require.NoError(t, err)
				providers[i] = p
			case ofKey == 0 && len(keys) == StoreLimits.ProviderKeys:
				require.ErrorIs(t, err, kad.ErrMaxProviderKeys)
			case ofKey == StoreLimits.ProvidersPerKey:
				require.NoError(t, err)
			default:
				require.NoError(t, err)
				providers = append(providers, p)
			}
		case 3:
			p := kad.Peer(1 + rng.IntN(4))
			s.RemoveProvider([]byte(key), p)
			providers = slices.DeleteFunc(providers, func(x kad.ProviderRecord) bool { return string(x.Key) == key && x.Provider == p })
		case 4:
			now += kad.Time(rng.IntN(20))
			s.Expire(now, 1000)
			records = slices.DeleteFunc(records, func(r kad.StoredRecord) bool { return r.Expires != 0 && r.Expires <= now })
			providers = slices.DeleteFunc(providers, func(r kad.ProviderRecord) bool { return r.Expires != 0 && r.Expires <= now })
		}
		next := kad.Time(0)
		for _, r := range records {
			if r.Expires != 0 && (next == 0 || r.Expires < next) {
				next = r.Expires
			}
		}
		for _, p := range providers {
			if p.Expires != 0 && (next == 0 || p.Expires < next) {
				next = p.Expires
			}
		}
		require.Equal(t, next, s.NextExpiry())
		require.ElementsMatch(t, records, slices.Collect(s.Records()))
		require.ElementsMatch(t, providers, slices.Collect(s.AllProviders()))
	}
}
