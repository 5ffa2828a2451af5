package run

import (
	"context"
	"fmt"
)

func (c *BenchConfig) networks(ctx context.Context, p benchPoint, report *BenchReport) error {
	return fmt.Errorf("%w: networks: not yet", ErrHarness)
}
