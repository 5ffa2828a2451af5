package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/kadbench/kadbench/harness/report"
)

// How the command behaves towards a terminal: results to stdout, progress and notes to stderr; colour only where
// stdout is a terminal and NO_COLOR is unset; bars only where stderr is one. Elsewhere plain lines of 100 columns.

// terminal is the descriptor of w and whether a person looks at it.
func terminal(w io.Writer) (fd uintptr, yes bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	return f.Fd(), isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// width is the columns of the terminal on stdout; 0 where it is none.
func (a *app) width() int {
	if fd, yes := terminal(a.stdout); yes {
		if w, _, err := term.GetSize(int(fd)); err == nil && w > 0 {
			return w
		}
	}
	return 0
}

// textOptions is the layout of a text report on stdout.
func (a *app) textOptions(profile string) report.Options {
	o := report.Options{Profile: profile}
	if _, yes := terminal(a.stdout); yes {
		o.Color = os.Getenv("NO_COLOR") == ""
		o.Width = max(60, a.width())
	}
	return o
}
