package plan

import (
	"slices"
	"strings"
)

// Row is one line of a table of the language, for help and documentation.
type Row struct{ Name, Usage, Meaning string }

// Verbs lists the verbs, peer first.
func Verbs() []Row {
	out := []Row{
		{"peer", "peer T target [name=value…]", "the peer under test; its words are parameters of its start"},
		{"peer", "peer N [serving|client|nobody] [name=value…]", "a peer of the harness, or a range of them; without a word its bytes are the plan's"},
	}
	for _, v := range verbTable {
		out = append(out, Row{v.Name, v.Usage, v.Meaning})
	}
	return out
}

// HeaderLines lists what may stand in the header.
func HeaderLines() []Row {
	var out []Row
	for _, k := range headerKeys {
		out = append(out, Row{k.Name, k.Usage, k.Meaning})
	}
	return out
}

// PeerWords lists what may stand on a peer line: the target's, or a puppet's.
func PeerWords(target bool) []Row {
	var out []Row
	if !target {
		for _, k := range kinds {
			out = append(out, Row{k.Name, k.Name, k.Meaning})
		}
	}
	for _, p := range params {
		if p.Target == target {
			out = append(out, Row{p.Name, p.Usage, p.Meaning})
		}
	}
	return out
}

// Functions lists the functions of values.
func Functions() []Row {
	var out []Row
	for _, f := range functions {
		out = append(out, Row{f.Name, f.Usage, f.Meaning})
	}
	return out
}

// Changes lists what may be done to a frame fixture.
func Changes() []Row {
	var out []Row
	for _, c := range changes {
		out = append(out, Row(c))
	}
	return out
}

// Fields lists the fields of the messages: of the frame, of its record, of a peer in it, and those of identify.
func Fields() []Row {
	var out []Row
	add := func(prefix string, table []field) {
		for _, f := range table {
			name := prefix + f.Name
			out = append(out, Row{name, name, f.Meaning})
		}
	}
	add("", messageFields)
	add("", []field{sizeField})
	add("record.", recordFields)
	add("closerPeers[A].", peerFields)
	add("identify: ", identifyFields)
	return append(out, Row{"99:2", "99:2", "a field by its number and wire type (0, 1, 2, 3 with its end, 4, 5; 6 and 7 are illegal); it can be sent, not matched"})
}

// IPNSArguments lists what ipns() takes, each with what stands for it when it is left out.
func IPNSArguments() []Row {
	var out []Row
	for _, a := range ipnsNamed {
		out = append(out, Row{a.Name, a.Name + "=…", a.Meaning})
	}
	var names []string
	for _, f := range ipnsFields {
		names = append(names, f.Name)
	}
	return append(out,
		Row{"pb.f", "pb.f=…", "after signing, the field f of the protobuf message is this: " + strings.Join(names, ", ")},
		Row{"!pb.f", "!pb.f", "after signing, the field f is taken out"})
}

// Matchers lists the conditions that a want may set.
func Matchers() []Row {
	return []Row{
		{"=", "f=v", "f is v; lists are compared as sets, addresses without a trailing /p2p of their own peer"},
		{"!=", "f!=v", "f is not v"},
		{"<=", "f<=n", "f is at most n; of a list or of bytes, its length"},
		{">=", "f>=n", "f is at least n; of a list or of bytes, its length"},
		{"~", "f~[a,b]", "the list f holds all of these"},
		{"!~", "f!~[a]", "the list f holds none of these"},
		{"<~", "f<~R", "the list f holds nothing but these"},
		{"f", "f", "f is present"},
		{"!f", "!f", "f is absent, empty, or the default"},
		{"unique", "f=unique", "nothing stands twice in the list f"},
		{"rfc3339", "f=rfc3339", "the text f is a time as RFC 3339 writes it"},
		{"$x", "f=$x", "the first time, $x gets the value of f, if the whole line matches; afterwards they are compared"},
		{"f[A].g", "f[A].g", "of the list of peers f, A's entry; of that the field g"},
		{"f[*].g", "f[*].g", "every entry"},
	}
}

// Units lists what a number may end with.
func Units() []Row {
	var out []Row
	for _, u := range units {
		out = append(out, Row{u.Name, "4" + u.Name, u.Meaning})
	}
	return append(out, Row{"time", "200ms 5s 10m 48h", "a time"}, Row{"%", "1%", "a share"})
}

// Words lists what may stand on a line in such a world: its kinds first, then its name=value words; of need, the figures.
func Words(verb string, in WorldKind) []Row {
	var out []Row
	v, _ := findVerb(verb)
	for _, t := range termsIn(slices.Concat(v.Kinds, v.Terms), in) {
		out = append(out, Row{t.Name, t.Usage, t.Meaning})
	}
	return out
}

// Stats lists the points of a distribution that a need may name.
func Stats() []string { return slices.Clone(stats) }
