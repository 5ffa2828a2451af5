package kad

// QueryInfo is what may be known of a running query: libp2p-kad's QueryInfo, all kinds in one. Its slices are its own, and
// its Key stays as it is, after the query has ended, too.
type QueryInfo struct {
	ID    QueryID
	Kind  ResultKind
	Key   []byte // what is sought or stored; bootstrap: the id whose neighbours are looked for at present
	Stats Stats
	Step  uint32 // how many events there were; the next has Step+1

	// Storing: a put or a provide has found the nearest peers, or was given some, and sends to them. Until then, and in all
	// other kinds, it looks for them.
	Storing    bool
	NumResults int // how many of the nearest are looked for, or have been; 0 if the peers were given

	Remaining  uint32     // bootstrap: lookups that follow the present one; 0 as well before the first has ended
	Found      int        // get of a record: who had one; get of providers: how many the events named
	Record     Record     // get: the best so far, if Found; put: what is stored
	Candidates []PeerInfo // get: the nearest that have answered without a record, CacheCandidates at the most
	Quorum     Quorum     // put; get, where the quorum ends it
	Stored     []PeerInfo // put, provide: who has it so far
}

// Queries calls yield for each query that runs, oldest first. Those that the application did not start and is not told of,
// which correct entries, are left out.
func (k *Kademlia) Queries(yield func(QueryInfo) bool) {
	for _, q := range k.queries {
		if q.kind != ResNone && !yield(k.queryInfo(q)) {
			return
		}
	}
}

// Query tells of one query that runs; ok is false if it has ended.
func (k *Kademlia) Query(id QueryID) (info QueryInfo, ok bool) {
	q := k.query(id)
	if q == nil || q.kind == ResNone {
		return QueryInfo{}, false
	}
	return k.queryInfo(q), true
}

// queryInfo says what is known of a query.
func (k *Kademlia) queryInfo(q *query) QueryInfo {
	info := QueryInfo{
		ID: q.id, Kind: q.kind, Key: q.key, Stats: q.stats, Step: q.steps,
		Storing: q.phase == storing, NumResults: q.want,
	}
	switch q.kind {
	case ResBootstrap:
		info.Remaining = uint32(len(q.targets))
	case ResGetProviders:
		info.Found = q.providers
	case ResGetRecord:
		info.Found, info.Record, info.Quorum = len(q.holders), q.record.Record, q.quorum
		info.Candidates = k.peersOf(k.lackers(q))
	case ResPutRecord, ResRepublishRecord:
		info.Record, info.Quorum = q.record.Record, q.quorum
	}
	if info.Storing {
		info.Stored = k.peersOf(q.fixed.Result(nil))
	}
	return info
}

// lackers are the nearest that have answered a get without a record, CacheCandidates at the most.
func (k *Kademlia) lackers(q *query) (peers []Peer) {
	answered, _ := q.search.Result(nil)
	for _, p := range answered {
		if held, _ := q.holds(p); !held && len(peers) < k.cfg.CacheCandidates {
			peers = append(peers, p)
		}
	}
	return peers
}

// peersOf is what the Directory says of peers.
func (k *Kademlia) peersOf(peers []Peer) (infos []PeerInfo) {
	for _, p := range peers {
		infos = append(infos, k.dir.Info(p))
	}
	return infos
}
