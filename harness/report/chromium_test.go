package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a headless Chromium with one page, driven over a pair of pipes: JSON messages that end in a zero byte.
type browser struct {
	t        *testing.T
	in       *os.File
	out      *bufio.Reader
	session  string
	id       int
	requests []string // every address that the page asked for
	loads    int      // pages that were loaded
	faults   []string // exceptions, and what the page's policy refused
}

// startBrowser skips the test where there is no Chromium.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no chromium, chromium-browser or google-chrome on PATH")
	}
	profile, err := os.MkdirTemp("", "kadbench-chromium-") // not t.TempDir: what it starts writes there yet when it has ended
	require.NoError(t, err)
	theirs, in, err := os.Pipe()
	require.NoError(t, err)
	out, theirOut, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+profile, "--window-size=1280,900",
		"--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, theirOut} // 3 and 4, as the flag has it
	require.NoError(t, cmd.Start())
	theirs.Close()
	theirOut.Close()
	b := &browser{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	out.SetReadDeadline(time.Now().Add(2 * time.Minute)) // what hangs is to fail here, not with the package
	t.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil)
		in.Close()
		cmd.Wait()
		out.Close()
		assert.Eventually(t, func() bool { return os.RemoveAll(profile) == nil }, 20*time.Second, 10*time.Millisecond)
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Network", "Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) send(method string, params any) {
	b.id++
	message := map[string]any{"id": b.id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	data, err := json.Marshal(message)
	require.NoError(b.t, err)
	b.in.Write(append(data, 0)) // an error shows as an answer that does not come
}

// call asks for something and waits for the answer; what happens meanwhile is noted.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.send(method, params)
	for id := b.id; ; {
		data, err := b.out.ReadBytes(0)
		require.NoError(b.t, err, "the browser ended")
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		require.NoError(b.t, json.Unmarshal(data[:len(data)-1], &m))
		switch {
		case m.ID == id:
			require.Nil(b.t, m.Error, method)
			if result != nil {
				require.NoError(b.t, json.Unmarshal(m.Result, result))
			}
			return
		case m.Method == "Page.loadEventFired":
			b.loads++
		case m.Method == "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			require.NoError(b.t, json.Unmarshal(m.Params, &p))
			b.requests = append(b.requests, p.Request.URL)
		case m.Method == "Runtime.exceptionThrown", m.Method == "Log.entryAdded":
			b.faults = append(b.faults, string(m.Params))
		}
	}
}

// eval is the value of an expression in the page, awaited.
func (b *browser) eval(expression string) any {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	require.Empty(b.t, string(r.ExceptionDetails), expression)
	return r.Result.Value
}

// until waits in the page for a condition.
func (b *browser) until(condition string) {
	b.t.Helper()
	ok := b.eval(fmt.Sprintf(`new Promise(done => { let n = 0; const look = () => { if (%s) done(true); else if (n++ > 500) done(false); else setTimeout(look, 20); }; look(); })`, condition))
	require.Equal(b.t, true, ok, "%s; the page says: %s", condition, b.text("body"))
}

func (b *browser) text(selector string) string {
	s, _ := b.eval(fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText", selector)).(string)
	return s
}

// open loads a page; only its fragment changes where it is loaded already.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until("document.readyState === 'complete' && location.href.startsWith(" + fmt.Sprintf("%q", url) + ") && document.documentElement.classList.contains('js')")
}

func (b *browser) key(key string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: %q, bubbles: true, cancelable: true})), 0", key))
}

// shown are the cases of the matrix that are to be seen.
func (b *browser) shown() string {
	s, _ := b.eval(`[...document.querySelectorAll('#matrix tr[data-n]')].filter(r => r.offsetParent).map(r => r.id.slice(5)).join(' ')`).(string)
	return s
}

