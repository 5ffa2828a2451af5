package target

import (
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// Processor is a target which is a process of this machine: its processor time can be told apart from ours.
type Processor interface {
	// CPU is what the process has used so far, and the programs that it started and that still run; an error where it has
	// ended, or where this system does not tell.
	CPU() (time.Duration, error)
}

// CPU implements Processor.
func (t *channel) CPU() (time.Duration, error) {
	if t.pipes.CPU == nil {
		return 0, ErrUnsupported
	}
	return t.pipes.CPU()
}

// Child is a target of a form that runs within this process (ref:, echo:) as a program of its own: command with the flags
// of that form, most often this program's own file and the word node. Other targets are themselves.
func Child(f Factory, command []string, flags ...string) Factory {
	own, ok := f.(*factory)
	if !ok || own.flags == nil || len(command) == 0 {
		return f
	}
	words := append(append(append([]string(nil), command...), *own.flags...), flags...)
	child := &factory{name: own.name, given: own.given}
	if err := child.cmd(shellquote.Join(words...)); err != nil {
		panic("target: " + strings.Join(words, " ") + ": " + err.Error()) // what was joined can be split
	}
	return child
}
