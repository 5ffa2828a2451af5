package kadtest

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

// Grind finds bytes that begin with a name and whose key begins with the given bits ("0101"). Twelve bits take a
// millisecond.
func Grind(name, bits string) []byte {
	if bits == "" {
		return []byte(name)
	}
	for i := 0; ; i++ {
		b := fmt.Appendf(nil, "%s-%d", name, i)
		if strings.HasPrefix(fmt.Sprintf("%08b%08b%08b", kad.KeyOf(b)[0], kad.KeyOf(b)[1], kad.KeyOf(b)[2]), bits) {
			return b
		}
	}
}

// key reads a key of a script: a node's name is its id, bits:0101 is a key in that part of the keyspace, len:81 one of
// that length, anything else itself.
func (e *Env) key(text string) []byte {
	if n, err := e.Node(text); err == nil {
		return n.ID
	}
	if bits, ok := strings.CutPrefix(text, "bits:"); ok {
		return Grind("key", bits)
	}
	var n int
	if _, err := fmt.Sscanf(text, "len:%d", &n); err == nil {
		return []byte(strings.Repeat("x", n))
	}
	return []byte(text)
}
