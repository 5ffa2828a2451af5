package ground

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tgnet "github.com/testground/sdk-go/network"
)

// TestSidecar plays the sidecars of two instances: it reads what they ask for where Testground's would, and tells by the state
// that they name when it is done.
func TestSidecar(t *testing.T) {
	s := local{newHub(), "test:"}
	host, err := os.Hostname()
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	shaped := make(chan error, 2)
	for range cap(shaped) {
		go func() { shaped <- sidecar{&Instance{Sync: s, Count: 2}}.Shape(ctx, 30*time.Millisecond) }()
	}
	var asked []tgnet.Config
	require.NoError(t, s.Collect(ctx, "network:"+host, 2, func(item []byte) error {
		asked = append(asked, tgnet.Config{})
		return json.Unmarshal(item, &asked[len(asked)-1])
	}))
	for _, c := range asked {
		assert.Equal(t, 30*time.Millisecond, c.Default.Latency)
		assert.True(t, c.Enable)
		assert.Equal(t, "default", c.Network)
		assert.Empty(t, shaped, "nobody goes on before all links are as they should be")
		_, err := s.Signal(ctx, string(c.CallbackState))
		require.NoError(t, err)
	}
	assert.NoError(t, <-shaped)
	assert.NoError(t, <-shaped)

	late := sidecar{&Instance{Sync: s, Count: 3}}
	go func() { shaped <- late.Shape(ctx, time.Second) }()
	gone := errors.New("another instance failed")
	cancel(gone)
	err = <-shaped
	assert.ErrorIs(t, err, gone)
	assert.ErrorContains(t, err, "sidecar: latency 1s")
}
