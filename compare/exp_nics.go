package compare

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/live"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// The figures of experiment nics, and its series beside the two placements.
const (
	nicForward = "forward"
	nicEcho    = "echo"

	swapped  = "no stack: frames swapped"
	inMemory = ", no NIC" // after a placement
)

// nicOthers is how many other namespaces the two sides are compared with.
const nicOthers = 1000

// nics asks what the whole way of a packet costs among other namespaces.
func nics() *Experiment {
	const x = "other namespaces"
	pair := func(fig, series, what string) Pair {
		return Pair{Name: what + ", 1,000 other namespaces : none", Figure: fig, Lower: true, Above: Point{series, nicOthers}, Below: Point{series, 0}}
	}
	return &Experiment{
		Number: 11, Name: "nics",
		Question: "What does a packet's whole way, from one real NIC to another or to a socket and back, cost while N other namespaces are there?",
		Sources: []string{
			"tcp: Introduce optional per-netns ehash (d1e5e6408b30, 2022): workloads penalise each other",
			"mininet/mininet#576, canonical/lxd#699, threefoldtech/zos#2528: slow with many namespaces",
			"OpenFastPath/ofp#217: the tag missed in the transport layer",
		},
		Workload: "UDP datagrams of 60 bytes in turns of 64, from a far end of a veth to the next when all have arrived: forwarded from one veth to another by a namespace with both, or answered by its socket. " +
			"N = 0 to 10,000 others on the model, 0 and 1,000 in the kernel, each with its loopback up, a route to the same prefix and a socket on the same port. The model's NICs are AF_PACKET sockets on the near ends of the veths, run live by one worker",
		Measured: "CPU time of the process for a datagram in ns, all threads: also who sends it and who counts it at the far end, which is the same on both sides. " +
			"'no NIC': the same Nets with packets made in memory, from a veth's backlog to its end, one thread. 'frames swapped': the leanest loop over the same sockets in place of a stack",
		Expected: "Others do not matter: tables grow or are one's own, and the namespace is mixed into the hash, so in both placements the cost with 10,000 others is that of none but for a few per cent of cache misses, more of them in the shared tables. " +
			"The NIC costs several times what the stack does, so end to end even less is seen. The kernel's UDP table has a fixed number of buckets, but 1,000 sockets hardly fill it: no difference there, in forwarding neither.",
		Kernel: "a kernel namespace between the same kind of veths forwards and answers (blocking recvfrom and sendto) the same datagrams; the others are made and removed between samples, so that with and without take turns. " +
			"Its routes have one placement; answering is with the shared UDP table (tagged) and an own one of 1,024 buckets (replicated)",
		Figures: []Figure{
			{Name: nicForward, Title: "A datagram from NIC to NIC among N other namespaces", X: x, Y: "CPU time of a datagram (ns)", LogX: true, LogY: true},
			{Name: nicEcho, Title: "A datagram to a socket and back among N other namespaces", X: x, Y: "CPU time of a datagram (ns)", LogX: true, LogY: true},
		},
		Pairs: []Pair{
			pair(nicForward, Replicated, "forwarding"),
			pair(nicEcho, Tagged, "echo, shared UDP table"),
			pair(nicEcho, Replicated, "echo, own UDP table"),
		},
		Run: nicsRun, Answer: nicsAnswer,
	}
}

func nicsRun(r *Run) error {
	rig := nicRig{r: r, beds: map[Point]*nicBed{}}
	defer rig.close()
	sizes := []int{0, Pick(r, nicOthers, nicOthers, nicOthers), Pick(r, 10_000, 10_000, 10_000)}
	if r.Scale != Quick && r.Scale != Tiny {
		sizes = []int{0, 1, 10, 100, nicOthers, 10_000}
	}
	var arms []Arm
	for _, n := range sizes {
		for _, s := range []string{Tagged, Replicated} {
			p := Point{s, float64(n)}
			arms = append(arms,
				Arm{Key{nicForward, Model, s + inMemory, p.X}, func() (*Stand, error) { return forwardInMemory(r, s, n) }},
				Arm{Key{nicEcho, Model, s + inMemory, p.X}, func() (*Stand, error) { return echoInMemory(r, s, n) }})
			if !r.Boxed {
				continue
			}
			both := &shot{take: func() (map[string]float64, error) { return rig.sample(rig.beds[p]) },
				here: func() error { return rig.setUp(s, n) }}
			for _, fig := range []string{nicForward, nicEcho} {
				arms = append(arms, both.arm(Key{fig, Model, s, p.X}, fig, nicRounds(r)))
			}
		}
	}
	if r.Boxed {
		swap := &shot{take: rig.sampleSwap, here: rig.lay}
		arms = append(arms, swap.arm(Key{nicForward, Model, swapped, 0}, nicForward, nicRounds(r)))
	} else {
		r.note("what goes through NICs: %v: %v", ErrNotHere, r.Why)
	}
	if err := r.Group("packets among idle Nets", arms...); err != nil {
		return err
	}
	rig.close()
	return r.nicsKernel()
}

