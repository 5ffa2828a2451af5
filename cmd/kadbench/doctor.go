package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/report"
)

// doctorCmd looks at the machine.
type doctorCmd struct {
	JSON bool `help:"Print an array of {name, ok, found, needed}."`
}

func (doctorCmd) Help() string {
	return `Each line is one thing that a run may need. What is missing comes with what it is for and the command that mends it. Nothing is built or changed. The exit code is 0 if the reference implementation can be checked here, else 1.

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
}

// minFiles are the open files that a run wants: 8 cases side by side with up to 100 puppets, two sockets each.
const minFiles = 2048

// adapters are the other implementations, where their programs are looked for, and the one command that builds each.
var adapters = []struct{ name, program, build string }{
	{"go-libp2p", "bin/go-libp2p", "go build -C harness/adapters/go-libp2p -o ../../../bin/go-libp2p ."},
}

func (d *doctorCmd) Run(a *app) error {
	findings := []finding{listens("tcp", "127.0.0.1:0"), listens("udp", "127.0.0.1:0"), openFiles(), cores(), toolchain()}
	for _, ad := range adapters {
		findings = append(findings, adapter(ad.name, ad.program, ad.build))
	}
	var err error
	for _, f := range findings {
		if f.required && !f.OK {
			err = &exitError{code: 1}
		}
	}
	if d.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if jsonErr := enc.Encode(findings); jsonErr != nil {
			return jsonErr
		}
		return err
	}
	for _, f := range findings {
		mark := "ok     "
		if !f.OK {
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

func toolchain() finding {
	f := finding{Name: "go toolchain"}
	path, err := exec.LookPath("go")
	if err == nil {
		var out []byte
		if out, err = exec.Command(path, "version").Output(); err == nil {
			f.OK, f.Found = true, strings.TrimPrefix(strings.TrimSpace(string(out)), "go version ")
		}
	}
	if !f.OK {
		f.Found, f.Needed = "not found", "the go-libp2p adapter is built with it; cases against ref: and addr: need none"
	}
	return f
}

// adapter looks for the program of another implementation: in ./bin, beside this binary, and on the PATH.
func adapter(name, program, build string) finding {
	f := finding{Name: "adapter " + name, Found: "not built"}
	places := []string{program, filepath.Base(program)}
	if self, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(self), filepath.Base(program)))
	}
	for i, p := range places {
		if i == 1 { // only the bare name is looked up on the PATH
			if found, err := exec.LookPath(p); err == nil {
				f.OK, f.Found = true, found
				break
			}
			continue
		}
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			f.OK, f.Found = true, p
			break
		}
	}
	f.Needed = "build it, in the repository: " + build
	if f.OK {
		f.Needed = ""
		f.use = self() + " check " + shellquote.Join(strings.TrimSuffix(name, "-libp2p")+"=cmd:"+f.Found)
	}
	return f
}