func TestPageInABrowser(t *testing.T) {
	l := runs(t)
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte(render(t, l, options())), 0o644))
	b := startBrowser(t)
	url := "file://" + filepath.ToSlash(path)

	b.open(url)
	assert.Equal(t, "find-node/nearest lookup/ends ping/echo", b.shown())
	assert.Equal(t, "3 cases", b.text("#shown"))
	assert.Contains(t, b.text("#matrix"), "FAIL")
	assert.NotContains(t, b.text("#matrix"), "warn", "that is amino's")
	for i, profile := range []string{"amino", "defacto", "base"} {
		b.eval(fmt.Sprintf("document.getElementById('p-%s').click(), 0", profile))
		assert.Equal(t, 9.0, b.eval("[...document.querySelectorAll('#matrix .v')].filter(v => v.offsetParent).length"), "one verdict a cell in %s (%d)", profile, i)
	}

	// The profile, and a filter: the address follows.
	b.eval("document.getElementById('p-amino').click(), 0")
	assert.Contains(t, b.text("#matrix"), "warn")
	assert.Equal(t, "#?profile=amino", b.eval("location.hash"))
	set := func(field, value string) {
		b.eval(fmt.Sprintf("{const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event('input', {bubbles: true}))} 0", field, value))
	}
	set("f-verdict", "warn")
	assert.Equal(t, "find-node/nearest", b.shown())
	assert.Equal(t, "1 of 3 cases", b.text("#shown"))
	set("f-verdict", "differs")
	assert.Equal(t, "find-node/nearest lookup/ends ping/echo", b.shown())
	set("f-verdict", "wrong")
	set("f-target", "go@v1")
	assert.Equal(t, "find-node/nearest", b.shown())
	assert.Equal(t, "#?target=go%40v1&verdict=wrong&profile=amino", b.eval("location.hash"))
	b.eval("document.querySelector('#filters button').click(), 0")
	b.until("document.getElementById('shown').innerText === '3 cases'")

	// Search looks into prose, clauses and failures.
	for query, want := range map[string]string{"CLOSEST k": "find-node/nearest", "missing: S3": "find-node/nearest", "onerror": "find-node/nearest ping/echo", "nothing-like-that": "", "ping": "ping/echo"} {
		set("q", query)
		assert.Equal(t, want, b.shown(), query)
	}
	set("q", "")
	set("f-area", "lookup")
	assert.Equal(t, "lookup/ends", b.shown())
	set("f-area", "")

	// A deep link to a case: prose, clause, plan with its failing line, what was wanted and what came, the exchange.
	b.open(url + "#case/find-node/nearest")
	b.until("document.querySelector('.plan .hit')")
	view := b.text("#view")
	for _, want := range []string{"A server returns the nearest.", "libp2p-kad L490-L492", "the k closest", "closerPeers=nearest(20,@K,S1..S30)", "missing: S3",
		"kadbench check go=cmd:./go --case find-node/nearest", "A → T", "T → A", "line 8", "FIND_NODE key closerPeers×2", "not what was wanted"} {
		assert.Contains(t, view, want)
	}
	assert.Regexp(t, `(?s)9\s+want.*go@v1 warn`, b.text(".plan .hit"))
	assert.Contains(t, b.text(".wrong .annotated .hot"), "closerPeers[1]")
	assert.Equal(t, "find-node/nearest · kadbench", b.eval("document.title"))
	assert.Equal(t, "https://example.org/spec#L490", b.eval("document.querySelector('.clauses a[target]').href"))

	// The keys: on to the next case, back, along the matrix, into the help.
	b.key("n")
	b.until("document.title.startsWith('lookup/ends')")
	b.until("document.querySelector('.talk')")
	assert.Contains(t, b.text("#view"), "operation q begin: get_closest_peers")
	b.key("u")
	b.until("!document.getElementById('overview').hidden")
	b.key("j")
	assert.Equal(t, "ping/echo", b.eval("document.activeElement.closest('tr').id.slice(5)"))
	b.key("?")
	b.until("document.title.startsWith('help')")

	// A cell leads to its target's exchange, the name of a target to what is wrong with it.
	b.open(url + "#")
	b.eval("document.querySelector('#matrix tr[data-n=\"2\"] td[data-t=\"2\"]').click(), 0")
	b.until("document.title.startsWith('ping/echo') && document.querySelector('.talk')")
	assert.Contains(t, b.text("details[open] > summary"), "py <")
	assert.Contains(t, b.text(".card > p"), "FAIL py <")
	assert.Contains(t, b.text("#view"), `</script><script>document.title="broken"`, "as it was said")
	b.eval(`document.querySelectorAll('details').forEach(d => { d.open = true; }), 0`)
	b.key("1")
	b.open(url + "#target/go%40v1")
	b.until("document.querySelector('.card')")
	assert.Contains(t, b.text("#view"), "go@v1 in base")
	assert.Contains(t, b.text(".card"), "FAIL find-node/nearest must in base; warn should in amino", "alike in both")
	b.open(url + "#?area=ping&verdict=fail")
	b.until("!document.getElementById('overview').hidden")
	assert.Equal(t, "ping/echo", b.shown(), "a filter can be linked to")
	b.open(url + "#target/nobody")
	b.until("document.querySelector('#view .note')")

	// The clauses, with their verdicts and reasons; a line within a clause finds it.
	b.open(url + "#clauses")
	b.until("document.querySelector('.spec')")
	assert.Contains(t, b.text("#view"), "no case: it leaves no trace")
	assert.Contains(t, b.text(".spec tbody tr"), "FAIL")
	b.open(url + "#clauses?q=libp2p-kad%20L491")
	b.until("document.querySelectorAll('.spec tbody tr').length === 1")

	assert.Zero(t, b.eval("document.querySelectorAll('img').length + [...document.querySelectorAll('script:not([type])')].filter(s => s.textContent.includes('document.title=')).length"), "nothing of a peer became an element")
	assert.Empty(t, b.faults)
	for _, asked := range b.requests {
		assert.True(t, strings.HasPrefix(asked, url) || strings.HasPrefix(asked, "data:"), asked)
	}
	assert.NotEmpty(t, b.requests, "the page itself")
	assert.Equal(t, "refused", b.eval("fetch('http://127.0.0.1:1/').then(() => 'went', () => 'refused')"))
	assert.Contains(t, strings.Join(b.faults, " "), "Content Security Policy", "it is the policy that refused")
}

