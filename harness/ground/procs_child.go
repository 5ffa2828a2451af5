package ground

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kadbench/kadbench/harness/run"
)

// drain is how long after a process's end we read what it wrote before: its pipe holds 64 KiB.
const drain = time.Second

// family is the processes of a run.
type family struct {
	sync  *client
	ended chan *child // each of them once, those too that were not started
	gone  atomic.Int64

	mu      sync.Mutex
	stopped bool // no more are started
	living  map[*child]bool
	leave   chan struct{} // closed when all have ended
	telling sync.WaitGroup
}

// child is an instance in a process.
type child struct {
	seat  *seat
	cmd   *exec.Cmd
	life  life
	long  bool  // it wrote a line that Testground would not read
	state error // how it ended
}

// begin starts the children, one after the other. It does so from a thread that stays until the last of them has ended: when
// the thread that started a child ends, Linux believes its parent is gone, and ends the child too.
func (f *family) begin(command []string, addr string, seats []*seat) {
	f.living, f.leave = map[*child]bool{}, make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for _, s := range seats {
			c := &child{seat: s}
			c.life.State = Incomplete
			if err := f.start(c, command, addr); err != nil {
				c.state = fmt.Errorf("%w: %w", run.ErrHarness, err)
				go func() { f.ended <- c }()
			}
		}
		<-f.leave
	}()
}

// done lets go of the thread that started the children, which have all ended.
func (f *family) done() {
	close(f.leave)
	f.telling.Wait()
}

// stop keeps those from starting that have not.
func (f *family) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

func (f *family) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.living {
		killGroup(c.cmd)
	}
}

var errStopped = errors.New("the run ended before it was started")

func (f *family) start(c *child, command []string, addr string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if len(command) == 0 {
		command = []string{self}
	}
	p := c.seat.params
	if err := os.MkdirAll(p.TestOutputsPath, 0o755); err != nil {
		return err
	}
	errors, err := os.OpenFile(filepath.Join(p.TestOutputsPath, "run.err"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer errors.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	c.cmd = exec.Command(command[0], command[1:]...)
	c.cmd.Env = c.environment(addr)
	c.cmd.Stdout, c.cmd.Stderr = w, errors
	ownGroup(c.cmd)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err = errStopped; !f.stopped {
		err = c.cmd.Start()
	}
	if err != nil {
		r.Close()
		return err
	}
	f.living[c] = true
	go f.follow(c, r)
	return nil
}

// environment is what Testground's local runner tells an instance, and nothing else; one processor each, since all of them
// together have enough to do.
func (c *child) environment(addr string) []string {
	host, port, _ := net.SplitHostPort(addr)
	env := []string{"SYNC_SERVICE_HOST=" + host, "SYNC_SERVICE_PORT=" + port, "TEST_DISABLE_METRICS=true",
		"GOMAXPROCS=1", "PATH=" + os.Getenv("PATH")}
	for name, value := range c.seat.params.ToEnvVars() {
		env = append(env, name+"="+value)
	}
	return env
}

// follow reads what a child tells until it has ended, with all that it started.
func (f *family) follow(c *child, stdout *os.File) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer stdout.Close()
		c.long, _ = lines(stdout, c.life.event)
	}()
	c.state = c.cmd.Wait()
	killGroup(c.cmd)
	stdout.SetReadDeadline(time.Now().Add(drain)) // what left the group may hold the pipe open
	<-read
	f.mu.Lock()
	delete(f.living, c)
	f.mu.Unlock()
	f.ended <- c
}

// failure is nil if the child's events say success, as for Testground, which does not look at how a process ends.
func (c *child) failure() error {
	fail := &Failure{Seq: c.life.Seq, Count: c.seat.Count, Group: c.seat.Group, Text: c.life.Error,
		Out: filepath.Join(c.seat.Group, filepath.Base(c.seat.params.TestOutputsPath))}
	if errors.Is(c.state, run.ErrHarness) { // it was not started
		return c.state
	}
	if c.long {
		c.life.State = Incomplete
	}
	switch c.life.State {
	case OK:
		return nil
	case Aborted:
		fail.Text = abortedBy + fail.Text
	case Crashed:
		fail.Text = "panic: " + fail.Text
	case Incomplete:
		fail.Text = c.how()
	}
	if exit := c.cmd.ProcessState; exit != nil && exit.ExitCode() == 4 {
		fail.code = 4
	}
	return fail
}

// how says in words how a process ended that told nothing.
func (c *child) how() string {
	said := ""
	if text, err := os.ReadFile(filepath.Join(c.seat.params.TestOutputsPath, "run.err")); err == nil {
		if line := telling(text); line != "" {
			said = "; on stderr: " + clip(line)
		}
	}
	if c.long {
		said = fmt.Sprintf("; it wrote a line of more than %d bytes, and Testground reads none so long%s", longestLine, said)
	}
	if c.state == nil {
		return "its process ended (exit status 0) without an event of success or failure" + said
	}
	return fmt.Sprintf("its process ended (%v)%s", c.state, said)
}

// telling is the line of a stderr that says most: that of a panic or of a signal with which Go ends, else the last.
func telling(text []byte) string {
	last := ""
	for line := range bytes.Lines(text) {
		s := strings.TrimSpace(string(line))
		if strings.HasPrefix(s, "panic:") || strings.HasPrefix(s, "fatal error:") || strings.HasPrefix(s, "SIG") && strings.Contains(s, ": ") {
			return s
		}
		if s != "" {
			last = s
		}
	}
	return last
}
