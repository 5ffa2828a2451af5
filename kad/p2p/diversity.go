package p2p

import (
	"encoding/binary"
	"net/netip"

	asnutil "github.com/libp2p/go-libp2p-asn-util"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Group of a network address: kad.Config.Group for peers on the internet (ipfs-kad L289). Its groups are those of
// go-libp2p-kbucket, so that tables of both keep out the same:
//
//   - IPv4: the /16, and the whole /8 where that was given to one owner (legacyClassA);
//   - IPv6: the autonomous system, since a /32 or even a /64 costs an attacker nothing; the /32 where none is known.
//     go-libp2p-kbucket puts all such addresses into one group, so that three peers anywhere shut out the rest.
//
// What counts for nobody is 0:
//
//   - loopback and private addresses: who can be reached by one is on our own machine or in our own network, where all
//     share a prefix, and a table of an internet node does not hold them anyhow (Config.PublicOnly);
//   - relays: the address is the relay's, which may serve many peers that have nothing in common. Whoever has nothing but
//     relays is no server, and PublicOnly keeps relays out of the table;
//   - names (dns, dnsaddr): what one stands for shows only when it is resolved, and a Step waits for nothing. Who is
//     connected by a name has the address behind it in the table too, and that one counts;
//   - what cannot be parsed, or is no unicast address of the internet (IPv4 written as IPv6 among them).
//
// It is a pure function of the bytes: the table of autonomous systems is part of the program.
func Group(addr []byte) uint64 {
	a, err := ma.NewMultiaddrBytes(addr)
	if err != nil || isRelay(a) || !manet.IsPublicAddr(a) {
		return 0
	}
	ip, ok := publicIP(a)
	if !ok {
		return 0
	}
	if ip.Is4() {
		b := ip.As4()
		if legacyClassA[b[0]] {
			return groupIPv4Wide | uint64(b[0])
		}
		return groupIPv4 | uint64(binary.BigEndian.Uint16(b[:]))
	}
	b := ip.As16()
	if as := asnutil.AsnForIPv6Network(binary.BigEndian.Uint64(b[:])); as != 0 {
		return groupSystem | uint64(as)
	}
	return groupIPv6 | uint64(binary.BigEndian.Uint32(b[:]))
}

// The kind of a group stands in the upper half of its number, so that no two kinds have a number in common.
const (
	groupIPv4Wide = (iota + 1) << 32
	groupIPv4
	groupSystem
	groupIPv6
)

// legacyClassA are the first bytes of those /8 networks which one company or office holds as a whole.
var legacyClassA = [256]bool{12: true, 17: true, 19: true, 38: true, 48: true, 53: true, 56: true, 73: true}

// publicIP is the address with which a multiaddr begins.
func publicIP(a ma.Multiaddr) (netip.Addr, bool) {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok // net.IP may hold four bytes in sixteen
}
