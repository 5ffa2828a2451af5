package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// What samples say of records: how many keys ought to live, and how many somebody holds. Five records and five providers that
// live for a minute, none of which anybody publishes again, and holders of whom two thirds leave after 40 s.
func TestSamplesOfRecords(t *testing.T) {
	list := script{}
	for i := range uint64(5) {
		list = append(list, Operation{At: kad.Duration(i+1) * 1e9, Kind: Put, Key: i, Node: 1})
	}
	for i := range uint64(5) {
		list = append(list, Operation{At: kad.Duration(i+6) * 1e9, Kind: Provide, Key: i, Node: 20})
	}
	cfg := Config{Seed: 1, Nodes: 200, Kad: quietConfig(), Load: &list, For: 90e9, Sample: 10e9, Links: Links{Low: 20e6},
		Faults: []Fault{{Kind: Exit, Share: One * 2 / 3, At: 40e9}}}
	cfg.Kad.RecordTTL, cfg.Kad.ProviderTTL = kad.Minute, kad.Minute
	res, rows := run(t, cfg)
	for _, r := range rows {
		require.True(t, r.OK, "%+v", r)
		require.Equal(t, 20, r.Found, "who took it: %+v", r)
	}
	s := sampleAt(t, res, 20e9)
	assert.Equal(t, [3]int{5, 5, 5}, [3]int{s.Expected, s.Records, s.Providers})
	gone := Config{Seed: 1, Nodes: 200, Faults: cfg.Faults}
	s = sampleAt(t, res, 50e9)
	assert.Equal(t, [2]int{5, 5}, [2]int{s.Expected, s.Records}, "of twenty holders each a few are left")
	if exits(&gone, 0, 20) {
		assert.Zero(t, s.Providers, "the provider has left")
	} else {
		assert.Equal(t, 5, s.Providers)
	}
	s = sampleAt(t, res, 80e9)
	assert.Equal(t, [2]int{}, [2]int{s.Expected, s.Providers}, "they have expired")
	assert.Equal(t, 0, s.Records, "who published a record keeps it, and it is over all the same")
	assert.Len(t, res.Samples, 9)
}

// A genuine record is one of the simulation's own; whatever a foe makes up is not, and life is told in whole seconds.
func TestRecords(t *testing.T) {
	key, other := recordKey(1, Put, 1), recordKey(1, Put, 2)
	assert.Equal(t, key, recordKey(1, Get, 1), "put and get are about the same")
	assert.NotEqual(t, key, recordKey(1, Provide, 1))
	value := recordValue(key, 7)
	older, err := validator{}.Validate(key, recordValue(key, 6), Start)
	require.NoError(t, err)
	newer, err := validator{}.Validate(key, value, Start)
	require.NoError(t, err)
	assert.Less(t, string(older), string(newer), "the greater number is the better record")
	for i := range 16 { // the number and its check; the rest is padding
		forged := append([]byte(nil), value...)
		forged[i] ^= 1
		_, err := validator{}.Validate(key, forged, Start)
		require.ErrorIs(t, err, errRecord, "byte %d", i)
	}
	for _, bad := range [][]byte{nil, value[:recordBytes-1], recordValue(other, 7)} {
		_, err := validator{}.Validate(key, bad, Start)
		require.ErrorIs(t, err, errRecord)
	}
	var x extra
	x.carry(&kad.Record{Key: key, Value: value, Expires: Start + 2_900e6}, Start)
	assert.EqualValues(t, 2, x.ttl)
	assert.Equal(t, Start+10e9+2e9, x.receive(Start+10e9).Expires, "it counts from its arrival")
	x.carry(&kad.Record{Key: key, Value: value, Expires: Start + 1}, Start)
	assert.EqualValues(t, 1, x.ttl, "0 would be for ever")
	x = extra{}
	x.carry(&kad.Record{Key: key, Value: value}, Start)
	assert.Zero(t, x.receive(Start).Expires)
}
