package plan

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Bounds of a world. What a node may be told is bounded as kad's configuration bounds it.
const (
	maxNodes = 1 << 24 // a node takes some kilobytes: 16 million would need 100 GiB
	maxWidth = 255     // of k, alpha, beta: what a node's counters hold
)

// Bounds of a real world.
const (
	maxReal   = 1000   // nodes of a network: each takes megabytes, and some hundred goroutines
	maxTable  = 10_000 // peers that are offered: a table keeps some hundred of them
	maxRounds = 1000

	defaultCheck = 10_000 // one answer in a hundred
)

// minDelay is the shortest delay of a link.
const minDelay = time.Millisecond

// worldVerbs are the rows of the table of verbs for who is there in a simulation and what happens to them.
func worldVerbs() []verb {
	return []verb{
		{Name: "world", Usage: "world sim nodes=1000 [name=value…]\nworld real [nodes=20] [name=value…]", own: true, parse: parseWorld, explain: tellWorld, Terms: terms(worldSettings),
			Meaning: "`sim`: a simulated network of nodes of the reference implementation, in virtual time; the same plan gives the same run. " +
				"`real`: sockets of this machine, in real time; with `nodes=` a network of the targets' implementations, else a target under a load of requests"},
		{Name: "link", Usage: "link constant 50ms [name=value…]\nlink uniform 10ms..100ms …\nlink regions [amino | @table] …", own: true, parse: parseLink, explain: tellLink,
			Kinds: linkKinds, Terms: terms(linkSettings),
			Meaning: "how long a message takes one way, and what is lost; without it constant 50ms"},
		{Name: "churn", Usage: "churn exponential | weibull | lognormal median=3h [name=value…]\nchurn trace @sessions", own: true, parse: parseChurn, explain: tellChurn,
			Kinds: churnKinds, Terms: terms(churnSettings),
			Meaning: "how long nodes stay, and how long they are away; one that returns has its old id and empty tables. Without it nobody leaves"},
		{Name: "faults", Usage: "faults exit | crash | partition | loss share=50% at=1h [until=2h]\nfaults silent | slow | liar | poisoner | sybil | eclipse | flooder share=5%", own: true,
			parse: parseFault, explain: tellFault, Kinds: faultKinds, Terms: terms(faultSettings),
			Meaning: "what happens to many nodes at once, or the share of them that does harm from the start; several lines are about different nodes"},
	}
}

