package scene

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nsmodel"
	"nsmodel/conformance/explore/step"
	"nsmodel/core"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A wired is a whole machine with the Nets red (10.0.0.1, device r0) and blue
// (10.0.0.2, device b0) and a wire between them, over which datagrams have gone
// already: both know each other's hardware address. Each has a socket on port 7.
type wired struct {
	*nsmodel.Machine
	red, blue         *netns.Net
	r0, b0            *core.Device
	redSock, blueSock *udp.Conn
	nic               *core.Device // a real NIC, if the scene asked for one
	entries           map[string]int
}

var (
	redAddr  = netip.MustParseAddrPort("10.0.0.1:7")
	blueAddr = netip.MustParseAddrPort("10.0.0.2:7")
)

func newWired(workers int, place netns.Placement) *wired {
	c := nsmodel.Config{Seed: 1, Workers: workers}
	if place != netns.Default {
		c.Place = nsmodel.AllPlaces(place)
	}
	m := &wired{Machine: must(nsmodel.New(c)), entries: map[string]int{}}
	for _, s := range m.Sys.Subsystems() {
		m.entries[s.Name] = s.Entries
	}
	m.red, m.blue = must(m.AddNet("red")), must(m.AddNet("blue"))
	m.Sys.Lock()
	m.r0 = must(m.Core.Kind("veth").New(m.red, core.LinkSpec{Name: "r0", Peer: &core.LinkSpec{Name: "b0"}, PeerNet: m.blue}))
	m.b0 = m.r0.LowerDevice()
	ends := []*core.Device{m.r0, m.b0}
	for i, a := range []netip.Addr{redAddr.Addr(), blueAddr.Addr()} {
		ok(m.IPv4.AddAddr(ends[i], ipv4.Addr{Local: a, Prefix: netip.PrefixFrom(a, 24), Broadcast: netip.MustParseAddr("10.0.0.255")}))
	}
	for _, d := range ends {
		ok(m.Core.SetUp(d))
	}
	m.Sys.Unlock()
	m.redSock = must(m.UDP.Listen(m.red, netip.AddrPortFrom(netip.IPv4Unspecified(), 7), udp.Options{}))
	m.blueSock = must(m.UDP.Listen(m.blue, netip.AddrPortFrom(netip.IPv4Unspecified(), 7), udp.Options{}))
	m.send(m.redSock, blueAddr, "warm")
	m.send(m.blueSock, redAddr, "warm")
	m.Advance(time.Millisecond)
	for _, s := range []*udp.Conn{m.redSock, m.blueSock} {
		_, text := m.read(s)
		want(text == "warm", "the wire does not work: %q", text)
	}
	return m
}

// send sends and reports whether the socket's Net let it.
func (m *wired) send(c *udp.Conn, to netip.AddrPort, text string) bool {
	_, err := c.WriteToAddrPort([]byte(text), to)
	return err == nil
}

// read reads without waiting.
func (m *wired) read(c *udp.Conn) (bool, string) {
	var b [16]byte
	n, _, err := c.TryReadFrom(b[:])
	return err == nil, string(b[:n])
}

// poll lets a worker do what there is to do.
func (m *wired) poll(worker int) func() {
	return func() { m.Core.Workers()[worker].Poll(m.Sys.Now(), core.Budget) }
}

func (m *wired) del(name string) func() {
	return func() { ok(m.DeleteNet(name)) }
}

// addNIC puts a NIC of the machine into n.
func (m *wired) addNIC(n *netns.Net) {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	m.nic = must(m.Core.Register(n, core.DeviceSpec{Name: "eth0", Driver: hole{}, Real: true, Carrier: true}))
	ok(m.Core.SetUp(m.nic))
}

// hole is a driver that sends everything away.
type hole struct{}

// Xmit takes p.
func (hole) Xmit(w *core.Worker, _ *core.Device, p *core.Packet) { w.Release(p) }

