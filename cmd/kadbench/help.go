package main

import (
	"errors"

	"github.com/alecthomas/kong"
)

// helpCmd shows the help of a verb. Each verb's own Help method adds what flags cannot say, and examples.
type helpCmd struct {
	Verb []string `arg:"" optional:"" help:"The verb: check, plan fmt, ..."`
}

func (helpCmd) Help() string {
	return `Examples:

    kadbench help check
    kadbench help plan lint`
}

func (h *helpCmd) Run(a *app) error {
	k, err := kong.Trace(a.parser, h.Verb)
	if err == nil && k.Error != nil {
		err = k.Error
	}
	// What a verb lacks beside its name (an argument) is no obstacle to its help.
	if err != nil && len(k.Path) <= len(h.Verb) {
		var parse *kong.ParseError
		if errors.As(err, &parse) {
			err = errors.Unwrap(parse)
		}
		return usage("help: %s (kadbench help lists the verbs)", err)
	}
	return k.PrintUsage(false)
}
