package sim

import "github.com/kadbench/kadbench/kad"

// SessionTrace is sessions as somebody has recorded them.
type SessionTrace struct{}

// sessions answers how long nodes stay and how long they are away. Every answer is a pure function of the seed, the
// configuration, the node and the number of the stay, in integers.
type sessions struct{}

func newSessions(cfg *Config) (*sessions, error) { return &sessions{}, nil }

// first says whether a node is there at the beginning, and how long it stays so.
func (s *sessions) first(p kad.Peer) (up bool, left kad.Duration) { return true, 0 }

// stay is how long the n-th session of a node lasts, absence how long the node is away after it; n counts from 0.
func (s *sessions) stay(p kad.Peer, n uint32) kad.Duration    { return 0 }
func (s *sessions) absence(p kad.Peer, n uint32) kad.Duration { return 0 }

// exits says whether an Exit or a Crash, the fault of that index, hits a node.
func exits(cfg *Config, fault int, p kad.Peer) bool {
	return int(p) > seedCount(cfg) && hits(mix(cfg.Seed, uint64(forExit), uint64(fault), uint64(p)), cfg.Faults[fault].Share)
}
