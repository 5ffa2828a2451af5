package run

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// world is one attempt at one case: the target's node, the puppets, the streams and the captures by their names.
type world struct {
	plan    *plan.Plan
	node    *node
	seed    uint64
	attempt int

	patience time.Duration // with the target, for questions of the harness's own
	limit    time.Duration // of the script
	timer    *time.Timer   // ends it
	log      *record.Writer
	began    time.Time

	cast   map[string]*member // by name; the target is among them, without a puppet
	names  check.Namer
	values *plan.Evaluator

	casting bool // places are being chosen: nobody has an address yet

	making sync.Mutex // of puppets
	over   bool       // under making: none is made any more

	mu       sync.Mutex
	streams  map[string]*stream
	captures map[string]plan.Value
	shown    map[string]string // for people: captures by name, and at which line which alternative was taken
	prober   *member           // an identity of the harness's own, made when it is needed
	probes   int
	at       *plan.Line // where the script is

	ctx        context.Context         // of the attempt, and of its operations
	stop       context.CancelCauseFunc // ends the attempt, with its reason
	hearing    hearing
	whens      []*when
	operations map[string]*operation
	asking     sync.WaitGroup // operations under way
	atEnd      []later        // lines which are judged at the end

	seen   plan.ProfileSet // in which some line was judged
	untold string          // why a line was not: the target cannot tell
}

// member is a participant.
type member struct {
	decl *plan.PeerDecl
	Identity

	once   sync.Once
	puppet *target.Puppet
	fault  error
	guest  *guest // of a company, which owns the puppet; else nil
}

// newWorld casts the peers of a plan; only serving puppets are made before a line needs them. The world is there whatever
// the error, to be closed.
func newWorld(ctx context.Context, stop context.CancelCauseFunc, p *plan.Plan, n *node, c *Config, attempt int) (*world, error) {
	seed, log := c.Seed, c.Log
	w := &world{
		plan: p, node: n, seed: seed, attempt: attempt, log: log, patience: c.patience(), began: time.Now(),
		cast: map[string]*member{}, names: check.Namer{}, streams: map[string]*stream{},
		captures: map[string]plan.Value{}, shown: map[string]string{}, operations: map[string]*operation{},
		ctx: ctx, stop: stop,
	}
	w.values = plan.NewEvaluator(p, w)
	w.casting = true
	place := sha256.Sum256([]byte(n.id))
	cast := NewCast(seed, p.Header.ID, place)
	cast.rsa = c.rsa(p)
	for _, d := range p.Peers {
		if d.Target {
			w.join(&member{decl: d, Identity: Identity{Name: d.Name, ID: n.id, Place: place}})
		}
	}
	// Those with a wish choose first: what is near a key is scarce. But for those that want to be near a key which has the id
	// of another in it.
	for turn := range 3 {
		for _, d := range p.Peers {
			if d.Target || d.Name != d.Group[0] || w.turn(d) != turn {
				continue
			}
			if n.company != nil && n.company.takes(p, d) {
				members, err := n.company.join(d.Group)
				if err != nil {
					return w, fmt.Errorf("%s: %w", d.Pos, err)
				}
				for _, m := range members {
					w.join(&member{decl: w.declaration(m.Name), Identity: m.Identity, guest: m})
				}
				continue
			}
			wish, err := w.wish(d)
			if err != nil {
				return w, err
			}
			ids, err := cast.Choose(d.Group, wish)
			if err != nil {
				return w, fmt.Errorf("%s: %w", d.Pos, err)
			}
			for _, id := range ids {
				w.join(&member{decl: w.declaration(id.Name), Identity: id})
			}
		}
	}
	w.casting = false
	w.values = plan.NewEvaluator(p, w) // forgets fixtures which were made without addresses
	return w, w.serving()
}

// serving makes the puppets which answer by themselves, and tells each whom it knows. They are made before the script
// begins, because a target may come to them by an address that it was told.
func (w *world) serving() error {
	var all []*member
	for _, d := range w.plan.Peers {
		if d.Kind == "serving" {
			all = append(all, w.cast[d.Name])
		}
	}
	for _, m := range all {
		if err := w.make(m); err != nil {
			return err
		}
	}
	for _, m := range all {
		if err := w.introduce(m); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) join(m *member) {
	w.cast[m.Name] = m
	w.names[string(m.ID)] = m.Name
}

func (w *world) declaration(name string) *plan.PeerDecl {
	i := slices.IndexFunc(w.plan.Peers, func(d *plan.PeerDecl) bool { return d.Name == name })
	return w.plan.Peers[i]
}

// turn says when a peer's identity is chosen: 0 first.
func (w *world) turn(d *plan.PeerDecl) int {
	near := d.Value("near")
	switch {
	case near != nil && slices.ContainsFunc(w.plan.PeersIn(near), func(name string) bool { return !w.declaration(name).Target }):
		return 2
	case near != nil || d.Value("cpl") != nil:
		return 0
	}
	return 1
}

func (w *world) wish(d *plan.PeerDecl) (Wish, error) {
	wish := Wish{RSA: d.Param("key") == "rsa", CPL: -1}
	if w.node.remote && d.Kind == "serving" {
		wish.Limit, wish.Fixed = GuestLimit, true
	}
	if text := d.Param("cpl"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return wish, fmt.Errorf("%s: cpl=%s: %w", d.Pos, text, err)
		}
		wish.CPL = n
	}
	if e := d.Value("near"); e != nil {
		v, err := w.value(e)
		if err != nil {
			return wish, fmt.Errorf("%s: near: %w", d.Pos, err)
		}
		b, err := v.AsBytes()
		if err != nil {
			return wish, fmt.Errorf("%s: near: %w", d.Pos, err)
		}
		place := sha256.Sum256(b)
		wish.Near = &place
	}
	return wish, nil
}

