package plan

import (
	"fmt"
	"slices"
)

// function is one row of the table of functions: what parser, evaluation and documentation know of it.
type function struct {
	Name     string
	Usage    string
	Meaning  string
	Min, Max int      // plain arguments; Max < 0: any number
	Named    []string // named arguments, if it has any
	says     string   // for explain: %s stands for the arguments in order
	eval     func(*evaluation, *Expr) (Value, error)
}

// functions is filled in by init, as the rows refer to the evaluation, which refers to the table.
var functions []function

func functionNames() []string {
	out := make([]string, len(functions))
	for i, f := range functions {
		out[i] = f.Name
	}
	return out
}

func findFunction(name string) (function, bool) {
	i := slices.IndexFunc(functions, func(f function) bool { return f.Name == name })
	if i < 0 {
		return function{}, false
	}
	return functions[i], true
}

// checkCall holds a call against the table.
func checkCall(e *Expr) error {
	f, ok := findFunction(e.Text)
	if !ok {
		return fmt.Errorf("%s", unknown("function", e.Text, functionNames()))
	}
	if n := len(e.Args); n < f.Min || f.Max >= 0 && n > f.Max {
		return fmt.Errorf("%s takes other arguments: %s", f.Name, f.Usage)
	}
	for _, a := range e.Fields {
		if !slices.Contains(f.Named, a.Name) {
			return fmt.Errorf("%s in %s", unknown("argument", a.Name, f.Named), f.Usage)
		}
	}
	return nil
}
