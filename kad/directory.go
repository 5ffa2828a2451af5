package kad

import "math"

// Directory maps handles to ids, keys and confirmed addresses, so that tables and lookups need hold no pointers.
//
// In a simulation one Directory is filled beforehand, frozen and shared by all nodes: its addresses are the truth, and a
// Step never changes it. Whoever reads an Output then has the same Directory, so peers are named there by handle alone: of a
// million slots hardly any is in a cache. On a host each Kademlia has its own, which changes only inside Step and is swept
// by it.
//
// Its map serves finding only; nothing ranges over it.
type Directory struct {
	slots    []slot   // by handle; slot 0 is nobody
	prefixes []uint64 // of the keys, by handle, apart from the slots: lookups read many and nothing else of them
	find     map[string]Peer
	free     []Peer
	frozen   bool
	lengths  [maxIDBytes + 1]bool // that ids have, or have had: most keys that are looked for have another
}

type slot struct {
	id    []byte
	addrs Addrs // confirmed: dialled with success, announced by the peer itself, or given by the application
	key   Key
	idle  uint8 // sweeps in a row which found nobody referring to it
}

// maxIDBytes bounds a peer id: the longest in use has 42 bytes, and a multihash of 1 KiB would only serve to fill memory.
const maxIDBytes = 128

// idleSweeps is how many sweeps in a row must find a slot unreferenced before it is freed. With two, at least one whole
// sweep interval (5 minutes) lies between the last reference and the reuse of the handle, longer than any request or
// query lives, so an Output that still names the old handle has long been consumed. Hosts moreover name peers by id.
const idleSweeps = 2

// NewDirectory makes an empty, private Directory.
func NewDirectory() *Directory {
	return &Directory{slots: make([]slot, 1), prefixes: make([]uint64, 1), find: map[string]Peer{}}
}

// Freeze ends all change: from now on the Directory may be shared, and Intern only finds. It must have no gaps: nothing was
// swept.
func (d *Directory) Freeze() { d.frozen = true }

// Frozen says whether the Directory is shared.
func (d *Directory) Frozen() bool { return d.frozen }

// Len is the number of peers in the Directory.
func (d *Directory) Len() int { return len(d.slots) - 1 - len(d.free) }

// Find returns the handle of a binary peer id, or 0. It neither makes one nor keeps one from being swept.
func (d *Directory) Find(id []byte) Peer {
	if len(id) > maxIDBytes || !d.lengths[len(id)] {
		return 0
	}
	return d.find[string(id)]
}

// Intern returns the handle of a binary peer id and makes one if there is none. It copies the id. The answer is 0 if the
// id is empty or too long, or unknown to a frozen Directory.
func (d *Directory) Intern(id []byte) Peer {
	if p, ok := d.find[string(id)]; ok {
		if !d.frozen {
			d.slots[p].idle = 0
		}
		return p
	}
	if d.frozen || len(id) == 0 || len(id) > maxIDBytes || len(d.slots) == math.MaxUint32 {
		return 0
	}
	var p Peer
	if n := len(d.free); n > 0 {
		p, d.free = d.free[n-1], d.free[:n-1]
	} else {
		p = Peer(len(d.slots))
		d.slots, d.prefixes = append(d.slots, slot{}), append(d.prefixes, 0)
	}
	own := append([]byte(nil), id...)
	d.slots[p] = slot{id: own, key: KeyOf(own)}
	d.prefixes[p] = d.slots[p].key.Prefix64()
	d.find[string(own)] = p
	d.lengths[len(own)] = true
	return p
}

// known says whether p is a handle in use.
func (d *Directory) known(p Peer) bool {
	return p != 0 && int(p) < len(d.slots) && (d.frozen || d.slots[p].id != nil) // a frozen one has no gaps
}

// ID, Key, Addrs and Info want a handle that is in use: they are called with those that Find and Intern gave, within the
// same Step, or that visit marks. Those of others are checked by known first.

// ID is the binary peer id of a handle.
func (d *Directory) ID(p Peer) []byte { return d.slots[p].id }

// Key is the key of a handle.
func (d *Directory) Key(p Peer) *Key { return &d.slots[p].key }

// Addrs are the confirmed addresses of a handle.
func (d *Directory) Addrs(p Peer) Addrs { return d.slots[p].addrs }

// SetAddrs replaces the confirmed addresses. The list is kept as it is: it must not be lent memory. A frozen Directory
// keeps what it has.
func (d *Directory) SetAddrs(p Peer, a Addrs) {
	if !d.frozen {
		d.slots[p].addrs = a
	}
}

// prefix is the first 64 bits of the key of a handle.
func (d *Directory) prefix(p Peer) uint64 { return d.prefixes[p] }

// Info is what messages, commands and events say of a peer: views of the Directory's memory, and of a frozen one the handle.
func (d *Directory) Info(p Peer) (info PeerInfo) {
	d.tell(&info, p)
	return info
}

// tell writes Info into an empty PeerInfo.
func (d *Directory) tell(info *PeerInfo, p Peer) {
	info.Peer = p
	if !d.frozen {
		s := &d.slots[p]
		info.ID, info.Addrs = s.id, s.addrs
	}
}

// nearer orders two handles by distance from a target, by whole keys.
func (d *Directory) nearer(target *Key, a, b Peer) bool {
	return target.Compare(&d.slots[a].key, &d.slots[b].key) < 0
}

// sweep frees the slots which nobody has referred to for idleSweeps sweeps. visit calls its argument for each handle that
// is referred to. It returns how many were freed. The ids and addresses of a freed slot stay valid for whoever holds
// them; only the handle gets a new meaning.
func (d *Directory) sweep(visit func(mark func(Peer))) int {
	if d.frozen {
		return 0
	}
	for i := range d.slots {
		if d.slots[i].id != nil {
			d.slots[i].idle++
		}
	}
	visit(func(p Peer) { d.slots[p].idle = 0 })
	freed := 0
	for i := range d.slots {
		if s := &d.slots[i]; s.id != nil && s.idle >= idleSweeps {
			delete(d.find, string(s.id))
			*s = slot{}
			d.free = append(d.free, Peer(i))
			freed++
		}
	}
	return freed
}
