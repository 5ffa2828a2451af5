package kadtest

import (
	"bytes"

	"github.com/kadbench/kadbench/kad"
)

// lent remembers what was lent to a Step.
type lent struct {
	bytes [][]byte
	infos [][]kad.PeerInfo
}

// lend replaces every slice of an input by a copy, which can be poisoned afterwards.
func lend(in *kad.Input) *lent {
	l := &lent{}
	in.Key, in.Value = l.copy(in.Key), l.copy(in.Value)
	in.Addr, in.OldAddr = l.copy(in.Addr), l.copy(in.OldAddr)
	in.Peer, in.Target = l.info(in.Peer), l.info(in.Target)
	in.Closer, in.Providers = l.list(in.Closer), l.list(in.Providers)
	if in.Valid.OK() {
		r := in.Valid.Record()
		r.Key, r.Value, r.Publisher = l.copy(r.Key), l.copy(r.Value), l.copy(r.Publisher)
		in.Valid, _ = kad.Validate(rank(l.copy(in.Valid.Rank())), r, 0)
	}
	return l
}

// rank is a Validator that gives the rank it is.
type rank []byte

func (r rank) Validate(key, value []byte, now kad.Time) ([]byte, error) { return r, nil }

func (l *lent) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	c := append([]byte{}, b...)
	l.bytes = append(l.bytes, c)
	return c
}

func (l *lent) info(p kad.PeerInfo) kad.PeerInfo {
	p.ID, p.Addrs = l.copy(p.ID), l.copy(p.Addrs)
	return p
}

func (l *lent) list(list []kad.PeerInfo) []kad.PeerInfo {
	if list == nil {
		return nil
	}
	c := make([]kad.PeerInfo, len(list))
	for i, p := range list {
		c[i] = l.info(p)
	}
	l.infos = append(l.infos, c)
	return c
}

// poison overwrites all that was lent.
func (l *lent) poison() {
	for _, b := range l.bytes {
		for i := range b {
			b[i] = 0xAA
		}
	}
	for _, list := range l.infos {
		for i := range list {
			list[i] = kad.PeerInfo{ID: []byte("POISON")}
		}
	}
}

// cloneCommand copies a command with all behind it.
func cloneCommand(c kad.Command) kad.Command {
	c.Peer = cloneInfo(c.Peer)
	c.Key = bytes.Clone(c.Key)
	c.Record = cloneRecord(c.Record)
	c.Closer, c.Providers = cloneInfos(c.Closer), cloneInfos(c.Providers)
	return c
}

func cloneRecord(r kad.Record) kad.Record {
	r.Key, r.Value, r.Publisher = bytes.Clone(r.Key), bytes.Clone(r.Value), bytes.Clone(r.Publisher)
	return r
}

func cloneInfo(p kad.PeerInfo) kad.PeerInfo {
	p.ID, p.Addrs = bytes.Clone(p.ID), bytes.Clone(p.Addrs)
	return p
}

func cloneInfos(list []kad.PeerInfo) []kad.PeerInfo {
	var c []kad.PeerInfo
	for _, p := range list {
		c = append(c, cloneInfo(p))
	}
	return c
}
