package plan

import (
	"slices"
	"strings"
)

// method is one row of the table of operations: what an op may ask the target for, as the control protocol has it.
type method struct {
	Name   string
	Params []field
	Result []field
}

// The parameters and the parts of a result (docs/control-protocol.md). A value's and a provider's key are bytes.
var (
	keyParam      = field{Name: "key", Kind: kindBytes, Meaning: "of a value any bytes, of providers a multihash"}
	peerParam     = field{Name: "peer", Kind: kindBytes, Meaning: "a peer's id: its name in the plan"}
	addrParam     = field{Name: "addr", Kind: kindBytes, Meaning: "an address; a peer's name stands for its first"}
	valueParam    = field{Name: "value", Kind: kindBytes, Meaning: "the bytes of a record"}
	limitParam    = field{Name: "limit", Kind: kindInt, Meaning: "how many providers are enough"}
	countParam    = field{Name: "n", Kind: kindInt, Meaning: "how many peers, k without it"}
	quorumParam   = field{Name: "quorum", Kind: kindInt, Meaning: "how many peers must answer"}
	toParam       = field{Name: "to", Kind: kindPeers, Meaning: "the peers that get the record"}
	expiresParam  = field{Name: "expires_in", Kind: kindInt, Meaning: "a time: how long the record lives"}
	modeParam     = field{Name: "mode", Kind: kindList, Meaning: "server or client"}
	peersPart     = field{Name: "peers", Kind: kindPeers, Meaning: "a list of peers"}
	peerPart      = field{Name: "peer", Kind: kindBytes, Meaning: "a peer's id"}
	addrsPart     = field{Name: "addrs", Kind: kindAddrs, Meaning: "its addresses"}
	valuePart     = field{Name: "value", Kind: kindBytes, Meaning: "the record that was chosen"}
	recordsPart   = field{Name: "records", Kind: kindPeers, Meaning: "each record that came, by the peer that sent it; its own is the target's"}
	storedPart    = field{Name: "stored", Kind: kindPeers, Meaning: "the peers which have stored the record"}
	announcedPart = field{Name: "announced", Kind: kindPeers, Meaning: "the peers that were told"}
	providersPart = field{Name: "providers", Kind: kindPeers, Meaning: "the providers that were found"}
	statsPart     = field{Name: "stats", Kind: kindStats, Meaning: "what the operation cost"}
)

// statsFields are inside stats; an implementation that does not count one leaves it out.
var statsFields = []field{
	{Name: "requests", Kind: kindInt, Meaning: "requests sent"},
	{Name: "successes", Kind: kindInt, Meaning: "requests answered"},
	{Name: "failures", Kind: kindInt, Meaning: "requests that failed"},
	{Name: "hops", Kind: kindInt, Meaning: "how far from the target's own table the result was found"},
	{Name: "duration", Kind: kindInt, Meaning: "milliseconds"},
}

// entryFields are inside an entry of a result's list: of records the value, else the addresses.
var entryFields = []field{
	{Name: "id", Kind: kindBytes, Meaning: "the peer's id"},
	{Name: "addrs", Kind: kindAddrs, Meaning: "its addresses"},
	{Name: "value", Kind: kindBytes, Meaning: "of records: what this peer sent"},
}

// methods in the order of the control protocol. Those that start and stop the node are the harness's own, and time passes
// by the verb clock.
var methods = []method{
	{"connect", []field{addrParam}, []field{peerPart}},
	{"add_address", []field{peerParam, addrParam}, []field{{Name: "update", Kind: kindBytes, Meaning: "success, pending or failed"}}},
	{"remove_address", []field{peerParam, addrParam}, []field{{Name: "removed", Kind: kindInt, Meaning: "1 or 0"}}},
	{"remove_peer", []field{peerParam}, []field{{Name: "removed", Kind: kindInt, Meaning: "1 or 0"}}},
	{"bootstrap", nil, nil},
	{"table", nil, []field{peersPart}},
	{"get_closest_peers", []field{keyParam, countParam}, []field{peersPart, statsPart}},
	{"find_peer", []field{peerParam}, []field{peerPart, addrsPart, statsPart}},
	{"put_record", []field{keyParam, valueParam, quorumParam, toParam, expiresParam}, []field{storedPart, statsPart}},
	{"get_record", []field{keyParam, quorumParam}, []field{valuePart, recordsPart, statsPart}},
	{"remove_record", []field{keyParam}, nil},
	{"start_providing", []field{keyParam}, []field{announcedPart, statsPart}},
	{"stop_providing", []field{keyParam}, nil},
	{"get_providers", []field{keyParam, limitParam}, []field{providersPart, statsPart}},
	{"set_mode", []field{modeParam}, nil},
}

// errorKinds are what an operation's error may say (docs/control-protocol.md).
var errorKinds = []string{"not_found", "timeout", "no_peers", "invalid", "quorum", "cancelled", "other"}

func findMethod(name string) (method, bool) {
	for _, m := range methods {
		if m.Name == name {
			return m, true
		}
	}
	return method{}, false
}

func methodNames() []string {
	var out []string
	for _, m := range methods {
		out = append(out, m.Name)
	}
	return out
}

// resultFields are the parts of any result: which of them an operation has shows when its op is known.
func resultFields() []field {
	var out []field
	for _, m := range methods {
		for _, f := range m.Result {
			if _, known := findField(out, f.Name); !known {
				out = append(out, f)
			}
		}
	}
	return out
}

// ResultParts names the parts of a method's result; none where it has none.
func ResultParts(name string) []string {
	m, _ := findMethod(name)
	return fieldNames(m.Result)
}

// AllResultParts names the parts of all results, in the order in which a report shows them: what an operation cost at the end.
func AllResultParts() []string {
	names := slices.DeleteFunc(fieldNames(resultFields()), func(name string) bool { return name == statsPart.Name })
	return append(names, statsPart.Name)
}

// StatsParts names the parts of stats.
func StatsParts() []string { return fieldNames(statsFields) }

// Methods lists what an op may ask for, with the parts of its result.
func Methods() []Row {
	var out []Row
	for _, m := range methods {
		usage := m.Name
		for _, f := range m.Params {
			usage += " " + f.Name + "=…"
		}
		parts := fieldNames(m.Result)
		if i := slices.Index(parts, "stats"); i >= 0 {
			parts[i] = "stats.requests, stats.successes, stats.failures, stats.hops, stats.duration"
		}
		says := methodSays[m.Name]
		if len(parts) > 0 {
			says += ": " + strings.Join(parts, ", ")
		}
		out = append(out, Row{m.Name, usage, says})
	}
	return out
}
