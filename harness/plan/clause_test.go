package plan_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/plans"
)

func TestRequirement(t *testing.T) {
	for _, c := range []struct{ citation, says, link string }{
		{"libp2p-kad L490-L492", "FIND_NODE has a key, and is answered with the k closest peers", "kad-dht/README.md?plain=1#L490-L492"},
		{"ipfs-kad L494", "providers that are not the sender are discarded", "src/routing/kad-dht.md?plain=1#L494"},
		{"ipns L421", "where the old fields are there, they agree with data", "src/ipns/ipns-record.md?plain=1#L421"},
		{"ipns L421-L422", "where the old fields are there, they agree with data", "#L421-L422"},
		{"ipns L422", "value agrees with data", "#L422"},
		{"ipns L1", "", "#L1"},
		{"ipns L999", "", ""},
		{"rfc9000 L1", "", ""},
	} {
		assert.Equal(t, c.says, plan.Requirement(c.citation), c.citation)
		if c.link == "" {
			assert.Empty(t, plan.Link(c.citation))
		} else {
			assert.Contains(t, plan.Link(c.citation), c.link)
		}
	}
}

// TestEveryCitationSaysSomething: a failure shows what its clause demands, whatever case it is of.
func TestEveryCitationSaysSomething(t *testing.T) {
	err := fs.WalkDir(plans.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".plan" {
			return err
		}
		p, err := plan.Load(plans.FS, path, "plans/")
		require.NoError(t, err)
		for _, citation := range p.Header.Spec {
			assert.NotEmpty(t, plan.Requirement(citation), "%s: %s has no line in clauses.txt", p.File, citation)
		}
		return nil
	})
	require.NoError(t, err)
}
