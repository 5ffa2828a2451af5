package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	tgruntime "github.com/testground/sdk-go/runtime"

	"github.com/kadbench/kadbench/harness/run"
)

// Errors of what instances tell each other.
var (
	// ErrSync: the sync service could not be reached, was lost, or refused something. It is nobody's failure but the harness's.
	ErrSync = fmt.Errorf("%w: the sync service", run.ErrHarness)
	// ErrItem: a value cannot be published, or a name cannot be one.
	ErrItem = errors.New("item")
)

// maxName is the longest name of a state or a topic: with a run's scope and MaxItem it stays below the 32,769 bytes at which
// Testground's service ends a connection.
const maxName = 256

// Barrier enters a state and returns when every instance of the run has.
func (in *Instance) Barrier(ctx context.Context, state string) error {
	if _, err := in.Sync.Signal(ctx, state); err != nil {
		return err
	}
	return in.Sync.Wait(ctx, state, in.Count)
}

// The states that Testground's own client enters for an instance, and the topic of its events.
const (
	stateNetwork = "network-initialized"
	stateGlobal  = "initialized_global"
	stateGroup   = "initialized_group_"
)

// scope sets the states and topics of a run apart from those of others, in the form of Testground's client.
type scope string

func scopeOf(p *tgruntime.RunParams) scope {
	return scope(fmt.Sprintf("run:%s:plan:%s:case:%s:", p.TestRun, p.TestPlan, p.TestCase))
}

func (s scope) state(name string) string { return string(s) + "states:" + name }
func (s scope) topic(name string) string { return string(s) + "topics:" + name }
func (s scope) events() string           { return string(s) + "run_events" }

// encode makes an item of a value. It has its own copy of the value, so nobody can change it afterwards.
func encode(topic string, value any) ([]byte, error) {
	item, err := json.Marshal(value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w of topic %q: %w", ErrItem, topic, err)
	case len(item) > MaxItem:
		return nil, fmt.Errorf("%w of topic %q: %d bytes as JSON, expected %d at the most: publish it in parts", ErrItem, topic, len(item), MaxItem)
	}
	return item, nil
}

// named refuses what cannot be the name of a state or a topic.
func named(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: a name of %d bytes: expected 1 to %d", ErrItem, len(name), maxName)
	}
	return nil
}
