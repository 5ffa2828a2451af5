package kad

import "slices"

// Whoever owns one network can make as many ids as it likes, but not as many networks. So no more than Limits.GroupPeers
// peers of one group of addresses stand in the table, and no more than Limits.GroupBucketPeers in one bucket (ipfs-kad
// L286-L300). All addresses of a peer count, and one of them over a limit keeps it out. It is asked when a peer enters or
// begins to wait; those that wait count as if they were in. A peer that changes its addresses while it is in the table
// stays: it is the others after it that find the group full.

// maxGroups bounds how many groups of a newcomer are counted: who names more networks than that is refused, if groups count
// at all. Peers have one or two, those of four transports on two families included.
const maxGroups = 8

// diverse says whether the limits of its groups let a peer with these addresses into bucket b. It asks Group for each address
// of the table, 160 peers with some five each: about 0.1 ms where Group takes 100 ns. So it is asked last.
func (k *Kademlia) diverse(p Peer, b int, addrs Addrs) bool {
	if k.cfg.Group == nil {
		return true
	}
	var own [maxGroups]uint64
	groups := own[:0]
	for addr := range addrs.All() {
		g := k.cfg.Group(addr)
		if g == 0 || slices.Contains(groups, g) {
			continue
		}
		if len(groups) == maxGroups {
			return false
		}
		groups = append(groups, g)
	}
	if len(groups) == 0 {
		return true
	}
	var all, near [maxGroups]int // peers of each group in the table, and in the bucket
	ok := true
	count := func(other Peer) {
		var seen [maxGroups]bool
		for addr := range k.dir.Addrs(other).All() {
			i := slices.Index(groups, k.cfg.Group(addr))
			if i < 0 || seen[i] || other == p {
				continue
			}
			seen[i] = true
			all[i]++
			if k.table.bucketOf(other) == b {
				near[i]++
			}
			ok = ok && all[i] < k.cfg.Limits.GroupPeers && near[i] < k.cfg.Limits.GroupBucketPeers
		}
	}
	k.table.visit(count)
	return ok
}
