package kad_test

import (
	"flag"
	"testing"

	"github.com/kadbench/kadbench/kad/kadtest"
)

var update = flag.Bool("update", false, "write what the scripts print into testdata")

func TestScripts(t *testing.T) { kadtest.RunScripts(t, "testdata", *update) }
