package conformance

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the labs' transcripts to the golden files")

var every = flag.Bool("every", false, "have every lab judged on all machines of the matrix, and by Linux, and not a sample: as nsmodel judge does")

// sample returns one lab of three, and none that sleeps over ten seconds, so that go
// test has an end soon, and says so. CI runs nsmodel judge, too, which leaves none out.
func sample(t *testing.T, ls []*Lab) (some []*Lab) {
	t.Helper()
	if *every {
		return ls
	}
	for i, l := range ls {
		if i%3 == 0 && l.sleeps() <= 10*time.Second {
			some = append(some, l)
		}
	}
	t.Logf("%d of %d labs; -every, or nsmodel judge, takes them all", len(some), len(ls))
	return some
}

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

// expect tells a finding the way of go test.
func expect(t *testing.T, f Finding) {
	t.Helper()
	switch f.Outcome {
	case Failed:
		t.Error(f.Text)
	case Skipped:
		t.Skip(f.Text)
	}
	if testing.Verbose() {
		for _, n := range f.Notes {
			t.Log(n)
		}
	}
}

// TestGolden is the golden judge: the transcript is the one on file.
func TestGolden(t *testing.T) {
	for _, l := range labs(t) {
		t.Run(l.Name(), func(t *testing.T) {
			if *rewrite {
				if err := RewriteGolden(l); err != nil {
					t.Fatal(err)
				}
			}
			if !l.OnFile {
				t.Fatal("no transcript on file: go test -run TestGolden -rewrite writes it")
			}
			expect(t, JudgeGolden(l))
		})
	}
}

// TestMatrix is the matrix judge: every machine says the same, to the byte. Every
// lab is judged, each by another tenth of the machines, so that none is left out
// on either side; -every takes all for each.
func TestMatrix(t *testing.T) {
	all := Variants()
	for i, l := range labs(t) {
		t.Run(l.Name(), func(t *testing.T) {
			t.Parallel()
			vs := all
			if !*every {
				vs = tenth(all, i)
			}
			expect(t, JudgeMatrixOn(l, vs))
		})
	}
}

// tenth returns the default and every tenth of the other variants, from another
// one on for each i.
func tenth(all []Variant, i int) []Variant {
	some := all[:1:1]
	for k, v := range all[1:] {
		if k%10 == i%10 {
			some = append(some, v)
		}
	}
	return some
}

// TestSolo is the solo judge: a Net sees the same without those it has no path to.
func TestSolo(t *testing.T) {
	for _, l := range labs(t) {
		t.Run(l.Name(), func(t *testing.T) {
			t.Parallel()
			expect(t, JudgeSolo(l))
		})
	}
}

// TestLinux is the Linux judge: the kernel's own namespaces, with Linux's own
// tools, say the same, and the end state is the same.
func TestLinux(t *testing.T) {
	boxes, err := NewSandboxes(8)
	if err != nil {
		t.Skip("no judging by Linux here: ", err)
	}
	t.Cleanup(boxes.Close)
	// The kernel mostly waits: more labs side by side than go test has CPUs.
	ls := sample(t, labs(t))
	js := Judges(boxes, nil)
	findings := JudgeAll(ls, js[len(js)-1:], func(Finding) {})
	var explained strings.Builder
	for i, l := range ls {
		for _, d := range l.Differs {
			fmt.Fprintf(&explained, "%-20s %s\n", l.Name(), d.Reason)
		}
		t.Run(l.Name(), func(t *testing.T) { expect(t, findings[i][0]) })
		for _, n := range findings[i][0].Notes {
			t.Logf("%s: %s", l.Name(), n)
		}
	}
	if explained.Len() > 0 {
		t.Logf("explained differences:\n%s", explained.String())
	}
}

// The program carries the same labs as the source tree.
func TestLabsInside(t *testing.T) {
	own, err := LabsInside()
	if err != nil {
		t.Fatal(err)
	}
	all := labs(t)
	if len(own) != len(all) {
		t.Fatalf("%d labs inside, %d in testdata", len(own), len(all))
	}
	for i, l := range all {
		if o := own[i]; o.Text != l.Text || o.Transcript != l.Transcript || o.Name() != l.Name() || !o.OnFile {
			t.Errorf("%s is another inside", l.Path)
		}
	}
	if err := RewriteGolden(own[0]); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("rewriting a lab inside: %v", err)
	}
}
