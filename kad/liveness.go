package kad

// probes are the questions to peers of the table that were not heard of for long.
type probes struct{}

func (p *probes) wake() Time { return 0 }

// probe asks those whose time has come.
func (k *Kademlia) probe(now Time, out *Output) {}
