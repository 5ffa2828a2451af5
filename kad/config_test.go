package kad

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each preset is sound, and a field out of its bounds is named.
func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{}, Current(), Classic(), Amino()} {
		require.NoError(t, cfg.Check())
	}
	for field, cfg := range map[string]Config{
		"K":                       {K: 256},
		"Beta":                    {Beta: 21},
		"BucketSize":              {BucketSize: 256},
		"Mode":                    {Mode: 3},
		"CacheCandidates":         {CacheCandidates: 21},
		"EvictAfter":              {EvictAfter: 8},
		"Limits.ProvidersPerKey":  {Limits: Limits{ProvidersPerKey: 1 << 20}},
		"Limits.ProviderKeyBytes": {Limits: Limits{ProviderKeyBytes: -5}},
	} {
		err := cfg.Check()
		require.ErrorIs(t, err, ErrConfig, field)
		require.ErrorContains(t, err, field+" is")
	}
	require.Equal(t, 36*Hour, Classic().RecordTTL)
	require.Equal(t, 24*Hour, Classic().ProviderTTL)
	require.Equal(t, 24*Hour, Classic().PublicationInterval)
	require.True(t, Classic().QuorumEndsGet)
	require.Equal(t, 10, Amino().Alpha)
	require.Equal(t, 3, Amino().Beta)
	require.Equal(t, 48*Hour, Current().RecordTTL)
	require.Equal(t, 22*Hour, Current().PublicationInterval)
	require.Equal(t, 3, Current().Alpha)
}

// Each number of a Config has bounds: far above them and far below them it is refused, by its name. Of the spans those that
// nothing could end without may not be negative; the others are turned off by it.
func TestConfigBounds(t *testing.T) {
	needed := map[string]bool{"QueryTimeout": true, "PeerTimeout": true, "PendingTimeout": true}
	// refuse sets one field of a configuration to a value and wants it refused, or not.
	var cfg Config
	refuse := func(name string, field reflect.Value, value int64, refused bool) {
		field.SetInt(value)
		err := cfg.Check()
		field.SetInt(0)
		if !refused {
			require.NoError(t, err, name)
			return
		}
		require.ErrorIs(t, err, ErrConfig, name)
		require.ErrorContains(t, err, name+" is")
	}
	numbers := 0
	walk := func(prefix string, fields reflect.Value) {
		for i := range fields.NumField() {
			name, field := prefix+fields.Type().Field(i).Name, fields.Field(i)
			switch field.Interface().(type) {
			case int:
				refuse(name, field, 1<<40, true)
				refuse(name, field, -2, true)
			case Duration:
				refuse(name, field, int64(maxSpan), false)
				refuse(name, field, int64(maxSpan)+1, true)
				refuse(name, field, -1, needed[name])
			default:
				continue
			}
			numbers++
		}
	}
	walk("", reflect.ValueOf(&cfg).Elem())
	walk("Limits.", reflect.ValueOf(&cfg.Limits).Elem())
	require.Equal(t, 31, numbers)
}

// The table of presets in the package's documentation says in what they differ: each field that does has its row, and each
// row is true.
func TestPresetTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	rows := map[string][]string{}
	for line := range strings.Lines(string(doc)) {
		if words := strings.Fields(strings.TrimPrefix(line, "//")); len(words) > 3 {
			rows[words[0]] = words[1:4]
		}
	}
	require.Equal(t, []string{"Current", "Classic", "Amino"}, rows["Config"])
	show := func(v any) string {
		switch v := v.(type) {
		case Mode:
			return v.String()
		case bool:
			return map[bool]string{true: "yes", false: "no"}[v]
		case Duration:
			if v < 0 {
				return "off"
			}
			return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(time.Duration(v).String())
		}
		return fmt.Sprint(v)
	}
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		var values []string
		for _, preset := range []Config{Current(), Classic(), Amino()} {
			if v := reflect.ValueOf(preset).Field(i); v.Kind() != reflect.Func {
				values = append(values, show(v.Interface()))
			}
		}
		if len(slices.Compact(slices.Clone(values))) > 1 {
			require.Equal(t, values, rows[fields.Field(i).Name], fields.Field(i).Name)
		}
	}
}
