// Package kad is a Kademlia participant as pure state, as the libp2p specification describes it: no goroutine, no lock, no
// clock, no socket, no randomness but from its seed. Whoever owns it brings time, messages and a place to send them; so
// the same code serves on real hosts (kad/p2p), in text tests (kad/kadtest) and by the hundred thousand in a simulator.
//
// # The driving loop
//
// There is one noun, Kademlia, one verb, Step, and one number, Wake:
//
//	k, err := kad.New(id, kad.NewDirectory(), kad.Config{})
//	var out kad.Output
//	for {
//		in := <-whatever happens, or kad.Input{Kind: kad.Tick} when the clock reaches k.Wake()
//		k.Step(now, in, &out)
//		for _, c := range out.Commands { … send, respond, dial … }
//		for _, e := range out.Events { … tell the application … }
//	}
//
// Step takes one Input: the event of a protocol handler, a hook of a connection, an operation of the application, or
// nothing but the time. It changes the state and says in an Output what is to be done: Commands for the handlers and the
// host, Events for the application, and what an operation returns at once. Step is serial; a host calls it under a lock,
// for about a microsecond. The Example runs two nodes by this loop.
//
// Wake is the moment by which Step wants a Tick, 0 if nothing is due; it may lie in the past if one Step could not do all
// that was due. A Tick that comes early does no harm; a driver that comes late because nobody let it run says so in
// Input.Late, or its peers would be taken for slow. Timeouts, expiry, pending table entries and the sweep of the
// Directory all hang on it and on nothing else.
//
// # Memory is lent
//
// Slices in an Input live until Step returns: what the core keeps, it copies. Slices in an Output live until the next
// Step with the same Output. The bytes behind them last longer: ids, addresses and stored values are replaced, never
// overwritten, so whoever holds them may keep them. The exceptions: a response may alias the Input of its request (send it
// before that memory is given back); and what an event took from an Input (the key of a request, a record that was found, a
// provider that was named), or a response or an event put together from two lists (the addresses of a peer), lies in the
// Output itself. The caller owns the Output and uses it again; once warm, serving a request allocates nothing.
//
// # Peers are handles
//
// A Directory maps a Peer, a 32-bit handle, to its id, its key and its confirmed addresses. A host names peers by id and
// has a Directory of its own, which Step fills and sweeps. A simulation fills one, freezes it, shares it among all nodes,
// and names peers by handle. Addresses are opaque: lists of bytes in the form in which they stand on the wire.
//
// # The vocabulary
//
// Names are those of libp2p-kad; LIBP2P-KAD.md has each of its calls, events, hooks and settings beside ours and beside the
// test that proves it. Inputs, by their kind:
//
//	handler      ProtocolConfirmed, FindNodeReq/Res, GetProvidersReq/Res, AddProvider(Res), GetRecord(Res), PutRecord(Res),
//	             PingReq, QueryError
//	connections  ConnectionEstablished/Closed, InConnected, InDisconnected, AddressChanged/Failed, DialFailed,
//	             ListenAddr(Expired), ExternalAddr(Expired), ListenerError/Closed, ProtocolsChanged
//	operations   OpAddAddress, OpRemoveAddress, OpRemovePeer, OpGetClosestPeers, OpGetRecord, OpPutRecord(To),
//	             OpRemoveRecord, OpBootstrap, OpStartProviding, OpStopProviding, OpGetProviders, OpSetMode, OpFinish,
//	             OpCancel, OpAccept, OpRefuse
//
// Commands are requests to send, responses to requests, Reset, Dial and SetProtocols. Events are RoutingUpdated,
// UnroutablePeer, RoutablePeer, PendingRoutablePeer, PeerEvicted, InboundRequest, QueryProgressed and ModeChanged. Which
// fields a kind reads or sets stands beside it. All print as one line; Names gives their peers and keys better names.
//
// A query is an operation that runs: it tells how it goes by QueryProgressed events of its QueryID, of which exactly one
// is the last. A Lookup chooses whom to ask and sends nothing; a Fixed does so for a given list of peers. The host sends,
// dials if it must (the command carries all addresses that are known), and answers each request with its reply or with
// QueryError. A request that is lost in silence ends by the core's own clock.
//
// # Records
//
// A record is validated before Step, on any goroutine: Validate wraps what a Validator accepts in a Valid, with a rank
// that orders the records of one key. Only a Valid can be stored, and the core selects by rank without knowing what the
// records say.
//
// # What a node does by itself
//
// Ticks alone keep a node and what it published alive: it gives out again its own records, its own provider records and,
// from holder to holder, those of others (jobs.go); it looks for the peers around it when its table is young and from time
// to time after that (schedule.go); it asks peers of which it has not heard for long whether they live (liveness.go), and now
// and then one that it gave up (evicted.go), so that a network which was cut in two grows together again. Each
// has an interval in Config, which a negative one turns off. The queries that it begins so tell of themselves as any
// others do, but for replication, of which nobody is told. The moments are drawn from the node's seed, so that nodes which
// started together do not act together. An idle node of a small network sends a request every two seconds that way.
//
// # The presets
//
// The zero Config is Current. In what the three presets differ:
//
//	Config                 Current  Classic  Amino
//	Mode                   auto     server   auto
//	Alpha                  3        3        10       requests in flight of one lookup
//	Beta                   0        0        3        of the nearest end a lookup; 0: K of them
//	RecordTTL              48h      36h      48h
//	ProviderTTL            48h      24h      48h
//	ReplicationInterval    1h       1h       off      others' records
//	PublicationInterval    22h      24h      22h      own records
//	ProvideInterval        12h      12h      22h      own provider records
//	BootstrapInterval      5m       5m       10m
//	QuorumEndsGet          no       yes      no       a get streams on until its lookup ends
//	AutoCache              no       yes      no       a get copies what it found to the nearest that lacks it
//	FlatExpiry             no       no       yes      no halving of the TTL far from the key
package kad
