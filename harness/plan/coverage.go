package plan

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed normative.txt
var normativeFile string

//go:embed catalogue.txt
var catalogueFile string

// Demand is a normative sentence of a specification.
type Demand struct {
	Document string
	From, To int
	Keyword  string // must, should or may; a negative counts as its positive
	Text     string
	Reason   string   // why no case is about it, though one may cite its lines in passing; "" where cases are
	Cases    []string // ids
}

// At is where it stands, as a plan's header cites it.
func (d Demand) At() string {
	if d.From == d.To {
		return fmt.Sprintf("%s L%d", d.Document, d.From)
	}
	return fmt.Sprintf("%s L%d-L%d", d.Document, d.From, d.To)
}

// CatalogueEntry is a number of the catalogue.
type CatalogueEntry struct {
	ID     string // ST-01
	Group  string // streams
	Reason string
	Cases  []string
}

// Coverage says what plans cover.
type Coverage struct {
	Demands   []Demand
	Catalogue []CatalogueEntry
}

// Cover finds the cases of each normative sentence of the specifications, and of each entry of the catalogue. A case covers a
// sentence if its header cites any of the sentence's lines. Simulations are no cases.
func Cover(plans []*Plan) Coverage {
	var c Coverage
	plans = Cases(plans)
	for _, d := range normative() {
		for _, p := range plans {
			if d.Reason == "" && slices.ContainsFunc(p.Header.Spec, d.citedBy) {
				d.Cases = append(d.Cases, p.Header.ID)
			}
		}
		c.Demands = append(c.Demands, d)
	}
	for _, e := range catalogue() {
		for _, p := range plans {
			if slices.Contains(p.Header.Catalogue, e.ID) {
				e.Cases = append(e.Cases, p.Header.ID)
			}
		}
		c.Catalogue = append(c.Catalogue, e)
	}
	return c
}

func (d Demand) citedBy(citation string) bool {
	doc, from, to, err := find(citation)
	return err == nil && doc.name == d.Document && from <= d.To && d.From <= to
}

// The files are compiled in: a mistake in them is ours.
var (
	normative = sync.OnceValue(func() []Demand { return readNormative(normativeFile) })
	catalogue = sync.OnceValue(func() []CatalogueEntry { return readCatalogue(catalogueFile) })
)

func readNormative(text string) (all []Demand) {
	document := ""
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "document" {
			document = words[1]
			continue
		}
		d := Demand{Document: document}
		var ok bool
		if d.From, d.To, ok = lineRange(words[0]); !ok || len(words) < 3 || !slices.Contains([]string{"must", "should", "may"}, words[1]) {
			panic(fmt.Sprintf("normative.txt:%d: expected lines, must, should or may, and what is said", n+1))
		}
		d.Keyword = words[1]
		d.Text, d.Reason, _ = strings.Cut(strings.Join(words[2:], " "), " -- ")
		all = append(all, d)
	}
	return all
}

func readCatalogue(text string) (all []CatalogueEntry) {
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) > 2 && words[1] == "--" {
			i := slices.IndexFunc(all, func(e CatalogueEntry) bool { return e.ID == words[0] })
			if i < 0 {
				panic(fmt.Sprintf("catalogue.txt:%d: no entry %s above", n+1, words[0]))
			}
			all[i].Reason = strings.Join(words[2:], " ")
			continue
		}
		count, err := strconv.Atoi(words[1])
		if err != nil || len(words) < 3 {
			panic(fmt.Sprintf("catalogue.txt:%d: expected a group, how many entries it has, and its name", n+1))
		}
		for i := range count {
			all = append(all, CatalogueEntry{ID: fmt.Sprintf("%s-%02d", words[0], i+1), Group: strings.Join(words[2:], " ")})
		}
	}
	return all
}
