package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nsmodel/compare/advise"
)

// What cannot be is refused before anything is measured, with EINVAL or by usage.
func TestAdviseFlags(t *testing.T) {
	for _, args := range []string{
		"--nets 0", "--burst 0", "--spread gauss", "--path up", "--churn -1", "--lives -1", "--packets NaN", "--lookups -1", "--buckets -1",
		"--entries tcp=1", "--entries udp=-1", "udp",
	} {
		if _, err := parseAdvise(strings.Fields(args)); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", args, err)
		}
	}
	for _, args := range []string{"--entries x", "--entries udp=", "--memory 0", "--memory -1K", "--memory 1T", "--memory KK", "--nets many", "--subsystem tcp", "--no-such"} {
		if _, err := parseAdvise(strings.Fields(args)); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v", args, err)
		}
	}
	if _, err := parseAdvise([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
	f, err := parseAdvise(strings.Fields("--nets 7 --entries 5 --entries udp=9 --memory 1.5K --subsystem udp --subsystem fib --walk --buckets 64"))
	if err != nil {
		t.Fatal(err)
	}
	if w := f.w; w.Nets != 7 || w.Entries != 5 || w.Of["udp"] != 9 || w.Memory != 1536 || !w.Walk || w.Buckets != 64 || strings.Join(f.words, " ") != "udp fib" {
		t.Errorf("%+v", f)
	}
}

// The calibration is measured once, filed, and taken from the file; the table has a
// line for each subsystem that was asked for, and JSON says the same.
func TestAdvisePrints(t *testing.T) {
	c, err := advise.Measure(advise.Tiny, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "c.json")
	c.Program = "planted"
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	f, err := parseAdvise([]string{"--file", path, "--nets", "10", "--memory", "1G"})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = f.calibration(); err != nil || c.Program != "planted" {
		t.Fatalf("not from the file: %v, %v", c, err)
	}
	a, err := c.Advise(f.w)
	if err != nil {
		t.Fatal(err)
	}
	checked := []advise.Checked{{Subsystem: "udp", What: "a lookup", Unit: "ns", Tagged: advise.Beside{Predicted: 10, Measured: 20}, Replicated: advise.Beside{Predicted: 5, Measured: 40}},
		{Subsystem: "fdb", What: "a lookup", Missing: "no function"}}
	var out bytes.Buffer
	if err := printAdvice(&out, c, a, checked, true); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"at most 1.0 GiB", "udp: ", "sysctls: ", "held back", "L(8.0 KiB)", "table, tagged: a lookup = ", "2.00 / 0.50", "not measured: no function"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error(text)
	}
	b, err := json.Marshal(a)
	if err != nil || !bytes.Contains(b, []byte(`"subsystem":"udp"`)) || !bytes.Contains(b, []byte(`"choose":`)) {
		t.Errorf("%s, %v", b, err)
	}
}
