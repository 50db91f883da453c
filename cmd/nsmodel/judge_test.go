package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nsmodel/conformance"
)

// Far from the source tree the labs are those that came with the program, and a
// judge's verdict is the last line.
func TestJudge(t *testing.T) {
	t.Chdir(t.TempDir())
	labs, err := chooseLabs([]string{"same-address", "netns"})
	if err != nil {
		t.Fatal(err)
	}
	judges, err := chooseJudges(conformance.Judges(nil, os.ErrPermission), "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if !runJudges(&out, labs, judges) {
		t.Errorf("it failed")
	}
	for _, want := range []string{
		"LAB           GOLDEN  MATRIX  SOLO  LINUX\nsame-address  pass    pass    pass  skip\nnetns         pass    pass    pass  skip\n",
		"  linux: skipped: permission denied (same-address, netns)\n",
		"solo: \"ip netns list\" is not compared: it names every namespace of the machine",
		"\n6 passed, 0 failed, 2 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if status := judge([]string{"--only", "golden", "--rewrite", "netns"}); status != 1 {
		t.Errorf("rewriting a lab inside the program: exit status %d", status)
	}
	if status := judge([]string{"--only", "nobody"}); status != 1 {
		t.Errorf("an unknown judge: exit status %d", status)
	}
}

// A failure is told as the smallest difference, and --rewrite mends it.
func TestJudgeFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.lab")
	for name, text := range map[string]string{
		file: "# A loopback.\nip link set lo up\nip -br link\n",
		strings.TrimSuffix(file, ".lab") + ".golden": "$ ip link set lo up\n$ ip -br link\nnonsense\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	once := func() (string, bool) {
		labs, err := chooseLabs([]string{file})
		if err != nil {
			t.Fatal(err)
		}
		judges, err := chooseJudges(conformance.Judges(nil, nil), "golden,solo")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		good := runJudges(&out, labs, judges)
		return out.String(), good
	}
	out, good := once()
	if good || !strings.Contains(out, "\n"+file+" fails golden\n    - on file, + now\n      3   $ ip -br link\n      3 - nonsense\n      3 + lo ") ||
		!strings.HasSuffix(out, "\n1 passed, 1 failed, 0 skipped\n") {
		t.Errorf("%v\n%s", good, out)
	}
	if status := judge([]string{"--only", "golden", "--rewrite", file}); status != 0 {
		t.Errorf("rewrite: exit status %d", status)
	}
	if out, good := once(); !good {
		t.Error(out)
	}
}
