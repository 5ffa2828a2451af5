package ground

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
)

var storeGetValue = &Case{
	Name:  "store-get-value",
	About: "Each instance puts values, and when all have, gets values that others have put.",
	Min:   2, Max: 10_000, Default: 16,
	Params: with(
		Param{"record_count", "int", "records", "5", "How many an instance puts."},
		Param{"search_records", "int", "records", "5", "How many of other instances it gets."},
		minSuccess, maxP99("get_ms"),
	),
	Fits: fits(records, searched),
	Run: onNetwork("get_ms", func(ctx context.Context, p *party) error {
		count := p.in.Params.Int("record_count")
		if err := p.spread(ctx, 2); err != nil {
			return err
		}
		for i := range count {
			key, value := p.record(p.in.Seq, i)
			if err := p.operate(ctx, "put_ms", func(ctx context.Context) error { return p.node.Put(ctx, key, value) }); err != nil {
				return err
			}
		}
		if err := p.phase(ctx, "stored"); err != nil {
			return err
		}
		if err := p.spread(ctx, 2); err != nil {
			return err
		}
		for i, seq := range p.draw(p.in.Params.Int("search_records")) {
			key, want := p.record(seq, i%count)
			err := p.operate(ctx, "get_ms", func(ctx context.Context) error {
				got, err := p.node.Get(ctx, key)
				if err == nil && !bytes.Equal(got, want) {
					err = fmt.Errorf("%s is %q, expected %q", key, got, want)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}),
}

// What the cases with records allow for how many an instance makes, and for how many it looks.
var (
	records  = bound{"record_count", 1, maxOperations}
	searched = bound{"search_records", 0, maxOperations}
)

// record is the n-th record of an instance. In the namespace v, a valid value begins with ok.
func (p *party) record(seq, n int) (key string, value []byte) {
	id := hex.EncodeToString(p.key(seq, n)[2:])
	return "/v/" + id, []byte("ok " + id)
}

// draw draws n other instances, some of them more than once if there are fewer.
func (p *party) draw(n int) (seqs []int) {
	for len(seqs) < n {
		seqs = append(seqs, p.others(n-len(seqs), func(int) bool { return true })...)
	}
	return seqs
}
