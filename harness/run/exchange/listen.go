package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

// Limits of listening.
const (
	MaxListen = time.Hour // nobody watches one client for longer by hand
	MaxFrames = 1000      // ten lookups of a client that asks everybody
	maxNotes  = 64 << 20  // bytes that are kept, 16 frames of the largest size
)

// ListenConfig is how a Listener listens; both limits are needed.
type ListenConfig struct {
	Seed   uint64
	For    time.Duration
	Frames int
}

// Check says what is wrong with the configuration.
func (c ListenConfig) Check() error {
	switch {
	case c.For <= 0 || c.For > MaxListen:
		return fmt.Errorf("for %s, expected a time up to %s", c.For, MaxListen)
	case c.Frames < 1 || c.Frames > MaxFrames:
		return fmt.Errorf("frames %d, expected 1 to %d", c.Frames, MaxFrames)
	}
	return nil
}

// Listener is one server of the harness's on loopback, which writes down what clients do to it.
type Listener struct {
	config ListenConfig
	puppet *target.Puppet

	mu    sync.Mutex
	notes []target.Note
	asked int
	bytes int
	full  chan struct{}
}

// Listen makes a server; it answers honestly, and knows nobody.
func Listen(c ListenConfig) (*Listener, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	ids, err := run.NewCast(c.Seed, "record/listen", sha256.Sum256(nil)).Choose([]string{"S"}, run.Wish{CPL: -1})
	if err != nil {
		return nil, err
	}
	l := &Listener{config: c, full: make(chan struct{})}
	if l.puppet, err = target.NewPuppet(target.PuppetConfig{Key: ids[0].Key, Kind: target.Serving}); err != nil {
		return nil, err
	}
	l.puppet.Watch(&target.Watcher{Note: l.note})
	return l, nil
}

// Addrs are where it listens, with its peer id.
func (l *Listener) Addrs() (all []string) {
	for _, a := range l.puppet.Addrs() {
		all = append(all, a.String()+"/p2p/"+l.puppet.ID().String())
	}
	return all
}

// note keeps what happened; false, which resets the stream, once it is enough.
func (l *Listener) note(n target.Note) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.Request != nil {
		l.bytes += len(n.Request.Raw)
	}
	if l.bytes += len(n.Bytes); l.bytes > maxNotes || l.asked >= l.config.Frames && n.Kind == target.Asked {
		return false
	}
	l.notes = append(l.notes, n)
	if n.Kind == target.Asked {
		if l.asked++; l.asked == l.config.Frames {
			close(l.full)
		}
	}
	return true
}

// Wait returns when the time is over, enough has come, or ctx ends.
func (l *Listener) Wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.config.For)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-l.full:
	}
}

// Close ends the server.
func (l *Listener) Close() error { return l.puppet.Close() }

// Plan is what came as a plan: a target that does the same to the server S passes it. Of several clients it is the one
// that asked first, under the name T; heard is how many of its requests are in it.
func (l *Listener) Plan(id string) (src []byte, heard int, err error) {
	l.mu.Lock()
	notes := slices.Clone(l.notes)
	l.mu.Unlock()
	var client peer.ID
	for _, n := range notes {
		if n.Kind == target.Asked {
			client = n.From
			break
		}
	}
	w := &writer{words: map[string]string{string(client): "T", string(l.puppet.ID()): "S"}, names: check.Namer{string(client): "T", string(l.puppet.ID()): "S"}}
	var asked, types []string
	times := map[string]int{}
	protocols := map[string]bool{}
	dials := 0
	for _, n := range notes {
		switch {
		case n.From != client:
		case n.Kind == target.Dialled:
			dials++
		case n.Kind == target.Opened:
			protocols[n.Protocol] = true
		case n.Kind == target.Asked:
			m, err := check.NewMessage(n.Request.Body)
			if err != nil {
				return nil, 0, fmt.Errorf("%w: request %d is no message: %w", ErrRecording, heard+1, err)
			}
			heard++
			if typ := check.TypeName(m.Type); !slices.Contains(types, typ) {
				types = append(types, typ)
			}
			line := w.saw(m)
			if times[line]++; times[line] == 1 {
				asked = append(asked, line)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What a client did to a server that knew nobody: it dialled %s and asked %s, over %s.\n",
		often(dials), often(heard), strings.Join(slices.Sorted(maps.Keys(protocols)), ", "))
	fmt.Fprintf(&b, "id %s\ncatalogue FN-01\nlevel info\nspec libp2p-kad L490-L492\n\npeer T target\npeer S serving\n\nseat S in T\n", id)
	for _, typ := range types {
		fmt.Fprintf(&b, "when S %s\n  answer honestly\n", typ)
	}
	b.WriteString("# What made it ask stands here as an op line, such as: op b T bootstrap\n")
	for _, line := range asked {
		fmt.Fprintf(&b, "# %s\nsaw S %s\n", often(times[line]), line)
	}
	src, err = plan.Format(id+".plan", []byte(b.String()))
	if err != nil {
		return nil, 0, errors.Join(ErrRecording, err)
	}
	return src, heard, nil
}

// saw is a request as a line. A FIND_NODE for a key that is nobody's in the plan is most likely for one made at random, and
// will be for another next time.
func (w *writer) saw(m *check.Message) string {
	line := strings.TrimPrefix(w.want("S", m, nil), "want S ")
	if _, ours := w.words[string(m.Key)]; !ours && m.Type == wire.FindNode && len(m.Key) > 0 {
		words := strings.Fields(line)
		words[1] = "key"
		line = strings.Join(words, " ")
	}
	return line
}

func often(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
