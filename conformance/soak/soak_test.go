package soak

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/internal/linux"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// noKernel says why there are no real NICs for the tests; nil if there are.
var noKernel error

// TestMain runs the tests in a sandbox of the kernel's, so that no interface of
// the machine is ever in reach.
func TestMain(m *testing.M) {
	linux.Probe()
	if !linux.Inside() {
		if noKernel = linux.Why(); noKernel == nil {
			status, err := linux.Enter()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				status = 1
			}
			os.Exit(status)
		}
	}
	os.Exit(m.Run())
}

// A short soak finds nothing, has done a little of everything, and leaves the
// process as it was.
func TestSoak(t *testing.T) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		t.Run(place.String(), func(t *testing.T) {
			var out strings.Builder
			c := Config{Machine: nsmodel.Config{Seed: 5, Workers: 2, Place: nsmodel.AllPlaces(place)}, For: 2 * time.Second, Kernel: noKernel == nil, Out: &out}
			r, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Ok() || !strings.HasSuffix(r.String(), ": ok") {
				t.Errorf("%s%s%v", out.String(), r.Table(), r)
			}
			if r.Frames == 0 || r.Nets == 0 || r.Flaps == 0 || r.Talks == 0 || r.Commands == 0 || len(r.Plateaus) < 2 {
				t.Errorf("something was not done: %+v", r)
			}
			if !strings.Contains(out.String(), "1s  ") {
				t.Errorf("no line a second:\n%s", out.String())
			}
		})
	}
}

// Who interrupts it has the checks all the same.
func TestSoakInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r, err := Run(ctx, Config{For: time.Hour})
	if err != nil || !r.Ok() || r.Took > time.Minute || len(r.Plateaus) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What must be found is found: each defect is done to a machine behind the
// soak's back.
func TestSoakFinds(t *testing.T) {
	for _, c := range []struct {
		name, want string
		harm       func(o *ordeal) error
	}{
		{"a packet that nobody frees", "out of the pools", func(o *ordeal) error {
			w := o.m.Core.Enter()
			defer w.Leave()
			w.NewPacket(o.m.Init(), 100)
			return nil
		}},
		{"a Net that somebody holds", "want", func(o *ordeal) error {
			_, err := o.m.AddNet("forgotten")
			return err
		}},
		{"a frame at who is not concerned", "who is not concerned noticed", func(o *ordeal) error {
			n, err := o.m.Net("east")
			if err != nil {
				return err
			}
			defer n.Put()
			w := o.m.Core.Enter()
			defer w.Leave()
			o.m.Core.Device(n, "eth0").Queue(w, w.NewFrame(60))
			return nil
		}},
		{"a stranger in a talk", "hears a stranger", func(o *ordeal) error {
			c, err := o.m.UDP.Listen(o.talks[0].a, netip.AddrPort{}, udp.Options{})
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.WriteToAddrPort([]byte("who is there?"), netip.MustParseAddrPort("10.1.0.1:7"))
			return err
		}},
		{"a NIC that is lost", "has not come home", func(o *ordeal) error {
			o.m.Sys.Lock()
			defer o.m.Sys.Unlock()
			return o.m.Core.Unregister(o.nics[0].dev)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &ordeal{c: Config{Machine: nsmodel.Config{Workers: 2}, Out: new(strings.Builder)}, over: make(chan struct{}), hurry: true}
			if err := o.build(); err != nil {
				t.Fatal(err)
			}
			if err := c.harm(o); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // for what is on its way
			o.plateau(time.Now())
			if all := strings.Join(o.faults, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("found %q, want %q", all, c.want)
			}
			o.destroy()
		})
	}
}

// Memory that grows is told from memory that does not.
func TestFlat(t *testing.T) {
	ps := func(heap ...uint64) (ps []Plateau) {
		for _, h := range heap {
			ps = append(ps, Plateau{Gauge: Gauge{Heap: h << 20, RSS: 50 << 20}})
		}
		return ps
	}
	for _, c := range []struct {
		name  string
		ps    []Plateau
		grows bool
	}{
		{"flat", ps(10, 20, 21, 20, 21, 20, 21, 20, 21, 20), false},
		{"falls", ps(30, 29, 28, 27, 26, 25, 24, 23, 22, 21), false},
		{"a little a plateau", ps(20, 21, 22, 23, 24, 25, 26, 27, 28, 29), true},
		{"too few to say", ps(10, 20, 30), false},
	} {
		if bad := flat(c.ps); (bad != "") != c.grows {
			t.Errorf("%s: %q", c.name, bad)
		}
	}
	if bad := flat(append(ps(20, 20, 20, 20), Plateau{Gauge: Gauge{20 << 20, 200 << 20, 0, 0}}, Plateau{Gauge: Gauge{20 << 20, 200 << 20, 0, 0}}, Plateau{Gauge: Gauge{20 << 20, 200 << 20, 0, 0}})); !strings.Contains(bad, "resident") {
		t.Errorf("resident memory grows: %q", bad)
	}
}
