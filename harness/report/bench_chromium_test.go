package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openLoads renders the page of those logs and opens it.
func openLoads(t *testing.T, b *browser, names ...string) (url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte(render(t, loaded(t, names...), Options{})), 0o644))
	url = "file://" + filepath.ToSlash(path)
	b.open(url)
	b.until("document.querySelectorAll('.plot').length > 0 && [...document.querySelectorAll('.plot')].every(p => p.querySelector('canvas'))")
	return url
}

// numbersOf is the table below the plot of that title.
func (b *browser) numbersOf(title string) string {
	b.eval("document.querySelectorAll('figure details').forEach(d => { d.open = true; }), 0")
	b.until("[...document.querySelectorAll('figure table.grid')].every(t => t.tBodies.length)")
	s, _ := b.eval(`([...document.querySelectorAll('figure')].find(f => f.querySelector('b').innerText === '` + title + `') || {querySelector: () => ({innerText: 'no such plot'})}).querySelector('table.grid').innerText`).(string)
	return strings.Join(strings.Fields(s), " ")
}

func TestLoadsInABrowser(t *testing.T) {
	b := startBrowser(t)
	url := openLoads(t, b, "monday")
	assert.Equal(t, "Requests answered | Server CPU for a request | Service, median | Service, 99th percentile | Latency by percentile | "+
		"Requests answered in each second | Service in each second, median | Service in each second, 99th percentile | "+
		"Requests answered by round | Server CPU for a request by round | Service by round, 99th percentile | Processors that others kept busy by round", b.titles())
	assert.Equal(t, "ref 127,604 (126,448–128,155) go 27,846 (27,776–28,258) echo 149,716 (149,310–151,076)", b.numbersOf("Requests answered"))
	for i, colour := range []string{"--c0", "--c1", "--c2"} {
		assert.Greater(t, b.eval("("+inked+")(0, '"+colour+"')"), 50.0, "the bar of target %d", i)
		assert.Greater(t, b.eval("("+inked+")(4, '"+colour+"')"), 50.0, "its curve")
	}
	assert.Zero(t, b.eval("("+inked+")(0, '--c3')"), "there is no fourth")
	assert.Contains(t, b.numbersOf("Latency by percentile"), " p99 429 µs 2.55 ms 356 µs p")
	assert.Contains(t, b.numbersOf("Server CPU for a request by round"), "round ref go echo 1 8.00 µs 57.5 µs")

	// One round alone has no least and most, and other numbers.
	all := b.numbersOf("Requests answered in each second")
	assert.Contains(t, all, "–")
	b.eval(`{const s = [...document.querySelectorAll('.controls select')].pop(); s.selectedIndex = 2; s.dispatchEvent(new Event('change'))} 0`)
	one := b.numbersOf("Requests answered in each second")
	assert.NotEqual(t, all, one)
	assert.NotContains(t, one, "–")
	assert.Empty(t, b.faults)
	for _, asked := range b.requests {
		assert.True(t, strings.HasPrefix(asked, url) || strings.HasPrefix(asked, "data:"), asked)
	}
}

// Several logs, and a sweep, stand side by side; a point of them is chosen.
func TestLoadsSideBySide(t *testing.T) {
	b := startBrowser(t)
	openLoads(t, b, "monday", "tuesday")
	assert.Contains(t, b.text(".loads"), "Side by side")
	assert.Equal(t, "log ref go echo monday 127,604 (126,448–128,155) 27,846 (27,776–28,258) 149,716 (149,310–151,076) tuesday 128,189 (127,673–129,353) 25,338 (25,104–25,437) 149,782 (148,932–151,645)",
		b.numbersOf("Requests answered"))
	assert.Contains(t, b.text("main"), "go-libp2p-kad-dht v0.42.1, go-libp2p-kad-dht v0.43.0")
	before := b.numbersOf("Latency by percentile")
	b.eval(`{const s = [...document.querySelectorAll('.controls select')].find(s => s.options[0].text === 'log=monday'); s.selectedIndex = 1; s.dispatchEvent(new Event('change'))} 0`)
	assert.NotEqual(t, before, b.numbersOf("Latency by percentile"))

	openLoads(t, b, "max")
	assert.NotContains(t, b.titles(), "by round")
	assert.Equal(t, "streams ref go 8 48,000 12,000 64 96,000 24,000", b.numbersOf("Highest rate at which all needs held"))

	assert.Contains(t, b.numbersOf("Latency from due by rate, 99th percentile"), "ms, missed")

	// Of an open load alone latencies count from due; with what the turns differ by.
	openLoads(t, b, "open")
	assert.Contains(t, b.titles(), "Latency from due in each second, 99th percentile | ")
	assert.Equal(t, "ref 221 µs (221–223 µs) go ≥ 5.00 s far 2.88 ms (2.86–2.89 ms)", b.numbersOf("Latency from due, 99th percentile"))
	assert.True(t, strings.Contains(b.text(".needs tbody tr"), "MISSED"), "what was missed stands first")

	// Loads and networks in one page.
	openLoads(t, b, "open", "network", "cut")
	titles := b.titles()
	for _, want := range []string{"Requests that failed in each second", "Heap of a node", "CPU of an operation", "Hops", "Latency by percentile | "} {
		assert.Contains(t, titles, want)
	}
	assert.Contains(t, b.text("main"), "Targets side by side")
	assert.Contains(t, b.text("main"), "echo: the log was cut off after 1 of 5 turns")
	assert.Contains(t, b.text("main"), "≥ 5.00 s")
	assert.NotContains(t, b.text("main"), "simulated time")
	assert.Empty(t, b.faults)
}

func TestLoadsOnAPhone(t *testing.T) {
	b := startBrowser(t)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	for _, name := range []string{"monday", "open", "max", "cut", "network"} {
		openLoads(t, b, name)
		assert.LessOrEqual(t, b.eval("document.documentElement.scrollWidth"), 390.0, "%s: %v", name,
			b.eval("[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 391 && !e.closest('.scroll')).slice(0, 5).map(e => e.outerHTML.slice(0, 150)).join('  |  ')"))
	}
}
