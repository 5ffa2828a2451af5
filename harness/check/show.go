package check

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
)

// showLimit is how many elements of a list are named before "…": a line of a report.
const showLimit = 8

// show is a field for people, with the plan's names in place of ids.
func (j *judge) show(f Field) string {
	switch f.Kind {
	case NumberField:
		return strconv.FormatInt(f.Int, 10)
	case BytesField:
		if len(f.Bytes) == 0 {
			return "absent"
		}
		return j.names.text(f.Bytes)
	case MessageField:
		if !f.Set {
			return "absent"
		}
		var parts []string
		for _, name := range sorted(partNames(f)) {
			if part := f.Parts[name]; part.Set {
				parts = append(parts, name+"="+j.show(part))
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	if len(f.Items) == 0 {
		return "none"
	}
	var items []string
	for _, item := range f.Items {
		items = append(items, j.showItem(f, item.Key))
	}
	return fmt.Sprintf("%s (%d)", some(items), len(items))
}

func (j *judge) showItem(f Field, key string) string {
	switch {
	case f.Peers:
		return j.names.Peer([]byte(key))
	case f.Addrs:
		return addrText([]byte(key))
	}
	return j.names.text([]byte(key))
}

// Show is a value for people.
func (n Namer) Show(v plan.Value) string {
	switch v.Kind {
	case plan.KindBytes, plan.KindText:
		return n.text(v.Bytes)
	case plan.KindList:
		var items []string
		for _, item := range v.List {
			items = append(items, n.Show(item))
		}
		return fmt.Sprintf("%s (%d)", some(items), len(items))
	}
	return v.String()
}

// Summary is a whole message for people: its type and each field that is set.
func Summary(s Subject, names Namer) string {
	j := judge{names: names}
	out := s.Head()
	for _, name := range append([]string{"key", "clusterLevelRaw", "record", "closerPeers", "providerPeers", "protocols", "agent"}, plan.AllResultParts()...) {
		if f, ok := s.Field(name); ok && f.Set {
			out += " " + name + ": " + j.show(f)
		}
	}
	return out
}

// some names up to showLimit of a list.
func some(items []string) string {
	if len(items) > showLimit {
		return strings.Join(items[:showLimit], " ") + " …"
	}
	return strings.Join(items, " ")
}

// nth is the place of element i in words.
func nth(i int) string {
	words := []string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"}
	if i < len(words) {
		return words[i]
	}
	suffix := "th"
	if n := (i + 1) % 100; n < 11 || n > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(i+1) + suffix
}

// HexLimit is how many bytes of the part in question a report shows.
const HexLimit = 32

// Hex is the start of a part of a message, for the report.
func Hex(body []byte, s Span) string {
	if s.To <= s.From || s.To > len(body) {
		return ""
	}
	part := body[s.From:s.To]
	tail := ""
	if len(part) > HexLimit {
		part, tail = part[:HexLimit], " …"
	}
	return fmt.Sprintf("% x", part) + tail
}

// Where says which part it is, and between which offsets.
func Where(what string, s Span) string {
	if s.To <= s.From {
		return ""
	}
	return fmt.Sprintf("%s, bytes %d–%d", what, s.From, s.To-1)
}

func sorted(names iter.Seq[string]) []string { return slices.Sorted(names) }

func partNames(f Field) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range f.Parts {
			if !yield(name) {
				return
			}
		}
	}
}
