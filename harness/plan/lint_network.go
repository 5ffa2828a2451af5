package plan

import (
	"slices"
	"strings"
)

// This file holds lint's questions about a scripted network: who may answer, which operation a result is about, and whether
// what is judged could be otherwise.

// network looks at one statement of the scripted network.
func (n *linter) network(l *Line, s Stmt) {
	switch s := s.(type) {
	case When:
		n.peers(l.Pos, l.Verb, s.Peer)
		n.kind(l, s.Peer, "only a serving puppet answers", "serving")
		for i, a := range l.Block {
			how, isAnswer := a.Stmt.(Answer)
			if ends := isAnswer && how.How >= AnswerNothing; ends && i < len(l.Block)-1 {
				n.fail(l.Block[i+1].Pos, "answer", "nothing goes out after %s", strings.TrimPrefix(a.Text, "answer "))
			}
		}
	case Answer:
		if s.AfterPeer != "" {
			n.peers(l.Pos, l.Verb, s.AfterPeer)
		}
		for _, e := range exprsOf(s) {
			n.value(l.Pos, l.Verb, e, l.loop)
		}
	case Operation:
		n.isTarget(l, s.Target)
		n.peers(l.Pos, l.Verb, s.Target)
		for _, f := range s.Params {
			if f.Name != "mode" {
				n.value(f.Pos, l.Verb, f.Value, l.loop)
			}
		}
		n.operations[s.Name] = s.Method
	case Result:
		n.result(l, s)
		n.reason(l, s.Why)
	case Saw:
		n.heardBy(l, s.Peers)
		n.reason(l, s.Why)
	case Never:
		n.heardBy(l, s.Peers)
	case InFlight:
		n.isTarget(l, s.Target)
		n.peers(l.Pos, l.Verb, s.Target)
	case Clock:
		n.isTarget(l, s.Target)
		n.peers(l.Pos, l.Verb, s.Target)
	}
}

// result: the operation was begun above, and its method has such parts.
func (n *linter) result(l *Line, s Result) {
	name := s.Op
	known, ok := n.operations[name]
	for op, m := range n.operations { // q$i
		if !ok && sameInLoop(op, name) {
			known, ok = m, true
		}
	}
	if !ok {
		var begun []string
		for op := range n.operations {
			begun = append(begun, op)
		}
		slices.Sort(begun)
		n.fail(l.Pos, l.Verb, "%s; no line above begins it", unknown("operation", name, begun))
		return
	}
	m, _ := findMethod(known)
	for _, match := range s.Match {
		if step := match.Steps()[0]; !slices.ContainsFunc(m.Result, func(f field) bool { return f.Name == step.Name }) {
			n.fail(match.Pos, l.Verb, "%s", unknown("part of "+known+"'s result", step.Name, fieldNames(m.Result)))
		}
	}
}

func (n *linter) heardBy(l *Line, peers []string) {
	n.peers(l.Pos, l.Verb, peers...)
	if t := n.plan.Target(); t != nil && slices.Contains(peers, t.Name) {
		n.fail(l.Pos, l.Verb, "%s is the target; puppets hear", t.Name)
	}
}

// kind complains about a puppet that is of another kind.
func (n *linter) kind(l *Line, name, says string, kinds ...string) {
	for _, d := range n.plan.Peers {
		if d.Name == name && (d.Target || !slices.Contains(kinds, d.Kind)) {
			n.fail(l.Pos, l.Verb, "%s: %s, and %s is none; peer %s %s", name, says, name, name, strings.Join(kinds, " or "))
		}
	}
}

// reason holds an or against what accepts it.
func (n *linter) reason(l *Line, why string) {
	switch {
	case l.Verb == "or" && why == "":
		n.fail(l.Pos, l.Verb, `why="…" is missing: the clause, the ruling or the issue that accepts this outcome`)
	case l.Verb == "or" && !reason.MatchString(why):
		n.fail(l.Pos, l.Verb, "why=%q names no reason: a clause (ipfs-kad L357), a ruling (ruling 1) or an issue (#12) was expected", why)
	}
}