// member finds a participant by name, its puppet made and listening.
func (w *world) member(name string) (*member, error) {
	m, ok := w.cast[name]
	if !ok {
		return nil, fmt.Errorf("no peer %q", name)
	}
	if m.decl.Target {
		return m, nil
	}
	if err := w.make(m); err != nil {
		return nil, err
	}
	return m, nil
}

// make makes a member's puppet, once.
func (w *world) make(m *member) error {
	m.once.Do(func() { m.fault = w.makeOne(m) })
	return m.fault
}

func (w *world) makeOne(m *member) error {
	config, err := w.config(m)
	if err != nil {
		return err
	}
	if err := w.puppet(m, config); err != nil {
		return fmt.Errorf("peer %s: %w", m.Name, err)
	}
	w.watch(m)
	return nil
}

// puppet gives a member its puppet. A request that comes in the last moment may still want an answer which names peers that
// nobody has made yet: once the case has ended none is made, since nobody would close it.
func (w *world) puppet(m *member, config target.PuppetConfig) (err error) {
	w.making.Lock()
	defer w.making.Unlock()
	switch {
	case w.over:
		return errOver
	case m.guest != nil && m.guest.puppet != nil:
		m.puppet = m.guest.puppet
		return nil
	}
	if m.puppet, err = w.node.puppet(config); err == nil && m.guest != nil {
		m.guest.puppet = m.puppet
	}
	return err
}

// errOver is what a case that has ended says to whoever still wants a puppet.
var errOver = errors.New("the case has ended")

// introduce tells a serving puppet whom it knows: the peers of its own line, or those of knows=.
func (w *world) introduce(m *member) error {
	names := m.decl.Group
	if text := m.decl.Param("knows"); text != "" {
		names = nil
		for _, r := range strings.Split(text, ",") {
			more, err := plan.Range(r)
			if err != nil {
				return fmt.Errorf("%s: knows: %w", m.decl.Pos, err)
			}
			names = append(names, more...)
		}
	}
	var known []peer.AddrInfo
	for _, name := range names {
		other, err := w.member(name)
		if err != nil {
			return err
		}
		if other.decl.Target {
			known = append(known, w.node.info())
		} else {
			known = append(known, other.puppet.Info())
		}
	}
	m.puppet.Know(known)
	return nil
}

var kinds = map[string]target.Kind{"": target.Raw, "serving": target.Serving, "client": target.Client, "nobody": target.Nobody}

func (w *world) config(m *member) (target.PuppetConfig, error) {
	d := m.decl
	c := target.PuppetConfig{
		Key: m.Key, Kind: kinds[d.Kind], Over: d.Param("over"), Security: d.Param("security"), IP: d.Param("ip"),
	}
	if c.Kind == target.Serving {
		c.Protocols = []string{w.node.protocol}
	}
	if e := d.Value("claims"); e != nil {
		v, err := w.value(e)
		if err != nil {
			return c, fmt.Errorf("%s: claims: %w", d.Pos, err)
		}
		c.Claims = []ma.Multiaddr{} // claims=[] tells none at all
		for _, item := range v.List {
			b, err := item.AsBytes()
			if err != nil {
				return c, fmt.Errorf("%s: claims: %w", d.Pos, err)
			}
			a, err := ma.NewMultiaddrBytes(check.AddrBytes(b))
			if err != nil {
				return c, fmt.Errorf("%s: claims: %w", d.Pos, err)
			}
			c.Claims = append(c.Claims, a)
		}
	}
	return c, nil
}

// own is the harness's own identity: it asks whether T is alive and whom its table holds, as a client, so that it enters
// no table itself.
func (w *world) own() (*member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.prober == nil {
		puppet, err := w.node.puppet(target.PuppetConfig{Kind: target.Client})
		if err != nil {
			return nil, err
		}
		w.prober = &member{Identity: Identity{Name: "(harness)", ID: puppet.ID()}, puppet: puppet}
		w.names[string(puppet.ID())] = "(harness)"
	}
	return w.prober, nil
}

// record writes an entry of this case.
func (w *world) record(e record.Entry) {
	e.Case, e.Target, e.Attempt = w.plan.Header.ID, w.node.name, w.attempt
	w.log.Write(e)
}

// noting is record for the frames of one stream.
func (w *world) noting(stream, peer string) func(record.Entry) {
	return func(e record.Entry) {
		e.Stream, e.Peer = stream, peer
		w.record(e)
	}
}

// close ends all operations, streams and puppets. It does not hold the lock meanwhile: a puppet that hears a request just
// now asks for its answer.
func (w *world) close() {
	w.stop(nil)
	w.asking.Wait()
	w.making.Lock()
	w.over = true
	w.making.Unlock()
	w.mu.Lock()
	streams, all := maps.Clone(w.streams), slices.Collect(maps.Values(w.cast))
	if w.prober != nil {
		all = append(all, w.prober)
	}
	w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		streams[name].finish()
	}
	var ended sync.WaitGroup
	for _, m := range all {
		if m.puppet == nil {
			continue
		}
		m.puppet.Watch(nil)
		if m.guest == nil {
			ended.Go(func() { m.puppet.Close() })
		}
	}
	ended.Wait()
}
