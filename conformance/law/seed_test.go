package law

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws the same histories each time, unless -rapid.seed asks for
// others: a change is judged by what it changes. New histories are searched for
// by runs with a seed and a number of their own (.ci/run takes NSMODEL_SEED, and 200).
func TestMain(m *testing.M) {
	flag.Parse()
	for name, ours := range map[string][2]string{"rapid.seed": {"0", "1"}, "rapid.checks": {"100", "60"}} {
		if f := flag.Lookup(name); f.Value.String() == ours[0] {
			if err := f.Value.Set(ours[1]); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}
