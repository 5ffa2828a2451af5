package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kadbench/kadbench/harness/run"
)

// grace is what instances have to end by themselves once their run has: a case that heeds its context needs a few
// milliseconds, and a person who has pressed Ctrl-C waits no longer than five seconds.
const grace = 2 * time.Second

// Failure is the first instance of a run that failed: why the run ended.
type Failure struct {
	Seq, Count int // Seq is 0 where it had no number yet
	Group      string
	Out        string // where its outputs are in those of the run, as single/0; "": not known
	Text       string
	code       int // exit code of the instance; 0 is that of a failure
}

func (f *Failure) Error() string {
	who := fmt.Sprintf("instance %d of %d", f.Seq, f.Count)
	where := "group " + f.Group
	if f.Seq == 0 {
		who = fmt.Sprintf("one of %d instances", f.Count)
		if f.Out != "" {
			where += ", outputs " + f.Out
		}
	}
	return fmt.Sprintf("%s (%s): %s", who, where, f.Text)
}

// Unwrap says whose fault it was, for the exit code.
func (f *Failure) Unwrap() error {
	switch f.code {
	case 4:
		return run.ErrHarness
	case 130:
		return context.Canceled
	}
	return run.ErrFailed
}

func (in *Instance) failure(err error) *Failure {
	f := &Failure{Seq: in.Seq, Count: in.Count, Group: in.Group, Text: clip(err.Error())}
	if errors.Is(err, run.ErrHarness) || errors.Is(err, ErrInterrupted) {
		f.code = run.ExitCode(err)
	}
	return f
}

// ErrInterrupted ends a run from outside.
var ErrInterrupted error = interrupted{}

type interrupted struct{}

func (interrupted) Error() string { return "interrupted" }
func (interrupted) Unwrap() error { return context.Canceled }

// The state that a failing instance enters, and the topic on which it says why before.
const stateAbort = "abort"

// abort tells all instances of a run why it ends. A service that does not take it in time hangs, and gets no goodbye.
func (c *client) abort(why string) {
	late := time.AfterFunc(reporting, c.cut)
	defer late.Stop()
	c.Publish(context.Background(), stateAbort, clip(why)) // where there is no room for it, they hear that it ends
	c.Signal(context.Background(), stateAbort)
}

// errAborted is why an instance ends that has not failed itself.
type errAborted struct{ why string }

func (e *errAborted) Error() string { return abortedBy + e.why }

// reason is why the context of an instance has ended.
func reason(ctx context.Context) error {
	why := context.Cause(ctx)
	var aborted *errAborted
	if errors.As(why, &aborted) || errors.Is(why, ErrSync) {
		return why
	}
	return ErrInterrupted // a signal, most often
}

// heed ends a context when the run is aborted. It returns when that or ctx has ended.
func heed(ctx context.Context, s Sync, end context.CancelCauseFunc) {
	if s.Wait(ctx, stateAbort, 1) != nil {
		return // the connection or the case has ended
	}
	why := "another instance has failed"
	within, cancel := context.WithTimeout(ctx, reporting)
	defer cancel()
	s.Collect(within, stateAbort, 1, func(item []byte) error { return json.Unmarshal(item, &why) })
	end(&errAborted{why})
}

// perform carries out the case of an instance. ctx ends when the run has.
func perform(ctx context.Context, in *Instance, e env) error {
	done := make(chan error, 1)
	go func() { done <- guarded(ctx, in, e) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			err = fmt.Errorf("still ran %v after the run had ended", grace)
			e.Message("%v", err)
		}
	}
	var crashed *crashed
	switch {
	case errors.As(err, &crashed):
		return err
	case err == nil:
		return e.refused()
	case ctx.Err() != nil: // what failed then, failed by it
		return reason(ctx)
	}
	return err
}

// told records how an instance ended; a panic is recorded where it happened.
func told(e env, err error) {
	var crashed *crashed
	if !errors.As(err, &crashed) {
		e.end(err)
	}
}

// crashed is a panic of a case.
type crashed struct{ text string }

func (c *crashed) Error() string { return "panic: " + c.text }

func guarded(ctx context.Context, in *Instance, e env) (err error) {
	ended := false
	defer func() {
		if v := recover(); v != nil {
			e.crash(v)
			err = &crashed{clip(fmt.Sprint(v))}
		} else if !ended {
			err = errors.New("its goroutine ended within the case") // runtime.Goexit, as testify's require does
		}
	}()
	err = in.Case.Run(ctx, in)
	ended = true
	return err
}

// stack is that of the goroutine, within what a line may have.
func stack() string { return clip(string(debug.Stack())) }
