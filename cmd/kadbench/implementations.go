package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/target"
)

// toolTimeout bounds a question to a toolchain: a container engine without a daemon was seen to take 2 s to say so.
const toolTimeout = 10 * time.Second

// implementation is one that kadbench has an adapter for.
type implementation struct {
	name      string
	toolchain string   // the program that builds or runs it
	version   []string // asks that for its version
	build     string   // the one command, in the repository
	built     []string // globs of what that makes: all of them
	command   []string // that runs the adapter
}

// adapters are the other implementations. What is built lies where git does not look.
var adapters = []implementation{
	{
		name: "go-libp2p", toolchain: "go", version: []string{"version"},
		build:   "go build -C harness/adapters/go-libp2p -o ../../../bin/go-libp2p .",
		built:   []string{"bin/go-libp2p"},
		command: []string{"bin/go-libp2p"},
	},
	{
		name: "js-libp2p", toolchain: "node", version: []string{"--version"},
		build:   "npm ci --ignore-scripts --prefix harness/adapters/js-libp2p",
		built:   []string{"harness/adapters/js-libp2p/node_modules/libp2p"},
		command: []string{"node", "harness/adapters/js-libp2p/main.mjs"},
	},
	{
		name: "rust-libp2p", toolchain: "cargo", version: []string{"--version"},
		build:   "cargo build --release --manifest-path harness/adapters/rust-libp2p/Cargo.toml --target-dir bin/rust-libp2p",
		built:   []string{"bin/rust-libp2p/release/kadbench-rust-libp2p"},
		command: []string{"bin/rust-libp2p/release/kadbench-rust-libp2p"},
	},
	{
		name: "py-libp2p", toolchain: "python3", version: []string{"--version"},
		build:   "python3 -m venv bin/py-libp2p && bin/py-libp2p/bin/pip install --quiet -r harness/adapters/py-libp2p/requirements.txt",
		built:   []string{"bin/py-libp2p/bin/python", "bin/py-libp2p/lib/python3*/site-packages/libp2p"},
		command: []string{"bin/py-libp2p/bin/python", "harness/adapters/py-libp2p/main.py"},
	},
}

// tool looks for the toolchain.
func (i implementation) tool(ctx context.Context) finding {
	f := finding{Name: i.toolchain + " toolchain"}
	out, err := said(ctx, append([]string{i.toolchain}, i.version...)...)
	if err != nil {
		f.Found, f.absent = "not found", true
		f.Needed = fmt.Sprintf("unsupported here: the %s adapter; ref:, addr: and the others need none", i.name)
		return f
	}
	f.OK, f.Found = true, strings.TrimPrefix(out, i.toolchain+" version ")
	return f
}

// find looks for the adapter: here, in the repository, and for a program of one file beside this binary and on the PATH.
func (i implementation) find() finding {
	f := finding{Name: "adapter " + i.name, Found: "not built"}
	command := i.command
	if f.OK = i.isBuilt(); !f.OK && len(command) == 1 {
		if program := elsewhere(filepath.Base(command[0])); program != "" {
			f.OK, command = true, []string{program}
		}
	}
	if f.OK {
		f.Found = shellquote.Join(command...)
		f.use = self() + " check " + shellquote.Join(strings.TrimSuffix(i.name, "-libp2p")+"=cmd:"+f.Found)
		return f
	}
	if _, err := exec.LookPath(i.toolchain); err != nil {
		f.absent, f.Needed = true, fmt.Sprintf("unsupported here: it is built with %s, which is not found", i.toolchain)
		return f
	}
	f.Needed = "build it, in the repository: " + i.build
	return f
}

func (i implementation) isBuilt() bool {
	for _, pattern := range i.built {
		if found, _ := filepath.Glob(pattern); len(found) == 0 {
			return false
		}
	}
	return true
}

// elsewhere is the path of a program beside this binary or on the PATH; empty: there is none.
func elsewhere(name string) string {
	if own, err := os.Executable(); err == nil {
		p := filepath.Join(filepath.Dir(own), name)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return p
		}
	}
	p, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return p
}

// engine looks for a container engine that can run image: targets: its command line alone is not enough.
func engine(ctx context.Context, given string) finding {
	f := finding{Name: "container engine", absent: true, Needed: "unsupported here: image: targets; cmd: runs the program itself"}
	words, err := target.Images{Engine: given}.EngineCommand()
	if err != nil {
		f.Found = "not found"
		return f
	}
	name := shellquote.Join(words...)
	words = words[:len(words):len(words)]
	version, err := said(ctx, append(words, "--version")...)
	if err == nil {
		_, err = said(ctx, append(words, "ps", "--quiet")...) // the client of an engine tells its version without one
	}
	if err != nil {
		f.Found = name + ": the command is there, but no engine answers it"
		return f
	}
	return finding{Name: f.Name, OK: true, Found: name + ": " + version}
}

// said is the first line that a program prints, once it has ended well.
func said(ctx context.Context, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).Output()
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line, nil
}
