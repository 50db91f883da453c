package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A stranger's subsystem, in a module of its own that requires nsmodel, is vetted
// where it stands: exit status 1 with its findings, 0 without.
func TestVetStranger(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("no go command to load packages with: %v", err)
	}
	house, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(house, "go.mod"))
	if err != nil {
		t.Skipf("the sources are not here: %v", err)
	}
	sum, err := os.ReadFile(filepath.Join(house, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", strings.Replace(string(mod), "module nsmodel\n", "module example.org/dpi\n\nrequire nsmodel v0.0.0\n\nreplace nsmodel => "+house+"\n", 1))
	write("go.sum", string(sum))
	write("dpi.go", strangers)
	t.Chdir(dir)

	status, out := output(t, func() int { return vet(nil) })
	for _, want := range []string{"dpi.go:14:2: Engine.flows is one per System", "dpi.go:15:11: e.Sys.Init() is the initial Net", "(netless)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if status != 1 || strings.Count(out, "\n") != 2 {
		t.Errorf("status %d with:\n%s", status, out)
	}
	if status, out := output(t, func() int { return vet([]string{"-only", "ambient,maporder", "."}) }); status != 0 || out != "" {
		t.Errorf("time, chance and order: status %d with:\n%s", status, out)
	}
	write("dpi.go", strings.Replace(strangers, "// See", "func broken(\n\n// See", 1))
	if status, out := output(t, func() int { return vet(nil) }); status != 2 || out != "" {
		t.Errorf("what does not compile: status %d with:\n%s", status, out)
	}
}

const strangers = `// Package dpi looks into packets.
package dpi

import "nsmodel/netns"

// Engine is a stranger's subsystem.
type Engine struct {
	Sys   *netns.System
	flows map[string]int
}

// See looks.
func (e *Engine) See(n *netns.Net, flow string) *netns.Net {
	e.flows[flow]++
	first := e.Sys.Init()
	return first
}
`

func TestVetHelp(t *testing.T) {
	status, out := output(t, func() int { return vet([]string{"-checks"}) })
	for _, check := range []string{"pkgstate", "netless", "bareindex", "barename", "ambient", "maporder", "allow"} {
		if !strings.Contains(out, check+": ") {
			t.Errorf("no check %s in:\n%s", check, out)
		}
	}
	if status != 0 {
		t.Errorf("status %d", status)
	}
	if status, _ := output(t, func() int { return vet([]string{"-only", "nosuch"}) }); status != 2 {
		t.Errorf("a check that is none: status %d", status)
	}
}

// output returns what f returns and prints.
func output(t *testing.T, f func() int) (int, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	text := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	status := f()
	os.Stdout = old
	w.Close()
	return status, <-text
}
