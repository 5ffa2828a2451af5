package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// The HTML report is one file that asks nothing of a network. Its matrix stands in it as a table; everything else is
// data, which its script shows: the verdicts as JSON, and for each case its plan and its exchanges, packed (JSON, gzip,
// base64), which are unpacked when the case is opened. What peers said is put into the page as text only, and the page's
// own policy forbids every request, and every script but ours.
//
//go:embed html assets
var files embed.FS

// scripts in the order in which they are joined.
var scripts = []string{"html/dom.js", "html/base.js", "html/matrix.js", "html/frames.js", "html/case.js", "html/clauses.js", "html/main.js"}

// ErrMixed says that a page shows either the verdicts on cases or the figures of simulations and loads.
var ErrMixed = errors.New("report: html: a page for logs of cases, or for logs of simulations and loads, was expected; give them apart")

// HTML writes the log as one page: the matrix of cases and targets, or the plots of simulations and loads.
func HTML(w io.Writer, l *Log, o Options) error {
	o = o.withDefaults(l)
	switch {
	case l.measures() && len(l.Results) > 0:
		return ErrMixed
	case l.measures():
		return measured(w, l)
	}
	found, err := l.exchanges()
	if err != nil {
		return err
	}
	data := newPage(l, o)
	var chunks bytes.Buffer // of data: neither form of them holds a "<"
	chunks.WriteString(`<script type="application/json" id="data">`)
	if err := json.NewEncoder(&chunks).Encode(data); err != nil { // escapes <, > and &
		return fmt.Errorf("report: html: %w", err)
	}
	chunks.WriteString("</script>\n")
	for i, c := range data.Cases {
		if err := l.pack(&chunks, i, c.Case, found, o); err != nil {
			return fmt.Errorf("report: html: %s: %w", c.ID, err)
		}
	}
	return frame(w, "page.html", scripts, []string{"html/style.css"}, framed{Title: data.Title, Page: data, Chunks: template.HTML(chunks.String())})
}

// framed is what the frame of every page takes.
type framed struct {
	Title  string
	Page   any // what the template shows
	Chunks template.HTML
	Policy string
	Style  template.CSS
	Script template.JS
}

// frame writes a page: its template with the scripts and styles put in, and a policy that allows nothing but these.
func frame(w io.Writer, page string, scripts, styles []string, f framed) error {
	script, err := joined(scripts)
	if err != nil {
		return err
	}
	script = "'use strict';\n(() => {\n" + script + "})();\n"
	style, err := joined(styles)
	if err != nil {
		return err
	}
	t, err := template.New(page).ParseFS(files, "html/frame.html", "html/bench.html", "html/"+page)
	if err != nil {
		return fmt.Errorf("report: html: %w", err)
	}
	f.Policy = fmt.Sprintf("default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src '%s'; script-src '%s'", digest(style), digest(script))
	f.Style, f.Script = template.CSS(style), template.JS(script)
	if err := t.Execute(w, f); err != nil {
		return fmt.Errorf("report: html: %w", err)
	}
	return nil
}

// joined is the text of several files.
func joined(names []string) (string, error) {
	var b strings.Builder
	for _, name := range names {
		src, err := files.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("report: html: %w", err)
		}
		b.Write(src)
	}
	return b.String(), nil
}

// digest is how a policy names a script or a style.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// pack writes the packed data of one case.
func (l *Log) pack(w io.Writer, number int, c Case, found map[place]*exchange, o Options) error {
	p := packer{options: o, seen: map[string]int{}, out: packedCase{Source: cleanLines(c.Source), Words: cleanLines(c.Words)}}
	for i, t := range l.Targets {
		for _, run := range l.told(c.ID, t, found, o) {
			p.exchange(run.exchange, i, run.profiles, run.failures)
		}
	}
	fmt.Fprintf(w, `<script type="text/plain" id="x%d">`, number)
	b64 := base64.NewEncoder(base64.StdEncoding, w)
	z, err := gzip.NewWriterLevel(b64, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(z).Encode(p.out); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := b64.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "</script>\n")
	return err
}

