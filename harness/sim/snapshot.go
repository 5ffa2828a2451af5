package sim

import "github.com/kadbench/kadbench/kad"

// Snapshot is a world that stands still, between two windows. It must not be kept, nor what it gives be changed.
type Snapshot struct{ w *World }

// Now is how much simulated time has passed since Start.
func (s *Snapshot) Now() kad.Duration { return kad.Duration(s.w.now - s.w.start) }

// Nodes is how many nodes there may be: handles are 1 to Nodes.
func (s *Snapshot) Nodes() int { return s.w.cfg.Nodes }

// Up says whether a node is there.
func (s *Snapshot) Up(p kad.Peer) bool { return s.w.nodes[p].up }

// Kademlia is the core of a node that is there.
func (s *Snapshot) Kademlia(p kad.Peer) *kad.Kademlia { return &s.w.kads[p] }

// Directory is everybody's.
func (s *Snapshot) Directory() *kad.Directory { return s.w.dir }

// Closest are the n servers that are nearest to a key among those that are there.
func (s *Snapshot) Closest(key *kad.Key, n int) []kad.Peer {
	return s.w.closest(nil, key, n, func(p kad.Peer) bool { return s.w.since[p] != 0 && s.w.serves(p) })
}

// Running is how many operations have begun and not ended.
func (s *Snapshot) Running() int { return s.w.plan.running }