var worldSettings = []setting[World]{
	{term{"nodes", "nodes=100000", "how many nodes there are, or will be", "%s nodes", inNodes}, whole(func(w *World) *int { return &w.Nodes }, 1, maxNodes)},
	{term{"seed", "seed=1", "of every random choice; 1 if it is not written", "the seed %s", inAll}, whole(func(w *World) *uint64 { return &w.Seed }, 0, 1<<63)},
	{term{"tables", "tables=grown", "`ideal`: each bucket holds k peers that belong there; `grown`: a few seeds, and what the protocol makes of it; ideal if it is not written. Real nodes take grown alone", "%s tables", inNodes},
		choice(func(w *World) *string { return &w.Tables }, "ideal", "grown")},
	{term{"preset", "preset=amino", "what each node is: `current` (libp2p-kad today), `classic` (its first years) or `amino` (IPFS); current if it is not written", "nodes of the preset %s", inSim},
		choice(func(w *World) *string { return &w.Preset }, "current", "classic", "amino")},
	{term{"k", "k=20", "the size of an answer and of a bucket, and how many keep a record", "k is %s", inNodes}, whole(func(w *World) *int { return &w.K }, 1, maxWidth)},
	{term{"alpha", "alpha=10", "requests in flight of one lookup", "alpha is %s", inNodes}, whole(func(w *World) *int { return &w.Alpha }, 1, maxWidth)},
	{term{"beta", "beta=3", "how many of the nearest must have answered for a lookup to end; `off`: all k", "beta is %s", inNodes}, wholeOrOff(func(w *World) *int { return &w.Beta }, maxWidth)},
	{term{"bucket", "bucket=20", "how many peers a bucket of the table holds, where it is not k", "%s peers in a bucket", inSim}, whole(func(w *World) *int { return &w.Bucket }, 1, maxWidth)},
	{term{"paths", "paths=disjoint", "`disjoint`: a lookup follows alpha paths that share no peer; else `joint`", "%s paths", inSim},
		toggle(func(w *World) *bool { return &w.Disjoint }, "disjoint", "joint")},
	{term{"clients", "clients=20%", "share of the nodes that ask and are never asked", "%s of them clients", inNodes}, share(func(w *World) *uint32 { return &w.Clients })},
	{term{"seeds", "seeds=8", "how many nodes never leave, and bring the others in", "%s seeds that never leave", inNodes}, whole(func(w *World) *int { return &w.Seeds }, 1, 1000)},
	{term{"first", "first=1", "how many nodes are there at first; without it all", "%s at first", inNodes}, whole(func(w *World) *int { return &w.First }, 1, maxNodes)},
	{term{"batch", "batch=10", "how many join at once", "%s join at once", inNodes}, whole(func(w *World) *int { return &w.Batch }, 1, maxNodes)},
	{term{"every", "every=1s", "how often they do", "every %s", inNodes}, span(func(w *World) *time.Duration { return &w.Every }, minDelay)},
	{term{"refresh", "refresh=1h", "how often a node looks through its table's buckets; `off`: never", "refresh of tables every %s", inNodes}, period(func(w *World) *time.Duration { return &w.Refresh })},
	{term{"probe", "probe=10m", "a peer of the table that was not heard of for so long is asked whether it lives; `off`: never", "probes of silent peers every %s", inSim}, period(func(w *World) *time.Duration { return &w.Probe })},
	{term{"evict", "evict=2", "failures in a row after which a peer leaves the table; `off`: never", "eviction after %s failures", inSim}, wholeOrOff(func(w *World) *int { return &w.Evict }, maxWidth)},
	{term{"replication", "replication=1h", "how often a holder sends its records on; `off`: never", "replication of records every %s", inSim}, period(func(w *World) *time.Duration { return &w.Replication })},
	{term{"publication", "publication=22h", "how often a publisher puts its records again; `off`: never", "publication of records every %s", inSim}, period(func(w *World) *time.Duration { return &w.Publication })},
	{term{"provide", "provide=12h", "how often a provider announces itself again; `off`: never", "announcements of providers every %s", inSim}, period(func(w *World) *time.Duration { return &w.Provide })},
	{term{"patience", "patience=250ms", "how long a lookup waits for a peer before it asks another beside it; without it, as answers usually take", "patience %s", inSim}, span(func(w *World) *time.Duration { return &w.Patience }, minDelay)},
	{term{"timeout", "timeout=10s", "of one request", "requests time out after %s", inAll}, span(func(w *World) *time.Duration { return &w.Timeout }, minDelay)},
	{term{"deadline", "deadline=60s", "of a whole operation", "operations end after %s", inNodes}, span(func(w *World) *time.Duration { return &w.Deadline }, minDelay)},
	{term{"expiry.record", "expiry.record=48h", "how long a record lives; `off`: for ever", "expiry of records after %s", inSim}, period(func(w *World) *time.Duration { return &w.ExpiryRecord })},
	{term{"expiry.provider", "expiry.provider=48h", "how long a provider lives; `off`: for ever", "expiry of providers after %s", inSim}, period(func(w *World) *time.Duration { return &w.ExpiryProvider })},
	{term{"expiry.address", "expiry.address=24h", "how long a provider's addresses live; `off`: for ever", "expiry of addresses after %s", inSim}, period(func(w *World) *time.Duration { return &w.ExpiryAddress })},
	{term{"wire", "wire=on", "every message is encoded and decoded; the result is the same, it takes longer", "encoding of messages %s", inSim}, toggle(func(w *World) *bool { return &w.Wire }, "on", "off")},
	{term{"shards", "shards=2", "goroutines that share the nodes; without it, as many as there are processors. It never changes a result", "%s shards", inSim}, whole(func(w *World) *int { return &w.Shards }, 1, 1024)},
	{term{"sample", "sample=10m", "distance of the points of the time series", "a sample every %s", inNodes}, span(func(w *World) *time.Duration { return &w.Sample }, time.Second)},
	{term{"transport", "transport=quic", "`tcp` or `quic`; for a network also `mem`, without sockets; tcp if it is not written", "over %s", inReal},
		choice(func(w *World) *string { return &w.Transport }, "tcp", "quic", "mem")},
	{term{"security", "security=tls", "of tcp (quic has its own): `noise` or `tls`; noise if it is not written", "secured by %s", inLoad}, choice(func(w *World) *string { return &w.Security }, "noise", "tls")},
	{term{"table", "table=400", "how many peers the target is offered before, none of which exists; without it, its table stays as it is", "%s peers offered to its table", inLoad},
		whole(func(w *World) *int { return &w.Table }, 1, maxTable)},
	{term{"check", "check=1%", "share of the answers to FIND_NODE that are compared with the true nearest; 1% if it is not written", "%s of the answers compared with the true nearest", inLoad},
		share(func(w *World) *uint32 { return &w.Check })},
	{term{"rounds", "rounds=5", "turns of each target, which take turns; without it one, or five where there are several targets", "%s rounds", inLoad},
		whole(func(w *World) *int { return &w.Rounds }, 1, maxRounds)},
}

