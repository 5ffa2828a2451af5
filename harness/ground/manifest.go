package ground

import (
	"fmt"
	"strings"
)

// Manifest is what Testground reads of a plan before it runs it, in the form that v0.6.0 decodes. The repository's own is
// manifest.toml, which a test holds to the table of cases.
func Manifest(cases []*Case) string {
	var b strings.Builder
	b.WriteString(`# Written by "go test ./harness/ground -run TestManifest -update" from the table of cases: change that instead.
name = "` + Plan + `"

# Testground v0.6.0 does not read these; they say what is meant to be used.
[defaults]
builder = "exec:go"
runner = "local:exec"

# The plan is the command itself: with TEST_PLAN in the environment and no arguments it is an instance.
[builders."exec:go"]
exec_pkg = "./cmd/kadbench"

[builders."docker:go"]
exec_pkg = "./cmd/kadbench"
build_base_image = "golang:1.26-bookworm"
runtime_image = "busybox:1.36-glibc"
enable_go_build_cache = true

[runners."local:exec"]

[runners."local:docker"]

# What a pod asks for: an instance takes 43 MB.
[runners."cluster:k8s"]
run_timeout_min = 10
testplan_pod_cpu = "100m"
testplan_pod_memory = "128Mi"
collect_outputs_pod_cpu = "100m"
collect_outputs_pod_memory = "128Mi"
`)
	for _, c := range cases {
		fmt.Fprintf(&b, "\n# %s\n[[testcases]]\nname = %q\ninstances = { min = %d, max = %d, default = %d }\n", c.About, c.Name, c.Min, c.Max, c.Default)
		b.WriteString("\n  [testcases.params]\n")
		for _, p := range c.Params {
			fmt.Fprintf(&b, "  %s = { type = %q, ", p.Name, p.Type)
			if p.Unit != "" {
				fmt.Fprintf(&b, "unit = %q, ", p.Unit)
			}
			fmt.Fprintf(&b, "default = %s, desc = %q }\n", p.literal(), p.About)
		}
	}
	return b.String()
}

// literal is the default as TOML has it: what is no number and no truth is a text.
func (p Param) literal() string {
	switch p.Type {
	case "int", "float", "bool":
		return p.Default
	}
	return fmt.Sprintf("%q", p.Default)
}

// Table is the cases and their parameters in Markdown: those that most cases share first, then what each has of its own.
func Table(cases []*Case) string {
	var b strings.Builder
	head := func() { b.WriteString("\n| parameter | default | |\n|---|---|---|\n") }
	row := func(p Param) {
		value := p.Default
		if p.Unit != "" && p.Type != "duration" {
			value += " " + p.Unit
		}
		if value == "" {
			value = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, value, p.About)
	}
	b.WriteString("Parameters of all cases on a network (`conformance` has its own):\n")
	head()
	for _, p := range common {
		row(p)
	}
	for _, c := range cases {
		fmt.Fprintf(&b, "\n**`%s`**, %d to %d instances. %s\n", c.Name, c.Min, c.Max, c.About)
		head()
		for _, p := range c.Own() {
			row(p)
		}
	}
	return b.String()
}
