package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/plans"
)

// describeCases gives an HTML report what a log does not hold: the plans of its cases as they were run, which lie beside
// the log, in the words of this kadbench; and the reading of frames. A plan that is not there is taken from the binary, if
// it carries one of that id.
func describeCases(l *report.Log, o report.Options) report.Options {
	o.Annotate = annotate
	saved := make(map[string]report.Case)
	parsed := make(map[string]*plan.Plan) // by the id of the case
	for _, dir := range l.Directories() {
		root := os.DirFS(filepath.Join(dir, "inputs"))
		fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".plan") {
				return nil // what cannot be read is missing in the report, no more
			}
			if src, err := fs.ReadFile(root, name); err == nil {
				c, p := describeCase(name, src)
				if other, ok := saved[c.ID]; ok && other.Source != c.Source {
					c.Note = fmt.Sprintf("The runs had different plans of this name: this is the one of %s.", dir)
				}
				saved[c.ID], parsed[c.ID] = c, p
			}
			return nil
		})
	}
	var known []*plan.Plan
	for _, id := range l.Cases() {
		c, ok := saved[id]
		if !ok {
			name := path.Join("conformance", id+".plan")
			src, err := fs.ReadFile(plans.FS, name)
			if err != nil {
				continue
			}
			c, parsed[id] = describeCase("plans/"+name, src)
			c.Note = "The plan of the run is not beside its log: this is the one that this kadbench carries."
		}
		o.Cases = append(o.Cases, c)
		if p := parsed[id]; p != nil {
			known = append(known, p)
		}
	}
	o.Clauses = clauses(known)
	return o
}

// describeCase is a plan as a report shows it. One that this version cannot read has its text alone.
func describeCase(file string, src []byte) (report.Case, *plan.Plan) {
	c := report.Case{ID: planID(file, src), File: file, Source: string(src)}
	p, err := plan.Parse(file, src)
	if err != nil {
		return c, nil
	}
	h := p.Header
	c.ID, c.Prose, c.Catalogue, c.Needs = h.ID, strings.Join(strings.Fields(p.Prose), " "), h.Catalogue, h.Needs
	c.Levels = make(map[string]string)
	for _, profile := range h.Profiles.List() {
		c.Levels[profile.String()] = h.Levels[profile].String()
	}
	for _, at := range h.Spec {
		c.Clauses = append(c.Clauses, report.Citation{At: at, Demand: plan.Requirement(at), Link: plan.Link(at)})
	}
	c.Words = plan.Explain(p)
	if i := strings.Index(c.Words, "Who takes part:"); i >= 0 { // what stands before is shown already
		c.Words = c.Words[i:]
	}
	return c, p
}

// planID is the id of a plan that may not parse: its header's, else the end of its path.
func planID(file string, src []byte) string {
	for line := range strings.Lines(string(src)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "id" {
			return words[1]
		}
	}
	return strings.TrimSuffix(file, ".plan")
}

// annotate reads a frame for a report.
func annotate(frame []byte) []report.Field {
	var fields []report.Field
	for _, r := range check.Annotate(frame, true) {
		f := report.Field{Offset: r.Offset, Len: r.Len, Head: r.Head, Depth: r.Depth, Path: r.Path, Text: r.Text}
		if r.Err != nil {
			f.Err = r.Err.Error()
		}
		fields = append(fields, f)
	}
	return fields
}
