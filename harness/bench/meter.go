package bench

import (
	"time"

	"github.com/kadbench/kadbench/internal/usage"
)

// meter takes the processor time of the server, of this process, and of the whole machine at both ends of the span.
type meter struct {
	turn        *turn
	first, last reading
	ended       bool
}

type reading struct {
	at                  time.Time
	server, own, busy   time.Duration
	processors          int // of the machine
	serverOK, machineOK bool
}

func (m *meter) read() (r reading) {
	r.at = time.Now()
	r.own = usage.CPU()
	if m.turn.CPU != nil {
		var err error
		r.server, err = m.turn.CPU()
		r.serverOK = err == nil
	}
	r.busy, r.processors, r.machineOK = machineCPU()
	return r
}

func (m *meter) begin() { m.first = m.read() }

func (m *meter) end() {
	if !m.ended && !m.first.at.IsZero() {
		m.ended, m.last = true, m.read()
	}
}

// into writes what was metered. What others took is what the machine was busy beyond the server and this process; the
// machine counts in hundredths of a second, so a short turn may come out below 0.
func (m *meter) into(r *Result) {
	a, b := m.first, m.last
	r.ServerCPU, r.Foreign = -1, -1
	if !m.ended {
		return
	}
	r.ClientCPU = b.own - a.own
	server := time.Duration(0)
	if a.serverOK && b.serverOK && b.server >= a.server { // else a part of it has ended, and took its time along
		server = b.server - a.server
		r.ServerCPU = server
	}
	if a.machineOK && b.machineOK && r.ServerCPU >= 0 {
		others := (b.busy - a.busy) - r.ClientCPU - server
		all := float64(b.at.Sub(a.at)) * float64(b.processors)
		r.Foreign = min(max(float64(others)/all, 0), 1)
	}
}
