package kad_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

func TestMemoryStore(t *testing.T) {
	kadtest.TestStore(t, func(*testing.T) kad.Store { return kad.NewMemoryStore(kadtest.StoreLimits) })
}

// What comes and goes for long takes no more room than what is there at a time.
func TestMemoryStoreReusesRoom(t *testing.T) {
	s := kad.NewMemoryStore(kad.Limits{Records: 2, ProviderKeys: 2})
	for i := range 1000 {
		key, now := fmt.Appendf(nil, "key %d", i), kad.Time(i+1)
		require.NoError(t, s.Put(kad.StoredRecord{Record: kad.Record{Key: key, Expires: now + 1}}))
		require.NoError(t, s.AddProvider(kad.ProviderRecord{Key: key, Provider: 1, Expires: now + 1}))
		s.Expire(now, 100)
	}
	records, providers := s.Room()
	require.Equal(t, []int{2, 2}, []int{records, providers})
}