func parseWorld(c *cursor) Stmt {
	w := World{Seed: 1}
	kind := c.next("sim or real")
	if c.err == nil && kind.text != "sim" && kind.text != "real" {
		c.fail(kind.line, "%q: sim or real was expected", kind.text)
	}
	if kind.text == "real" {
		w.Real, w.Transport = true, "tcp"
	}
	switch c.world {
	case LoadWorld:
		w.Check = defaultCheck
	case NetworkWorld:
		w.Tables = "grown"
	}
	settings(c, worldSettings, &w, nil)
	switch {
	case c.world == LoadWorld && w.Transport == "tcp":
		w.Security = cmp.Or(w.Security, "noise")
	case w.Transport == "quic":
		w.Security = "" // it has its own; a sweep over transports names one for tcp
	}
	return w
}

var linkKinds = []term{
	{"constant", "constant 50ms", "every message takes as long", "every message takes %s", inNodes},
	{"uniform", "uniform 10ms..100ms", "between the two, drawn for each pair of nodes", "a message takes %s, drawn for each pair of nodes", inSim},
	{"regions", "regions amino", "as the table says for the regions of the two: `amino`, the one that comes with the suite, or a fixture's text", "a message takes what the table %s says for the regions of the two nodes", inSim},
}

var linkSettings = []setting[Links]{
	{term{"jitter", "jitter=10ms", "at most so much is added to each message by itself", "a jitter of up to %s", inSim}, span(func(l *Links) *time.Duration { return &l.Jitter }, 0)},
	{term{"loss", "loss=0.5%", "of each message", "%s of the messages lost", inSim}, share(func(l *Links) *uint32 { return &l.Loss })},
	{term{"unreachable", "unreachable=20%", "share of the servers that nobody can dial", "%s of the servers cannot be dialled", inSim}, share(func(l *Links) *uint32 { return &l.Unreachable })},
	{term{"slow", "slow=5%", "share of the nodes that answer late", "%s of the nodes answer late", inSim}, share(func(l *Links) *uint32 { return &l.Slow })},
	{term{"slow-by", "slow-by=2s", "how late; 2s if it is not written", "by %s", inSim}, span(func(l *Links) *time.Duration { return &l.SlowBy }, minDelay)},
	{term{"dial", "dial=1", "round trips before the first request on a new connection; 1 if it is not written", "%s round trips for a dial", inSim}, dialTrips},
	{term{"dial-timeout", "dial-timeout=5s", "when a dial of one who is not there is given up; 5s if it is not written", "a dial is given up after %s", inSim}, span(func(l *Links) *time.Duration { return &l.DialTimeout }, minDelay)},
	{term{"idle", "idle=2m", "a connection that carried nothing for so long is closed; without it each request dials", "idle connections close after %s", inSim}, span(func(l *Links) *time.Duration { return &l.Idle }, minDelay)},
}

// dialTrips keeps 0 for what is not written: none is -1.
func dialTrips(l *Links, v string) error {
	err := whole(func(l *Links) *int { return &l.Dial }, 0, 10)(l, v)
	if err == nil && l.Dial == 0 {
		l.Dial = -1
	}
	return err
}

// delay reads the time of a link.
func (c *cursor) delay(w word, text string) time.Duration {
	d, err := time.ParseDuration(text)
	switch {
	case c.err != nil:
	case err != nil || d <= 0 || d > time.Minute:
		c.fail(w.line, "%q: a delay from %s to 1m was expected, as 50ms", text, minDelay)
	case d < minDelay && c.world != SimWorld:
		c.fail(w.line, "%q: the shortest delay is %s", text, minDelay)
	case d < minDelay:
		c.fail(w.line, "%q: the shortest delay is %s: a window of the simulation is as long as the shortest delay, and shorter ones would cost more than the events in them", text, minDelay)
	}
	return d
}

