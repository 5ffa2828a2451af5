package target

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// engineTimeout bounds a command of the container engine beside run: inspect takes some 50 ms, rm up to a second.
const engineTimeout = 10 * time.Second

// engines are tried in this order when none is named: both take the same arguments.
var engines = []string{"docker", "podman"}

// imageForm is a reference of an image: it must not look like an option of the engine.
var imageForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$`)

// Images is how targets of the form image: are run. The zero value runs them with docker, or else podman, on the host's
// network, so that container and harness share loopback.
type Images struct {
	// Engine is the command line of the container engine, as `podman` or `sudo docker`; empty: docker, or else podman.
	Engine string
	// Puppets is the IP at which the peers of the harness listen, if that is not loopback: then the container stays on the
	// engine's default bridge, and listens at its own address there.
	Puppets string
}

// Check says what is wrong with the settings.
func (i Images) Check() error {
	if _, err := shellquote.Split(i.Engine); err != nil {
		return fmt.Errorf("engine %q: %w", i.Engine, err)
	}
	if i.Puppets != "" && net.ParseIP(i.Puppets) == nil {
		return fmt.Errorf("puppets %q: expected an IP address of this machine", i.Puppets)
	}
	return nil
}

// EngineCommand is the container engine's command line. ErrUnreachable: this machine has none.
func (i Images) EngineCommand() ([]string, error) {
	words, err := shellquote.Split(i.Engine)
	if err != nil {
		return nil, fmt.Errorf("engine %q: %w", i.Engine, err)
	}
	if len(words) > 0 {
		if _, err := exec.LookPath(words[0]); err != nil {
			return nil, fmt.Errorf("%w: unsupported here: no container engine %q: %w", ErrUnreachable, words[0], errors.Unwrap(err))
		}
		return words, nil
	}
	for _, name := range engines {
		if _, err := exec.LookPath(name); err == nil {
			return []string{name}, nil
		}
	}
	return nil, fmt.Errorf("%w: unsupported here: no container engine: neither %s is on the PATH; --engine or KADBENCH_ENGINE names another",
		ErrUnreachable, strings.Join(engines, " nor "))
}

func (f *factory) image(images Images, reference string) error {
	if !imageForm.MatchString(reference) {
		return fmt.Errorf("image: %q: expected NAME or NAME:TAG", reference)
	}
	if err := images.Check(); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if f.name == "" { // registry/kad-node:1.2 is kad-node
		f.name, _, _ = strings.Cut(reference[strings.LastIndex(reference, "/")+1:], ":")
		f.name, _, _ = strings.Cut(f.name, "@")
		if !nameForm.MatchString(f.name) {
			f.name = "image"
		}
	}
	f.pipes = func() (*Pipes, error) {
		c, err := startContainer(images, reference)
		if err != nil {
			return nil, err
		}
		return c.pipes(), nil
	}
	f.make = func(ctx context.Context) (Target, error) {
		c, err := startContainer(images, reference)
		if err != nil {
			return nil, err
		}
		t, err := newChannel(ctx, f.name, c.pipes(), c.how, c.log.String, standard)
		if err != nil || images.Puppets == "" {
			return t, err
		}
		at, err := c.address(ctx)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		return &bridged{t, "/ip4/" + at.String()}, nil
	}
	return nil
}

// container is a target program in a container: the process is the engine's command, which hands our pipes through.
type container struct {
	*process
	engine []string
	name   string
}

// startContainer runs an image. The engine is told to remove the container when it has ended, and to put an init before
// the program, so that the signals of the engine's command reach it. The program ends when its stdin does, also when it is
// the death of the harness that closes it.
func startContainer(images Images, reference string) (*container, error) {
	engine, err := images.EngineCommand()
	if err != nil {
		return nil, err
	}
	c := &container{engine: engine, name: "kadbench-" + strings.ToLower(rand.Text()[:12])}
	// An image that is not here is not fetched: that would be measured as the target's silence.
	args := []string{"run", "--rm", "--interactive", "--init", "--pull", "never", "--name", c.name}
	if images.Puppets == "" {
		args = append(args, "--network", "host")
	}
	c.process, err = startProcess(append(append(engine[:len(engine):len(engine)], args...), reference))
	return c, err
}

func (c *container) pipes() *Pipes {
	p := c.process.pipes()
	p.CPU = nil // that of the engine's command
	kill := p.Kill
	p.Kill = func() {
		c.command(context.Background(), "rm", "--force", c.name) // the death of the engine's command would leave it running
		kill()
	}
	return p
}

// how the container ended, in words: 125 to 127 are the engine's own words for "not started".
func (c *container) how() string {
	var exit *exec.ExitError
	if errors.As(c.state, &exit) && exit.ExitCode() >= 125 && exit.ExitCode() <= 127 {
		return "the engine did not start the container: " + c.process.how()
	}
	return c.process.how()
}

// address of the container on the engine's bridge.
func (c *container) address(ctx context.Context) (net.IP, error) {
	out, err := c.command(ctx, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", c.name)
	if err != nil {
		return nil, fmt.Errorf("%w: the container's address: %w", ErrUnreachable, err)
	}
	for _, word := range strings.Fields(out) {
		if ip := net.ParseIP(word).To4(); ip != nil {
			return ip, nil
		}
	}
	return nil, fmt.Errorf("%w: the container has no address (%q): expected one on a bridge of this machine; without --puppets it shares the host's network",
		ErrUnreachable, strings.TrimSpace(out))
}

// command is one short command of the engine.
func (c *container) command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.engine[0], append(c.engine[1:len(c.engine):len(c.engine)], args...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w: %s", c.engine[0], args[0], err, quote(exit.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", c.engine[0], args[0], err)
	}
	return string(out), nil
}

// bridged is a target in a container with a network of its own: it listens at its address there.
type bridged struct {
	Target
	listen string
}

// Start implements Target.
func (b *bridged) Start(ctx context.Context, p StartParams) (*Started, error) {
	if p.Listen != "" {
		return nil, BadParam("listen", "a container on a network of its own listens at its own address, "+b.listen)
	}
	p.Listen = b.listen
	return b.Target.Start(ctx, p)
}