// toldRun is an exchange with the profiles whose verdicts it led to.
type toldRun struct {
	exchange *exchange
	profiles []string
	failures []*record.Failure
}

// told are the exchanges of a case and a target that are worth keeping: the one of the profile that decides, and those of
// other profiles where the verdict differs or something failed.
func (l *Log) told(id string, t Target, found map[place]*exchange, o Options) (runs []toldRun) {
	order := slices.Clone(l.Profiles())
	slices.SortStableFunc(order, func(a, b string) int { // the one that decides first
		return map[bool]int{true: 0, false: 1}[a == o.Profile] - map[bool]int{true: 0, false: 1}[b == o.Profile]
	})
	var first *Result
	for _, profile := range order {
		at := place{id, t.Name, profile}
		x, r := found[at], l.index()[at]
		if x == nil || r == nil {
			continue
		}
		i := slices.IndexFunc(runs, func(run toldRun) bool { return run.exchange == x })
		if i < 0 {
			if first != nil && first.Verdict == r.Verdict && severity(r.Verdict) == 0 {
				continue
			}
			i, runs = len(runs), append(runs, toldRun{exchange: x})
		}
		if first == nil {
			first = r
		}
		runs[i].profiles = append(runs[i].profiles, profile)
		if r.Detail.Failure != nil {
			runs[i].failures = append(runs[i].failures, r.Detail.Failure)
		}
	}
	return runs
}

// page is what the script and the template know.
type page struct {
	Title    string           `json:"-"`
	Profile  string           `json:"profile"` // the one that decides
	Profiles []string         `json:"profiles"`
	Runs     []pageRun        `json:"runs"`
	Targets  []pageTarget     `json:"targets"`
	Cases    []pageCase       `json:"cases"`
	Clauses  []Clause         `json:"clauses"`
	Failures []record.Failure `json:"failures"`
	Limits   map[string]int   `json:"limits"` // of what is kept of an exchange
}

type pageRun struct {
	Path    string   `json:"path"`
	Version string   `json:"version"`
	Command string   `json:"command"`
	Seed    string   `json:"seed"` // a string: it may be more than a number of JavaScript holds
	Started string   `json:"started"`
	Machine string   `json:"machine"`
	Notes   []string `json:"notes,omitempty"` // what went wrong with the run first
}

type pageTarget struct {
	Name    string           `json:"name"`
	Version string           `json:"version"`
	Given   string           `json:"given"`  // on the command line
	Counts  []record.Summary `json:"counts"` // by profile
}

type pageCase struct {
	Case
	Area     string       `json:"area"`
	Verdicts [][]*verdict `json:"verdicts"` // by target and profile; null: none
}

type verdict struct {
	Verdict  string            `json:"v"`
	Level    string            `json:"l,omitempty"`
	Why      string            `json:"w,omitempty"`
	Took     int64             `json:"t,omitempty"` // milliseconds
	Failure  *int              `json:"f,omitempty"` // in Failures
	Measured map[string]string `json:"m,omitempty"`
}

// Columns of the matrix.
func (p *page) Columns() int { return 2 + len(p.Targets) }

// Href leads to a case's view. The address of a view is its path after the #, each part of it escaped.
func (c pageCase) Href() template.URL { return fragment("case/" + c.ID) }

// Href leads to a target's view.
func (t pageTarget) Href() template.URL { return fragment("target/" + t.Name) }

