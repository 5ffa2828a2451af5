package plan

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
		out = append(out, Row{c.Name, c.Usage, c.Meaning})
	}
	return out
}
