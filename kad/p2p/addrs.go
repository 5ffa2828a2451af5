package p2p

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// What one peer may bring: 8 KiB of addresses, as go-libp2p-kad-dht keeps, and 64 of them, twice what a host with
// every transport on a dozen interfaces has. An address may have 512 bytes: the longest name has 255, and a WebTransport
// address behind a relay not half as many as that leaves. So 20 peers with an address each fit in 16 KiB whatever they
// announce; with longer ones, a few peers near a key could push the others out of every reply about it.
const (
	maxAddrBytes = 8 << 10
	maxAddrs     = 64
	maxAddrLen   = 512
)

// appendAddrs appends those addresses that keep says yes to.
func appendAddrs(dst kad.Addrs, addrs []ma.Multiaddr, keep func(ma.Multiaddr) bool) kad.Addrs {
	count := 0
	for _, a := range addrs {
		if count == maxAddrs || len(dst)+len(a.Bytes()) > maxAddrBytes {
			break
		}
		if len(a.Bytes()) <= maxAddrLen && (keep == nil || keep(a)) {
			dst = kad.Addrs(wire.Addrs(dst).Append(a.Bytes()))
			count++
		}
	}
	return dst
}

// multiaddrs parses a run; what cannot be parsed is left out.
func multiaddrs(a kad.Addrs) []ma.Multiaddr {
	var list []ma.Multiaddr
	for addr := range a.All() {
		if m, err := ma.NewMultiaddrBytes(addr); err == nil {
			list = append(list, m)
		}
	}
	return list
}

// cleanAddrs appends those addresses of a peer which a message named that can be used: not undecodable ones, nor those
// that end in another peer's id, nor overlong ones; a trailing /p2p of its own is cut off, so that an address has one
// form. An address with a protocol that we do not know is kept as it is, for others may know it. keep is asked about
// those that can be parsed.
func cleanAddrs(dst kad.Addrs, id []byte, addrs kad.Addrs, keep func(ma.Multiaddr) bool) kad.Addrs {
	start, count := len(dst), 0
	for addr := range addrs.All() {
		if count == maxAddrs || len(dst)-start+len(addr) > maxAddrBytes {
			break
		}
		if len(addr) > maxAddrLen {
			continue
		}
		m, err := ma.NewMultiaddrBytes(addr)
		if err != nil {
			if keep == nil && unknownProtocol(addr) {
				dst = kad.Addrs(wire.Addrs(dst).Append(addr))
				count++
			}
			continue
		}
		transport, last := ma.SplitLast(m)
		if last != nil && last.Protocol().Code == ma.P_P2P {
			if !bytes.Equal(last.RawValue(), id) || len(transport) == 0 {
				continue
			}
			m = transport
		}
		if keep == nil || keep(m) {
			dst = kad.Addrs(wire.Addrs(dst).Append(m.Bytes()))
			count++
		}
	}
	return dst
}

// minPlain is the length of the shortest plain address in a list, so that as many bytes as maxAddrs of them hold no more
// addresses than that.
const minPlain = 9

// allPlain says whether each address is an IP address with a TCP port, or a UDP port and QUIC, and nothing more: what
// cleanAddrs would leave as it is.
func allPlain(addrs kad.Addrs) bool {
	for addr := range addrs.All() {
		if !plain(addr) {
			return false
		}
	}
	return true
}

func plain(addr []byte) bool {
	switch {
	case len(addr) > 5 && addr[0] == ma.P_IP4:
		addr = addr[5:]
	case len(addr) > 17 && addr[0] == ma.P_IP6:
		addr = addr[17:]
	default:
		return false
	}
	switch {
	case len(addr) == 3:
		return addr[0] == ma.P_TCP
	case len(addr) == 6: // the codes of UDP and QUIC have two bytes each
		return addr[0] == 0x91 && addr[1] == 0x02 && addr[4] == 0xcd && addr[5] == 0x03
	}
	return false
}

// unknownProtocol says whether an address is in order up to a protocol code that is not in our table. How long such a
// component is cannot be told, so the rest is anybody's guess; the first component must be known.
func unknownProtocol(addr []byte) bool {
	for first := true; len(addr) > 0; first = false {
		code, used := binary.Uvarint(addr)
		if used <= 0 {
			return false
		}
		p := ma.ProtocolWithCode(int(code))
		if p.Code == 0 {
			return !first
		}
		addr = addr[used:]
		size := p.Size / 8
		if p.Size == ma.LengthPrefixedVarSize {
			n, used := binary.Uvarint(addr)
			if used <= 0 || n > uint64(len(addr)) {
				return false
			}
			addr = addr[used:]
			size = int(n)
		}
		if size > len(addr) {
			return false
		}
		addr = addr[size:]
	}
	return false
}

// tableAddr says whether an address may stand in the routing table: in a public swarm public ones only, and no relay's
// (ipfs-kad L268).
func (n *Node) tableAddr(a ma.Multiaddr) bool {
	return !n.cfg.PublicOnly || manet.IsPublicAddr(a) && !isRelay(a)
}

// servedAddr says whether an address may be served with a provider, or dialled in a lookup: in a public swarm public
// ones, relays among them (ipfs-kad L496).
func (n *Node) servedAddr(a ma.Multiaddr) bool {
	return !n.cfg.PublicOnly || manet.IsPublicAddr(a)
}

// filter is keep for cleanAddrs: nil where everything may pass, so that addresses which we cannot parse pass too.
func (n *Node) filter() func(ma.Multiaddr) bool {
	if !n.cfg.PublicOnly {
		return nil
	}
	return n.servedAddr
}

func isRelay(a ma.Multiaddr) bool {
	for _, c := range a {
		if c.Protocol().Code == ma.P_CIRCUIT {
			return true
		}
	}
	return false
}

// reachableFrom leaves out what a peer lists for its own machine or network when it is not on ours: over a public
// connection its public addresses count, over a private one all but loopback, over loopback all.
func reachableFrom(remote ma.Multiaddr, addrs []ma.Multiaddr) []ma.Multiaddr {
	if manet.IsIPLoopback(remote) {
		return addrs
	}
	private := manet.IsPrivateAddr(remote)
	kept := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		if private && !manet.IsIPLoopback(a) || manet.IsPublicAddr(a) || isRelay(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

// validID says whether bytes are a peer id: a SHA-256 multihash, or a key of at most 42 bytes inlined in an identity
// multihash. It looks no further and allocates nothing.
func validID(id []byte) bool {
	switch {
	case len(id) == 34 && id[0] == 0x12 && id[1] == 32:
		return true
	case len(id) > 2 && len(id) <= 44 && id[0] == 0 && int(id[1]) == len(id)-2:
		return true
	}
	return false
}

func addrInfo(p kad.PeerInfo) peer.AddrInfo {
	return peer.AddrInfo{ID: peer.ID(p.ID), Addrs: multiaddrs(p.Addrs)}
}

func addrInfos(ps []kad.PeerInfo) []peer.AddrInfo {
	list := make([]peer.AddrInfo, len(ps))
	for i, p := range ps {
		list[i] = addrInfo(p)
	}
	return list
}

func peerIDs(ps []kad.PeerInfo) []peer.ID {
	list := make([]peer.ID, len(ps))
	for i, p := range ps {
		list[i] = peer.ID(p.ID)
	}
	return list
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
