package compare

import (
	"fmt"
	"net/netip"
	"time"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Where the entries are while a device moves.
const (
	onDevice    = "own"       // on the device itself
	onOther     = "others"    // on another device of its namespace
	atStrangers = "strangers" // in other namespaces
)

// move asks what the move of a device costs.
func move() *Experiment {
	const wall, share = "wall", "share"
	const most = 10_000
	figures := []Figure{
		{Name: onDevice, Title: "A device with N entries moves", X: "entries on the device", Y: "CPU time of the move (us)", LogX: true, LogY: true},
		{Name: onOther, Title: "A device moves, another one of its namespace has N entries", X: "entries on another device", Y: "CPU time of the move (us)", LogX: true, LogY: true},
		{Name: atStrangers, Title: "A device moves, other namespaces have N entries", X: "entries of other namespaces", Y: "CPU time of the move (us)", LogX: true, LogY: true},
		{Name: share, Title: "What an entry on the device adds to its move", X: "entries on the device", Y: "CPU time (ns), the empty device's taken off", LogX: true},
		{Name: wall, Title: "How long whoever moves a device with N entries waits", X: "entries on the device", Y: "time of the move (us)", LogX: true, LogY: true},
	}
	pair := func(name, fig string, x float64, cause string) Pair {
		return Pair{Name: name, Figure: fig, Lower: true, Above: Point{Tagged, x}, Below: Point{Tagged, 0}, Cause: cause}
	}
	const empty = "By perf three quarters of the kernel's work on an empty device, 0.3 to 0.5 ms, are notifiers, half of that IPv6's, and with them the making of its directories of sysctls; the model has neither, and takes some 5 us"
	return &Experiment{
		Number: 9, Name: "move",
		Question: "What does moving a device to another namespace cost, by the entries on it, those on other devices of its namespace, and those of other namespaces?",
		Sources: []string{
			"aws/amazon-vpc-cni-k8s#3764, projectcalico/calico#7705: CNI ADD takes seconds, as a move is unregister and register under RTNL with grace periods",
			"net: Implement network device movement between namespaces (ce286d327341, 2007): as if unregistered and registered",
			"fib_info device hash by ifindex alone (2836615aa22d, 2022), where every namespace's lo is 1",
		},
		Workload: "one end of a veth pair, up and with an address, moves from one namespace to another and comes back; N = 0 to 10,000 (full: 100,000) entries, half of them permanent neighbours, half routes to single hosts: on that device, on another device of its namespace, or in a third namespace. What went with the move is put back before the next one",
		Measured: "CPU time of the thread that moves it, in us, there and not back; and its wall clock, which includes grace periods",
		Expected: "By its own entries all grow in proportion: each is unlinked and ends. By those on other devices of the namespace the cost grows less, as finding the routes of a device means walking all of the namespace's, but nothing ends. " +
			"Those of other namespaces do not matter on either side, where a shared table keeps a list of each namespace's or each device's own entries: neighbours have had such lists in Linux since 6.13. The wall clock of the kernel is that of its grace periods, milliseconds, up to thousands of entries; the model's readers are gone at once.",
		Kernel:  "the same with RTM_NEWLINK and IFLA_NET_NS_FD between namespaces of its own; its neighbours stand in one shared table, its routes in one for each namespace",
		Figures: figures,
		Pairs: []Pair{
			{Name: "what an entry adds, of 10,000 : of 1,000", Figure: share, Lower: true, Above: Point{Tagged, most}, Below: Point{Tagged, 1000}},
			pair("10,000 own entries : none", onDevice, most, "What an entry adds is alike (figure share), an empty device is not. "+empty),
			pair("10,000 entries on another device : none", onOther, most, "A device of the model passes the routes of others: each node of a large table knows the devices of its routes. Until it did, device down, address gone and device gone each walked all routes of the namespace. "+
				"Linux finds next hops by their device (fib_info_devhash), but walks all routes once if a hop has died (fib_table_flush), which is what its move takes more. "+empty),
			pair("10,000 entries of others : none", atStrangers, most, ""),
		},
		Run: func(r *Run) error {
			xs := []int{0, 1000, most}
			if r.Scale != Quick {
				xs = []int{0, 10, 100, 1000, most}
			}
			if r.Scale == Full {
				xs = append(xs, 10*most)
			}
			if r.Scale == Tiny {
				xs = []int{0, 10}
			}
			for _, fig := range []string{onDevice, onOther, atStrangers} {
				var arms []Arm
				empty := map[string]*curve{}
				for _, n := range xs {
					add := func(side, series string, c *curve) {
						arms = append(arms, c.arm(Key{fig, side, series, float64(n)}, 0))
						if fig != onDevice {
							return
						}
						arms = append(arms, c.arm(Key{wall, side, series, float64(n)}, 1))
						if n == 0 {
							empty[side+series] = c
						} else if n >= 1000 || r.Scale == Tiny {
							arms = append(arms, c.between(Key{share, side, series, float64(n)}, 0, empty[side+series],
								func(with, without float64) float64 { return (with - without) * 1000 / float64(n) }))
						}
					}
					for _, series := range []string{Tagged, Replicated} {
						add(Model, series, &curve{open: func() (func() ([]float64, error), func() error, error) {
							return moveModel(r, series, fig, n)
						}})
					}
					add(Kernel, Tagged, &curve{open: func() (func() ([]float64, error), func() error, error) {
						return moveKernel(r, fig, n)
					}})
				}
				if err := r.Group("moves among entries: "+fig, arms...); err != nil {
					return err
				}
			}
			return nil
		},
		Answer: func(d *Data) string {
			grown := func(fig, side, series string) string {
				n, ok := d.Largest(fig, side, series)
				if !ok {
					return "was not taken"
				}
				return d.Ratio(Key{fig, side, series, n}, Key{fig, side, series, 0}).String()
			}
			n, _ := d.Largest(onDevice, Model, Tagged)
			var text string
			for _, w := range []struct{ fig, who string }{{onDevice, "of its own"}, {onOther, "on another device of its namespace"}, {atStrangers, "of other namespaces"}} {
				text += fmt.Sprintf("%.0f entries %s make the move cost, against none: tagged %v, replicated %v", n, w.who, grown(w.fig, Model, Tagged), grown(w.fig, Model, Replicated))
				if len(d.Values(Key{w.fig, Kernel, Tagged, 0})) > 0 {
					text += fmt.Sprintf(", kernel %v", grown(w.fig, Kernel, Tagged))
				}
				text += ". "
			}
			if s := d.Stat(Key{wall, Kernel, Tagged, 0}); s.N > 0 {
				text += fmt.Sprintf("Who moves an empty device waits %s ms for the kernel, of which it works %s.", short(s.Median/1000), short(d.Stat(Key{onDevice, Kernel, Tagged, 0}).Median/1000))
			}
			return text
		},
	}
}

// entry returns the address of the i-th neighbour, and that of the i-th route.
func entryAt(i int) (neigh netip.Addr, route netip.Prefix) {
	b := [4]byte{10, 128 | byte(i>>16), byte(i >> 8), byte(i)}
	neigh = netip.AddrFrom4(b)
	b[0] = 11
	return neigh, netip.PrefixFrom(netip.AddrFrom4(b), 32)
}

// timed adds to took the CPU time of f on this thread and its wall clock, both in
// us.
func timed(took []float64, f func() error) error {
	start := time.Now()
	cpu, err := cpuOf(f)
	took[0] += cpu.Seconds() * 1e6
	took[1] += time.Since(start).Seconds() * 1e6
	return err
}

func moveModel(r *Run, series, where string, entries int) (take func() ([]float64, error), end func() error, err error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(place(series))})
	if err != nil {
		return nil, nil, err
	}
	var nets [3]*netns.Net
	for i, name := range []string{"from", "to", "stranger"} {
		if nets[i], err = m.AddNet(name); err != nil {
			return nil, nil, err
		}
	}
	var devs [3]*core.Device // that moves, beside it, the stranger's
	m.Sys.Lock()
	defer m.Sys.Unlock()
	for i, n := range []*netns.Net{nets[0], nets[0], nets[2]} {
		if devs[i], _, err = stage.Veth(m, n, fmt.Sprint("v", i), fmt.Sprintf("10.0.%d.1/24", i)); err != nil {
			return nil, nil, err
		}
	}
	at := map[string]*core.Device{onDevice: devs[0], onOther: devs[1], atStrangers: devs[2]}[where]
	if err := moveFill(m, at, entries); err != nil {
		return nil, nil, err
	}
	moved := devs[0]
	// One move of an empty device is too short to be timed alone.
	return func() ([]float64, error) {
		m.Sys.Lock()
		defer m.Sys.Unlock()
		took, moves := make([]float64, 2), 0
		for ; moves == 0 || took[0] < r.slice().Seconds()*1e6/30 && moves < 100; moves++ {
			if err := timed(took, func() error { return m.Core.Move(moved, nets[1], "") }); err != nil {
				return nil, err
			}
			if err := m.Core.Move(moved, nets[0], ""); err != nil {
				return nil, err
			}
			if err := stage.Up(m, moved, "10.0.0.1/24"); err != nil {
				return nil, err
			}
			if at == moved {
				if err := moveFill(m, at, entries); err != nil {
					return nil, err
				}
			}
		}
		return []float64{took[0] / float64(moves), took[1] / float64(moves)}, nil
	}, nil, nil
}

// moveFill gives d as many entries, half of them neighbours and half routes;
// under rtnl.
func moveFill(m *nsmodel.Machine, d *core.Device, entries int) error {
	w := m.Core.Enter()
	defer w.Leave()
	for i := range entries / 2 {
		neigh, route := entryAt(i)
		if err := m.Core.SetNeighbour(w, d, neigh, core.NeighUpdate{State: core.NudPermanent, MAC: wire.MAC{2, 0, 0, 0, 9, 9}}); err != nil {
			return err
		}
		if err := m.IPv4.FIB.Add(d.Net(), fib.Route{Dst: route, Table: fib.TableMain, Type: fib.Unicast, Proto: fib.ProtoBoot, Scope: fib.Link,
			NextHops: []fib.NextHop{{Dev: d, IfIndex: int32(d.Index())}}}, fib.AddRoute); err != nil {
			return err
		}
	}
	return nil
}
