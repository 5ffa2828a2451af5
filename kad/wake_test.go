package kad

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is asked for and whoever keeps silent: after a Tick the node wants to be woken later than now, or not at all, so that
// a host which sleeps until then never spins. A query that runs always has such a time, and with nobody answering any more
// all of them end by ticks alone, of which each takes a request to its next stage: slow, given up, gone.
func TestWakeMovesForward(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 21))
		cfg := Config{
			Mode: ModeServer, Alpha: 1 + rng.IntN(10), Beta: rng.IntN(4), DisjointPaths: rng.IntN(2) == 0, QuorumEndsGet: rng.IntN(2) == 0,
			Patience: [...]Duration{-1, 0, 0, Second / 2, Hour}[rng.IntN(5)], PeerTimeout: Duration(1+rng.IntN(20)) * Second,
		}
		jobs := rng.IntN(2) == 0 // with them there is always something to do
		if !jobs {
			cfg = quiet(cfg)
		}
		k := newNode(t, cfg)
		fill(t, k, 1+rng.IntN(100))
		var out Output
		var asked []Command
		now, requests := Time(1), 0
		steps := func(in Input) {
			k.Step(now, in, &out)
			for _, c := range out.Commands {
				if c.Query != 0 {
					requests++
					asked = append(asked, Command{Kind: c.Kind, Query: c.Query, Peer: PeerInfo{Peer: c.Peer.Peer}, Key: c.Key})
				}
			}
			wake := k.Wake()
			require.True(t, in.Kind != Tick || wake == 0 || wake > now, "seed %d: %v after a tick at %v", seed, wake, now)
			require.True(t, wake != 0 || len(k.queries) == 0, "seed %d: a query sleeps for ever", seed)
		}
		for round := range 20 {
			ops := []CommandKind{SendFindNode, SendGetRecord, SendPutRecord, SendAddProvider, SendGetProviders, CmdNone}
			key := fmt.Appendf(nil, "key %d", round)
			switch ops[rng.IntN(len(ops))] {
			case SendFindNode:
				steps(Input{Kind: OpGetClosestPeers, Key: key, N: rng.IntN(21)})
			case SendGetRecord:
				steps(Input{Kind: OpGetRecord, Key: key, Quorum: Quorum(rng.IntN(5) - 2)})
			case SendPutRecord:
				steps(Input{Kind: OpPutRecord, Valid: valid(t, string(key), "v"), Quorum: Quorum(rng.IntN(5) - 2)})
			case SendAddProvider:
				steps(Input{Kind: OpStartProviding, Key: key})
			case SendGetProviders:
				steps(Input{Kind: OpGetProviders, Key: key})
			default:
				steps(Input{Kind: OpBootstrap})
			}
			silent := rng.IntN(11) // of ten
			for range 40 {
				if len(asked) == 0 {
					break
				}
				i := rng.IntN(len(asked))
				c := asked[i]
				asked = append(asked[:i], asked[i+1:]...)
				if rng.IntN(10) < silent {
					continue
				}
				if wake := k.Wake(); rng.IntN(3) == 0 && wake != 0 {
					now = max(now, min(wake, now+Time(rng.Int64N(Second))))
					steps(Input{Kind: Tick})
				}
				steps(answerTo(rng, c))
			}
		}
		for ticks := 0; len(k.queries) > 0 && !(jobs && ticks == 1000); ticks++ {
			require.Less(t, ticks, 3*requests, "seed %d", seed)
			now = max(now, k.Wake())
			steps(Input{Kind: Tick})
		}
	}
}

// answerTo is an answer to a command, or its failure.
func answerTo(rng *rand.Rand, c Command) Input {
	in := Input{Peer: c.Peer, Query: c.Query, Key: c.Key}
	if rng.IntN(5) == 0 {
		in.Kind = QueryError
		return in
	}
	in.Kind = map[CommandKind]InputKind{
		SendFindNode: FindNodeRes, SendGetRecord: GetRecordRes, SendPutRecord: PutRecordRes, SendAddProvider: AddProviderRes,
		SendGetProviders: GetProvidersRes,
	}[c.Kind]
	in.Value = []byte("v")
	for range rng.IntN(20) {
		in.Closer = append(in.Closer, PeerInfo{ID: fmt.Appendf(nil, "far %d", rng.IntN(500)), Addrs: Addrs("\x12\x01x")})
	}
	return in
}
