package kad_test

import (
	"testing"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

func TestMemoryStore(t *testing.T) {
	kadtest.TestStore(t, func(*testing.T) kad.Store { return kad.NewMemoryStore(kadtest.StoreLimits) })
}
