package p2p

// Held is how many streams wait for the application's word.
func Held(n *Node) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.held)
}
