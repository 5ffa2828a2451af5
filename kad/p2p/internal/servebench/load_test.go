package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kadbench/kadbench/kad/wire"
)

// TestTruth: an answer is right with the nearest peers in any order, and wrong with any other, fewer, one twice, or one
// without an address.
func TestTruth(t *testing.T) {
	var table []string
	for _, p := range syntheticPeers(21) {
		table = append(table, p.id.String())
	}
	truth := newTruth(table)
	addr := wire.MakeAddrs([]byte("\x04\x7f\x00\x00\x01\x06\x0f\xa1"))
	right := 0
	for without := range truth.ids { // 20 of 21: one choice is right
		m := wire.Message{Type: wire.FindNode}
		for i, id := range truth.ids {
			if i != without {
				m.CloserPeers = append(m.CloserPeers, wire.Peer{ID: id, Addrs: addr})
			}
		}
		if !truth.holds([]byte("key"), wire.Append(nil, &m)) {
			continue
		}
		right++
		eighth := m.CloserPeers[7]
		m.CloserPeers[7] = m.CloserPeers[8]
		assert.False(t, truth.holds([]byte("key"), wire.Append(nil, &m)), "one of them twice")
		m.CloserPeers[7] = eighth
		m.CloserPeers[7].Addrs = nil
		assert.False(t, truth.holds([]byte("key"), wire.Append(nil, &m)))
		m.CloserPeers = m.CloserPeers[1:]
		assert.False(t, truth.holds([]byte("key"), wire.Append(nil, &m)))
	}
	assert.Equal(t, 1, right)
}
