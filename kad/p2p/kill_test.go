package p2p_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	leveldb "github.com/ipfs/go-ds-leveldb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

var kills = flag.Int("kills", 10, "how often TestKill kills its server")

// killDirectory, in the environment, makes the test binary the server of TestKill, with its journal there.
const killDirectory = "KADBENCH_TEST_JOURNAL"

// serveForKill is the server: it serves until it is killed, or its parent is and so its standard input ends.
func serveForKill(dir string) error {
	ds, err := leveldb.NewDatastore(dir, nil)
	if err != nil {
		return err
	}
	n, err := p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeServer, Limits: kad.Limits{Records: 1 << 16, ProviderKeys: 1 << 16}},
		Transports: []string{p2p.TCP}, Validators: p2p.Namespaces("v"), Datastore: ds, Unlimited: true})
	if err != nil {
		return err
	}
	if err := n.Start(context.Background()); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(*host.InfoFromHost(n.Host())); err != nil {
		return err
	}
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	return err
}

// TestKill puts records and announces providers from several connections at a server in a process of its own, kills it with
// SIGKILL at random moments, starts it again, and asks for all that was acknowledged.
//
//	go test ./kad/p2p -run TestKill -kills 200
func TestKill(t *testing.T) {
	const clients = 4
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(11, 1))
	hosts := make([]host.Host, clients)
	for i := range hosts {
		hosts[i] = bare(t)
	}
	values := make([]map[string]string, clients) // acknowledged, by key; each client has keys of its own
	provided := make([]map[string]bool, clients)
	for i := range clients {
		values[i], provided[i] = map[string]string{}, map[string]bool{}
	}
	for round := range *kills + 1 {
		server, at := startForKill(t, dir)
		var all sync.WaitGroup
		for i, h := range hosts {
			all.Go(func() { askForAll(t, h, at, values[i], provided[i]) })
		}
		all.Wait()
		if round == *kills {
			server()
			break
		}
		for i, h := range hosts {
			all.Go(func() { load(h, at.ID, uint64(round), i, values[i], provided[i]) })
		}
		<-time.After(time.Duration(20+rng.IntN(150)) * time.Millisecond) // when it dies is the point, not how long it took
		server()
		all.Wait()
		for _, h := range hosts {
			_ = h.Network().ClosePeer(at.ID)
			h.Peerstore().ClearAddrs(at.ID)
		}
	}
	records, announced := 0, 0
	for i := range clients {
		records, announced = records+len(values[i]), announced+len(provided[i])
	}
	require.Greater(t, records, *kills)
	require.Greater(t, announced, *kills)
	t.Logf("%d kills, %d records and %d announcements acknowledged, none lost", *kills, records, announced)
}

func startForKill(t *testing.T, dir string) (kill func(), at peer.AddrInfo) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDirectory+"="+dir)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe() // held open until the end
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	require.NoError(t, json.NewDecoder(out).Decode(&at))
	return kill, at
}

// load puts and announces until the server dies, and remembers what was acknowledged. An ADD_PROVIDER has no reply: what
// follows it on the stream is answered only when it has been stored.
func load(h host.Host, to peer.ID, round uint64, client int, values map[string]string, provided map[string]bool) {
	rng := rand.New(rand.NewPCG(round, uint64(client)))
	s, err := h.NewStream(context.Background(), to, p2p.DefaultProtocol)
	if err != nil {
		return
	}
	defer s.Reset()
	_ = s.SetDeadline(time.Now().Add(bound))
	r := bufio.NewReader(s)
	ask := func(ms ...wire.Message) bool {
		for i := range ms {
			if _, err := s.Write(wire.AppendFrame(nil, &ms[i])); err != nil {
				return false
			}
		}
		_, err := wire.ReadFrame(r, nil, wire.MaxReceive)
		return err == nil
	}
	for i := 0; ; i++ {
		if rng.IntN(3) == 0 {
			key := fmt.Sprintf("provided by %d: %d %d", client, round, i)
			add := wire.Message{Type: wire.AddProvider, Key: []byte(key), ProviderPeers: []wire.Peer{{ID: []byte(h.ID())}}}
			if !ask(add, wire.Message{Type: wire.Ping}) {
				return
			}
			provided[key] = true
			continue
		}
		key := fmt.Sprintf("/v/%d/%d", client, rng.IntN(300)) // the same keys, over and over
		value := fmt.Sprintf("ok %06d %06d", round, i)
		if !ask(record(key, value)) {
			return
		}
		values[key] = value
	}
}

// askForAll wants each value that was acknowledged, or a later one of which the acknowledgement was lost.
func askForAll(t *testing.T, h host.Host, at peer.AddrInfo, values map[string]string, provided map[string]bool) {
	if !assert.NoError(t, h.Connect(t.Context(), at)) {
		return
	}
	s, err := h.NewStream(t.Context(), at.ID, p2p.DefaultProtocol)
	if !assert.NoError(t, err) {
		return
	}
	defer s.Reset()
	_ = s.SetDeadline(time.Now().Add(bound))
	r := bufio.NewReader(s)
	ask := func(m wire.Message) (reply wire.Message, ok bool) {
		_, err := s.Write(wire.AppendFrame(nil, &m))
		if !assert.NoError(t, err) {
			return reply, false
		}
		body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
		return reply, assert.NoError(t, err) && assert.NoError(t, wire.Decode(body, &reply))
	}
	for key, value := range values {
		m, ok := ask(wire.Message{Type: wire.GetValue, Key: []byte(key)})
		if !ok || !assert.GreaterOrEqual(t, string(m.Record.Value), value, key) {
			return
		}
	}
	for key := range provided {
		m, ok := ask(wire.Message{Type: wire.GetProviders, Key: []byte(key)})
		if !ok || !assert.Len(t, m.ProviderPeers, 1, key) || !assert.Equal(t, []byte(h.ID()), m.ProviderPeers[0].ID) {
			return
		}
	}
}
