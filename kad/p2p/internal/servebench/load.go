package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/kadbench/kadbench/kad/wire"
)

const (
	protocolID = "/ipfs/kad/1.0.0"
	nearest    = 20
	warming    = 500 * time.Millisecond
)

// result of one turn.
type result struct {
	requests, checked, wrong, bytes int64
	span                            time.Duration
	server, client                  time.Duration // CPU
}

func (r *result) rate() float64      { return float64(r.requests) / r.span.Seconds() }
func (r *result) serverCPU() float64 { return float64(r.server.Microseconds()) / float64(r.requests) }
func (r *result) clientCPU() float64 { return float64(r.client.Microseconds()) / float64(r.requests) }

// turn loads one server for a span.
func turn(ctx context.Context, s *server, truth *truth, seed uint64, span time.Duration) (*result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var hosts []host.Host
	defer func() {
		for _, h := range hosts {
			_ = h.Close()
		}
	}()
	var workers []*worker
	for c := range clients {
		h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(noise.ID, noise.New),
			libp2p.DefaultMuxers, libp2p.ResourceManager(&network.NullResourceManager{}),
			libp2p.ConnectionManager(connmgr.NullConnMgr{}), libp2p.DisableMetrics(), libp2p.DisableRelay())
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
		if err := h.Connect(ctx, s.addr); err != nil {
			return nil, err
		}
		for i := range streams {
			st, err := h.NewStream(ctx, s.addr.ID, protocolID)
			if err != nil {
				return nil, err
			}
			workers = append(workers, &worker{s: st, truth: truth, keys: rand.NewChaCha8(keySeed(seed, c, i))})
		}
	}
	var measuring atomic.Bool
	var ended sync.WaitGroup
	failed := make(chan error, len(workers))
	for _, w := range workers {
		ended.Go(func() {
			if err := w.run(ctx, &measuring); err != nil {
				failed <- err
			}
		})
	}
	r := &result{}
	err := pause(ctx, warming, failed)
	if err == nil {
		before, err1 := s.cpu()
		own, start := ownCPU(), time.Now()
		measuring.Store(true)
		err = pause(ctx, span, failed)
		measuring.Store(false)
		r.span, r.client = time.Since(start), ownCPU()-own
		after, err2 := s.cpu()
		r.server = time.Duration(after-before) * 10 * time.Millisecond
		err = errors.Join(err, err1, err2)
	}
	cancel()
	for _, w := range workers {
		_ = w.s.Reset()
	}
	ended.Wait()
	for _, w := range workers {
		r.requests += w.requests
		r.checked += w.checked
		r.wrong += w.wrong
		r.bytes += w.bytes
	}
	return r, err
}

func pause(ctx context.Context, d time.Duration, failed <-chan error) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// worker asks on one stream, over and over.
type worker struct {
	s     network.Stream
	keys  *rand.ChaCha8
	truth *truth

	requests, checked, wrong, bytes int64
}

func (w *worker) run(ctx context.Context, measuring *atomic.Bool) error {
	r := bufio.NewReaderSize(w.s, 4<<10)
	key := make([]byte, 32)
	request := wire.Message{Type: wire.FindNode, Key: key}
	var frame []byte
	buf := make([]byte, 0, 4<<10)
	for n := 0; ; n++ {
		_, _ = w.keys.Read(key)
		frame = wire.AppendFrame(frame[:0], &request)
		if _, err := w.s.Write(frame); err != nil {
			return ended(ctx, err)
		}
		body, err := wire.ReadFrame(r, buf, wire.MaxReceive)
		if err != nil {
			return ended(ctx, err)
		}
		if !measuring.Load() {
			continue
		}
		w.requests++
		w.bytes += int64(len(body))
		if n%checked == 0 {
			w.checked++
			if !w.truth.holds(key, body) {
				w.wrong++
			}
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("a stream ended: %w", err)
}

func keySeed(seed uint64, client, stream int) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %d %d", seed, client, stream))
}

// ownCPU is the CPU time of this process, the client.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// truth knows which peers of a table are nearest to a key.
type truth struct {
	ids  [][]byte
	keys [][32]byte
}

func newTruth(table []string) *truth {
	t := &truth{}
	for _, s := range table {
		id, err := peer.Decode(s)
		if err != nil {
			panic(err) // they are ids that we made
		}
		t.ids = append(t.ids, []byte(id))
		t.keys = append(t.keys, sha256.Sum256([]byte(id)))
	}
	return t
}

// holds says whether a reply names exactly the nearest peers, each once and with an address, in whatever order.
func (t *truth) holds(key, body []byte) bool {
	var m wire.Message
	if wire.Decode(body, &m) != nil || m.Type != wire.FindNode || len(m.CloserPeers) != min(nearest, len(t.ids)) {
		return false
	}
	target := sha256.Sum256(key)
	order := make([]int, len(t.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		for i := range target {
			if x, y := t.keys[a][i]^target[i], t.keys[b][i]^target[i]; x != y {
				return int(x) - int(y)
			}
		}
		return 0
	})
	missing := order[:len(m.CloserPeers)]
	for _, p := range m.CloserPeers {
		at := slices.IndexFunc(missing, func(i int) bool { return bytes.Equal(t.ids[i], p.ID) })
		if at < 0 || p.Addrs.Len() == 0 {
			return false
		}
		missing = slices.Delete(missing, at, at+1)
	}
	return true
}
