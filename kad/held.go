package kad

// heldRequests are those that wait for the application's word (Config.FilterRecords).
type heldRequests struct{}

func (h *heldRequests) wake() Time            { return 0 }
func (h *heldRequests) visit(mark func(Peer)) {}

// answerHeld takes the application's word.
func (k *Kademlia) answerHeld(now Time, in *Input, out *Output) {}

// expireHeld refuses those for whom no word came in time.
func (k *Kademlia) expireHeld(now Time, out *Output) {}
