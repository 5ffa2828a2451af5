package plan

import (
	"fmt"
	"strings"
)

// WorldKind is what a plan's world is, or a set of such: each word of the language says in which it stands.
type WorldKind uint8

const (
	SimWorld     WorldKind = 1 << iota // world sim: nodes in virtual time
	NetworkWorld                       // world real nodes=20: nodes on this machine
	LoadWorld                          // world real without nodes: requests to one peer
)

const (
	inSim   = SimWorld
	inNet   = NetworkWorld
	inLoad  = LoadWorld
	inNodes = SimWorld | NetworkWorld
	inReal  = NetworkWorld | LoadWorld
	inAll   = SimWorld | NetworkWorld | LoadWorld
)

func (k WorldKind) String() string {
	if k == inReal {
		return "world real"
	}
	var names []string
	for i, name := range []string{"world sim", "world real with nodes=", "world real without nodes="} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

// elsewhere is the complaint about a word that belongs to other kinds of world than this one.
func (k WorldKind) elsewhere(word string, in WorldKind) error {
	if k != SimWorld && in == SimWorld {
		k = inReal // neither kind of it takes the word
	}
	do := "does"
	if in == inNodes {
		do = "do"
	}
	return fmt.Errorf("%s: %s does not take it; %s %s", word, k, in, do)
}

// termsIn are the rows that stand in such worlds.
func termsIn(list []term, k WorldKind) []term {
	var out []term
	for _, t := range list {
		if t.in&k != 0 {
			out = append(out, t)
		}
	}
	return out
}

// Kind says what the plan's world is; 0 for a case, which has none.
func (p *Plan) Kind() WorldKind { return p.kind }

// Simulated says whether the plan is a simulation.
func (p *Plan) Simulated() bool { return p.kind == SimWorld }

// Real says whether the plan runs on sockets: a load, or a network of nodes.
func (p *Plan) Real() bool { return p.kind&inReal != 0 }

// Simulations are the worlds that the plan runs, simulated or real: one for each point of its sweep, in the order in which
// the last axis changes first; one without a sweep; none for a case.
func (p *Plan) Simulations() []*Simulation { return p.sims }

// Cases leaves out the plans that have a world.
func Cases(plans []*Plan) []*Plan {
	var out []*Plan
	for _, p := range plans {
		if p.kind == 0 {
			out = append(out, p)
		}
	}
	return out
}

// worldOf looks ahead for the kind of a script's world, as the words of all its lines depend on it. Nodes may come from the
// sweep alone.
func worldOf(rows []*row) WorldKind {
	kind, nodes := SimWorld, false
	for _, r := range rows {
		verb := r.words[0].text
		if verb == "world" && len(r.words) > 1 && r.words[1].text == "real" {
			kind = LoadWorld
		}
		for _, w := range r.words[1:] {
			nodes = nodes || (verb == "world" || verb == "sweep") && strings.HasPrefix(w.text, "nodes=")
		}
	}
	if kind == LoadWorld && nodes {
		return NetworkWorld
	}
	return kind
}

// noun is what a plan of the kind is called.
func (k WorldKind) noun() string {
	switch k {
	case NetworkWorld:
		return "network"
	case LoadWorld:
		return "load"
	}
	return "simulation"
}
