// Package p2p runs a kad.Kademlia on a go-libp2p host. A Node is a server, a client, or both, of the protocol
// /ipfs/kad/1.0.0 or another; it is the only part of kad that knows go-libp2p.
//
//	n, err := p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeServer}})
//	if err != nil { ... }
//	if err := n.Start(ctx); err != nil { ... }
//	defer n.Close()
//
//	err = n.Connect(ctx, someone)                        // peer.AddrInfo; whoever serves the protocol enters the table
//	near, err := n.GetClosestPeers(ctx, []byte(id), 0)   // near.Peers, near.Stats
//	put, err := n.PutRecord(ctx, p2p.Record{Key: key, Value: value}, kad.Majority)
//
// New starts nothing, Start does, and Close ends all of it. The zero Config is a sane node on loopback; Config.Check says
// what is wrong with any other.
//
// # From go-libp2p
//
// A Node is a routing.Routing, with routing.ContentProviding and routing.PubKeyFetcher: pass it where go-libp2p-kad-dht's
// IpfsDHT went (routing.go). Config.Host puts it on a host that is there, and libp2p.Routing makes a host ask it for
// addresses. Whom a search has found the host can dial by the id alone, and an operation tells of its requests by
// routing.RegisterForQueryEvents (queryevents.go). errors.Is finds routing.ErrNotFound and routing.ErrNotSupported in
// ErrNotFound and ErrNamespace.
//
// What differs: Start and Close are called by hand. Bootstrap waits for its lookups, where go-libp2p-kad-dht's returns at
// once: give Config.Bootstrap, or connect to somebody, before it is called; else it fails with ErrNoPeers, which a program
// that connects only afterwards may ignore.
//
// # From rust-libp2p
//
// The operations have the names of libp2p-kad's: AddAddress, RemoveAddress, RemovePeer, Buckets, Bucket, GetClosestPeers,
// ClosestLocalPeers, GetRecord, PutRecord, PutRecordTo, RemoveRecord, Store, Bootstrap, StartProviding, StopProviding,
// GetProviders, SetMode, Mode, ProtocolNames, Queries, Query. Those that begin a query wait for its end and return what its
// events told; StreamRecords and StreamProviders yield each result as it comes. The events are those of Node.Events, in
// kad's vocabulary. No swarm is to be polled: the node has its goroutines.
//
// # On a public network
//
// kad.Amino is the behaviour of the IPFS network's nodes, and of nothing else: what a node accepts from an internet is this
// package's. Whoever enters one wants PublicOnly (no private address is stored or served) and Diversity (no network gets
// more than a few places in the table), listens on more than loopback, and names Bootstrap peers, which are dialled
// whenever the table is empty. Amino() is the Config with all but the last. In a private network, or on one machine, leave
// both off: there every address is private and of one group. Behind a NAT give a Host of your own, with its port mapping
// and address discovery: the one that Start opens advertises no address that others merely happened to see.
//
// # How a request is served
//
// A stream has one goroutine. It reads a frame, decodes it, and validates a record if there is one; then it takes the
// lock, steps the core, hands what the Step caused for others to their queues, and lets the lock go; then it encodes
// the reply and writes it. So the lock is held for about a microsecond, and everything that costs more runs beside it
// (step.go, inbound.go, exchange.go).
//
// # How a request is sent
//
// The core's commands go into a queue for each peer, in the core's order. A goroutine takes one, connects if need be,
// asks on a stream that is new or has rested, and steps the core with what came back (outbound.go, dial.go,
// clientstream.go, negotiate.go, message.go). A peer that must be dialled answers in two round trips over QUIC.
//
// An operation of the application is a query of the core; its method waits for the query's last event (query.go;
// operations.go, records.go, providers.go). When its context ends it returns at that moment, and the query is cancelled:
// nothing more is sent for it.
//
// # What the network tells
//
// What happens to connections, listeners and addresses the core is told as libp2p-kad's hooks; connections.go lists which
// event of the host becomes which. While the table is empty, the peers of Config.Bootstrap are dialled (redial.go).
// Config.PublicOnly and Config.Diversity keep out of the table what does not belong in a public one (addrs.go,
// diversity.go), and Config.Metrics takes what there is to count (metrics.go).
//
// # How time passes
//
// One timer is set to Kademlia.Wake. The clock is the system's, and Advance moves it ahead for tests of expiry. Limits
// and timeouts of streams are this package's own and stand in Limits, each with its reason.
package p2p
