package ground

import (
	"context"
	"errors"
	"fmt"
)

// local is the Sync of instances that share a hub in one process.
type local struct {
	hub   *hub
	scope scope
}

func (l local) Signal(ctx context.Context, state string) (int, error) {
	if err := begin(ctx, state); err != nil {
		return 0, fmt.Errorf("enter state %q: %w", state, err)
	}
	return l.hub.signal(l.scope.state(state))
}

func (l local) Wait(ctx context.Context, state string, n int) error {
	err := begin(ctx, state)
	if err == nil {
		err = l.hub.wait(ctx, l.scope.state(state), n)
	}
	if err != nil {
		return fmt.Errorf("wait for %d in state %q: %w", n, state, err)
	}
	return nil
}

func (l local) Publish(ctx context.Context, topic string, value any) error {
	if err := begin(ctx, topic); err != nil {
		return fmt.Errorf("publish on topic %q: %w", topic, err)
	}
	item, err := encode(topic, value)
	if err == nil {
		_, err = l.hub.publish(l.scope.topic(topic), item)
	}
	return err
}

func (l local) Collect(ctx context.Context, topic string, n int, each func(item []byte) error) error {
	err := begin(ctx, topic)
	if err == nil && n > 0 {
		err = l.hub.follow(ctx, l.scope.topic(topic), counted(n, each))
	}
	if err != nil && err != errEnough {
		return fmt.Errorf("collect %d of topic %q: %w", n, topic, err)
	}
	return nil
}

// begin says why something cannot begin.
func begin(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return named(name)
}

// errEnough ends a following; nobody sees it.
var errEnough = errors.New("enough")

// counted ends after n items. Each gets a copy, as it would from a socket.
func counted(n int, each func(item []byte) error) func(item []byte) error {
	return func(item []byte) error {
		if err := each(append([]byte(nil), item...)); err != nil {
			return err
		}
		if n--; n == 0 {
			return errEnough
		}
		return nil
	}
}
