package law

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws the same histories each time, unless -rapid.seed asks for
// others: a change is judged by what it changes. New histories are searched for
// by runs with a seed of their own (.ci/run takes NSMODEL_SEED).
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == "0" {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
