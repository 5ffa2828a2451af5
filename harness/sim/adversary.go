package sim

import "github.com/kadbench/kadbench/kad"

// roleOf is how a node behaves.
func (w *World) roleOf(p kad.Peer) role { return honest }

// idOf is the id of a node.
func (w *World) idOf(p kad.Peer) []byte { return peerID(w.cfg.Seed, p) }

// misbehave lets an adversary answer a request in its own way; false: it answers as an honest node does.
func (s *shard) misbehave(p kad.Peer, n *node, from kad.Peer, m *message) bool { return false }

// harm lets an adversary act by itself.
func (s *shard) harm(p kad.Peer, n *node, m *message) {}
