package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// drain is how long after a program's end we read what it wrote before: pipes hold 64 KiB.
const drain = time.Second

// process is a target program: its own process group, so that what it starts ends with it, with pipes to its stdin and
// from its stdout, and the tail of its stderr.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	log    tail
	exited chan struct{}
	state  error // how it ended; read after exited
}

// startProcess starts a program. The error says which program could not be started, and why.
func startProcess(words []string) (*process, error) {
	path, err := exec.LookPath(words[0])
	if err != nil {
		if filepath.Base(words[0]) == words[0] { // a toolchain, most often: node, java
			return nil, fmt.Errorf("%w: unsupported here: no program %q on the PATH: kadbench doctor says what is missing", ErrUnreachable, words[0])
		}
		dir, _ := os.Getwd()
		return nil, fmt.Errorf("%w: no program %q: %w: expected an executable file, here from %s; kadbench doctor says how to build an adapter",
			ErrUnreachable, words[0], errors.Unwrap(err), dir)
	}
	p := &process{cmd: exec.Command(path, words[1:]...), exited: make(chan struct{})}
	ownGroup(p.cmd)
	// Pipes of our own: with exec's, Wait would close stdout under the reader, or wait for grandchildren that hold it.
	var files []*os.File
	pipe := func() (r, w *os.File) {
		if err == nil {
			if r, w, err = os.Pipe(); err == nil {
				files = append(files, r, w)
			}
		}
		return r, w
	}
	childIn, stdin := pipe()
	stdout, childOut := pipe()
	stderr, childErr := pipe()
	if err == nil {
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = childIn, childOut, childErr
		err = p.cmd.Start()
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreachable, path, err)
	}
	for _, f := range []*os.File{childIn, childOut, childErr} {
		f.Close()
	}
	p.stdin, p.stdout = stdin, stdout
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		io.Copy(&p.log, stderr)
		stderr.Close()
	}()
	go func() {
		p.state = p.cmd.Wait()
		killGroup(p.cmd) // grandchildren: they would hold the pipes open
		// One that left the group may still: its silence is no reason to wait.
		enough := time.Now().Add(drain)
		stdout.SetReadDeadline(enough)
		stderr.SetReadDeadline(enough)
		<-logged
		close(p.exited)
	}()
	return p, nil
}

func (p *process) pipes() *Pipes {
	return &Pipes{
		In: p.stdin, Out: p.stdout, Exited: p.exited,
		State: func() error { return p.state },
		Kill:  func() { killGroup(p.cmd) },
		CPU:   func() (time.Duration, error) { return processorTime(p.cmd.Process.Pid) },
	}
}

// how the program ended, in words.
func (p *process) how() string {
	said := p.log.lastLine()
	if said != "" {
		said = fmt.Sprintf("; last on stderr: %s", quote([]byte(said)))
	}
	if p.state == nil {
		return "its process ended with exit status 0" + said
	}
	return fmt.Sprintf("its process ended (%v)%s", p.state, said)
}
