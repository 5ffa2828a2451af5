package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// life is a world of 400 nodes with two lookups a second for two minutes, and a sample each 10 s.
func life(t *testing.T, change func(*Config)) (*Result, []Row) {
	cfg := static(400, 240, 500e6)
	cfg.Sample = 10e9
	change(&cfg)
	return run(t, cfg)
}

// recallBetween is what lookups that began then named, of what there was to name.
func recallBetween(rows []Row, from, until kad.Duration) float64 {
	named, sought := 0, 0
	for _, r := range rows {
		if r.Began >= from && r.Began < until {
			named += r.True
			sought += r.Sought
		}
	}
	return float64(named) / float64(max(sought, 1))
}

// deadBetween is how many requests of such a lookup failed.
func deadBetween(rows []Row, from, until kad.Duration) float64 {
	failed, n := 0, 0
	for _, r := range rows {
		if r.Began >= from && r.Began < until {
			failed += int(r.Failed)
			n++
		}
	}
	return float64(failed) / float64(max(n, 1))
}

const minute = kad.Minute

// sampleAt is the sample of a moment.
func sampleAt(t *testing.T, res *Result, at kad.Duration) Sample {
	for _, s := range res.Samples {
		if s.At == at {
			return s
		}
	}
	require.Fail(t, "no sample", "%d s", at/kad.Second)
	return Sample{}
}

// Half of the nodes leave for ever after a minute: fewer are there, tables name the dead, lookups meet them.
func TestExit(t *testing.T) {
	res, rows := life(t, func(c *Config) { c.Faults = []Fault{{Kind: Exit, Share: One / 2, At: minute}} })
	before, at, end := sampleAt(t, res, minute-10e9), sampleAt(t, res, minute), sampleAt(t, res, 2*minute)
	assert.Equal(t, 400, before.Up)
	assert.Zero(t, before.Dead)
	assert.Equal(t, 400, at.Up, "a sample is of the moment before a fault strikes")
	assert.InDelta(t, 204, end.Up, 30)
	assert.Greater(t, sampleAt(t, res, minute+10e9).Dead, 0.4)
	assert.EqualValues(t, 1, recallBetween(rows, 0, 50e9))
	assert.Zero(t, deadBetween(rows, 0, 50e9))
	assert.Greater(t, deadBetween(rows, minute, minute+20e9), 3.0)
	for _, r := range rows {
		if r.Began > minute+20e9 {
			assert.LessOrEqual(t, r.Sought, 20)
			assert.False(t, r.Censored, "nobody is asked who is gone")
		}
	}
	assert.NotZero(t, res.Lost)
}

// A fifth vanish for 20 s and come back as new ones with their old ids: they are there again, with tables of three.
func TestCrash(t *testing.T) {
	res, _ := life(t, func(c *Config) { c.Faults = []Fault{{Kind: Crash, Share: 200_000, At: 25e9, Until: 45e9}} })
	before, during, after := sampleAt(t, res, 20e9), sampleAt(t, res, 30e9), sampleAt(t, res, 50e9)
	assert.Equal(t, 400, before.Up)
	assert.InDelta(t, 320, during.Up, 30)
	assert.Equal(t, 400, after.Up)
	assert.Greater(t, during.Dead, 0.1)
	assert.Less(t, after.Dead, during.Dead)
	assert.Less(t, after.Entries, 0.9*before.Entries, "who was away knows nobody")
}

// Half of the nodes are cut from the others for 20 s: a lookup finds those of its own side, all again afterwards.
func TestPartition(t *testing.T) {
	res, rows := life(t, func(c *Config) { c.Faults = []Fault{{Kind: Partition, Share: One / 2, At: 30e9, Until: 50e9}} })
	assert.EqualValues(t, 1, recallBetween(rows, 0, 25e9))
	assert.InDelta(t, 0.5, recallBetween(rows, 30e9, 44e9), 0.1)
	assert.Greater(t, recallBetween(rows, 50e9, 2*minute), 0.99)
	assert.Greater(t, deadBetween(rows, 30e9, 44e9), 3.0)
	assert.Equal(t, 400, sampleAt(t, res, 40e9).Up, "nobody left")
}