func fragment(path string) template.URL {
	return template.URL("#" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/"))
}

// Short is the case's name within its area.
func (c pageCase) Short() string { return caseName(c.ID) }

// First is the first sentence of what the peer must do.
func (c pageCase) First() string {
	first, _, _ := strings.Cut(c.Prose, ". ")
	return strings.TrimSuffix(first, ".")
}

// Level is how the clause binds in a profile.
func (c pageCase) Level(profile string) string { return c.Levels[profile] }

// Class is the verdict as the style knows it.
func (v *verdict) Class() string {
	if _, ok := words[record.Verdict(v.Verdict)]; ok {
		return v.Verdict
	}
	return "error"
}

// Word is what a cell says.
func (v *verdict) Word() string {
	return word(&Result{Result: record.Result{Verdict: record.Verdict(v.Verdict)}})
}

func newPage(l *Log, o Options) *page {
	p := &page{Profile: o.Profile, Runs: l.pageRuns(), Profiles: l.Profiles(), Clauses: o.Clauses, Failures: []record.Failure{}, Cases: []pageCase{},
		Limits: map[string]int{"head": maxHead, "tail": maxTail, "frame": maxFrame, "log": record.MaxBytes}}
	if p.Clauses == nil {
		p.Clauses = []Clause{}
	}
	for _, t := range l.Targets {
		one := pageTarget{Name: Clean(t.Name), Version: Clean(t.Version), Given: Clean(l.run(t).Run.Targets[orElse(t.As, t.Name)])}
		for _, profile := range p.Profiles {
			one.Counts = append(one.Counts, l.Count(t.Name, profile))
		}
		p.Targets = append(p.Targets, one)
	}
	described := make(map[string]Case, len(o.Cases))
	for _, c := range o.Cases {
		described[c.ID] = c
	}
	at := l.index()
	for _, id := range l.Cases() {
		c := pageCase{Case: described[id], Area: Clean(area(id))}
		c.ID = Clean(id)
		for _, t := range l.Targets {
			row := make([]*verdict, len(p.Profiles))
			for i, profile := range p.Profiles {
				if r := at[place{id, t.Name, profile}]; r != nil {
					row[i] = p.verdict(r)
					c.Case = c.Case.orFrom(r)
				}
			}
			c.Verdicts = append(c.Verdicts, row)
		}
		p.Cases = append(p.Cases, c)
	}
	p.Title = fmt.Sprintf("kadbench: %s", l.Count("", o.Profile))
	return p
}

// orFrom fills in what only a verdict tells, where the plan is missing.
func (c Case) orFrom(r *Result) Case {
	if f := r.Detail.Failure; c.Prose == "" && f != nil {
		c.Prose, c.Clauses = Clean(f.Prose), []Citation{{At: Clean(f.Clause)}}
	}
	if c.Catalogue == nil {
		for _, entry := range r.Catalogue {
			c.Catalogue = append(c.Catalogue, Clean(entry))
		}
	}
	return c
}

// verdict is one cell; equal failures are kept once.
func (p *page) verdict(r *Result) *verdict {
	v := &verdict{Verdict: Clean(string(r.Verdict)), Level: Clean(r.Level), Why: Clean(r.Why), Took: r.Detail.Took.Milliseconds()}
	for name, value := range r.Detail.Measured {
		if v.Measured == nil {
			v.Measured = make(map[string]string)
		}
		v.Measured[Clean(name)] = Clean(value)
	}
	if r.Detail.Failure == nil {
		return v
	}
	f := *r.Detail.Failure
	f.Log = cleanLines(lastLines(f.Log))
	for _, s := range []*string{&f.Line, &f.Prose, &f.Clause, &f.Want, &f.Got, &f.Diff, &f.Bytes, &f.Where, &f.Repeat} {
		*s = Clean(*s)
	}
	n := slices.IndexFunc(p.Failures, func(have record.Failure) bool { return reflect.DeepEqual(have, f) })
	if n < 0 {
		n, p.Failures = len(p.Failures), append(p.Failures, f)
	}
	v.Failure = &n
	return v
}

// cleanLines is Clean of each line of a text.
func cleanLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(Clean(strings.TrimSuffix(line, "\n")))
		b.WriteByte('\n')
	}
	return b.String()
}
