package ground

import (
	"context"
	"fmt"
	"os"
	"time"

	tgnet "github.com/testground/sdk-go/network"
	tgsync "github.com/testground/sdk-go/sync"
)

// sidecar is the Shaper of an instance in a container, which Testground's sidecar configures from outside. The two meet on a
// topic that has the container's name.
type sidecar struct{ in *Instance }

// Shape asks for the latency, and waits until the sidecars of all instances have told that theirs is set.
func (s sidecar) Shape(ctx context.Context, latency time.Duration) error {
	const shaped = "shaped"
	wrap := func(err error) error { return fmt.Errorf("sidecar: latency %v: %w", latency, err) }
	name, err := os.Hostname()
	if err != nil {
		return wrap(err)
	}
	err = s.in.Sync.Publish(ctx, "network:"+name, &tgnet.Config{
		Network: "default", Enable: true,
		Default:       tgnet.LinkShape{Latency: latency},
		CallbackState: tgsync.State(shaped),
		RoutingPolicy: tgnet.AllowAll,
	})
	if err != nil {
		return wrap(err)
	}
	if err := s.in.Sync.Wait(ctx, shaped, s.in.Count); err != nil {
		return wrap(err)
	}
	return nil
}
