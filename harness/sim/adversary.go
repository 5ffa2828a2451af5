package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// foes knows which nodes do harm, and what they have agreed on beforehand. Each kind has a file of its own, which says what
// such a node answers; what all of them need is here. A foe runs a core as any other node does, so that it knows peers and is
// known, and answers by itself where its kind says so.
//
// Who is a foe is a pure function of the seed and the node: the shares of the lines follow each other on one scale, so that no
// node is of two lines. Seeds are honest, and so is whom an eclipse is about. A share is met as a toss of a coin for each
// node meets it: 5 % of 1,000 nodes are 50, give or take 7.
type foes struct {
	lines  []foe
	ghosts int    // ids beyond those of the nodes, for liars
	lies   *index // of the ghosts
	nodes  int
	seeds  kad.Peer
	seed   uint64
	spared []kad.Peer // victims
}

// foe is one line of Config.Adversaries.
type foe struct {
	Adversary
	upTo    PPM             // its place on the scale of shares ends here
	target  kad.Key         // around which the ids lie: Sybil, Eclipse
	ids     map[kad.Peer]id // ground ones: Sybil, Eclipse
	group   *index          // of the line's nodes: Sybil, Eclipse
	patient kad.Peer        // Eclipse: whom it is about
}

const (
	// maxLines keeps a role in a byte.
	maxLines = 100
	// maxRate is what one node of a slow line sends at most, a request of 40 bytes each millisecond.
	maxRate     = 1000
	defaultRate = 10
)

// checkFoes says what is wrong with cfg.Adversaries. Its errors begin with the name of the field.
func checkFoes(cfg *Config) error {
	if len(cfg.Adversaries) > maxLines {
		return fmt.Errorf("Adversaries[%d].Kind: more than %d lines", maxLines, maxLines)
	}
	sum := uint64(0)
	for i, a := range cfg.Adversaries {
		sum += uint64(a.Share)
		switch {
		case a.Kind > Flooder:
			return fmt.Errorf("Adversaries[%d].Kind: there is no kind %d", i, a.Kind)
		case sum > uint64(One):
			return fmt.Errorf("Adversaries[%d].Share: the shares come to %d parts per million, more than all", i, sum)
		case a.Rate < 0 || a.Rate > maxRate:
			return fmt.Errorf("Adversaries[%d].Rate: %d, want 0 (the default, %d) to %d requests a second", i, a.Rate, defaultRate, maxRate)
		case int(a.Victim) > cfg.Nodes:
			return fmt.Errorf("Adversaries[%d].Victim: there is no node %d, want 1 to %d", i, a.Victim, cfg.Nodes)
		}
	}
	return nil
}

// newFoes chooses who does harm and grinds the ids of those that need it. key is that of the first operation, nil if there is
// none.
func newFoes(ctx context.Context, cfg *Config, key []byte) (*foes, error) {
	f := &foes{nodes: cfg.Nodes, seeds: kad.Peer(seedCount(cfg)), seed: cfg.Seed}
	sum := PPM(0)
	for _, a := range cfg.Adversaries {
		sum += a.Share
		f.lines = append(f.lines, foe{Adversary: a, upTo: sum})
		if a.Kind == Eclipse && a.Victim != 0 {
			f.spared = append(f.spared, a.Victim)
		}
	}
	for i := range f.lines {
		l := &f.lines[i]
		switch l.Kind {
		case Liar:
			f.ghosts = ghostsOf(cfg.Nodes)
			continue
		case Sybil:
			if len(l.Key) == 0 {
				l.Key = key
			}
			if len(l.Key) == 0 {
				return nil, fmt.Errorf("%w: Adversaries[%d].Key: neither a key nor an operation whose key it could be", ErrConfig, i)
			}
			l.target = kad.KeyOf(l.Key)
		case Eclipse:
			if l.patient = l.Victim; l.patient == 0 {
				l.patient = f.lastHonest()
			}
			if l.patient == 0 {
				return nil, fmt.Errorf("%w: Adversaries[%d].Victim: no node is honest", ErrConfig, i)
			}
			l.target = kad.KeyOf(peerID(cfg.Seed, l.patient))
		default:
			continue
		}
		members := f.members(role(i + 1))
		ids, err := grind(ctx, cfg.Seed, uint64(i), &l.target, len(members), triesOf(cfg.Nodes))
		if err != nil {
			return nil, err
		}
		l.ids = make(map[kad.Peer]id, len(members))
		for j, p := range members {
			l.ids[p] = ids[j]
		}
	}
	return f, nil
}

// sort makes the indexes from which foes name each other and ghosts.
func (f *foes) sort(dir *kad.Directory) {
	if f.ghosts > 0 {
		f.lies = newIndex(dir, f.nodes+f.ghosts, func(p kad.Peer) bool { return int(p) > f.nodes })
	}
	for i := range f.lines {
		if l := &f.lines[i]; l.ids != nil {
			l.group = newIndex(dir, f.nodes, func(p kad.Peer) bool { return f.roleOf(p) == role(i+1) })
		}
	}
}

// roleOf is how a node behaves: honest, or by the line of that number, counted from 1.
func (f *foes) roleOf(p kad.Peer) role {
	if len(f.lines) == 0 || p <= f.seeds || int(p) > f.nodes {
		return honest
	}
	for _, v := range f.spared {
		if p == v {
			return honest
		}
	}
	x := PPM(below(mix(f.seed, uint64(forRole), uint64(p)), uint64(One)))
	for i := range f.lines {
		if x < f.lines[i].upTo {
			return role(i + 1)
		}
	}
	return honest
}

