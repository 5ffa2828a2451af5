package check_test

import (
	"testing"

	"github.com/kadbench/kadbench/harness/check"
)

// FuzzMessage: whatever decodes can be shown, and its fields lie inside it.
func FuzzMessage(f *testing.F) {
	f.Add([]byte{0x08, 0x04, 0x12, 0x01, 'k'})
	f.Add([]byte{0x1a, 0x03, 0x0a, 0x01, 'k', 0x1a, 0x03, 0x12, 0x01, 'v'})
	f.Add([]byte{0x18, 0x05, 0x42, 0x04, 0x0a, 0x02, 0x00, 0x24})
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := check.NewMessage(body)
		if err != nil {
			return
		}
		check.Summary(m, nil)
		for _, name := range []string{"key", "record", "closerPeers", "providerPeers", "clusterLevelRaw"} {
			field, ok := m.Field(name)
			if !ok {
				t.Fatalf("no field %s", name)
			}
			inside(t, body, field)
		}
	})
}

func inside(t *testing.T, body []byte, f check.Field) {
	if s := f.Span; s.From < 0 || s.To < s.From || s.To > len(body) {
		t.Fatalf("span %+v of a message of %d bytes", s, len(body))
	}
	check.Hex(body, f.Span)
	for _, part := range f.Parts {
		inside(t, body, part)
	}
	for _, item := range f.Items {
		inside(t, body, item.Field)
	}
}