// nicRounds is less than elsewhere: each sample opens and closes raw sockets.
func nicRounds(r *Run) int { return Pick(r, 5, 11, 15) }

// nicMachine makes a machine with all in one placement and n Nets as of a crowd.
func nicMachine(series string, n int) (*nsmodel.Machine, error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(place(series))})
	if err != nil {
		return nil, err
	}
	return m, crowd(m, "other", n, func(n *netns.Net) error {
		m.Sys.Lock()
		defer m.Sys.Unlock()
		if err := loopbackUp(m, n); err != nil {
			return err
		}
		if err := stage.AddRoute(m, m.Core.Device(n, "lo"), stage.Behind(), netip.Addr{}); err != nil {
			return err
		}
		_, err := stage.Listen(m, n, stage.Port)
		return err
	})
}

func forwardInMemory(r *Run, series string, n int) (*Stand, error) {
	m, err := nicMachine(series, n)
	if err != nil {
		return nil, err
	}
	f, err := stage.NewForwarder(m, "router")
	if err != nil {
		return nil, err
	}
	return r.Repeat(f.Forward)
}

func echoInMemory(r *Run, series string, n int) (*Stand, error) {
	m, err := nicMachine(series, n)
	if err != nil {
		return nil, err
	}
	rec, err := stage.NewReceiver(m, "receiver", stage.Port)
	if err != nil {
		return nil, err
	}
	return r.Repeat(rec.Echo)
}

// A nicRig is the cables that all machines take turns at.
type nicRig struct {
	r             *Run
	cables        *stage.Cables
	forward, echo *farEnd
	beds          map[Point]*nicBed
}

// A nicBed is a machine whose Net router gets the NICs for a sample.
type nicBed struct {
	m      *nsmodel.Machine
	router *netns.Net
	conn   *udp.Conn
	done   chan struct{}
}

// lay makes the cables, once.
func (rig *nicRig) lay() (err error) {
	if rig.cables != nil {
		return nil
	}
	if rig.cables, err = stage.LayCables(nil); err != nil {
		return err
	}
	if rig.forward, err = farForward(rig.cables); err != nil {
		return err
	}
	rig.echo, err = farEcho(rig.cables)
	return err
}

// setUp makes the machine of a point, once.
func (rig *nicRig) setUp(series string, n int) error {
	p := Point{series, float64(n)}
	if rig.beds[p] != nil {
		return nil
	}
	if err := rig.lay(); err != nil {
		return err
	}
	m, err := nicMachine(series, n)
	if err != nil {
		return err
	}
	b := &nicBed{m: m, done: make(chan struct{})}
	if b.router, err = m.AddNet("router"); err != nil {
		return err
	}
	if b.conn, err = stage.Listen(m, b.router, stage.Port); err != nil {
		return err
	}
	go b.answer()
	rig.beds[p] = b
	return nil
}

// answer sends back what comes until the socket is closed.
func (b *nicBed) answer() {
	defer close(b.done)
	buf := make([]byte, 64)
	for {
		n, from, err := b.conn.ReadFromAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = b.conn.WriteToAddrPort(buf[:n], from) // what is lost is missed at the far end
	}
}

func (rig *nicRig) close() {
	for _, b := range rig.beds {
		b.conn.Close()
		<-b.done
	}
	for _, e := range []*farEnd{rig.forward, rig.echo} {
		if e != nil {
			e.close() // its sockets go with the process at the latest
		}
	}
	if rig.cables != nil {
		rig.cables.Close()
	}
	*rig = nicRig{r: rig.r, beds: map[Point]*nicBed{}}
}

