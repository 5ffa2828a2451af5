package p2p

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// A timer that rings late says that nothing of this process ran meanwhile. Each moment counts once, whatever is stepped in it.
func TestLate(t *testing.T) {
	at := func(ms int) kad.Time { return kad.Time(time.Duration(ms) * time.Millisecond) }
	lasts := func(ms int) kad.Duration { return kad.Duration(at(ms)) }
	n := &Node{armed: at(100), rings: at(101)}
	require.Zero(t, n.late(at(90)), "before it")
	require.Zero(t, n.late(at(125)), "as late as timers are")
	require.Equal(t, lasts(25), n.late(at(126)))
	require.Zero(t, n.late(at(130)), "it has been counted")
	require.Equal(t, lasts(74), n.late(at(200)), "and it still does not ring")
	n.armed = 0
	require.Zero(t, n.late(at(900)), "nothing is due")
}
