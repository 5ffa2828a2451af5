package main

import (
	"fmt"
	"net"
	"runtime"
	"syscall"

	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/sim"
)

// doctorCmd looks at the machine.
type doctorCmd struct {
	JSON   bool   `help:"Print an array of {name, ok, found, needed}."`
	Engine string `env:"KADBENCH_ENGINE" placeholder:"COMMAND" help:"Container engine for image: targets. Default: docker, else podman."`
}

func (doctorCmd) Help() string {
	return `Each line is one thing that a run may need. What is missing comes with what it is for and the command that mends it; what needs a toolchain or an engine that is absent is unsupported here, which is no fault. Nothing is built or changed. The exit code is 0 if the reference implementation can be checked here, else 1.

Examples:

    kadbench doctor
    kadbench doctor --json | jq '.[] | select(.ok | not)'`
}

// finding is one thing that was looked at.
type finding struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Found    string `json:"found"`
	Needed   string `json:"needed"` // what for, and how to get it; empty where ok
	use      string // the command that makes use of it
	required bool   // without it nothing runs
	absent   bool   // not here, and not by a command of ours: what needs it is unsupported here
}

// minFiles are the open files that a run wants: 8 cases side by side with up to 100 puppets, two sockets each.
const minFiles = 2048

func (d *doctorCmd) Run(a *app) error {
	findings := []finding{listens("tcp", "127.0.0.1:0"), listens("udp", "127.0.0.1:0"), openFiles(), cores(), simulator()}
	for _, ad := range adapters {
		findings = append(findings, ad.tool(a.ctx))
	}
	for _, ad := range adapters {
		findings = append(findings, ad.find())
	}
	findings = append(findings, engine(a.ctx, d.Engine))
	var err error
	for _, f := range findings {
		if f.required && !f.OK {
			err = &exitError{code: 1}
		}
	}
	if d.JSON {
		if jsonErr := printJSON(a.stdout, findings); jsonErr != nil {
			return jsonErr
		}
		return err
	}
	for _, f := range findings {
		mark := "ok     "
		switch {
		case f.absent:
			mark = "absent "
		case !f.OK:
			mark = "missing"
		}
		fmt.Fprintf(a.stdout, "%s  %-18s %s\n", mark, f.Name, report.Clean(f.Found))
		for _, more := range []string{f.Needed, f.use} {
			if more != "" {
				fmt.Fprintf(a.stdout, "         %-18s %s\n", "", more)
			}
		}
	}
	return err
}

// listens tries loopback: QUIC runs over udp.
func listens(network, addr string) finding {
	f := finding{Name: "loopback " + map[string]string{"tcp": "TCP", "udp": "QUIC"}[network], required: true}
	var err error
	if network == "tcp" {
		var l net.Listener
		if l, err = net.Listen(network, addr); err == nil {
			f.Found = "listened on " + l.Addr().String()
			l.Close()
		}
	} else {
		var c net.PacketConn
		if c, err = net.ListenPacket(network, addr); err == nil {
			f.Found = "listened on udp " + c.LocalAddr().String()
			c.Close()
		}
	}
	f.OK = err == nil
	if err != nil {
		f.Found, f.Needed = err.Error(), "every target and every puppet of the harness listens on loopback"
	}
	return f
}

func openFiles() finding {
	f := finding{Name: "open files"}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		f.Found, f.Needed = err.Error(), fmt.Sprintf("a run wants %d", minFiles)
		return f
	}
	f.Found, f.OK = fmt.Sprint(limit.Cur), limit.Cur >= minFiles
	if !f.OK {
		f.Needed = fmt.Sprintf("a run wants %d: ulimit -n %d, or fewer cases side by side with --jobs 1", minFiles, minFiles)
	}
	return f
}

func cores() finding {
	n := runtime.NumCPU()
	f := finding{Name: "cores", OK: n >= 2, Found: fmt.Sprint(n)}
	if !f.OK {
		f.Needed = "two cores keep the harness from delaying the target that it judges"
	}
	return f
}

// simulator says how large a network can be simulated here.
func simulator() finding {
	f := finding{Name: "simulator", OK: true, Found: "this system does not tell how much memory is available", use: self() + " sim"}
	if have := run.AvailableMemory(); have > 0 {
		f.Found = fmt.Sprintf("about %d nodes in the %s of memory that are available", run.NodesThatFit(sim.Config{}, have), run.Bytes(have))
	}
	return f
}
