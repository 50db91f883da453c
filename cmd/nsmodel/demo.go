package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
	"nsmodel/netns"
)

// The demo's addresses: the same ones on both sides, twice.
const (
	demoHost  = "10.0.0.1"
	demoModel = "10.0.0.2"
)

// demo shows two namespaces with one address on two real NICs, under both
// placements.
func demo(args []string) int {
	var c nsmodel.Config
	fs, p := flags("demo", "[--place S=P]... [--memory]", &c)
	memory := fs.Bool("memory", false, "use in-memory wires even where real NICs can be had")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if !linux.Inside() {
		fmt.Println("nsmodel demo: two namespaces, one address, at the same time")
		if !*memory {
			if err := linux.Why(); err == nil {
				status, err := linux.Enter()
				if err != nil {
					return fail(err)
				}
				return status
			} else {
				fmt.Printf("\nReal NICs cannot be had here: %v.\nThe same goes over wires in memory instead.\n", err)
			}
		}
		return demoRuns(&c, p, newMemoryWorld)
	}
	if err := linux.Settle(); err != nil {
		return fail(err)
	}
	return demoRuns(&c, p, newKernelWorld)
}

// demoRuns shows it once with everything tagged and once with everything
// replicated, or once with the placements that were asked for.
func demoRuns(c *nsmodel.Config, p *placeFlags, world func() (world, error)) int {
	describe(os.Stdout)
	runs := []struct {
		title string
		place nsmodel.Places
	}{
		{"every table shared, its entries tagged with their namespace", nsmodel.AllPlaces(netns.Tagged)},
		{"every table replicated, one for each namespace", nsmodel.AllPlaces(netns.Replicated)},
	}
	if p.Places != (nsmodel.Places{}) {
		runs = runs[:1]
		runs[0].title, runs[0].place = "placements as asked for: "+p.Places.String(), p.Places
	}
	status := 0
	var saw [][]string
	for i, r := range runs {
		fmt.Printf("\n=== run %d of %d: %s\n", i+1, len(runs), r.title)
		cc := *c
		cc.Place = r.place
		what, err := demoRun(cc, world)
		if err != nil {
			fmt.Printf("\nFAILED: %v\n", err)
			status = 1
		}
		saw = append(saw, what)
	}
	if status == 0 && len(saw) == 2 {
		if !slices.Equal(saw[0], saw[1]) {
			fmt.Printf("\nFAILED: the two runs saw different things:\n  %q\n  %q\n", saw[0], saw[1])
			return 1
		}
		fmt.Printf("\nBoth runs saw the same %d things, word for word: where a table stands is invisible\nto everybody but the clock and the memory.\n", len(saw[0]))
	}
	return status
}

// describe says what the demo runs on.
func describe(f *os.File) {
	var u unix.Utsname
	_ = unix.Uname(&u) // a nameless kernel is printed as such
	who := "wires in memory"
	if linux.Inside() {
		who = "a kernel network namespace of its own"
		if os.Getenv("USER") != "" && os.Getuid() == 0 {
			who += " (as root of it)"
		}
	}
	fmt.Fprintf(f, "Linux %s, %s, %d CPUs; runs in %s\n", unix.ByteSliceToString(u.Release[:]), runtime.Version(), runtime.NumCPU(), who)
}

// A world is the other side of the two NICs: east and west, each a host of its
// own with the address 10.0.0.1.
type world interface {
	// nic returns the link command that gives a Net the device named eth0.
	nic(h *shell, side, net, name string) error
	// ping sends an echo request to a from a side.
	ping(side string, a netip.Addr, wait time.Duration) (time.Duration, error)
	// ask sends a datagram to a from a side and returns the answer.
	ask(side string, a netip.AddrPort, text string, wait time.Duration) (string, error)
	// picture draws the world.
	picture() string
	close()
}

