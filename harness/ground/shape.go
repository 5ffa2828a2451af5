package ground

import (
	"context"
	"time"
)

// Shaper gives the links of an instance their latency from outside, as Testground's sidecar does for containers. Where there
// is none, a node delays what goes over the connections that it dials.
type Shaper interface {
	// Shape sets the latency of what the instance sends, and returns when every instance has its own.
	Shape(ctx context.Context, latency time.Duration) error
}