// Without JavaScript the matrix can be read, and the profile be chosen.
func TestPageWithoutJavaScript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte(render(t, runs(t), options())), 0o644))
	b := startBrowser(t)
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.call("Page.navigate", map[string]any{"url": "file://" + filepath.ToSlash(path)}, nil)
	for b.loads == 0 {
		b.call("Page.getFrameTree", nil, nil) // its timers stand still: the page cannot wait for itself
	}
	assert.Equal(t, "find-node/nearest lookup/ends ping/echo", b.shown())
	assert.Contains(t, b.text("#matrix"), "FAIL")
	assert.Contains(t, b.text("#overview"), "Without JavaScript")
	assert.Equal(t, true, b.eval("document.getElementById('filters').offsetParent === null"))
	b.eval("document.getElementById('p-defacto').click(), 0")
	assert.NotContains(t, strings.Split(b.text("#matrix"), "ping")[0], "FAIL", "defacto is content with find-node/nearest")
}

// Nothing runs over the edge of a narrow screen.
func TestPageOnAPhone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte(render(t, runs(t), options())), 0o644))
	b := startBrowser(t)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	for fragment, ready := range map[string]string{"": "true", "#case/find-node/nearest": "document.querySelector('.talk')", "#case/ping/echo": "document.querySelector('.talk')",
		"#target/go%40v1": "document.querySelector('.card')", "#clauses": "document.querySelector('.spec')"} {
		b.open("file://" + filepath.ToSlash(path) + fragment)
		b.until(ready)
		assert.LessOrEqual(t, b.eval("document.documentElement.scrollWidth"), 390.0, "%s: %v", fragment,
			b.eval("[...document.querySelectorAll('main:not([hidden]) *, header *')].filter(e => e.getBoundingClientRect().right > 391 && !e.closest('.scroll, .annotated')).slice(0, 5).map(e => e.outerHTML.slice(0, 150)).join('  |  ')"))
	}
}
