package kadtest

import "fmt"

var verbShow = verb{
	usage: "show all|events|none (what steps print from now on)",
	do: func(e *Env, a args) error {
		if len(a.words) != 1 || a.words[0] != "all" && a.words[0] != "events" && a.words[0] != "none" {
			return fmt.Errorf("a level wanted")
		}
		e.level = a.words[0]
		return nil
	},
}
