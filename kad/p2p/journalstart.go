package p2p

import (
	"context"
	"errors"
	"fmt"

	dsquery "github.com/ipfs/go-datastore/query"

	"github.com/kadbench/kadbench/kad"
)

// load feeds the journal back into the store, which nobody has used yet. Memory and journal agree at the end: what has
// expired, is not valid any more or finds no room leaves the journal with the first write. It reads one entry after another
// and asks the context before each, for a datastore need not.
func (j *journal) load(ctx context.Context) error {
	if err := j.read(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return nil
}

func (j *journal) read(ctx context.Context) error {
	for _, prefix := range []string{recordPrefix, providersPrefix} {
		entries, err := j.ds.Query(ctx, dsquery.Query{Prefix: prefix})
		if err != nil {
			return err
		}
		for r := range entries.Next() {
			if err = errors.Join(r.Error, ctx.Err()); err != nil {
				break
			}
			j.take(r.Key, r.Value)
		}
		if e := entries.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take feeds one entry back. One that does not come back as it was is written anew.
func (j *journal) take(key string, value []byte) {
	n := j.n
	name, ok := parseEntryName(key)
	e, err := decodeEntry(name, value)
	if !ok || err != nil {
		n.mu.Lock()
		j.stats.Corrupt++
		n.mu.Unlock()
		return
	}
	st, now := e.state(), n.clock.now()
	expired, invalid := st.review(n.records, now) // beside the lock: it costs a signature or two

	n.mu.Lock()
	defer n.mu.Unlock()
	j.stats.Expired += expired
	j.stats.Invalid += invalid
	j.stats.Refused += j.store.restore(st, now)
	is := j.store.state(name)
	j.stats.Restored += len(is.providers)
	if is.found {
		j.stats.Restored++
	}
	if len(is.providers) != len(e.Providers) || is.found != (e.Record != nil) {
		j.store.note(name, is)
	}
}

// review judges what another process has stored: it moves times that lie ahead, drops what has expired or is not valid any
// more, and gives records their ranks.
func (st *entryState) review(v kad.Validator, now kad.Time) (expired, invalid int) {
	if st.found {
		r := &st.record
		shift(&r.Received, &r.Expires, now)
		valid, err := kad.Validate(v, r.Record, now)
		switch {
		case over(r.Expires, now):
			expired++
		case err != nil:
			invalid++
		}
		st.found, r.Rank = expired+invalid == 0, valid.Rank()
	}
	kept := st.providers[:0]
	for _, p := range st.providers {
		shift(&p.Received, &p.Expires, now)
		if over(p.Expires, now) {
			expired++
		} else {
			kept = append(kept, p)
		}
	}
	st.providers = kept
	return expired, invalid
}

// shift moves the times of something that was stored when the clock stood later than it does now: it lives for as long as it
// was meant to, from now on. A clock that has been set ahead cannot be told from time that has passed.
func shift(received, expires *kad.Time, now kad.Time) {
	if *received <= now {
		return
	}
	if *expires != 0 {
		*expires = now + max(1, *expires-*received)
	}
	*received = now
}
