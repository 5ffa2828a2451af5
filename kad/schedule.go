package kad

// schedule says when a bootstrap begins by itself.
type schedule struct{}

func (s *schedule) wake() Time { return 0 }

// refresh begins a bootstrap if one is due.
func (k *Kademlia) refresh(now Time, out *Output) {}
