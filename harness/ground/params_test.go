package ground

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func aCase() *Case {
	return &Case{Name: "a", Min: 1, Max: 10, Default: 2, Run: func(context.Context, *Instance) error { return nil },
		Params: []Param{
			{Name: "alpha", Type: "int", Default: "3"},
			{Name: "share", Type: "float", Default: "0.1"},
			{Name: "server", Type: "bool", Default: "false"},
			{Name: "delay", Type: "duration", Default: "25ms"},
			{Name: "size", Type: "size", Default: "64KiB"},
			{Name: "kind", Type: "string", Default: ""},
		}}
}

func TestParamsAreWhatIsGivenOrElseTheDefault(t *testing.T) {
	c := aCase()
	require.NoError(t, c.Check())
	p, err := c.Parse(nil)
	require.NoError(t, err)
	assert.Equal(t, 3, p.Int("alpha"))
	assert.Equal(t, 0.1, p.Float("share"), "all 64 bits of it")
	assert.False(t, p.Bool("server"))
	assert.Equal(t, 25*time.Millisecond, p.Duration("delay"))
	assert.EqualValues(t, 64<<10, p.Size("size"))
	assert.Empty(t, p.Text("kind"))

	p, err = c.Parse(map[string]string{"alpha": "-7", "server": "true", "size": "10MB", "kind": "a,b", "delay": "null"})
	require.NoError(t, err)
	assert.Equal(t, -7, p.Int("alpha"))
	assert.True(t, p.Bool("server"))
	assert.EqualValues(t, 10e6, p.Size("size"))
	assert.Equal(t, "a,b", p.Text("kind"))
	assert.Equal(t, 25*time.Millisecond, p.Duration("delay"), "null is none at all")
	assert.PanicsWithValue(t, `the case has no parameter "beta"`, func() { p.Int("beta") })
	assert.PanicsWithValue(t, `parameter kind=a,b: it was declared as another type`, func() { p.Int("kind") })
}

func TestParamsRefused(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"beta", "3", `parameter beta: case a has none of this name: expected alpha, share, server, delay, size, kind`},
		{"alpha", "three", `parameter alpha: "three" is no int: expected something like 20 (default "3")`},
		{"share", "", `parameter share: "" is no float: expected something like 0.5 (default "0.1")`},
		{"server", "yes", `parameter server: "yes" is no bool: expected something like true or false (default "false")`},
		{"delay", "25", `parameter delay: "25" is no duration: expected something like 1m30s (default "25ms")`},
		{"size", "-1", `parameter size: "-1" is no size: expected something like 64KiB (default "64KiB")`},
		{"size", "9007199254740992GiB", `parameter size: "9007199254740992GiB" is no size: expected something like 64KiB (default "64KiB")`},
		{"share", "NaN", `parameter share: "NaN" is no float: expected something like 0.5 (default "0.1")`},
		{"kind", "x=y", `parameter kind: "x=y" has = or |, which Testground takes for the end of a value`},
		{"kind", "p|q", `parameter kind: "p|q" has = or |, which Testground takes for the end of a value`},
	} {
		_, err := aCase().Parse(map[string]string{c.name: c.value})
		require.ErrorIs(t, err, ErrParam)
		assert.EqualError(t, err, c.want)
	}
}

func TestACaseIsChecked(t *testing.T) {
	for want, change := range map[string]func(c *Case){
		"its name":                           func(c *Case) { c.Name = "find peers" },
		"Run was expected":                   func(c *Case) { c.Run = nil },
		"1 <= min <= default <= max":         func(c *Case) { c.Default = 11 },
		"a name of its own":                  func(c *Case) { c.Params[1].Name = "alpha" },
		`type "number": expected bool, du`:   func(c *Case) { c.Params[0].Type = "number" },
		`default "": expected a int without`: func(c *Case) { c.Params[0].Default = "" },
		`default "a|b": expected a string`:   func(c *Case) { c.Params[5].Default = "a|b" },
	} {
		c := aCase()
		change(c)
		assert.ErrorContains(t, c.Check(), want)
	}
}