// over takes down what is left, and complains of what does not go or does not add up.
func (m *wired) over() error {
	m.Settle()
	if err := m.nicIsSomewhere(); err != nil {
		return err
	}
	m.Sys.Lock()
	for n := range m.Sys.Nets() {
		if n.Named() {
			ok(m.Sys.Delete(n.Name()))
		}
	}
	m.Sys.Reap()
	m.Sys.Unlock()
	m.Advance(2 * time.Minute)
	if err := m.nicIsSomewhere(); err != nil {
		return err
	}
	if c := m.Sys.Census(); c != (netns.Census{Living: 1, Memory: 1}) {
		return fmt.Errorf("references are left: %d living, %d dying and %d Nets in memory, where 1, 0 and 1 are wanted", c.Living, c.Dying, c.Memory)
	}
	for _, s := range m.Sys.Subsystems() {
		own := 0
		if m.nic != nil && s.Name == "devices" {
			own = 2
		}
		if s.Entries > m.entries[s.Name]+own {
			return fmt.Errorf("%d entries of dead Nets are left in the shared home of %s", s.Entries-m.entries[s.Name]-own, s.Name)
		}
	}
	if sum := m.Core.TotalLedger(); !sum.Balanced() || sum.Held != 0 {
		return fmt.Errorf("packets are lost: %v", sum)
	}
	if k := m.Core.Outstanding(); k != 0 {
		return fmt.Errorf("%d packets are out of the pools, and in no queue", k)
	}
	for _, c := range []*udp.Conn{m.redSock, m.blueSock} {
		if !c.Closed() {
			return errors.New("a socket outlives its Net")
		}
	}
	return nil
}

// nicIsSomewhere complains if the NIC is not in exactly one living Net.
func (m *wired) nicIsSomewhere() error {
	if m.nic == nil {
		return nil
	}
	var in []string
	for n := range m.Sys.Nets() {
		if slices.Contains(m.Core.Devices(n), m.nic) {
			in = append(in, fmt.Sprintf("%q", n.Name()))
		}
	}
	if dying := m.Sys.Census().Dying; len(in) == 1 || dying > 0 && len(in) == 0 {
		return nil
	}
	return fmt.Errorf("lost device: the NIC eth0 is listed in %d living Nets %v, not in one", len(in), in)
}

// meet is a scene on a wired machine.
func meet(name, tells string, bound, workers int, tasks func(m *wired) []step.Task) Scene {
	return Scene{name, tells, bound, func() ([]step.Task, func() error) {
		m := newWired(workers, netns.Default)
		return tasks(m), m.over
	}}
}

// packetScenes are of packets on their way when a Net dies or a device moves.
func packetScenes() []Scene {
	return []Scene{
		meet("receive-delete", "a packet that waits at a device is received while its Net is deleted", 2, 1, func(m *wired) []step.Task {
			m.send(m.blueSock, redAddr, "hello")
			return []step.Task{task("worker", m.poll(0)), task("deleter", m.del("red"))}
		}),
		meet("send-delete", "a packet is sent into a Net that is deleted, and polled by a second worker", 1, 2, func(m *wired) []step.Task {
			return []step.Task{task("sender", func() { m.send(m.blueSock, redAddr, "hello") }), task("worker", func() { m.poll(0)(); m.poll(1)() }), task("deleter", m.del("red"))}
		}),
		meet("send-own", "a socket sends while its own Net is deleted", 2, 1, func(m *wired) []step.Task {
			return []step.Task{task("sender", func() { m.send(m.redSock, blueAddr, "hello") }), task("deleter", m.del("red"))}
		}),
		meet("send-down", "a packet is sent into a device that is set down", 2, 1, func(m *wired) []step.Task {
			return []step.Task{task("sender", func() { m.send(m.blueSock, redAddr, "hello") }), task("setter", func() {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				m.Core.SetDown(m.r0)
			})}
		}),
		meet("send-move", "a packet is sent into a device that moves to another Net", 2, 1, func(m *wired) []step.Task {
			return []step.Task{task("sender", func() { m.send(m.blueSock, redAddr, "hello") }), task("mover", func() {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				ok(m.Core.Move(m.r0, m.Init(), ""))
			})}
		}),
		meet("receive-move", "a packet that waits at a device is received while the device moves", 2, 1, func(m *wired) []step.Task {
			m.send(m.blueSock, redAddr, "hello")
			return []step.Task{task("worker", m.poll(0)), task("mover", func() {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				ok(m.Core.Move(m.r0, m.Init(), ""))
				ok(m.Core.SetUp(m.r0))
			})}
		}),
		{"flap", "a packet waits at a device that is set down and up again while another is sent", 2, func() ([]step.Task, func() error) {
			m := newWired(1, netns.Default)
			w := m.Core.Enter() // or packets would wait for ARP, and ARP's next try would wake the worker
			ok(m.Core.SetNeighbour(w, m.b0, redAddr.Addr(), core.NeighUpdate{State: core.NudPermanent, MAC: m.r0.Addr()}))
			w.Leave()
			m.send(m.blueSock, redAddr, "first")
			return []step.Task{task("worker", m.poll(0)), task("setter", func() {
					m.Sys.Lock()
					defer m.Sys.Unlock()
					m.Core.SetDown(m.r0)
					ok(m.Core.SetUp(m.r0))
				}), task("sender", func() { m.send(m.blueSock, redAddr, "second") })}, func() error {
					m.Settle()
					if held := m.Core.TotalLedger().Held; held != 0 {
						return fmt.Errorf("%d packets wait at a device that is up, and no worker knows: nobody is woken", held)
					}
					return m.over()
				}
		}},
		meet("nic-wake", "a NIC's queue is woken while the NIC's Net is deleted", 2, 1, func(m *wired) []step.Task {
			m.addNIC(m.red)
			m.Sys.Lock()
			m.Core.SetDown(m.nic)
			m.nic.SetPfifo(10)
			ok(m.Core.SetUp(m.nic))
			m.Sys.Unlock()
			m.nic.StopQueue()
			w := m.Core.Enter()
			m.nic.Xmit(w, w.NewPacket(m.red, 60))
			w.Leave()
			return []step.Task{task("worker", func() {
				w := m.Core.Enter()
				m.nic.WakeQueue(w)
				w.Leave()
			}), task("deleter", m.del("red"))}
		}),
		meet("order", "two workers move what one socket has sent: nothing overtakes", 2, 2, func(m *wired) []step.Task {
			m.send(m.blueSock, redAddr, "1")
			return []step.Task{task("sender", func() { m.send(m.blueSock, redAddr, "2") }), task("worker 0", m.poll(0)), task("worker 1", func() {
				m.poll(1)()
				if got, text := m.read(m.redSock); got {
					want(text == "1", "datagram %s has overtaken datagram 1", text)
				}
			})}
		}),
	}
}

