package kad

import "iter"

// nothing is the store of a node that has not been given anything to keep, which is nearly every one of a million: it takes
// no memory, and Wake need not look at any.
type nothing struct{}

func (nothing) Get([]byte) (StoredRecord, bool)                           { return StoredRecord{}, false }
func (nothing) Put(StoredRecord) error                                    { return ErrMaxRecords }
func (nothing) Remove([]byte)                                             {}
func (nothing) AddProvider(ProviderRecord) error                          { return ErrMaxProviderKeys }
func (nothing) Providers(_ []byte, dst []ProviderRecord) []ProviderRecord { return dst }
func (nothing) RemoveProvider([]byte, Peer)                               {}
func (nothing) Expire(Time, int) int                                      { return 0 }
func (nothing) NextExpiry() Time                                          { return 0 }
func (nothing) Records() iter.Seq[StoredRecord]                           { return func(func(StoredRecord) bool) {} }
func (nothing) AllProviders() iter.Seq[ProviderRecord]                    { return func(func(ProviderRecord) bool) {} }
