package run

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// rateUnits are those of a rate but for a second.
var rateUnits = map[time.Duration]string{time.Minute: "m", time.Hour: "h"}

// settled are a world's settings with the command's in place of the plan's, so that a log tells what was run.
func (c *BenchConfig) settled(all []record.Setting) (out []record.Setting) {
	var chosen []record.Setting
	var gone []string // words of the plan that do not hold
	choose := func(given bool, name string, value any, instead ...string) {
		if given {
			chosen = append(chosen, record.Setting{Name: name, Value: fmt.Sprint(value)})
			gone = append(append(gone, name), instead...)
		}
	}
	choose(c.Rate.Count != 0, "rate", fmt.Sprintf("%d/%s", c.Rate.Count, cmp.Or(rateUnits[c.Rate.Per], "s")), "to", "count", "closed")
	choose(c.Warmup != 0, "warmup", c.Warmup)
	choose(c.Connections != 0, "connections", c.Connections)
	choose(c.Streams != 0, "streams", c.Streams)
	for _, s := range all {
		if slices.Contains(gone, s.Name) {
			continue
		}
		if s.Name == "load" {
			s.Value = strings.Join(slices.DeleteFunc(strings.Fields(s.Value), func(word string) bool {
				name, _, _ := strings.Cut(word, "=")
				return slices.Contains(gone, name)
			}), " ")
		}
		out = append(out, s)
	}
	return append(out, chosen...)
}
