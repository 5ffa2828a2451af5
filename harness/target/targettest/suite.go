package targettest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kadbench/kadbench/harness/target"
)

// checkTimeout bounds one check. The slowest waits for a table to fill: a target may ask a new peer first and take
// 10 s for that.
const checkTimeout = 60 * time.Second

// protocol that the suite has targets speak.
const protocol = "/ipfs/kad/1.0.0"

// ErrNotOffered is the outcome of a check that the target does not claim to be able to pass.
var ErrNotOffered = errors.New("not offered")

// Check is one thing that a target must do.
type Check struct {
	Name string
	// Why a run needs it.
	Why string
	// Run says what is wrong; ErrNotOffered when the target need not do it.
	Run func(ctx context.Context, f target.Factory) error
}

// Checks of the suite, in the order in which an adapter's author wants to see them pass.
func Checks() []Check {
	return slices.Concat(lineChecks, startChecks, nodeChecks, networkChecks)
}

// Suite runs all checks as subtests.
func Suite(t *testing.T, f target.Factory) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), checkTimeout)
			defer cancel()
			switch err := c.Run(ctx, f); {
			case errors.Is(err, ErrNotOffered):
				t.Skip(err)
			case err != nil:
				t.Errorf("%v\n%s", err, c.Why)
			}
		})
	}
}

// seedOf gives each check, and each node in it, an identity of its own.
func seedOf(label string) string {
	return target.SeedText(sha256.Sum256([]byte("targettest/" + label)))
}

// with makes a target for the length of use, and says also when it does not end well.
func with(ctx context.Context, f target.Factory, use func(t target.Target, hello *target.Hello) error) (err error) {
	t, err := f.New(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	hello, err := t.Hello(ctx)
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	return use(t, hello)
}

// started is with, for a check which needs a node.
func started(ctx context.Context, f target.Factory, p target.StartParams, use func(t target.Target, h *target.Hello, s *target.Started) error) error {
	return with(ctx, f, func(t target.Target, h *target.Hello) error {
		s, err := t.Start(ctx, p)
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		return use(t, h, s)
	})
}

func server(label string) target.StartParams {
	return target.StartParams{Seed: seedOf(label), Mode: "server", Protocol: protocol}
}

// offers is nil when hello names all these methods.
func offers(h *target.Hello, methods ...string) error {
	for _, m := range methods {
		if !slices.Contains(h.Methods, m) {
			return fmt.Errorf("%w: %s", ErrNotOffered, m)
		}
	}
	return nil
}

// refused is nil when err is the answer with this code, about this parameter.
func refused(err error, code int, param string) error {
	var e *target.Error
	switch {
	case err == nil:
		return fmt.Errorf("it was accepted: expected error %d%s", code, about(param))
	case !errors.As(err, &e) || e.Code != code:
		return fmt.Errorf("%w: expected error %d%s", err, code, about(param))
	case e.Param() != param:
		return fmt.Errorf("error %d with data.param %q: expected %q", code, e.Param(), param)
	}
	return nil
}

func about(param string) string {
	if param == "" {
		return ""
	}
	return fmt.Sprintf(" with data.param %q", param)
}

// failed is nil when err is an operation's error, of one of these kinds if any are given.
func failed(err error, kinds ...string) error {
	var e *target.Error
	switch {
	case err == nil:
		return fmt.Errorf("it succeeded: expected an error of kind %v", kinds)
	case !errors.As(err, &e):
		return err
	case len(kinds) > 0 && !slices.Contains(kinds, e.Kind()):
		return fmt.Errorf("error %w of kind %q: expected %v", e, e.Kind(), kinds)
	}
	return nil
}
