package kad

// Room is how many records and provider keys the store has room for without growing: what tests of its bounds look at.
func (s *MemoryStore) Room() (records, providers int) {
	return len(s.records.items), len(s.providers.items)
}