// members are the nodes of a line, ascending.
func (f *foes) members(r role) (all []kad.Peer) {
	for p := f.seeds + 1; int(p) <= f.nodes; p++ {
		if f.roleOf(p) == r {
			all = append(all, p)
		}
	}
	return all
}

// lastHonest is the last node that does no harm.
func (f *foes) lastHonest() kad.Peer {
	for p := kad.Peer(f.nodes); p > 0; p-- {
		if f.roleOf(p) == honest {
			return p
		}
	}
	return 0
}

// serves says whether a lookup ought to find the nodes of a line: those that stand where chance has put them and answer. A
// sybil or an eclipse stands in the place of an honest node, and not to find that one is the harm.
func (f *foes) serves(r role) bool {
	switch f.lines[r-1].Kind {
	case Silent, Sybil, Eclipse:
		return false
	}
	return true
}

func (w *World) roleOf(p kad.Peer) role { return w.foes.roleOf(p) }

// idOf is the id of a node.
func (w *World) idOf(p kad.Peer) []byte {
	if r := w.roleOf(p); r != honest {
		if ground, ok := w.foes.lines[r-1].ids[p]; ok {
			return ground[:]
		}
	}
	if int(p) <= len(w.cfg.IDs) {
		return w.cfg.IDs[p-1]
	}
	return peerID(w.cfg.Seed, p)
}

// misbehave lets an adversary answer a request in its own way; false: it answers as an honest node does.
func (s *shard) misbehave(p kad.Peer, n *node, from kad.Peer, m *message) bool {
	l := &s.w.foes.lines[n.role-1]
	switch l.Kind {
	case Silent:
		return s.answerNothing(p, n, m)
	case Slow:
		return s.hold(p, n, m)
	case Liar:
		return s.lie(p, n, m)
	case Poisoner:
		return s.poison(p, n, from, m)
	case Sybil:
		return s.answerAsSybil(l, p, n, m)
	case Eclipse:
		return s.eclipse(l, p, n, m)
	}
	return false
}

// arm lets an adversary that has come act by itself, if its kind does so: at a moment drawn for it within its interval, so
// that those of a line do not act together.
func (s *shard) arm(p kad.Peer, n *node) {
	if n.role == honest {
		return
	}
	if every := s.w.foes.lines[n.role-1].every(); every > 0 {
		after := below(mix(s.w.cfg.Seed, uint64(forHarm), uint64(p), uint64(n.session)), uint64(every))
		s.deed(s.now+1+kad.Time(after), p, &message{deed: toHarm, session: n.session})
	}
}

// every is how often a node of the line acts by itself; 0: never.
func (l *foe) every() kad.Time {
	switch l.Kind {
	case Eclipse:
		return eclipseEvery
	case Flooder:
		if l.Rate == 0 {
			return 1e9 / defaultRate
		}
		return kad.Time(1e9 / l.Rate)
	}
	return 0
}

// harm lets an adversary act by itself, or serve what it has held back.
func (s *shard) harm(p kad.Peer, n *node, m *message) {
	l := &s.w.foes.lines[n.role-1]
	if l.Kind == Slow {
		s.serveHeld(p, n, m)
		return
	}
	if m.session != n.session {
		return // of a former life
	}
	switch l.Kind {
	case Eclipse:
		s.visit(l, p, n)
	case Flooder:
		s.flood(p, n)
	}
	s.deed(s.now+l.every(), p, &message{deed: toHarm, session: n.session})
}

// answerTo begins the answer to a request.
func answerTo(m *message) message {
	a := message{session: m.session, asker: m.asker, query: m.query, asked: m.asked, dialled: m.dialled, key: m.key}
	switch m.kind {
	case kad.FindNodeReq:
		a.kind = kad.FindNodeRes
	case kad.GetProvidersReq:
		a.kind = kad.GetProvidersRes
	case kad.GetRecord:
		a.kind = kad.GetRecordRes
	case kad.AddProvider:
		a.kind = kad.AddProviderRes
	case kad.PutRecord:
		a.kind = kad.PutRecordRes
	default:
		panic(errors.New("sim: no request"))
	}
	return a
}

func anyone(kad.Peer) bool { return true }

// pretend answers what wants something kept as if that were done: a PUT_VALUE is echoed, an ADD_PROVIDER has no answer on
// the wire. It is false for other requests.
func (s *shard) pretend(p kad.Peer, n *node, m *message) bool {
	if m.kind != kad.AddProvider && m.kind != kad.PutRecord {
		return false
	}
	a := answerTo(m)
	if m.kind == kad.PutRecord {
		a.more().found, a.extra.record, a.extra.ttl = true, m.extra.record, m.extra.ttl
	}
	s.reply(p, n, &a)
	return true
}

// nameOnly answers a request with the K peers of an index that are nearest to its key, of those for which is says so, without
// a record or a provider.
func (s *shard) nameOnly(x *index, p kad.Peer, n *node, m *message, is func(kad.Peer) bool) {
	a := answerTo(m)
	target := kad.KeyOf(m.key)
	s.handles = x.closest(s.handles[:0], &target, s.w.servers.K, func(q kad.Peer) bool { return q != p && q != m.asker && is(q) })
	for _, q := range s.handles {
		a.name(q)
	}
	s.reply(p, n, &a)
}
