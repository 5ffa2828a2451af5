package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/plans"
)

// loadPlans reads cases: those named, which are files or directories, or else those carried in the binary. The simulations
// and the plans of real worlds in a directory are passed over.
func loadPlans(paths []string) ([]*plan.Plan, error) {
	if len(paths) == 0 {
		found, err := plan.LoadAll(plans.FS, "conformance", "plans/")
		if err != nil {
			return nil, fmt.Errorf("plans carried in the binary: %w", err)
		}
		return found, nil
	}
	var all []*plan.Plan
	seen := make(map[string]string)
	for _, p := range paths {
		dir, name := filepath.Split(filepath.Clean(p))
		root := "."
		if dir != "" {
			root = dir
		}
		found, err := plan.LoadAll(os.DirFS(root), name, filepath.ToSlash(dir))
		if err != nil {
			return nil, usage("%v", planError(p, err))
		}
		if len(found) == 0 {
			return nil, usage("plan %s: no file there ends in .plan", p)
		}
		cases := plan.Cases(found)
		if len(cases) == 0 {
			return nil, usage("plan %s: %s", p, noCase(found[0]))
		}
		for _, one := range cases {
			before, twice := seen[one.Header.ID]
			switch {
			case !twice:
				seen[one.Header.ID] = one.File
				all = append(all, one)
			case before != one.File: // a file may be named twice, itself and by its directory
				return nil, usage("plan %s: its id %s is that of %s too", one.File, one.Header.ID, before)
			}
		}
	}
	return all, nil
}

// loadWorlds reads plans that have a world: files, directories of them, and ids of those carried in the binary. Of a
// directory it takes those that the verb wants; what is named is refused later if it is another.
func loadWorlds(names []string, wanted func(*plan.Plan) bool, noun, verb string) (all []*plan.Plan, err error) {
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			found, err := plan.LoadAll(os.DirFS(name), ".", strings.TrimSuffix(name, "/")+"/")
			if err != nil {
				return nil, usage("%v", planError(name, err))
			}
			found = slices.DeleteFunc(found, func(p *plan.Plan) bool { return !wanted(p) })
			if len(found) == 0 {
				return nil, usage("plan %s: no %s is there", name, noun)
			}
			all = append(all, found...)
			continue
		}
		file, src, err := findPlan(name)
		if err != nil {
			return nil, usage("plan %s: neither a file nor a %s carried in the binary (kadbench %s lists them)", name, noun, verb)
		}
		p, err := plan.Parse(file, src)
		if err == nil && p.Real() { // of a simulation, run.Simulate looks itself
			err = plan.CheckWorld(p)
		}
		if err != nil {
			return nil, usage("%v", planError(name, err))
		}
		all = append(all, p)
	}
	return all, nil
}

// noCase says what runs a plan that has a world.
func noCase(p *plan.Plan) string {
	if p.Real() {
		return "a plan of a real world is no case; kadbench bench runs it"
	}
	return "a simulation is no case; kadbench sim runs it"
}

// planError says what is wrong with a plan in one line: complaints with a place stand for themselves.
func planError(name string, err error) error {
	var list plan.Errors
	var missing *fs.PathError
	switch {
	case errors.As(err, &list) && len(list) > 1:
		return fmt.Errorf("%w (and %d more: kadbench plan lint %s)", list[0], len(list)-1, name)
	case errors.Is(err, plan.ErrPlan):
		return err
	case errors.As(err, &missing):
		return fmt.Errorf("plan %s: %w (a .plan file or a directory of them was expected)", name, missing.Err)
	}
	return fmt.Errorf("plan %s: %w", name, err)
}

// findPlan is a plan named by a path, or by the id of one carried in the binary. It returns its source unparsed, so
// that a plan with mistakes can be linted.
func findPlan(name string) (file string, src []byte, err error) {
	src, err = os.ReadFile(name)
	if err == nil {
		return filepath.ToSlash(name), src, nil
	}
	for _, carried := range []string{path.Join("conformance", name+".plan"), name + ".plan"} {
		if src, carriedErr := fs.ReadFile(plans.FS, carried); carriedErr == nil {
			return "plans/" + carried, src, nil
		}
	}
	var missing *fs.PathError
	if errors.As(err, &missing) {
		err = missing.Err
	}
	return "", nil, usage("plan %s: %v, and nothing carried in the binary has this id (kadbench cases, sim and bench list what is)", name, err)
}

// carriedIDs are the ids of the plans carried in the binary, whether they are sound or not.
func carriedIDs() ([]string, error) {
	var ids []string
	err := fs.WalkDir(plans.FS, "conformance", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".plan") {
			ids = append(ids, strings.TrimSuffix(strings.TrimPrefix(p, "conformance/"), ".plan"))
		}
		return err
	})
	return ids, err
}
