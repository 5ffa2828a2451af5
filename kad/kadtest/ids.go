package kadtest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

// maxBits is how many leading bits of a key can be asked for: 20 take a million hashes, a quarter of a second.
const maxBits = 20

// Grind finds bytes that begin with a name and whose key begins with the given bits ("0101"). Twelve bits take a
// millisecond; more than 20, and anything but 0 and 1, are refused.
func Grind(name, bits string) ([]byte, error) {
	if bits == "" {
		return []byte(name), nil
	}
	if len(bits) > maxBits || strings.Trim(bits, "01") != "" {
		return nil, fmt.Errorf("bits %q of %s: at most %d, each 0 or 1, wanted", bits, name, maxBits)
	}
	for i := 0; ; i++ {
		b := fmt.Appendf(nil, "%s-%d", name, i)
		if k := kad.KeyOf(b); strings.HasPrefix(fmt.Sprintf("%08b%08b%08b", k[0], k[1], k[2]), bits) {
			return b, nil
		}
	}
}

// key reads a key of a script: a node's name is its id, bits:0101 is a key in that part of the keyspace, len:81 one of
// that length, anything else itself.
func (e *Env) key(text string) ([]byte, error) {
	if n, err := e.Node(text); err == nil {
		return n.ID, nil
	}
	if bits, ok := strings.CutPrefix(text, "bits:"); ok {
		return Grind("key", bits)
	}
	if length, ok := strings.CutPrefix(text, "len:"); ok {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > maxKeyLength {
			return nil, fmt.Errorf("key %s: a length of 0 to %d wanted", text, maxKeyLength)
		}
		return bytes.Repeat([]byte{'x'}, n), nil
	}
	return []byte(text), nil
}

// maxKeyLength is the longest key that a script can make: a frame of 4 MiB, the longest that anybody reads.
const maxKeyLength = 4 << 20
