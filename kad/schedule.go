package kad

import "slices"

// schedule says when a bootstrap begins by itself. Each is one as the application would begin it, with events of its own
// query; none begins while another runs, and one that the application begins counts as one of these.
//
// The periodic ones come every BootstrapInterval from the end of the last, up to a tenth early by the node's own chance, so
// that nodes which started together do not fire together (libp2p-kad L369 wants one "periodically"). The first, "once on
// startup", is automatic: it comes when the table has rested for BootstrapThrottle since its last newcomer, as long as
// it holds fewer than K peers. Newcomers of a bootstrap count too: in a small network whoever it found may know others,
// and one that finds nobody new is the last. A new listen address is a reason as well if peers are known and none is connected:
// the node has changed its network.
//
// A node that knows nobody cannot begin and does not try. It wants no Tick either, until the first peer enters.
type schedule struct {
	periodic  Time // 0: turned off, or nobody is known
	automatic Time // 0: there is no reason
}

// peerEntered is called for each peer that has got a place in the table.
func (k *Kademlia) peerEntered(now Time) {
	s := &k.schedule
	if s.periodic == 0 {
		s.periodic = k.within(now, k.cfg.BootstrapInterval)
	}
	if k.table.Len() < k.cfg.K {
		s.automatic = k.throttled(now)
	}
}

// listensAnew is called for each listen address that has come.
func (k *Kademlia) listensAnew(now Time) {
	if k.table.Len() > 0 && len(k.links) == 0 {
		k.schedule.automatic = k.throttled(now)
	}
}

// throttled is when an automatic bootstrap may begin if nothing happens until then; 0 if it is turned off.
func (k *Kademlia) throttled(now Time) Time {
	if k.cfg.BootstrapThrottle < 0 {
		return 0
	}
	return now + Time(k.cfg.BootstrapThrottle)
}

// bootstrapping says whether a bootstrap runs.
func (k *Kademlia) bootstrapping() bool {
	return slices.ContainsFunc(k.queries, func(q *query) bool { return q.kind == ResBootstrap })
}

// refreshWake is when the schedule wants a Tick: not while a bootstrap runs, whose end is a Step.
func (k *Kademlia) refreshWake() Time {
	if k.bootstrapping() {
		return 0
	}
	return earlier(k.schedule.periodic, k.schedule.automatic)
}

// refresh begins a bootstrap if one is due. One that finds as many queries as may run waits for the next interval.
func (k *Kademlia) refresh(now Time, out *Output) {
	if at := k.refreshWake(); at == 0 || at > now {
		return
	}
	k.bootstrap(now, out)
	out.Query, out.Err = 0, nil // nobody asked for it
}

// bootstrapBegins and bootstrapEnds set both timers back.
func (k *Kademlia) bootstrapBegins(now Time) {
	k.schedule = schedule{}
	if k.table.Len() > 0 {
		k.schedule.periodic = k.within(now, k.cfg.BootstrapInterval)
	}
}

func (k *Kademlia) bootstrapEnds(now Time) {
	k.schedule.periodic = k.within(now, k.cfg.BootstrapInterval)
}
