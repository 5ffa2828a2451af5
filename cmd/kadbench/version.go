package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/kadbench/kadbench/kad"
)

const version = kad.Version

// versionCmd prints the versions.
type versionCmd struct {
	JSON bool `help:"Print an object."`
}

func (versionCmd) Help() string {
	return `Examples:

    kadbench version
    kadbench version --json | jq -r '."go-libp2p"'`
}

func (v *versionCmd) Run(a *app) error {
	libp2p := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/libp2p/go-libp2p" {
				libp2p = m.Version
			}
		}
	}
	if v.JSON {
		return json.NewEncoder(a.stdout).Encode(map[string]string{"kadbench": version, "go": runtime.Version(), "go-libp2p": libp2p})
	}
	_, err := fmt.Fprintf(a.stdout, "kadbench %s (%s, go-libp2p %s)\n", version, runtime.Version(), libp2p)
	return err
}
