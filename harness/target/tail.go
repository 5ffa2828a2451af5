package target

import (
	"bytes"
	"sync"
)

// tailLimit is how much of a target's stderr is kept, in bytes: a Go panic with a hundred goroutines has about 60 KB, and
// the reports of a run with hundreds of failures stay readable.
const tailLimit = 64 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	buf  []byte
	lost int
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailLimit; over > 0 {
		t.lost += over
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost > 0 { // begin at a whole line
		if _, rest, ok := bytes.Cut(t.buf, []byte("\n")); ok {
			return string(rest)
		}
	}
	return string(t.buf)
}

// lastLine is what a program said last: for most, why it ended. For a Go panic the first of its lines says more.
func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.buf), []byte("\n"))
	for _, l := range lines {
		if bytes.HasPrefix(l, []byte("panic: ")) || bytes.HasPrefix(l, []byte("fatal error: ")) {
			return string(bytes.TrimSpace(l))
		}
	}
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}
