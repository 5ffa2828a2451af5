package ground

import (
	"context"
	"fmt"
	"time"

	tgnet "github.com/testground/sdk-go/network"
	tgsync "github.com/testground/sdk-go/sync"
)

// sidecar is the Shaper of an instance in a container, which Testground's sidecar configures from outside.
type sidecar struct {
	client *tgnet.Client
	count  int // instances of the run
}

// Shape asks for the latency, and waits until the sidecars of all instances have told that theirs is set.
func (s sidecar) Shape(ctx context.Context, latency time.Duration) error {
	err := s.client.ConfigureNetwork(ctx, &tgnet.Config{
		Network: "default", Enable: true,
		Default:       tgnet.LinkShape{Latency: latency},
		CallbackState: tgsync.State("shaped"), CallbackTarget: s.count,
		RoutingPolicy: tgnet.AllowAll,
	})
	if err == nil {
		err = ctx.Err() // the client tells nothing of a barrier that failed
	}
	if err != nil {
		return fmt.Errorf("sidecar: latency %v: %w", latency, err)
	}
	return nil
}
