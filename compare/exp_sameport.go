package compare

import (
	"fmt"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/netns"
)

// notMixed is a shared table with the tag left out of the choice of bucket.
const notMixed = "tagged, not mixed"

// samePort asks what it costs that everybody uses the same port.
func samePort() *Experiment {
	const fig = "receive"
	return &Experiment{
		Number: 2, Name: "same-port",
		Question: "What does a datagram cost one namespace when N others have a socket on the same port?",
		Sources: []string{
			"netlink: Move namespace into hash key (c428ecd1a21f, 2015): compared but not hashed, equal port ids of all namespaces were one chain",
			"netns: get more entropy from net_hash_mix (5424ea27390f, 2018): all namespaces used the same bucket for port 80",
		},
		Workload: "one namespace receives and reads UDP datagrams of 60 bytes on port 7777, in turns of 64; N = 0 to 1,000 (full: 100,000) other namespaces have a socket on that port",
		Measured: "CPU time of a datagram in ns: model from the backlog of a veth's peer to the reader, kernel sendto and recvfrom over the loopback",
		Expected: "With the namespace mixed into the hash N does not matter in a shared table, nor in a table for each. Without, a shared table's one chain makes the cost grow " +
			"in proportion to N, past some hundred by more than everything else. The kernel mixes, so it shows no difference between shared and own tables.",
		Kernel:  "the same in namespaces made with udp_child_hash_entries at 0 (shared table) and at 1024 (own table); the kernel cannot leave the mix out",
		Figures: []Figure{{Name: fig, Title: "A datagram among N namespaces on the same port", X: "other namespaces with a socket on the port", Y: "CPU time of a datagram (ns)", LogX: true, LogY: true}},
		Pairs: []Pair{{Name: "shared : own table, 1,000 others on the port", Figure: fig, Lower: true, Above: Point{Tagged, 1000}, Below: Point{Replicated, 1000}},
			{Name: "shared : own table, no others", Figure: fig, Lower: true, Above: Point{Tagged, 0}, Below: Point{Replicated, 0}}},
		Run: func(r *Run) error {
			var arms []Arm
			arm := func(side, series string, n int, open func(*Run, string, int) (*Stand, error)) {
				arms = append(arms, Arm{Key{fig, side, series, float64(n)}, func() (*Stand, error) { return open(r, series, n) }})
			}
			for _, n := range r.roomy("namespaces with a socket", Sweep(true, Pick(r, 1000, 10_000, 100_000)), 3*4e3) {
				arm(Model, Tagged, n, samePortModel)
				arm(Model, Replicated, n, samePortModel)
				if n <= 10_000 { // binding alone walks the chain: N squared
					arm(Model, notMixed, n, samePortModel)
				}
			}
			if err := r.Group("datagrams among namespaces on one port", thin(r, arms)...); err != nil {
				return err
			}
			// The kernel has one shared table: each size takes its turn.
			for _, n := range Sweep(true, Pick(r, 1000, 1000, 10_000)) {
				arms = nil
				arm(Kernel, Tagged, n, samePortKernel)
				arm(Kernel, Replicated, n, samePortKernel)
				if err := r.Group(fmt.Sprintf("kernel: datagrams among %d namespaces on one port", n), thin(r, arms)...); err != nil {
					return err
				}
			}
			return nil
		},
		Answer: func(d *Data) string {
			n, _ := d.Largest(fig, Model, Tagged)
			u, _ := d.Largest(fig, Model, notMixed)
			return fmt.Sprintf("Among %.0f others, a shared table against an own one: %v. Without the mix, among %.0f others against an own table: %v.", n,
				d.Ratio(Key{fig, Model, Tagged, n}, Key{fig, Model, Replicated, n}), u, d.Ratio(Key{fig, Model, notMixed, u}, Key{fig, Model, Replicated, u}))
		},
	}
}

func samePortModel(r *Run, series string, n int) (*Stand, error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.Places{UDP: place(series)}, Unmixed: series == notMixed})
	if err != nil {
		return nil, err
	}
	listen := func(n *netns.Net) error { _, err := stage.Listen(m, n, stage.Port); return err }
	// A chain's newest entry comes first: the receiver is in the middle.
	if err := crowd(m, "before", n/2, listen); err != nil {
		return nil, err
	}
	rec, err := stage.NewReceiver(m, "receiver", stage.Port)
	if err != nil {
		return nil, err
	}
	if err := crowd(m, "after", n-n/2, listen); err != nil {
		return nil, err
	}
	return r.Repeat(rec.Receive)
}

func samePortKernel(r *Run, series string, n int) (*Stand, error) {
	if err := roomFor(n, 400e3); err != nil {
		return nil, err
	}
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	var rec *kernelReceiver
	err = withSysctl("net.ipv4.udp_child_hash_entries", own(series, 1024), func() error {
		if err := b.hold(n/2, stage.Port, 1); err != nil {
			return err
		}
		if rec, err = b.receiver(stage.Port); err != nil {
			return err
		}
		return b.hold(n-n/2, stage.Port, 1)
	})
	if err != nil {
		return nil, err
	}
	st, err := r.Repeat(rec.receive)
	if err == nil {
		st.Close = b.Close
	}
	return st, err
}

// own returns what *_child_hash_entries is to be: the size of an own table, or 0.
func own(series string, size int) string {
	if series == Replicated {
		return fmt.Sprint(size)
	}
	return "0"
}
