// Package network is networks of real nodes in this process, of several implementations, on sockets of loopback or on
// go-libp2p's mocknet, all of which do the same operations through one interface.
//
//	k, err := network.Find("ref")                       // or "go": go-libp2p-kad-dht
//	n, err := k.New(ctx, network.Spec{Seed: seed, Server: true})
//	defer n.Close()
//	err = n.Connect(ctx, other.Info())
//	err = n.Bootstrap(ctx)
//	peers, err := n.Closest(ctx, key)
package network
