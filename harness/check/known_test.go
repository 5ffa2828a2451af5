package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

const knownFile = `
name     = "go-libp2p-kad-dht"
versions = ["v0.42.1"]

[[known]]
case   = "a/b"
reason = "not wanted: A"
link   = "https://example.org/1"
until  = 2027-06-01

[[known]]
case    = "a/c"
profile = ["base"]
reason  = "/got (eof|reset)$/"
link    = "https://example.org/2"
until   = 2026-01-01
note    = "ruling 2"
`

func known(t *testing.T) *check.Known {
	k, err := check.ReadKnown("known.toml", []byte(knownFile))
	require.NoError(t, err)
	return k
}

func TestLedgerJudges(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	l := check.NewLedger("go-libp2p-kad-dht", "v0.42.1", now, []*check.Known{known(t)}, nil)
	for _, c := range []struct {
		id, profile string
		verdict     record.Verdict
		why         string
		want        record.Verdict
		says        string
	}{
		{"a/b", "base", record.Fail, "wanted x, got y; not wanted: A", record.XFail, "https://example.org/1"},
		{"a/b", "amino", record.Warn, "wanted x, got y; not wanted: A", record.XFail, "https://example.org/1"},
		{"a/b", "base", record.Fail, "wanted x, got y; missing: B", record.Fail, "expects another reason: not wanted: A"},
		{"a/b", "base", record.Fail, "wanted x, got y; not wanted: A1", record.Fail, "expects another reason"},
		{"a/b", "base", record.Fail, "wanted x, got y; not wanted: A B", record.XFail, "https://example.org/1"},
		{"a/b", "base", record.Pass, "", record.XPass, "known.toml expects it to fail"},
		{"a/b", "base", record.Unsupported, "no", record.Unsupported, "no"},
		{"a/c", "base", record.Fail, "wanted x, got eof", record.Fail, "got eof"}, // expired
		{"a/c", "amino", record.Fail, "wanted x, got eof", record.Fail, "got eof"},
		{"a/c", "amino", record.Pass, "", record.Pass, ""},
		{"other", "base", record.Fail, "not wanted: A", record.Fail, "not wanted: A"},
	} {
		v, why := l.Judge(c.id, c.profile, c.verdict, c.why)
		require.Equal(t, c.want, v, "%+v", c)
		require.Contains(t, why, c.says)
	}
	// Built in, an expired entry still excuses: only the note says that it is old.
	l = check.NewLedger("go-libp2p-kad-dht", "v0.42.1", now, nil, []*check.Known{known(t)})
	v, _ := l.Judge("a/c", "base", record.Fail, "wanted x, got eof")
	require.Equal(t, record.XFail, v)
	v, _ = l.Judge("a/c", "base", record.Fail, "wanted x, got PING")
	require.Equal(t, record.Fail, v, "the expression does not match")
}

func TestLedgerIsOfOneImplementationAndVersion(t *testing.T) {
	for _, c := range [][2]string{{"go-libp2p-kad-dht", "v0.42.2"}, {"js-libp2p", "v0.42.1"}} {
		l := check.NewLedger(c[0], c[1], time.Now(), []*check.Known{known(t)}, nil)
		v, _ := l.Judge("a/b", "base", record.Fail, "not wanted: A")
		require.Equal(t, record.Fail, v, "%v", c)
	}
}

func TestLedgerStale(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	all := func(string) bool { return true }
	fatal, notes := check.NewLedger("go-libp2p-kad-dht", "v0.42.1", now, []*check.Known{known(t)}, nil).Stale(all)
	require.Equal(t, []string{"known.toml: a/c: expired on 2026-01-01 (https://example.org/2)"}, fatal)
	require.Empty(t, notes)
	fatal, notes = check.NewLedger("go-libp2p-kad-dht", "v0.42.1", now, nil, []*check.Known{known(t)}).Stale(all)
	require.Empty(t, fatal)
	require.Len(t, notes, 1)
	other := func(id string) bool { return id != "a/b" }
	fatal, _ = check.NewLedger("go-libp2p-kad-dht", "v0.42.1", now, []*check.Known{known(t)}, nil).Stale(other)
	require.Equal(t, "known.toml: a/b: no such case", fatal[0])
	fatal, notes = check.NewLedger("go-libp2p-kad-dht", "v0.42.1", now, nil, []*check.Known{known(t)}).Stale(other)
	require.Empty(t, fatal, "who runs plans of his own has not the project's cases among them")
	require.Len(t, notes, 1)
}

func TestReadKnownRefuses(t *testing.T) {
	entry := "name=\"x\"\n[[known]]\ncase=\"a/b\"\nreason=\"r\"\nlink=\"l\"\nuntil=2027-01-01\n"
	_, err := check.ReadKnown("k.toml", []byte(entry))
	require.NoError(t, err)
	for src, says := range map[string]string{
		"x = ":                                  "k.toml",
		"[[known]]\ncase=\"a\"":                 "name is missing",
		entry + "colour=\"red\"\n":              `unknown word "known.colour"`,
		entry + "profile=[\"ipfs\"]\n":          `profile "ipfs"`,
		"name=\"x\"\n[[known]]\ncase=\"a/b\"\n": "is missing",
		"name=\"x\"\n[[known]]\ncase=\"a/b\"\nreason=\"/(/\"\nlink=\"l\"\nuntil=2027-01-01\n": "reason",
		"name=\"x\"\n[[known]]\ncase=\"a/b\"\nreason=\"r\"\nlink=\"l\"\n":                     "until is missing",
	} {
		_, err := check.ReadKnown("k.toml", []byte(src))
		require.ErrorIs(t, err, check.ErrKnown, src)
		require.ErrorContains(t, err, says)
	}
}

func TestVerdictByLevel(t *testing.T) {
	for _, c := range []struct {
		level  plan.Level
		strict bool
		want   record.Verdict
	}{
		{plan.Must, false, record.Fail}, {plan.Must, true, record.Fail},
		{plan.Should, false, record.Warn}, {plan.Should, true, record.Fail},
		{plan.May, true, record.Pass}, {plan.Info, true, record.Pass},
	} {
		require.Equal(t, c.want, check.Verdict(c.level, true, c.strict), "%v", c)
		require.Equal(t, record.Pass, check.Verdict(c.level, false, c.strict))
	}
}
