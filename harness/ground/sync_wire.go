package ground

import (
	"encoding/json"
	"fmt"

	tgsync "github.com/testground/sync-service"
)

// request is Testground's Request, with the payload left as it was written: as an any, a number above 2^53 would be rounded.
type request struct {
	ID          string                     `json:"id"`
	Cancel      bool                       `json:"is_cancel"`
	Publish     *publishing                `json:"publish,omitempty"`
	Subscribe   *tgsync.SubscribeRequest   `json:"subscribe,omitempty"`
	Barrier     *tgsync.BarrierRequest     `json:"barrier,omitempty"`
	SignalEntry *tgsync.SignalEntryRequest `json:"signal_entry,omitempty"`
	// Will is what our service does for a client whose connection is lost without a goodbye: it publishes and enters states. The
	// last one counts, and has no response. Testground's service passes over it.
	Will []request `json:"will,omitempty"`
}

type publishing struct {
	Topic   string          `json:"topic"`
	Payload json.RawMessage `json:"payload"`
}

// maxRequest is where Testground's service ends the connection of whoever sends more.
const maxRequest = 32_768

// encode is the request as it goes over a socket.
func (r *request) encode() ([]byte, error) {
	text, err := json.Marshal(r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrItem, err)
	case len(text) > maxRequest:
		return nil, fmt.Errorf("%w: a request of %d bytes: expected %d at the most", ErrItem, len(text), maxRequest)
	}
	return text, nil
}
