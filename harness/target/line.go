package target

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// LineLimit is the longest line on a control channel: a value of 4 MiB is 5.6 MB in base64, and a get_record may
	// list a few of them.
	LineLimit = 16 << 20
	// quoted is how much of a line we show.
	quoted = 120
)

var errLine = fmt.Errorf("a line of more than %d bytes", LineLimit)

// readLine reads one line without its end. An error other than io.EOF says that the channel is of no more use. The
// last line may lack its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > LineLimit:
			return nil, errLine
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) > 0:
			return line, nil
		case err != nil:
			return nil, err
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

// quote shows a line, or its beginning, as one line of text.
func quote(line []byte) string {
	if len(line) > quoted {
		return fmt.Sprintf("%.*q… (%d bytes)", quoted, line, len(line))
	}
	return fmt.Sprintf("%q", line)
}

// request is a line to a target. ID is kept as it came: a cancel names it.
type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
}

// response is a line from a target: a result or an error.
type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// parseRequest reads a line to a target; an *Error is what to answer.
func parseRequest(line []byte) (request, error) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return r, &Error{Code: CodeParse, Message: fmt.Sprintf("line %s: %v: expected a JSON object", quote(line), err)}
		}
		return r, &Error{Code: CodeRequest, Message: fmt.Sprintf("line %s: %v", quote(line), err)}
	}
	if r.Version != "2.0" || r.Method == "" || !validID(r.ID) {
		return r, &Error{Code: CodeRequest, Message: fmt.Sprintf(`line %s: expected "jsonrpc":"2.0", an "id" and a "method"`, quote(line))}
	}
	return r, nil
}

// validID: a string or a number. JSON-RPC's requests without an id are notifications; this protocol has none.
func validID(id json.RawMessage) bool {
	return len(id) > 0 && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}

// parseResponse reads a line from a target.
func parseResponse(line []byte) (response, error) {
	var r response
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("%w: line %s: %w: expected a JSON-RPC response", ErrProtocol, quote(line), err)
	}
	switch {
	case r.Version != "2.0":
		return r, fmt.Errorf(`%w: line %s: expected "jsonrpc":"2.0"`, ErrProtocol, quote(line))
	case r.Error == nil && r.Result == nil:
		return r, fmt.Errorf("%w: line %s: expected a result or an error", ErrProtocol, quote(line))
	case r.Error != nil && r.Result != nil && string(r.Result) != "null":
		return r, fmt.Errorf("%w: line %s: expected a result or an error, not both", ErrProtocol, quote(line))
	}
	return r, nil
}
