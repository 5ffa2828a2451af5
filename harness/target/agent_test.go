package target

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSplitAgent(t *testing.T) {
	for _, c := range []struct{ agent, name, version string }{
		{"go-libp2p/v0.42.1", "go-libp2p", "v0.42.1"},
		{"kubo/0.34.1/desktop", "kubo", "0.34.1"},
		{"js-libp2p/3.3.11 UserAgent=v24.21.0", "js-libp2p", "3.3.11"},
		{"github.com/someone/node@abc", "github.com/someone/node@abc", "unknown"},
		{"example.org/x/v2", "example.org/x", "v2"},
		{"nim", "nim", "unknown"},
		{"/", "/", "unknown"},
		{"", "", "unknown"},
	} {
		name, version := splitAgent(c.agent)
		assert.Equal(t, c.name, name, c.agent)
		assert.Equal(t, c.version, version, c.agent)
	}
}
