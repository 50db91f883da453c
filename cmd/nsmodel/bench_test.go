package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"nsmodel/bench"
)

// One JSON object a line, with the keys that others rely on.
func TestBenchJSON(t *testing.T) {
	var out bytes.Buffer
	wanted := func(c *bench.Case) bool { return c.Name == "table_get_ns" || c.Name == "teardown_10k_own_ms" }
	if err := runBench(&out, bench.Tiny(), wanted, true); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(out.String()) {
		lines++
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, key := range []string{"name", "place", "nets", "value", "unit", "better"} {
			if _, ok := r[key]; !ok {
				t.Errorf("%q has no %s", line, key)
			}
		}
		if _, ok := r["others"]; ok != (r["name"] == "teardown_10k_own_ms") {
			t.Errorf("%q: others", line)
		}
	}
	if lines < 8 {
		t.Errorf("%d lines:\n%s", lines, out.String())
	}
}

func TestBenchTable(t *testing.T) {
	var out bytes.Buffer
	if err := runBench(&out, bench.Tiny(), func(c *bench.Case) bool { return c.Name == "veth_forward_allocs" }, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cores, Linux", "veth_forward_allocs", "<= 0 met", "allocations a packet"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestBenchNamesBeforeFlags(t *testing.T) {
	if got := benchmark([]string{"no_such_figure", "--quick"}); got != 1 {
		t.Errorf("an unknown name ends with %d", got)
	}
}