// demoRun is one pass of the story. It returns what was seen: each answer, and
// what each command printed.
func demoRun(c nsmodel.Config, newWorld func() (world, error)) (saw []string, err error) {
	w, err := newWorld()
	if err != nil {
		return nil, err
	}
	defer w.close()
	h, err := newShell(c)
	if err != nil {
		return nil, err
	}
	defer h.close()
	fmt.Print(w.picture())
	s := story{shell: h, world: w, dst: netip.MustParseAddr(demoModel)}
	for i, part := range []struct {
		title string
		tell  func() error
	}{
		{"Two namespaces, one address", s.build},
		{"The kernel pings both at once", s.pingBoth},
		{"The kernel talks UDP with a service in each", s.talk},
		{"A NIC moves from red to blue while both run", s.move},
		{"blue is destroyed under traffic", s.destroy},
		{"What it cost", s.cost},
		{"The books", s.books},
	} {
		fmt.Printf("\n%d. %s\n", i+1, part.title)
		if err := part.tell(); err != nil {
			return s.saw, fmt.Errorf("%s: %w", strings.ToLower(part.title), err)
		}
	}
	return s.saw, nil
}

// A kernelWorld is two kernel namespaces behind veth pairs, whose near ends are
// the model's NICs.
type kernelWorld struct {
	far     map[string]*rtnl.Namespace
	pingers map[string]*linux.Pinger
	conn    *rtnl.Conn
}

// newKernelWorld makes it in the namespace that this process is in, which is
// its own.
func newKernelWorld() (world, error) {
	k := &kernelWorld{far: map[string]*rtnl.Namespace{}, pingers: map[string]*linux.Pinger{}}
	conn, err := rtnl.Dial()
	if err != nil {
		return nil, err
	}
	k.conn = conn
	for i, side := range []string{"east", "west"} {
		if err := k.side(side, fmt.Sprintf("nic%d", i)); err != nil {
			k.close()
			return nil, err
		}
	}
	return k, nil
}

// side makes a kernel namespace with its end of a veth pair.
func (k *kernelWorld) side(side, nic string) error {
	ns, err := rtnl.NewNamespace()
	if err != nil {
		return err
	}
	k.far[side] = ns
	if err := k.conn.AddVeth(nic, "host0", ns); err != nil {
		return err
	}
	if err := k.conn.SetUp(nic); err != nil {
		return err
	}
	far, err := ns.Dial()
	if err != nil {
		return err
	}
	defer far.Close()
	if err := errors.Join(far.SetUp("host0"), far.AddAddr("host0", netip.MustParsePrefix(demoHost+"/24"))); err != nil {
		return err
	}
	k.pingers[side], err = linux.NewPinger(ns)
	return err
}

func (k *kernelWorld) nic(h *shell, side, net, name string) error {
	dev := map[string]string{"east": "nic0", "west": "nic1"}[side]
	return h.sh("ip -n %s link add %s type nic dev %s", net, name, dev)
}

func (k *kernelWorld) ping(side string, a netip.Addr, wait time.Duration) (time.Duration, error) {
	return k.pingers[side].Ping(a, 56, wait)
}

func (k *kernelWorld) ask(side string, a netip.AddrPort, text string, wait time.Duration) (string, error) {
	return linux.Ask(k.far[side], a, text, wait)
}

func (k *kernelWorld) picture() string {
	return `
  real kernel, namespace east                             nsmodel, Net red
    host0 10.0.0.1/24 -- veth -- nic0 ==[ AF_PACKET ]== eth0 10.0.0.2/24
  real kernel, namespace west                             nsmodel, Net blue
    host0 10.0.0.1/24 -- veth -- nic1 ==[ AF_PACKET ]== eth0 10.0.0.2/24
`
}

func (k *kernelWorld) close() {
	for _, p := range k.pingers {
		p.Close()
	}
	for _, nic := range []string{"nic0", "nic1"} {
		_ = k.conn.DelLink(nic) // gone already if its peer's namespace is
	}
	for _, ns := range k.far {
		ns.Close()
	}
	k.conn.Close()
}
