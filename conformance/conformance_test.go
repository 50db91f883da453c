package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func TestLinux(t *testing.T) {
	boxes, err := NewSandboxes(6)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(boxes.Close)
	labs, err := Labs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range labs {
		t.Run(l.Name(), func(t *testing.T) {
			t.Parallel()
			v := boxes.run(job{Lines: l.Lines})
			var b strings.Builder
			fmt.Fprintf(&b, "took %v %s\n", v.Took, v.Fault)
			for _, s := range v.Steps {
				for _, line := range s.lines() {
					fmt.Fprintf(&b, "%3d| %s\n", s.Line, line)
				}
			}
			t.Log(b.String())
		})
	}
}
