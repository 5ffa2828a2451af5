package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openSimulations renders the page of those logs and opens it.
func openSimulations(t *testing.T, b *browser, names ...string) (url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte(render(t, simulated(t, names...), Options{})), 0o644))
	url = "file://" + filepath.ToSlash(path)
	b.open(url)
	b.until("document.querySelectorAll('.plot').length > 0 && [...document.querySelectorAll('.plot')].every(p => p.querySelector('canvas'))")
	return url
}

// titles of the plots, in order.
func (b *browser) titles() string {
	s, _ := b.eval(`[...document.querySelectorAll('figcaption b')].map(e => e.innerText).join(' | ')`).(string)
	return s
}

// inked says whether a canvas has something drawn on it in that colour (a custom property of the style).
const inked = `(n, name) => {
  const drawn = document.querySelectorAll('.plot canvas')[n], c = document.createElement('canvas'), probe = c.getContext('2d', {willReadFrequently: true});
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim(); probe.fillRect(0, 0, 1, 1);
  const want = probe.getImageData(0, 0, 1, 1).data, got = document.createElement('canvas');
  got.width = drawn.width; got.height = drawn.height;
  const copy = got.getContext('2d', {willReadFrequently: true});
  copy.drawImage(drawn, 0, 0);
  const all = copy.getImageData(0, 0, got.width, got.height).data;
  let found = 0;
  for (let i = 0; i < all.length; i += 4) found += all[i] === want[0] && all[i + 1] === want[1] && all[i + 2] === want[2] && all[i + 3] === 255;
  return found;
}`

func TestSimulationsInABrowser(t *testing.T) {
	b := startBrowser(t)
	url := openSimulations(t, b, "sweep")
	// alpha along x, a line for each beta, a panel for each k; each plot has its table below.
	assert.Contains(t, b.text(".plots"), "Latency, median (lookup)")
	assert.True(t, strings.HasPrefix(b.titles(), "k=10 | k=20 | "), b.titles())
	assert.Equal(t, "alpha beta=1 beta=3 1 540 ms (471–611 ms) 552 ms (503–645 ms) 3 539 ms (480–623 ms) 549 ms (470–598 ms) 10 504 ms (458–546 ms) 529 ms (501–583 ms)",
		strings.Join(strings.Fields(b.text("figure table.grid")), " "), "the table of the first plot")
	figures := b.eval("document.querySelectorAll('figure').length")
	assert.Equal(t, figures, b.eval("[...document.querySelectorAll('figure')].filter(f => f.querySelector('table.grid')).length"), "a table for each plot")
	assert.Greater(t, b.eval("("+inked+")(0, '--c0')"), 50.0, "the first line")
	assert.Greater(t, b.eval("("+inked+")(0, '--c1')"), 50.0, "the second")
	assert.Zero(t, b.eval("("+inked+")(0, '--c2')"), "there is no third")

	// A value under the pointer.
	b.eval(`{const o = document.querySelector('.u-over'), r = o.getBoundingClientRect();
		o.dispatchEvent(new MouseEvent('mouseenter', {clientX: r.left, clientY: r.top + 5}));
		o.dispatchEvent(new MouseEvent('mousemove', {clientX: r.left + r.width / 2, clientY: r.top + r.height / 2, bubbles: true}))} 0`)
	b.until("document.querySelector('.u-legend').innerText.includes('539 ms')")
	assert.Contains(t, b.text(".u-legend"), "(480–623 ms)")

	// Other axes.
	b.eval(`{const s = document.querySelector('.controls select'); s.selectedIndex = 2; s.dispatchEvent(new Event('change'))} 0`)
	b.until("document.querySelector('figcaption b').innerText === 'alpha=1'")
	assert.Contains(t, b.text("figure table.grid thead"), "k")
	assert.Equal(t, 3.0, b.eval("document.querySelector('.plots section').querySelectorAll('figure').length"), "a panel for each alpha")

	// Another run, and its distributions.
	assert.Contains(t, b.titles(), "Requests answered by a node")
	b.eval(`{const s = [...document.querySelectorAll('.controls select')].pop(); s.selectedIndex = 11; s.dispatchEvent(new Event('change'))} 0`)
	assert.Contains(t, b.text(".plots"), "mean 46.6, p50", "the requests of the last run")
	assert.Empty(t, b.faults)
	for _, asked := range b.requests {
		assert.True(t, strings.HasPrefix(asked, url) || strings.HasPrefix(asked, "data:"), asked)
	}
}

// One run over 48 hours, and runs side by side of which one was cut off.
func TestSeriesInABrowser(t *testing.T) {
	b := startBrowser(t)
	openSimulations(t, b, "exit", "cut")
	titles := b.titles()
	for _, want := range []string{"Latency by percentile", "Until the first provider or record", "Hops", "Nodes that are there", "Health of the tables | ", "Records alive", "Running queries",
		"Success over time", "Requests answered by a node", "Health of the tables: entries that are dead"} {
		assert.Contains(t, titles, want)
	}
	assert.Contains(t, b.text(".plots"), "7 of 1,500 lookups missed something")
	b.eval("document.querySelectorAll('details').forEach(d => { d.open = true; }), 0")
	b.until("[...document.querySelectorAll('figure table.grid')].every(t => t.tBodies.length)")
	numbers := b.eval("[...document.querySelectorAll('figure')].find(f => f.innerText.startsWith('Nodes that')).querySelector('.grid tbody').innerText")
	assert.Contains(t, numbers, "12h\t2,")
	assert.Empty(t, b.faults)

	// In the dark the plots are drawn anew, in its colours.
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	b.until("(" + inked + ")(0, '--c0') > 50")
	assert.Equal(t, "#8ab4f8", b.eval("getComputedStyle(document.documentElement).getPropertyValue('--c0').trim()"))
}

func TestSimulationsOnAPhone(t *testing.T) {
	b := startBrowser(t)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	for _, name := range []string{"sweep", "exit", "cut"} {
		openSimulations(t, b, name)
		assert.LessOrEqual(t, b.eval("document.documentElement.scrollWidth"), 390.0, "%s: %v", name,
			b.eval("[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 391 && !e.closest('.scroll')).slice(0, 5).map(e => e.outerHTML.slice(0, 150)).join('  |  ')"))
	}
}
