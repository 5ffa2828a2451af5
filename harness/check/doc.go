// Package check judges: it holds a message against the matchers of a plan's line, and says what differs in words that
// name peers as the plan does.
//
//	m, err := check.NewMessage(body)                        // decoded, with the place of each field in the bytes
//	captures, miss, err := check.Judge(m, want.Match, env, names)
//	switch {
//	case err != nil: // the plan's fault
//	case miss != nil:
//		fmt.Println(miss.Got, miss.Diff)                      // FIND_NODE closerPeers: S7 A S2 … (20)  not wanted: A; missing: S12
//		fmt.Println(check.Hex(body, miss.Span), check.Where(miss.What, miss.Span))
//	}
//
// Lists compare as sets: peers by their ids, addresses by their bytes without a trailing /p2p of their own peer. The
// values to compare with come from an Env, which the runner implements; Namer turns ids back into names.
//
// Verdict says what a miss means at the level of its clause. A Ledger knows which failures of an implementation are
// known (fixtures/known/*.toml), and turns those into xfail, and their absence into xpass:
//
//	known, err := check.ReadKnown("go-libp2p.toml", src)
//	ledger := check.NewLedger(hello.Name, hello.Version, time.Now(), nil, []*check.Known{known})
//	verdict, why := ledger.Judge("put-value/keys-differ", "base", record.Fail, check.Why(failure))
//
// Annotate explains bytes field by field, for `kadbench decode` and whoever reads a log.
//
// Nothing here imports the reference implementation: the judge shares no code with the accused beyond the wire format.
package check
