// Command kadbench holds libp2p Kademlia nodes to their specification. Each verb has a file of its own here and knows
// how to ask and how to show; what it does lives in the packages of harness.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/kadbench/kadbench/harness/run"
)

// cli is the command line: a field for each verb.
type cli struct {
	Smoke smokeCmd `cmd:"" hidden:"" help:"The smoke plans against the reference implementation (what kadbench does without a verb)."`

	Check   checkCmd   `cmd:"" help:"Run the conformance suite against targets."`
	Cases   casesCmd   `cmd:"" help:"List the cases: id, level, clause, needs."`
	Report  reportCmd  `cmd:"" help:"Make a report from the logs of runs: text, md, html, junit, tap, json."`
	Compare compareCmd `cmd:"" help:"Say what changed between two logs: verdicts, digests, and figures with a test."`
	Known   knownCmd   `cmd:"" help:"Write the failures of runs as known ones, or validate such files."`
	Sim     simCmd     `cmd:"" help:"Simulate networks of the reference implementation, up to millions of nodes."`
	Bench   benchCmd   `cmd:"" help:"Load targets on real sockets, or measure networks of real nodes."`
	Record  recordCmd  `cmd:"" help:"Write down what a target answers to a plan, or what a client asks."`
	Replay  replayCmd  `cmd:"" help:"Hold a recorded exchange against a target, and show the first difference."`
	Serve   serveCmd   `cmd:"" help:"Run the reference node as a server."`
	Node    nodeCmd    `cmd:"" help:"Run the reference node behind the control protocol, as an adapter is run."`
	Decode  decodeCmd  `cmd:"" help:"Show what a message says, byte by byte."`
	Plan    planCmd    `cmd:"" help:"Format, lint and explain plans."`

	Testground testgroundCmd `cmd:"" help:"Run test cases in Testground's form, or be an instance of one."`

	Doctor  doctorCmd  `cmd:"" help:"Say what this machine can run: toolchains, adapters, limits."`
	Version versionCmd `cmd:"" help:"Print the versions of kadbench and of what it is built on."`

	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
	Help       helpCmd       `cmd:"" help:"Show the help of a verb, with examples."`
}

const description = `Holds any libp2p Kademlia node (/ipfs/kad/1.0.0) to its specification, and measures what it takes.

Without a verb it runs the smoke plans against the reference implementation it carries, in seconds.`

// app is what the verbs share: where to read and write, and when to stop.
type app struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	parser *kong.Kong
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit((&app{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}).main(os.Args[1:]))
}

// main runs the command and returns the exit code: 0 ok, 1 failed, 2 usage or nothing matched, 3 a target could not be
// reached, 4 the harness itself, 5 a need was missed, 130 interrupted.
func (a *app) main(args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("kadbench"), kong.Description(description),
		kong.Writers(a.stdout, a.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100, NoExpandSubcommands: true}),
		kong.Vars{"out": "kadbench-out/<time>", "jobs": strconv.Itoa(run.DefaultJobs)})
	if err != nil {
		panic(err) // the struct above is wrong; the first test sees it
	}
	a.parser = parser
	if len(args) == 1 && args[0] == "--version" {
		args = []string{"version"} // as people try it
	}
	if len(args) == 0 && os.Getenv("TEST_PLAN") != "" {
		args = []string{"testground"} // an instance, as Testground's runners start one
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && args[0] != "-h" && args[0] != "--help" {
		args = append([]string{"smoke"}, args...) // no verb
	}
	k, err := parser.Parse(args)
	if err != nil {
		return a.fail(usageError(err))
	}
	return a.fail(k.Run(a))
}

// fail prints an error, a line on stderr, and returns its exit code.
func (a *app) fail(err error) int {
	if err == nil {
		return 0
	}
	code := run.ExitCode(err)
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	what := strings.TrimPrefix(err.Error(), run.ErrUsage.Error()+": ")
	if code == 130 {
		what = "interrupted"
	}
	for line := range strings.Lines(what) { // a line for each target that is lost
		fmt.Fprintf(a.stderr, "kadbench: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return code
}

// exitError ends the command with a code of its own. Without an error all that is to be said has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

// usage makes an error of the command line: exit code 2.
func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", run.ErrUsage, fmt.Sprintf(format, args...))
}

// usageError says where help is, after what is wrong.
func usageError(err error) error {
	verb := ""
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil && !parse.Context.Selected().Hidden {
		verb = " " + strings.TrimPrefix(parse.Context.Selected().FullPath(), "kadbench ")
	}
	return usage("%s (kadbench help%s)", err, verb)
}
