// Package network is networks of real nodes in this process, of several implementations, on sockets of loopback or on
// go-libp2p's mocknet, all of which do the same operations through one interface.
//
//	k, err := network.Find("ref")                       // or "go": go-libp2p-kad-dht
//	n, err := k.New(ctx, network.Spec{Seed: seed, Server: true})
//	defer n.Close()
//	err = n.Connect(ctx, other.Info())
//	err = n.Bootstrap(ctx)
//	peers, err := n.Closest(ctx, key)
//
// Run builds a whole network, loads it as a simulation is loaded, and tells of it in a simulation's words, with what each
// node cost beside:
//
//	res, err := network.Run(ctx, network.Config{Kinds: []network.Kind{k}, Nodes: 100, Load: load, For: time.Minute,
//		Node: network.Spec{Refresh: 10 * time.Minute, Unlimited: true}, Watch: sim.Observer{Row: row}})
//	fmt.Println(res.Cost.Heap, res.Cost.Connections, res.Cost.OperationCPU)
//
// What is compared is alike but for the implementation: hosts (host.go), who knows whom at first, who is asked for what and
// when; and what is counted is counted below the implementation, at the host (count.go). Both kinds have the settings of the
// IPFS network, which are go-libp2p-kad-dht's own. Latencies count from the moment at which an operation was due.
//
// What lies where: kind.go, ref.go, godht.go and process.go are the kinds; host.go, delay.go, mem.go, count.go and foul.go
// what is below them, where frames.go reads what count.go counts and hops.go who led to whom; run.go, member.go, sessions.go,
// agenda.go, operate.go, sample.go and shares.go a network under load.
//
// Networks side by side, in virtual time and on loopback:
//
//	go test ./harness/network -run TestVirtual -nodes 300 -lookups 1000 -v
//	go test ./harness/network -run TestLoopback -nodes 100 -lookups 2000 -rounds 2 -profile -hold -v
//
// The first network of a process shows about a tenth more heap than the same one later, as pools fill: of -rounds 2 the
// second tells.
package network
