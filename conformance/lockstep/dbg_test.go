//go:build linux

package lockstep

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"nsmodel/conformance"
	"nsmodel/lab"
)

func TestMain(m *testing.M) { conformance.Main(); os.Exit(m.Run()) }

func TestDbg(t *testing.T) {
	if os.Getenv("SEED") == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("SEED"))
	text := Draw(uint64(n))
	if f := os.Getenv("FILE"); f != "" {
		b, _ := os.ReadFile(f)
		text = string(b)
	}
	lines, err := lab.Load("x", text)
	if err != nil {
		t.Fatal(err)
	}
	boxes, err := conformance.NewSandboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	defer boxes.Close()
	linux, err := boxes.Steps(lines)
	if err != nil {
		t.Fatal(err)
	}
	model, err := conformance.StepsOnModel(lines, conformance.Variant{}, func(i int) []string { return linux[i].Asked() })
	if err != nil {
		t.Fatal(err)
	}
	for i := range linux {
		fmt.Println("$", linux[i].Said.Line.Text, "   ", linux[i].Asked())
		fmt.Print(linux[i].Said.Stdout, linux[i].Said.Stderr)
		for _, f := range linux[i].Wires {
			fmt.Println("   L", f.Net, describe(f))
		}
		for _, f := range model[i].Wires {
			fmt.Println("   M", f.Net, describe(f))
		}
	}
	fmt.Println(Compare(text, model, linux))
}
