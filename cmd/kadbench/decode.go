package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/report"
)

// decodeCmd shows a message.
type decodeCmd struct {
	Input string `arg:"" optional:"" help:"Hex digits, base64, a file, or - for stdin (the default)."`
	Bare  bool   `help:"The bytes are a message without its length in front."`
	JSON  bool   `help:"Print an array of {path, offset, length, text, error}."`
}

func (decodeCmd) Help() string {
	return `The input is taken as hex digits where it has nothing but these and blanks (a 0x or hex: in front is fine); else as base64, the form of frames in a log, where it is that and a sound message; else as bytes. Frames, each with its length in front, are shown one after another; bytes which are sound only as one message without a length are taken as that. What is not plain is said on stderr.

Bad bytes end with exit code 1 and say what is wrong, and at which offset.

Examples:

    kadbench decode 0408045000
    kadbench decode frame.bin
    jq -r 'select(.type=="frame") | .bytes' out/results.jsonl | head -1 | kadbench decode`
}

// maxDecode bounds what decode reads: 16 frames of the largest size.
const maxDecode = 64 << 20

// input is the bytes to decode, and what an error calls them.
func (d *decodeCmd) input(a *app) (data []byte, name string, err error) {
	switch st, statErr := os.Stat(d.Input); {
	case d.Input == "" || d.Input == "-":
		data, err = readLimited(a.stdin)
		name = "stdin"
	case statErr == nil && st.Mode().IsRegular():
		var f *os.File
		if f, err = os.Open(d.Input); err == nil {
			defer f.Close()
			data, err = readLimited(f)
		}
		name = d.Input
	default:
		if data, ok, hexErr := fromHex([]byte(d.Input)); ok {
			return data, "argument", hexErr
		}
		if data, ok := d.fromBase64(a, []byte(d.Input)); ok {
			return data, "argument", nil
		}
		return nil, "", usage("decode: %q is neither a file nor hex digits, nor a message in base64", d.Input)
	}
	if err != nil {
		return nil, name, usage("decode: %v", err)
	}
	if len(data) == 0 {
		return nil, name, usage("decode: %s: no bytes", name)
	}
	if fromText, ok, hexErr := fromHex(data); ok {
		return fromText, name, hexErr
	}
	if fromText, ok := d.fromBase64(a, data); ok {
		return fromText, name, nil
	}
	return data, name, nil
}

func readLimited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDecode+1))
	if err == nil && len(data) > maxDecode {
		err = fmt.Errorf("more than %d bytes", maxDecode)
	}
	return data, err
}

// fromHex reads hex digits with blanks between; ok says whether the text has nothing else in it.
func fromHex(text []byte) (data []byte, ok bool, err error) {
	s := strings.TrimSpace(string(text))
	s = strings.TrimPrefix(strings.TrimPrefix(s, "hex:"), "0x")
	var digits strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
		case strings.ContainsRune("0123456789abcdefABCDEF", r):
			digits.WriteRune(r)
		default:
			return nil, false, nil
		}
	}
	if digits.Len() == 0 {
		return nil, false, nil
	}
	if digits.Len()%2 != 0 {
		return nil, true, usage("decode: %d hex digits, an even number was expected", digits.Len())
	}
	data, err = hex.DecodeString(digits.String())
	return data, true, err
}

// fromBase64 reads base64; ok says whether the text is that, and what it says a sound message. Else it may as well be a
// word, or bytes that look like text.
func (d *decodeCmd) fromBase64(a *app, text []byte) (data []byte, ok bool) {
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(data) == 0 || !sound(data, true) && !sound(data, false) {
		return nil, false
	}
	fmt.Fprintf(a.stderr, "note: taken as base64, %s\n", report.Plural(len(data), "byte"))
	return data, true
}

// Run prints the bytes as they can be read. What cannot be is an error after that, with its place.
func (d *decodeCmd) Run(a *app) error {
	data, name, err := d.input(a)
	if err != nil {
		return err
	}
	framed := !d.Bare && (sound(data, true) || !sound(data, false)) // frames where both readings are sound, or neither
	if !framed && !d.Bare {
		fmt.Fprintf(a.stderr, "note: taken as one message without its length in front\n")
	}
	if d.JSON {
		if err := decodeJSON(a.stdout, check.Annotate(data, framed)); err != nil {
			return err
		}
	} else if err := check.WriteAnnotated(a.stdout, data, framed); err != nil {
		return err
	}
	for _, row := range check.Annotate(data, framed) {
		if row.Err != nil {
			what := row.Path
			if what == "" {
				what = "message"
			}
			fmt.Fprintf(a.stderr, "kadbench: decode: %s: %s at byte %d: %v\n", name, what, row.Offset, row.Err)
			return &exitError{code: 1}
		}
	}
	return nil
}

// sound says whether bytes are frames, or one message without a length, with nothing wrong in them.
func sound(data []byte, framed bool) bool {
	return !slices.ContainsFunc(check.Annotate(data, framed), func(r check.Row) bool { return r.Err != nil })
}

// decodeJSON prints the rows as an array; the content of a field is left to whoever has the bytes.
func decodeJSON(w io.Writer, rows []check.Row) error {
	type row struct {
		Path   string `json:"path"`
		Offset int    `json:"offset"`
		Length int    `json:"length"`
		Text   string `json:"text"`
		Error  string `json:"error,omitempty"`
	}
	list := make([]row, 0, len(rows))
	for _, r := range rows {
		one := row{Path: r.Path, Offset: r.Offset, Length: r.Len, Text: r.Text}
		if r.Err != nil {
			one.Error = r.Err.Error()
		}
		list = append(list, one)
	}
	return printJSON(w, list)
}
