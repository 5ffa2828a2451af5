package ground

import (
	"errors"
	"fmt"
	"strings"
)

// ErrCase: there is no case of that name.
var ErrCase = errors.New("no such case")

// Cases are all test cases, by name.
func Cases() []*Case {
	return []*Case{bootstrapNetwork, churn, conformance, findPeers, findProviders, getClosestPeers, provideStress, storeGetValue}
}

// Find is the case of a name.
func Find(name string) (*Case, error) {
	var names []string
	for _, c := range Cases() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return nil, fmt.Errorf("%w: %q, expected one of %s", ErrCase, name, strings.Join(names, ", "))
}
