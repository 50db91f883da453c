package conformance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the labs' transcripts to the golden files")

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// labs reads the labs of testdata.
func labs(t *testing.T) []*Lab {
	t.Helper()
	ls, err := Labs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// TestGolden is the golden judge: the transcript is the one on file.
func TestGolden(t *testing.T) {
	for _, l := range labs(t) {
		t.Run(l.Name(), func(t *testing.T) {
			r, err := RunModel(l, Variant{})
			if err != nil {
				t.Fatal(err)
			}
			path := strings.TrimSuffix(l.Path, ".lab") + ".golden"
			got := r.transcript()
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (go test -run TestGolden -rewrite writes it)", err)
			}
			if diff := golden(l, string(want), got); diff != "" {
				t.Errorf("- on file, + now:\n%s", diff)
			}
		})
	}
}

// TestMatrix is the matrix judge: every machine says the same, to the byte.
func TestMatrix(t *testing.T) {
	vs := Variants()
	for _, l := range labs(t) {
		t.Run(l.Name(), func(t *testing.T) {
			t.Parallel()
			first, err := RunModel(l, vs[0])
			if err != nil {
				t.Fatal(err)
			}
			if s := first.tail[0]; s.Exit != 0 {
				t.Errorf("the ledger is out of balance: %s", s.Stderr)
			}
			want := raw(first.lab, first.tail)
			for _, v := range vs[1:] {
				r, err := RunModel(l, v)
				if err != nil {
					t.Fatalf("%s: %v", v.Name, err)
				}
				if diff := compare(want, raw(r.lab, r.tail)); len(diff) > 0 {
					t.Errorf("- %s, + %s:\n%s", vs[0].Name, v.Name, report(diff))
				}
			}
		})
	}
}

// TestLinux is the Linux judge: the kernel's own namespaces, with Linux's own
// tools, say the same, and the end state is the same.
func TestLinux(t *testing.T) {
	boxes, err := NewSandboxes(6)
	if err != nil {
		t.Skip("no judging by Linux here: ", err)
	}
	t.Cleanup(boxes.Close)
	var explained strings.Builder
	for _, l := range labs(t) {
		for _, d := range l.Differs {
			fmt.Fprintf(&explained, "%-20s %s\n", l.Name(), d.Reason)
		}
		t.Run(l.Name(), func(t *testing.T) {
			t.Parallel()
			if why := l.Unfit(); why != "" {
				t.Skip(why)
			}
			r, err := RunModel(l, Variant{})
			if err != nil {
				t.Fatal(err)
			}
			v := boxes.run(job{Lines: l.Lines, Tail: stateOf(r.nets)})
			if v.Fault != "" {
				t.Fatal(v.Fault)
			}
			if testing.Verbose() {
				t.Logf("%d commands in %v", len(l.Lines), v.Took)
			}
			diff := compare(l.normalised(r.lab, r.tail), l.normalised(v.Lab, v.Tail))
			rest, idle := l.explain(diff)
			if len(rest) > 0 {
				t.Errorf("- the model, + Linux:\n%s", report(rest))
			}
			for _, d := range idle {
				t.Errorf("an explained difference is not there (any more): %s\nthe whole diff:\n%s", d.Reason, report(diff))
			}
		})
	}
	if explained.Len() > 0 {
		t.Logf("explained differences:\n%s", explained.String())
	}
}