func parseLink(c *cursor) Stmt {
	var l Links
	kind := c.kind(linkKinds)
	l.Kind = kind.text
	switch l.Kind {
	case "constant":
		w := c.next("the delay, as 50ms,")
		l.Low = c.delay(w, w.text)
		l.High = l.Low
	case "uniform":
		w := c.next("the delays, as 10ms..100ms,")
		low, high, _ := strings.Cut(w.text, "..")
		l.Low, l.High = c.delay(w, low), c.delay(w, high)
		if c.err == nil && l.Low > l.High {
			c.fail(w.line, "%q: the shorter delay comes first", w.text)
		}
	case "regions":
		l.Table = "amino"
		if c.more() && !strings.Contains(c.words[c.at].text, "=") {
			w := c.next("")
			if l.Table, l.Own = c.text(w); !l.Own && w.text != "amino" {
				c.fail(w.line, "%q: amino, or a fixture with a table, as @table, was expected", w.text)
			}
		}
	}
	settings(c, linkSettings, &l, nil)
	return l
}

// kind takes the first word of a line, which says what the line is about.
func (c *cursor) kind(kinds []term) word {
	known := termNames(termsIn(kinds, c.world))
	names := strings.Join(known, " | ")
	w := c.next(names)
	if t, ok := findTerm(kinds, w.text); c.err == nil && !ok {
		c.fail(w.line, "%s; it is one of %s", unknown("kind", w.text, known), names)
	} else if c.err == nil && t.in&c.world == 0 {
		c.fail(w.line, "%w", c.world.elsewhere(w.text, t.in))
	}
	return w
}

// text takes the name of a fixture that holds plain text, as @table; ok says whether it is one.
func (c *cursor) text(w word) (name string, ok bool) {
	name, ok = strings.CutPrefix(w.text, "@")
	if ok && !isName(name) {
		c.fail(w.line, "%q: the name of a fixture was expected, as @table", w.text)
	}
	if ok {
		c.texts = append(c.texts, name)
		return name, true
	}
	return w.text, false
}

var churnKinds = []term{
	{"exponential", "exponential", "arrivals and departures are a Poisson process", "stay for times of an exponential distribution", inNodes},
	{"weibull", "weibull", "with a shape under 1 who has stayed long stays longer", "stay for times of a Weibull distribution", inNodes},
	{"lognormal", "lognormal", "the logarithm of a session's length is normally distributed", "stay for times of a log-normal distribution", inNodes},
	{"trace", "trace @sessions", "sessions as somebody has recorded them, in a fixture's text", "come and go as the recorded sessions in %s", inSim},
}

var churnSettings = []setting[Churn]{
	{term{"median", "median=3h", "of the time that a node stays", "with a median of %s", inNodes}, span(func(c *Churn) *time.Duration { return &c.Median }, time.Second)},
	{term{"away", "away=1h", "median of the time between two sessions, of the same distribution; without it that of a session", "away for %s at the median", inNodes}, span(func(c *Churn) *time.Duration { return &c.Away }, time.Second)},
	{term{"shape", "shape=0.5", "of weibull; 0.5 if it is not written", "the shape %s", inNodes}, millionths(func(c *Churn) *uint32 { return &c.Shape })},
	{term{"sigma", "sigma=1", "of lognormal: the deviation of the logarithm; 1 if it is not written", "sigma %s", inNodes}, millionths(func(c *Churn) *uint32 { return &c.Sigma })},
}

func parseChurn(c *cursor) Stmt {
	var s Churn
	if c.more() && c.words[c.at].text == "poisson" {
		c.fail(c.words[c.at].line, "poisson: how long nodes stay is called exponential, which makes arrivals and departures a Poisson process; poisson is a word of load")
	}
	w := c.kind(churnKinds)
	s.Kind = w.text
	if s.Kind == "trace" {
		trace := c.next("the fixture with the sessions, as @sessions,")
		var ok bool
		if s.Trace, ok = c.text(trace); !ok {
			c.fail(trace.line, "%q: a fixture with the sessions was expected, as @sessions", trace.text)
		}
		return s
	}
	settings(c, churnSettings, &s, nil)
	if c.err == nil && s.Median == 0 {
		c.fail(w.line, "median= is missing: how long nodes stay")
	}
	if s.Shape != 0 && s.Kind != "weibull" || s.Sigma != 0 && s.Kind != "lognormal" {
		c.fail(w.line, "shape= belongs to weibull and sigma= to lognormal, not to %s", s.Kind)
	}
	return s
}

