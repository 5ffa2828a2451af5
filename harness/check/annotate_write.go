package check

import (
	"fmt"
	"io"
	"strings"
)

const (
	// hexWidth is how many bytes stand on one line, hexLines how many lines a value gets before it is cut.
	hexWidth = 16
	hexLines = 3
)

// WriteAnnotated prints Annotate's rows in columns: offset, bytes, path, meaning. Fields of an embedded message are
// indented, and a fault is marked with "!":
//
//	0  08 04                  type                FIND_NODE (4)
//	2  42 08                  closerPeers[0]      8 bytes
//	4    0a 03 61 62 63       closerPeers[0].id   no peer id: "abc"
//	9    12 08 04             closerPeers[0].addrs[0]  ! cut short: less is left than the field needs; 3 bytes from here on
func WriteAnnotated(w io.Writer, b []byte, framed bool) error {
	rows := Annotate(b, framed)
	hex := make([][]string, len(rows))
	hexColumn, pathColumn := 0, 0
	for i, r := range rows {
		hex[i] = hexOf(b, r)
		for _, line := range hex[i] {
			hexColumn = max(hexColumn, len([]rune(line)))
		}
		pathColumn = max(pathColumn, len(r.Path))
	}
	offsetColumn := max(4, len(fmt.Sprint(len(b))))
	var out strings.Builder
	for i, r := range rows {
		text := r.Text
		if r.Err != nil {
			text = strings.TrimSuffix("! "+r.Err.Error()+"; "+text, "; ")
		}
		fmt.Fprintf(&out, "%*d  %-*s  %-*s  %s\n", offsetColumn, r.Offset, hexColumn, hex[i][0], pathColumn, r.Path, text)
		for _, line := range hex[i][1:] {
			fmt.Fprintf(&out, "%*s  %s\n", offsetColumn, "", line)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// hexOf is a row's bytes as lines: of an embedded message its tag and length, of anything else all of it, up to hexLines.
func hexOf(b []byte, r Row) []string {
	indent := strings.Repeat("  ", r.Depth)
	if r.Nested {
		return []string{indent + fmt.Sprintf("% x", b[r.Offset:r.Offset+r.Head])}
	}
	var lines []string
	for at, end := r.Offset, r.Offset+r.Len; at < end; at += hexWidth {
		if len(lines) == hexLines {
			lines[len(lines)-1] += " …"
			break
		}
		lines = append(lines, indent+fmt.Sprintf("% x", b[at:min(at+hexWidth, end)]))
	}
	if lines == nil {
		lines = []string{""}
	}
	return lines
}
