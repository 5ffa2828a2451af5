package main

import (
	"fmt"

	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// nodeCmd is the reference node as an adapter: what ref: does in process, over a pipe.
type nodeCmd struct {
	Unlimited bool `help:"Lift the limits of go-libp2p's resource manager, for load."`
	Echo      bool `help:"Be no node but a server that answers everything with the same bytes: what echo: is in kadbench bench."`
}

func (*nodeCmd) Help() string {
	return `It speaks the control protocol (docs/control-protocol.md), JSON-RPC with one object a line, on stdin and stdout, and ends with exit code 0 when stdin closes.

Examples:

    kadbench check node=cmd:'kadbench node'
    echo '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"version":1}}' | kadbench node`
}

func (n *nodeCmd) Run(a *app) error {
	ref := target.NewRef()
	ref.Unlimited = n.Unlimited
	var node target.Handler = ref
	if n.Echo {
		node = &target.Echo{Unlimited: n.Unlimited}
	}
	if err := target.ServeControl(a.ctx, a.stdin, a.stdout, node); err != nil {
		return fmt.Errorf("%w: node: %w", run.ErrHarness, err)
	}
	return nil
}