var faultKinds = []term{
	{"exit", "exit", "they leave at a moment, without a word, and never return", "leave without a word and never return", inSim},
	{"crash", "crash", "they vanish at a moment and return at another, with their ids and nothing else; in a real world without `until=` they stay away", "vanish, and return with their ids and nothing else", inNodes},
	{"partition", "partition", "nothing passes between them and the rest", "are cut off from the rest", inSim},
	{"loss", "loss", "each message is lost with this chance", "are lost", inSim},
	{"silent", "silent", "they accept everything and answer nothing", "accept everything and answer nothing", inNodes},
	{"slow", "slow", "they answer just before their asker gives up", "answer just before their asker gives up", inNodes},
	{"liar", "liar", "they name closer peers that do not exist", "name closer peers that do not exist", inSim},
	{"poisoner", "poisoner", "they answer each get with an invalid record, and keep nothing", "answer each get with an invalid record and keep nothing", inSim},
	{"sybil", "sybil", "their ids lie around a key", "have ids that lie around a key", inSim},
	{"eclipse", "eclipse", "their ids lie around one node, and they name only each other", "have ids that lie around one node, and name only each other", inSim},
	{"flooder", "flooder", "they send requests to their neighbours without end", "send requests to their neighbours without end", inSim},
}

// adversaries begin here in faultKinds.
const firstAdversary = "silent"

var faultSettings = []setting[Fault]{
	{term{"share", "share=5%", "of the nodes; of loss, the chance of each message", "", inNodes}, share(func(f *Fault) *uint32 { return &f.Share })},
	{term{"at", "at=1h", "when it begins; `silent` and `slow` take it in a real world alone", "at %s", inNodes}, span(func(f *Fault) *time.Duration { return &f.At }, 0)},
	{term{"until", "until=2h", "when it ends", "until %s", inNodes}, span(func(f *Fault) *time.Duration { return &f.Until }, 0)},
	{term{"key", "key=@K", "sybil: around which key; without it that of the first operation", "the key %s", inSim}, nil},
	{term{"node", "node=7", "eclipse: around which node; without it the last that does no harm", "node %s", inSim}, whole(func(f *Fault) *uint32 { return &f.Node }, 1, maxNodes)},
	{term{"rate", "rate=10/s", "flooder: requests of each", "each %s", inSim}, rate(func(f *Fault) *Rate { return &f.Rate })},
}

func parseFault(c *cursor) Stmt {
	var f Fault
	w := c.kind(faultKinds)
	f.Kind = w.text
	for _, k := range faultKinds {
		f.Adversary = f.Adversary || k.Name == firstAdversary
		if k.Name == f.Kind {
			break
		}
	}
	table := append([]setting[Fault](nil), faultSettings...)
	for i := range table {
		if table[i].Name == "key" {
			table[i].set = func(f *Fault, v string) error {
				f.Key = c.expr(word{text: v, line: w.line})
				return nil
			}
		}
	}
	timed := false
	for _, x := range c.words {
		timed = timed || strings.HasPrefix(x.text, "at=")
	}
	settings(c, table, &f, nil)
	if c.err == nil {
		if err := f.check(timed, c.world); err != nil {
			c.fail(w.line, "%s: %w", f.Kind, err)
		}
	}
	return f
}

// check holds a fault's words against its kind.
func (f Fault) check(timed bool, world WorldKind) error {
	switch {
	case f.Share == 0:
		return fmt.Errorf("share= is missing: how many of them, as share=5%%")
	case world == NetworkWorld && f.Adversary && f.Until != 0:
		return fmt.Errorf("until= belongs to crash")
	case world != NetworkWorld && f.Adversary && (timed || f.Until != 0):
		return fmt.Errorf("it does harm from the start, and takes neither at= nor until=")
	case f.Key != nil && f.Kind != "sybil":
		return fmt.Errorf("key= belongs to sybil")
	case f.Node != 0 && f.Kind != "eclipse":
		return fmt.Errorf("node= belongs to eclipse")
	case f.Rate.Count != 0 && f.Kind != "flooder":
		return fmt.Errorf("rate= belongs to flooder")
	case !f.Adversary && !timed:
		return fmt.Errorf("at= is missing: when it happens")
	case f.Kind == "exit" && f.Until != 0:
		return fmt.Errorf("who leaves by it does not return; crash takes until=")
	case f.Kind == "crash" && f.Until == 0 && world != NetworkWorld:
		return fmt.Errorf("until= is missing: when they return; exit is for those who do not")
	case f.Until != 0 && f.Until <= f.At:
		return fmt.Errorf("until=%s is not after at=%s", ShortTime(f.Until), ShortTime(f.At))
	}
	return nil
}