// deviceScenes are of devices whose Net dies, or that move.
func deviceScenes() []Scene {
	move := func(m *wired, d *core.Device, to *netns.Net) func() {
		return func() {
			m.Sys.Lock()
			defer m.Sys.Unlock()
			if d.Listed() {
				_ = m.Core.Move(d, to, "")
			}
		}
	}
	return []Scene{
		meet("nic-from", "a NIC moves out of a Net that is deleted", 2, 1, func(m *wired) []step.Task {
			m.addNIC(m.red)
			return []step.Task{task("mover", move(m, m.nic, m.blue)), task("deleter", m.del("red"))}
		}),
		meet("nic-to", "a NIC moves into a Net that is deleted", 2, 1, func(m *wired) []step.Task {
			m.addNIC(m.red)
			return []step.Task{task("mover", move(m, m.nic, m.blue)), task("deleter", m.del("blue"))}
		}),
		meet("nic-both", "a NIC moves while the Net that it comes from, and then the one that it goes to, are deleted", 2, 1, func(m *wired) []step.Task {
			m.addNIC(m.red)
			return []step.Task{task("mover", move(m, m.nic, m.blue)), task("deleter", func() { m.del("red")(); m.del("blue")() })}
		}),
		meet("nic-put", "a NIC moves into a Net whose last reference is given back meanwhile", 2, 1, func(m *wired) []step.Task {
			m.addNIC(m.red)
			return []step.Task{task("mover", move(m, m.nic, m.blue)), task("holder", m.blue.Put), task("reaper", func() {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				m.Sys.Reap()
			})}
		}),
		meet("veth-peer", "a pair is made whose peer's Net gets its last Put meanwhile", 2, 1, func(m *wired) []step.Task {
			return []step.Task{task("maker", func() {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				_, _ = m.Core.Kind("veth").New(m.red, core.LinkSpec{Name: "x", Peer: &core.LinkSpec{Name: "y"}, PeerNet: m.blue})
			}), task("holder", m.blue.Put), task("reaper", func() {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				m.Sys.Reap()
			})}
		}),
		meet("peer-delete", "both ends' Nets are deleted by two tasks", 2, 1, func(m *wired) []step.Task {
			return []step.Task{task("first", m.del("red")), task("second", m.del("blue"))}
		}),
	}
}
