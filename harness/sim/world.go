package sim

import (
	"context"

	"github.com/kadbench/kadbench/kad"
)

// World is a simulated network.
type World struct{}

// Snapshot is a world that stands still, between two windows.
type Snapshot struct{}

// Check says what is wrong with a configuration: a wrapped ErrConfig that names the field.
func (c Config) Check() error { return nil }

// Memory is how many bytes a world will take at the peak, as far as can be told beforehand.
func (c Config) Memory() uint64 { return 0 }

// New makes the nodes and their tables. It can take minutes for a million of them.
func New(ctx context.Context, cfg Config) (*World, error) { return &World{}, nil }

// Run lets the simulated time pass until all operations have ended. A World runs once. When ctx ends it stops between two
// windows and returns what there is, Stopped set.
func (w *World) Run(ctx context.Context) (*Result, error) { return &Result{}, nil }

// Now is how much simulated time has passed since Start.
func (s *Snapshot) Now() kad.Duration { return 0 }
