package kadtest

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

// ErrBad is what Seq says of a value that begins with "bad".
var ErrBad = errors.New("record: bad value")

// Seq is the Validator of the scripts: a value "2:text" has the sequence number 2, and the greater one is the better; a
// value without a number ranks below all others; one that begins with "bad" is not valid.
type Seq struct{}

// Validate gives a value's rank.
func (Seq) Validate(key, value []byte, now kad.Time) ([]byte, error) {
	text := string(value)
	if strings.HasPrefix(text, "bad") {
		return nil, ErrBad
	}
	number, _, _ := strings.Cut(text, ":")
	if n, err := strconv.ParseUint(number, 10, 64); err == nil {
		return binary.BigEndian.AppendUint64(nil, n), nil
	}
	return nil, nil
}
