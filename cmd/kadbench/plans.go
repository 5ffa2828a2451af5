package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/plans"
)

// loadPlans reads plans: those named, which are files or directories, or else those carried in the binary.
func loadPlans(paths []string) ([]*plan.Plan, error) {
	if len(paths) == 0 {
		found, err := walkPlans(plans.FS, "conformance", "plans/")
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
		found, err := walkPlans(os.DirFS(root), name, filepath.ToSlash(dir))
		if err != nil {
			return nil, usage("%v", planError(p, err))
		}
		if len(found) == 0 {
			return nil, usage("plan %s: no file there ends in .plan", p)
		}
		for _, one := range found {
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

// walkPlans reads the plan at root, or all below it.
func walkPlans(fsys fs.FS, root, prefix string) ([]*plan.Plan, error) {
	var found []*plan.Plan
	err := fs.WalkDir(fsys, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || p != root && !strings.HasSuffix(p, ".plan") {
			return nil
		}
		one, err := plan.Load(fsys, p, prefix)
		if err == nil {
			found = append(found, one)
		}
		return err
	})
	return found, err
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
	carried := path.Join("conformance", name+".plan")
	if src, carriedErr := fs.ReadFile(plans.FS, carried); carriedErr == nil {
		return "plans/" + carried, src, nil
	}
	var missing *fs.PathError
	if errors.As(err, &missing) {
		err = missing.Err
	}
	return "", nil, usage("plan %s: %v, and no case carried in the binary has this id (kadbench cases lists them)", name, err)
}

// builtinKnown reads the expected failures carried in the binary.
func builtinKnown() ([]*check.Known, error) {
	var all []*check.Known
	names, err := fs.Glob(fixtures.FS(), "known/*.toml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		src, err := fs.ReadFile(fixtures.FS(), name)
		if err != nil {
			return nil, err
		}
		k, err := check.ReadKnown("fixtures/"+name, src)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
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
