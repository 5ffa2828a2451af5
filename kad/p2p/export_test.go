package p2p

// The simulated network and the scripted server of the tests inside are those of the tests outside, too.
var (
	Simulated = simulated
	Answering = answering
)

// Held is how many streams wait for the application's word.
func Held(n *Node) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.held)
}
