package tagvet

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// house returns the directory of nsmodel's own sources.
func house(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("no go command to load packages with: %v", err)
	}
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Skipf("the sources are not here: %v", err)
	}
	return dir
}

// The house keeps its own rules, and the list of those that they do not hold for
// does not grow by accident.
func TestHouseIsClean(t *testing.T) {
	report, err := Run(Options{Dir: house(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
	var out []string
	indoors := 0
	for _, p := range report.Packages {
		if p.Outdoors == "" {
			indoors++
		} else if !strings.HasPrefix(p.Path, "nsmodel/cmd/") && !strings.HasPrefix(p.Path, "nsmodel/conformance") {
			out = append(out, p.Path)
		}
	}
	want := []string{"nsmodel/bench", "nsmodel/bench/stage", "nsmodel/compare", "nsmodel/core/link/afpacket", "nsmodel/core/link/tun", "nsmodel/host", "nsmodel/internal/linux", "nsmodel/internal/rtnl", "nsmodel/live"}
	want := []string{"nsmodel/bench", "nsmodel/bench/stage", "nsmodel/compare", "nsmodel/compare/advise", "nsmodel/core/link/afpacket", "nsmodel/host", "nsmodel/internal/linux", "nsmodel/internal/rtnl", "nsmodel/live"}
	if !slices.Equal(out, want) {
		t.Errorf("outdoors, beside commands and judges, stand %q, want %q", out, want)
	}
	if indoors < 12 {
		t.Errorf("the rules held for %d packages only", indoors)
	}
}
