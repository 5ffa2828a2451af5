package ground

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/network"
)

// party is an instance with its node, among the others.
type party struct {
	in      *Instance
	set     settings
	node    network.Node
	host    host.Host // of a network in memory; nil: the node has its own
	members []member  // by Seq - 1
	oracle  *oracle
	chance  *rand.Rand // of this instance
	timed   string     // the point whose times are judged
	tally   tally
}

// onNetwork is what an instance does in a case on a network: it joins, acts, waits for the others to have acted, and judges;
// the times are those of one kind of its operations.
func onNetwork(timed string, act func(ctx context.Context, p *party) error) func(context.Context, *Instance) error {
	return func(ctx context.Context, in *Instance) error {
		set, err := readSettings(in.Params, in.Shape != nil)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, set.timeout, fmt.Errorf("the case took longer than its timeout, %v", set.timeout))
		defer cancel()
		p := &party{in: in, set: set, timed: timed, chance: rand.New(rand.NewPCG(set.seed, uint64(in.Seq)))}
		err = p.attend(ctx, act)
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return errors.Join(err, p.close())
	}
}

func (p *party) attend(ctx context.Context, act func(ctx context.Context, p *party) error) error {
	if err := p.join(ctx); err != nil {
		return err
	}
	if err := act(ctx, p); err != nil {
		return err
	}
	if err := p.phase(ctx, "acted"); err != nil { // until then others need this node
		return err
	}
	return p.tally.settle(ctx, p.in)
}

// spread lets the operations of one of so many phases begin by chance. All at once, as they come out of a barrier, they would
// measure the machine: a thousand lookups are 16 s of a processor.
func (p *party) spread(ctx context.Context, phases int) error {
	within := p.set.spread(p.in.Count) / time.Duration(phases)
	return pause(ctx, time.Duration(p.chance.Float64()*float64(within)))
}

// phase waits until all instances have come as far.
func (p *party) phase(ctx context.Context, name string) error {
	if err := p.in.Barrier(ctx, name); err != nil {
		return fmt.Errorf("phase %s: %w", name, err)
	}
	return nil
}

// open makes the node. One that comes back has the identity that it had.
func (p *party) open(ctx context.Context) error {
	spec := network.Spec{
		Seed: seedOf(p.set.seed, p.in.Seq), Server: !p.set.isClient(p.in.GroupSeq),
		Transport: p.set.transport, Listen: p.in.IP, Unlimited: true, // limits of go-libp2p's, which are not what is measured
		K: p.set.k, Alpha: p.set.alpha, Beta: p.set.beta, Refresh: p.set.refresh,
	}
	switch {
	case p.in.Mem != nil: // whose links are as late as the parameter says
		spec.Transport = ""
		var err error
		if p.host, err = p.in.Mem.Host(spec.Seed); err != nil {
			return fmt.Errorf("network in memory: %w", err)
		}
		spec.Host = p.host
	case p.in.Shape == nil:
		spec.Delay = p.set.latency
	}
	var err error
	if p.node, err = p.set.kind.New(ctx, spec); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	return nil
}

// close ends the node, if there is one.
func (p *party) close() error {
	var errs []error
	if p.node != nil {
		errs = append(errs, p.node.Close())
	}
	if p.host != nil {
		errs = append(errs, p.host.Close())
	}
	p.node, p.host = nil, nil
	return errors.Join(errs...)
}

// me is this instance as the others know it.
func (p *party) me() *member { return &p.members[p.in.Seq-1] }

// operate does one operation of the node within its timeout and counts it. What it took is a point of that name, so that many
// failures of few are told by the threshold, and not by whoever failed first; each is a line for the reader.
func (p *party) operate(ctx context.Context, point string, do func(ctx context.Context) error) error {
	before, began := p.node.Stats().Requests, time.Now()
	within, cancel := context.WithTimeout(ctx, p.set.patient)
	err := do(within)
	cancel()
	took := time.Since(began)
	if ctx.Err() != nil { // the case ends: that is nobody's failure
		return ctx.Err()
	}
	p.count(point, took, err)
	p.in.Out.Point("requests", float64(p.node.Stats().Requests-before))
	p.trim()
	return nil
}

// trim closes connections, drawn by chance, beyond those that a node may keep: each costs some 10 kB at either end, and a
// thousand nodes that have met one another have a million ends.
func (p *party) trim() {
	h := p.node.Host()
	if p.set.keep == 0 || h == nil {
		return
	}
	peers := h.Network().Peers()
	p.chance.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	for _, id := range peers[min(p.set.keep, len(peers)):] {
		_ = h.Network().ClosePeer(id) // who has gone already is closed too
	}
}

// count counts an operation.
func (p *party) count(point string, took time.Duration, err error) {
	p.tally.add(err == nil)
	if point == p.timed {
		p.tally.took(took)
	}
	p.in.Out.Point(point, float64(took.Microseconds())/1000)
	if err != nil {
		p.in.Out.Message("%s: failed after %v: %v", point, took.Round(time.Millisecond), err)
	}
}

// recalled counts and records which share of the truth an operation found.
func (p *party) recalled(found, truth []peer.ID) {
	share := recall(found, truth)
	p.tally.recalled(share)
	p.in.Out.Point("recall", share)
}

// key is the n-th key of an instance: 34 bytes, a multihash of SHA2-256.
func (p *party) key(seq, n int) []byte {
	k := seedOf(p.set.seed+uint64(n)+1, -seq)
	return append([]byte{0x12, 32}, k[:]...)
}

// others draws n of the numbers of instances for which is says so, by this instance's chance, never its own.
func (p *party) others(n int, is func(seq int) bool) []int {
	var all []int
	for seq := 1; seq <= p.in.Count; seq++ {
		if seq != p.in.Seq && is(seq) {
			all = append(all, seq)
		}
	}
	p.chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

// draw is a number below one which follows from the seed and some numbers, for choices that all instances must know.
func draw(seed uint64, of ...int) float64 {
	for _, n := range of {
		s := seedOf(seed, n)
		seed = binary.BigEndian.Uint64(s[:])
	}
	return rand.New(rand.NewPCG(seed, 0)).Float64()
}

// servers are the numbers of the servers.
func (p *party) servers() (all []int) {
	for i := range p.members {
		if !p.members[i].Client {
			all = append(all, i+1)
		}
	}
	return all
}

// isSeed says whether others enter the network by this instance. It looks at no more members than it must: each of a thousand
// asks it of all others.
func (p *party) isSeed(seq int) bool {
	if p.members[seq-1].Client {
		return false
	}
	before := 0
	for i := 0; i < seq-1 && before < p.set.seeds; i++ {
		if !p.members[i].Client {
			before++
		}
	}
	return before < p.set.seeds
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
