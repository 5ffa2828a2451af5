package kad

// Config of a Kademlia. The zero value is Current: libp2p-kad's present defaults. A duration of 0 is the default, a
// negative one turns the job off.
type Config struct {
	Seed uint64 // of every random choice

	Mode  Mode
	K     int // bucket size, replication factor and size of an answer; 20
	Alpha int // requests in flight of one lookup; Current 3 (libp2p-kad), Amino 10
	Beta  int // 0: a lookup ends when the K nearest have answered; n: when the n nearest have, then the K nearest are asked

	QueryTimeout Duration // of a whole phase; 60 s
	PeerTimeout  Duration // of one request within a query; 10 s

	RecordTTL           Duration // Current and Amino 48 h, Classic 36 h
	ProviderTTL         Duration // 48 h; Classic 24 h
	ProviderAddrTTL     Duration // 24 h
	ReplicationInterval Duration // 1 h
	PublicationInterval Duration // 22 h; Classic 24 h
	ProvideInterval     Duration // 12 h; Amino 22 h
	BootstrapInterval   Duration // 5 min; Amino 10 min
	PendingTimeout      Duration // of a pending entry of a full bucket; 60 s

	ManualInserts   bool // RoutablePeer is told instead of inserting
	QuorumEndsGet   bool // Classic: a get ends at its quorum
	EchoAddProvider bool // answer ADD_PROVIDER with an echo (ruling 1 says none)

	Limits Limits
}

// Limits of a Kademlia; each constant says why it is what it is.
type Limits struct {
	Records          int // 1024, as libp2p-kad's MemoryStore
	RecordBytes      int // 65 KiB
	ProviderKeys     int // 1024
	ProvidersPerKey  int // 20
	ProviderKeyBytes int // 80: IPFS specification L493
	Queries          int // running at once
}
