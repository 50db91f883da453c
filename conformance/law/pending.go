package law

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/transport/udp"
)

// A pending is something that is under way in a Net, x, when it dies.
type pending struct {
	name string
	// begin begins it, and returns how to see that it is under way still.
	begin func(s *scene) (under func() bool)
	// quiet says that begin leaves packets in backlogs: nothing may settle
	// between it and the death.
	quiet bool
}

func pendings() []pending {
	return []pending{
		{"a fragment waits for the rest", func(s *scene) func() bool {
			f := ipPacket([4]byte{10, 0, 0, 2}, [4]byte{10, 0, 0, 1}, 17, 64, 1, 0x2000, make([]byte, 24))
			s.do("ip netns exec y probe raw send w0 " + hexOf(ethernet(wire.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, wire.MAC{2, 0, 0, 0, 0, 9}, wire.EtherTypeIPv4, f)))
			return s.heldBy(s.x)
		}, false},
		{"a fragment of IPv6 waits for the rest", func(s *scene) func() bool {
			s.do("ip netns exec x sysctl -w net.ipv6.conf.all.disable_ipv6=0")
			b := make([]byte, wire.IPv6Len+32)
			group := [16]byte{0xff, 2, 15: 1}
			wire.PutIPv6(b, wire.IPv6Fields{Next: wire.ProtoFragment, HopLimit: 64, Src: [16]byte{0xfe, 0x80, 15: 9}, Dst: group})
			wire.PutFrag6(b[wire.IPv6Len:], wire.ProtoUDP, 0, true, 1)
			s.do("ip netns exec y probe raw send w0 " + hexOf(ethernet(wire.MulticastMAC6(group), wire.MAC{2, 0, 0, 0, 0, 9}, wire.EtherTypeIPv6, b)))
			return s.heldBy(s.x)
		}, false},
		{"a packet waits for a neighbour", func(s *scene) func() bool {
			s.do("ip netns exec x probe udp send 10.0.0.77:7 x")
			return s.heldBy(s.x)
		}, false},
		{"timers wait", func(s *scene) func() bool {
			s.do("ip -n x addr add 10.0.5.1/24 dev v1 valid_lft 100 preferred_lft 50")
			s.do("ip -n x neigh replace 10.0.0.78 lladdr 02:00:00:00:00:78 dev v0 nud delay")
			return func() bool { return len(s.b.m.Sys.Deadlines(s.x)) > 0 }
		}, false},
		{"a bridge has ports and entries", func(s *scene) func() bool {
			for _, text := range []string{"ip -n x link add br0 type bridge", "ip -n x link set br0 up", "ip -n x link set v1 master br0",
				"ip netns exec y probe raw send w1 ffffffffffff 020000000033 88b5 00", "bridge -n x fdb add 02:00:00:00:00:34 dev v1 master static"} {
				s.do(text)
			}
			return func() bool { return s.b.m.Core.Device(s.x, "v1").Master() != nil }
		}, false},
		{"its device stands on another's", func(s *scene) func() bool {
			s.do("ip -n y link add m0 link w0 netns x type passthrough")
			s.do("ip -n x link set m0 up")
			return func() bool { return s.b.m.Core.Device(s.x, "m0") != nil }
		}, false},
		{"another's device stands on its own", func(s *scene) func() bool {
			s.do("ip -n x link add m1 link v0 netns y type passthrough")
			s.do("ip -n x link add m2 link v0 netns \"\" type passthrough")
			s.do("ip -n y link set m1 up")
			return func() bool { return s.b.m.Core.Device(s.y, "m1") != nil }
		}, false},
		{"Nets have numbers for each other", func(s *scene) func() bool {
			for _, text := range []string{"ip -n x netns set y 5", "ip -n y netns set x 6", "ip netns set x 9"} {
				s.do(text)
			}
			return func() bool { return strings.Contains(s.b.ask("ip -n y netns list-id"), "name: x)") }
		}, false},
		{"its devices are captured", func(s *scene) func() bool {
			s.do("ip netns exec x probe capture start v0 x.pcapng")
			return func() bool { return true }
		}, false},
		{"functions stand at its hooks", func(s *scene) func() bool {
			for _, text := range []string{"law x hook 0 mark", "law x hook 1 drop", "law x hook 4 mark", "ip netns exec y ping -c 1 -W 0.1 10.0.0.1"} {
				s.do(text)
			}
			return func() bool { return len(s.b.hooks["x"]) == 3 }
		}, false},
		{"addresses are asked for", func(s *scene) func() bool {
			s.b.m.Sys.Lock()
			defer s.b.m.Sys.Unlock()
			d := s.b.m.Core.Device(s.x, "v0")
			if _, err := s.b.m.IPv4.ProbeAddress(d, netip.MustParseAddr("10.0.0.50"), 3, time.Second, func(bool, wire.MAC) {}); err != nil {
				s.t.Fatalf("%v", err)
			}
			return func() bool { return len(s.b.m.Sys.Deadlines(s.x)) > 0 }
		}, false},
		{"proxies, errors, path MTUs are remembered", func(s *scene) func() bool {
			for _, text := range []string{"ip -n x neigh add proxy 10.0.0.60 dev v0", "ip netns exec y probe udp send 10.0.0.1:99 x wait 10ms"} {
				s.do(text)
			}
			s.b.m.IPv4.UpdatePMTU(s.x, &fib.Flow{Dst: netip.MustParseAddr("10.9.0.1")}, 600)
			return func() bool { return strings.Contains(s.b.ask("ip -n x neigh show proxy"), "10.0.0.60") }
		}, false},
		{"an echo client waits", func(s *scene) func() bool {
			p, err := s.b.m.IPv4.OpenPing(s.x, ipv4.PingOptions{})
			if err != nil {
				s.t.Fatalf("%v", err)
			}
			p.Event = func(ipv4.PingEvent) {}
			_, _ = p.Send(netip.MustParseAddr("10.0.0.88"), 1, 8, 0)
			s.pings = append(s.pings, p)
			return func() bool { return true }
		}, false},
		{"a NIC of the machine is there", func(s *scene) func() bool {
			s.b.m.Sys.Lock()
			defer s.b.m.Sys.Unlock()
			w, err := s.b.m.Links.NewWire(s.x, core.LinkSpec{Name: "eth0"}, nil)
			if err != nil {
				s.t.Fatalf("%v", err)
			}
			s.nic = w.Device()
			s.b.m.Core.SetUp(s.nic)
			return func() bool { return s.nic.Net() == s.x && s.nic.Up() }
		}, false},
		{"its devices' names and numbers are taken in the initial Net", func(s *scene) func() bool {
			for _, text := range []string{"ip link add eth0 type bridge", "ip link add dev2 type bridge", "ip link add dev3 index 40 type bridge"} {
				s.do(text)
			}
			return func() bool { return s.b.m.Core.Device(s.b.m.Init(), "eth0") != nil }
		}, false},
		{"a listener asks when it is told", func(s *scene) func() bool {
			s.b.m.Sys.Lock()
			defer s.b.m.Sys.Unlock()
			var sub *netlink.Subscription
			sub, err := s.b.m.Netlink.Subscribe(s.x, netlink.GroupAll, 8, func() {
				s.told.Add(1)
				asked := make(chan struct{})
				go func() { _, _ = sub.Receive(); close(asked) }()
				select {
				case <-asked:
				case <-time.After(5 * time.Second): // for whoever waits for ever
					s.stuck.Store(true)
				}
			})
			if err != nil {
				s.t.Fatalf("%v", err)
			}
			s.listens = true
			return func() bool { return !s.stuck.Load() }
		}, false},
		{"readers wait", (*scene).blockReaders, false},
		{"packets come to it", func(s *scene) func() bool { s.write(s.y, "10.0.0.1:7"); return s.heldBy(s.x) }, true},
		{"packets come from it", func(s *scene) func() bool { s.write(s.x, "10.0.0.2:7"); return s.heldBy(s.y) }, true},
		{"packets go round in it", func(s *scene) func() bool { s.write(s.x, "127.0.0.1:7"); return s.heldBy(s.x) }, true},
	}
}

// blockReaders lets goroutines wait for datagrams: with and without a deadline,
// connected and not.
func (s *scene) blockReaders() func() bool {
	for i, from := range []string{"10.0.0.1:1001", "0.0.0.0:1002", "127.0.0.1:1003"} {
		c, err := s.b.m.UDP.Listen(s.x, netip.MustParseAddrPort(from), udp.Options{})
		if err != nil {
			s.t.Fatalf("%v", err)
		}
		if i == 1 {
			_ = c.SetReadDeadline(s.b.m.Core.Epoch().Add(s.b.m.Sys.Now() + time.Hour))
		}
		r := &reader{done: make(chan struct{})}
		s.readers = append(s.readers, r)
		go func() {
			defer close(r.done)
			_, _, r.err = c.ReadFromAddrPort(make([]byte, 16))
			r.woken.Store(true)
		}()
	}
	return func() bool { return !slices.ContainsFunc(s.readers, func(r *reader) bool { return r.woken.Load() }) }
}
