package main

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kadbench/kadbench/harness/ground"
	"github.com/kadbench/kadbench/plans"
)

// completionCmd prints what a shell needs to complete verbs and flags. It is made from the command line's own model, so
// it cannot fall behind.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"One of ${enum}."`
}

func (completionCmd) Help() string {
	return `Examples:

    source <(kadbench completion bash)
    source <(kadbench completion zsh)
    kadbench completion fish | source`
}

// completed is a verb with the words that may follow it.
type completed struct {
	verb, help string
	flags      []*kong.Flag // its own and those of its sub-verbs
	words      []string     // sub-verbs, the values of an argument that has few, and flags
}

func (c *completionCmd) Run(a *app) error {
	var verbs []completed
	for _, n := range a.parser.Model.Children {
		if n.Hidden {
			continue
		}
		v := completed{verb: n.Name, help: n.Help}
		groups := n.AllFlags(true)
		for _, sub := range n.Children {
			v.words = append(v.words, sub.Name)
			groups = append(groups, sub.Flags)
		}
		for _, arg := range n.Positional {
			v.words = append(v.words, arg.EnumSlice()...)
		}
		for _, dir := range map[string][]string{"sim": {"sim"}, "bench": plans.Real}[n.Name] { // those that it carries
			found, _ := fs.Glob(plans.FS, dir+"/*.plan")
			for _, file := range found {
				v.words = append(v.words, strings.TrimSuffix(file, ".plan"))
			}
		}
		if n.Name == "testground" {
			for _, of := range ground.Cases() {
				v.words = append(v.words, of.Name)
			}
		}
		for _, f := range slices.Concat(groups...) {
			if slices.Contains(v.words, "--"+f.Name) {
				continue // of another sub-verb too
			}
			v.flags = append(v.flags, f)
			v.words = append(v.words, "--"+f.Name)
		}
		verbs = append(verbs, v)
	}
	for i := range verbs { // help is about the others
		if verbs[i].verb == "help" {
			for _, v := range verbs {
				verbs[i].words = append(verbs[i].words, v.verb)
			}
		}
	}
	switch c.Shell {
	case "fish":
		fish(a.stdout, verbs)
	case "zsh":
		fmt.Fprintln(a.stdout, "autoload -U +X bashcompinit && bashcompinit")
		bash(a.stdout, verbs)
	default:
		bash(a.stdout, verbs)
	}
	return nil
}

// bash completes words; where none fits it falls back to files.
func bash(w io.Writer, verbs []completed) {
	var names []string
	for _, v := range verbs {
		names = append(names, v.verb)
	}
	fmt.Fprintf(w, "_kadbench() {\n  local candidates\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    candidates=%q\n  else\n    case \"${COMP_WORDS[1]}\" in\n", strings.Join(names, " "))
	for _, v := range verbs {
		fmt.Fprintf(w, "      %s) candidates=%q ;;\n", v.verb, strings.Join(v.words, " "))
	}
	fmt.Fprint(w, "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$candidates\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _kadbench kadbench\n")
}

func fish(w io.Writer, verbs []completed) {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	for _, v := range verbs {
		fmt.Fprintf(w, "complete -c kadbench -n __fish_use_subcommand -a %s -d %s\n", v.verb, quote(v.help))
		for _, f := range v.flags {
			fmt.Fprintf(w, "complete -c kadbench -n '__fish_seen_subcommand_from %s' -l %s -d %s\n", v.verb, f.Name, quote(f.Help))
		}
		for _, word := range v.words {
			if !strings.HasPrefix(word, "--") {
				fmt.Fprintf(w, "complete -c kadbench -n '__fish_seen_subcommand_from %s' -a %s\n", v.verb, word)
			}
		}
	}
}
