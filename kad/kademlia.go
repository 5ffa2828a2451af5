package kad

// Kademlia is a participant as pure state; see the package documentation for the loop that drives it.
type Kademlia struct{ mode Mode }

// New makes a participant with the given binary peer id. It does nothing until stepped.
func New(id []byte, dir *Directory, cfg Config) (*Kademlia, error) { return &Kademlia{}, nil }

// Step takes one input and says in out what is to be done. It is the only way to change a Kademlia.
func (k *Kademlia) Step(now Time, in Input, out *Output) {}

// Wake is the moment by which Step wants a Tick; 0: nothing is due.
func (k *Kademlia) Wake() Time { return 0 }

// Mode is ModeClient or ModeServer: what the node is at present, ModeAuto resolved.
func (k *Kademlia) Mode() Mode { return ModeClient }