// sample gives the NICs to a machine and has it forward, then answer.
func (rig *nicRig) sample(b *nicBed) (all map[string]float64, err error) {
	nics, err := stage.RouteNICs(b.m, b.router, b.router)
	if err != nil {
		return nil, err
	}
	defer func() {
		b.m.Sys.Lock()
		defer b.m.Sys.Unlock()
		err = errors.Join(err, b.m.Core.Unregister(nics[0]), b.m.Core.Unregister(nics[1]))
	}()
	if err := stage.KnowSender(nics[0]); err != nil {
		return nil, err
	}
	run, err := live.Start(b.m)
	if err != nil {
		return nil, err
	}
	defer run.Stop()
	all = map[string]float64{}
	if all[nicForward], err = rig.forward.sample(rig.r.slice()); err != nil {
		return nil, fmt.Errorf("forwarding: %w; %v", err, b.m.Core.Ledger(b.router))
	}
	if all[nicEcho], err = rig.echo.sample(rig.r.slice()); err != nil {
		return nil, fmt.Errorf("answering: %w; %v", err, b.m.Core.Ledger(b.router))
	}
	return all, nil
}

// sampleSwap has nobody but the leanest loop between the NICs.
func (rig *nicRig) sampleSwap() (all map[string]float64, err error) {
	stop, err := stage.SwapNICs()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	v, err := rig.forward.sample(rig.r.slice())
	return map[string]float64{nicForward: v}, err
}

// nicsKernel has kernel namespaces forward and answer, with the others and
// without in turns.
func (r *Run) nicsKernel() error {
	most := Pick(r, nicOthers, nicOthers, nicOthers) // Tiny has less
	var b *kernelBox
	var others *kernelCrowd
	routers := map[string]*kernelRouter{}
	defer func() {
		for _, k := range routers {
			_ = k.close() // the samples are taken
		}
		if b != nil {
			_ = b.Close()
		}
	}()
	setUp := func(series string) (err error) {
		if b == nil {
			if err := roomFor(nicOthers, 400e3); err != nil {
				return err
			}
			if b, err = r.newBox(); err != nil {
				return err
			}
			others = &kernelCrowd{b, most}
		}
		if routers[series] == nil {
			routers[series], err = b.router(series)
		}
		return err
	}
	var arms []Arm
	for _, n := range []int{0, most} {
		add := func(fig, series string, far func(*kernelRouter) *farEnd) {
			arms = append(arms, Arm{Key{fig, Kernel, series, float64(n)}, func() (*Stand, error) {
				if err := setUp(series); err != nil {
					return nil, err
				}
				return &Stand{Cold: true, Rounds: nicRounds(r), Sample: func() (float64, error) {
					changed, err := others.there(n > 0)
					if err == nil && changed { // what made or removed them has left its traces
						_, err = far(routers[series]).sample(r.slice())
					}
					if err != nil {
						return 0, err
					}
					return far(routers[series]).sample(r.slice())
				}}, nil
			}})
		}
		add(nicForward, Replicated, func(k *kernelRouter) *farEnd { return k.forward })
		for _, s := range []string{Tagged, Replicated} {
			add(nicEcho, s, func(k *kernelRouter) *farEnd { return k.echo })
		}
	}
	return r.Group(fmt.Sprintf("kernel: packets between NICs, with %d idle namespaces and without", most), arms...)
}

func nicsAnswer(d *Data) string {
	n, _ := d.Largest(nicForward, Model, Tagged+inMemory)
	suffix := inMemory // without a sandbox there are no NICs
	if _, ok := d.Largest(nicForward, Model, Tagged); ok {
		suffix = ""
	}
	var b strings.Builder
	for _, way := range []string{suffix, inMemory} {
		if way == inMemory && b.Len() > 0 {
			b.WriteString(" The same without the NIC, by the stack alone:")
		} else {
			fmt.Fprintf(&b, "With %.0f other namespaces against none a datagram takes,", n)
		}
		for i, fig := range []string{nicForward, nicEcho} {
			with := func(s string) Ratio { return d.Ratio(Key{fig, Model, s + way, n}, Key{fig, Model, s + way, 0}) }
			fmt.Fprintf(&b, " %s tagged %v, replicated %v%s", []string{"forwarded", "answered"}[i], with(Tagged), with(Replicated), []string{";", "."}[i])
		}
		if suffix == inMemory {
			break
		}
	}
	for i, fig := range []string{nicForward, nicEcho} {
		kernel, model := Key{fig, Kernel, Replicated, 0}, Key{fig, Model, Replicated, 0}
		if d.Stat(kernel).N > 0 && d.Stat(model).N > 0 {
			fmt.Fprintf(&b, " Alone and %s it takes %s ns here, %s of them without the NIC, and %s in the kernel.", []string{"forwarded", "answered"}[i],
				short(d.Stat(model).Median), short(d.Stat(Key{fig, Model, Replicated + inMemory, 0}).Median), short(d.Stat(kernel).Median))
		}
	}
	return b.String()
}
