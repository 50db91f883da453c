package bench

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/internal/linux"
)

// TestMain runs everything in a sandbox if one can be had, so that real NICs can
// be measured; where it cannot, they are reported as not measured.
func TestMain(m *testing.M) {
	linux.Probe()
	if !linux.Inside() && linux.Why() == nil {
		status, err := linux.Enter()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// required are the names that others rely on, with their units.
var required = map[string]string{
	"idle_bytes_per_net": "bytes", "idle_up_bytes_per_net": "bytes", "create_destroy_per_s": "per_s", "table_get_ns": "ns",
	"socket_lookup_ns": "ns", "fib_lookup_ns": "ns", "veth_forward_ns": "ns", "veth_forward_allocs": "allocs", "veth_forward6_ns": "ns", "veth_forward6_allocs": "allocs",
	"lpm4_ns": "ns", "lpm6_ns": "ns", "lpm4_bytes_per_route": "bytes", "lpm6_bytes_per_route": "bytes",
	"fib4_bytes_per_net": "bytes", "fib6_bytes_per_net": "bytes", "nic_forward_pps": "pps",
	"nic_bare_loop_pps": "pps", "udp_receive_ns": "ns", "udp_echo_ns": "ns", "teardown_10k_own_ms": "ms",
}

// Every figure is there in both placements, has its unit, and is a number that
// can be: nothing here says how large.
func TestEveryFigure(t *testing.T) {
	seen := map[string][]Result{}
	if err := Run(Tiny(), func(*Case) bool { return true }, func(r Result) { seen[r.Name] = append(seen[r.Name], r) }); err != nil {
		t.Fatal(err)
	}
	for name, unit := range required {
		for _, place := range []string{"tagged", "replicated"} {
			if !slices.ContainsFunc(seen[name], func(r Result) bool { return r.Place == place }) {
				t.Errorf("%s is not measured %s", name, place)
			}
		}
		for _, r := range seen[name] {
			switch {
			case r.Unit != unit:
				t.Errorf("%s is in %s, want %s", name, r.Unit, unit)
			case r.Better != Lower && r.Better != Higher:
				t.Errorf("%s: better is %q", name, r.Better)
			case r.NotMeasured != "":
				t.Logf("%s %s: %s", name, r.Place, r.NotMeasured)
			case r.Value == nil || *r.Value < 0 || *r.Value == 0 && unit != "allocs":
				t.Errorf("%s is %v", name, r.Value)
			case unit == "allocs" && *r.Value != 0:
				t.Errorf("%s is %v", name, *r.Value)
			}
		}
	}
	if rs := seen["teardown_10k_own_ms"]; !slices.ContainsFunc(rs, func(r Result) bool { return r.Sweep == "walk" && *r.Others > 0 }) {
		t.Errorf("no walk among other Nets' entries: %+v", rs)
	}
}

// A packet on its way through a router allocates nothing.
func TestForwardAllocatesNothing(t *testing.T) {
	for i, make := range []func(*nsmodel.Machine, string) (*stage.Forwarder, error){stage.NewForwarder, stage.NewForwarder6,
		stage.NewForwarder, stage.NewForwarder6} {
		where := places()[i/2]
		m, err := machine(where, false)
		if err != nil {
			t.Fatal(err)
		}
		f, err := make(m, "router")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Forward(4 * core.Budget); err != nil {
			t.Fatal(err)
		}
		if k := testing.AllocsPerRun(100, func() { f.Turn(core.Budget) }); k != 0 {
			t.Errorf("%v: %v allocations for %d packets", where, k, core.Budget)
		}
		if b := m.Core.Ledger(f.N); !b.Balanced() || b.Sent != b.In || b.In < 100*core.Budget {
			t.Errorf("%v: not all was forwarded: %v", where, b)
		}
	}
}

// Benchmark runs every case at Quick's sizes. Figures that are not the time of an
// operation are reported under their own unit.
//
//	go test -run '^$' -bench '/veth_forward' -count 10 ./bench | benchstat -col /place -
func Benchmark(b *testing.B) {
	rig := NewRig(Quick())
	defer rig.Close()
	for _, c := range Cases(rig.Sizes) {
		var st *stand
		b.Run(c.Key(), func(b *testing.B) {
			if st == nil {
				var err error
				if st, err = c.open(rig); err != nil {
					b.Skip(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			if st.run != nil {
				if err := st.run(b.N); err != nil {
					b.Fatal(err)
				}
				return
			}
			var r Result
			var values []float64
			for range b.N {
				v, err := st.sample()
				if err != nil {
					b.Fatal(err)
				}
				values = append(values, v)
			}
			r.fill(values)
			b.ReportMetric(*r.Value, c.Unit)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// What cannot be had here is said to be so, and the rest goes on.
func TestNotMeasured(t *testing.T) {
	t.Setenv("NSMODEL_SANDBOX", "")
	var all []Result
	pick := func(c *Case) bool { return c.Name == "nic_forward_pps" || c.Name == "table_get_ns" }
	if err := Run(Tiny(), pick, func(r Result) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if nic := r.Unit == "pps"; nic != (r.Value == nil) || nic != (r.NotMeasured != "") {
			t.Errorf("%s: value %v, not measured: %q", r.Name, r.Value, r.NotMeasured)
		}
	}
	if !NeedSandbox(pick) || NeedSandbox(func(c *Case) bool { return c.Unit == "ns" }) {
		t.Error("figures of NICs, and they alone, need a sandbox")
	}
}