// A third of the messages are lost for 20 s.
func TestLossy(t *testing.T) {
	_, rows := life(t, func(c *Config) { c.Faults = []Fault{{Kind: Lossy, Share: One / 3, At: 30e9, Until: 50e9}} })
	assert.Zero(t, deadBetween(rows, 0, 25e9))
	requests, failed := 0, 0
	for _, r := range rows {
		if r.Began >= 30e9 && r.Began+r.Took < 50e9 {
			requests += int(r.Requests)
			failed += int(r.Failed)
		}
	}
	require.Greater(t, requests, 200)
	assert.InDelta(t, 5./9, float64(failed)/float64(requests), 0.1, "of a request and its answer, two thirds each arrive")
	assert.Zero(t, deadBetween(rows, minute, 2*minute))
}

// Batches of 30 each 10 s, after 100 at first: the samples see them come, and none before its time.
func TestGrowth(t *testing.T) {
	res, _ := life(t, func(c *Config) {
		c.Tables, c.Kad, c.Growth = Grown, kad.Config{}, Growth{First: 100, Batch: 30, Every: 10e9}
	})
	for i := range 12 {
		at := kad.Duration(i+1) * 10e9
		assert.Equal(t, min(400, 100+30*i), sampleAt(t, res, at).Up, "at %d s: the batch of that moment comes after the sample", at/kad.Second)
	}
}

// Clients ask and are never asked: they answer nothing and stand in nobody's table.
func TestClients(t *testing.T) {
	clients := map[kad.Peer]bool{}
	inTables := 0
	asked := map[kad.Peer]bool{}
	res, rows := life(t, func(c *Config) {
		c.Clients, c.Tables, c.Kad = One/4, Grown, kad.Config{}
		c.Inspect = func(s *Snapshot) {
			if len(clients) > 0 && s.Now() < 118e9 {
				return
			}
			for p := kad.Peer(1); int(p) <= s.Nodes(); p++ {
				if s.w.nodes[p].client {
					clients[p] = true
				}
				if s.Up(p) {
					for b := range s.Kademlia(p).Table().Buckets {
						for e := range b.Entries {
							if clients[e.Peer] {
								inTables++
							}
						}
					}
				}
			}
		}
	})
	require.InDelta(t, 100, len(clients), 30)
	assert.Zero(t, inTables)
	for p := range clients {
		assert.Zero(t, res.LoadOf[p], "client %d has answered", p)
	}
	for _, r := range rows {
		asked[r.Node] = asked[r.Node] || clients[r.Node] && r.True > 0
	}
	assert.NotEmpty(t, asked)
	assert.Greater(t, recallBetween(rows, minute, 2*minute), 0.99, "the truth has no clients in it")
}

// Who cannot be dialled answers nothing, and nobody misses him: the truth is of those that can be found.
func TestUnreachable(t *testing.T) {
	res, rows := life(t, func(c *Config) { c.Links.Unreachable = One / 4 })
	silent := 0
	for p := 9; p <= 400; p++ { // seeds can always be dialled
		if res.LoadOf[p] == 0 {
			silent++
		}
	}
	assert.Greater(t, silent, 70)
	assert.Greater(t, deadBetween(rows, 0, 2*minute), 1.0)
	assert.Greater(t, recallBetween(rows, 0, 2*minute), 0.9, "among so many who do not answer a lookup may end early")
	assert.InDelta(t, 0.25, sampleAt(t, res, 10e9).Dead, 0.1, "ideal tables know nothing of that")
}

// Who left by an Exit does not come back with the next session; seeds stay.
func TestGone(t *testing.T) {
	res, _ := life(t, func(c *Config) {
		c.Churn = Churn{Kind: Exponential, Median: 20e9}
		c.Faults = []Fault{{Kind: Exit, Share: One, At: minute}}
	})
	assert.InDelta(t, 204, sampleAt(t, res, minute).Up, 50)
	assert.Equal(t, 8, sampleAt(t, res, 2*minute).Up)
}
