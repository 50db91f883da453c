package ipv4

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
)

func (rt Route) text() string {
	s := fmt.Sprintf("dev %s via %v src %v dst %v mtu %d", rt.Dev.Name(), rt.Gateway, rt.Src, rt.Dst, rt.MTU)
	for _, f := range []struct {
		on   bool
		word string
	}{{rt.Local, "local"}, {rt.Broadcast, "broadcast"}, {rt.Multicast, "multicast"}, {rt.locked, "locked"}} {
		if f.on {
			s += " " + f.word
		}
	}
	return s
}

// TestRoute has a case for each rule of output routing; the expected lines are
// what Linux's `ip route get` says on the same network.
func TestRoute(t *testing.T) {
	for _, c := range []struct {
		name, dst, src, oif string
		setup               func(s *site)
		want                string
		err                 error
	}{
		{name: "on the link", dst: "10.1.0.9", want: "dev in via 10.1.0.9 src 10.1.0.1 dst 10.1.0.9 mtu 1500"},
		{name: "gateway", dst: "10.9.1.1", want: "dev out via 10.2.0.2 src 10.2.0.1 dst 10.9.1.1 mtu 1500"},
		{name: "chosen source", dst: "10.9.1.1", src: "10.1.0.1", want: "dev out via 10.2.0.2 src 10.1.0.1 dst 10.9.1.1 mtu 1500"},
		{name: "foreign source", dst: "10.9.1.1", src: "10.7.0.1", err: syscall.ENETUNREACH},
		{name: "group as source", dst: "10.9.1.1", src: "224.0.0.1", err: syscall.EINVAL},
		{name: "ourselves", dst: "10.2.0.1", want: "dev lo via 10.2.0.1 src 10.2.0.1 dst 10.2.0.1 mtu 65535 local"},
		{name: "ourselves from another", dst: "10.2.0.1", src: "10.1.0.1", want: "dev lo via 10.2.0.1 src 10.1.0.1 dst 10.2.0.1 mtu 65535 local"},
		{name: "this host", dst: "0.0.0.0", want: "dev lo via 127.0.0.1 src 127.0.0.1 dst 127.0.0.1 mtu 65535 local"},
		{name: "this host from an address", dst: "0.0.0.0", src: "10.1.0.1", want: "dev lo via 10.1.0.1 src 10.1.0.1 dst 10.1.0.1 mtu 65535 local"},
		{name: "this host by a device", dst: "0.0.0.0", oif: "out", want: "dev lo via 10.2.0.1 src 10.2.0.1 dst 10.2.0.1 mtu 65535 local"},
		{name: "net 0", dst: "0.1.2.3", oif: "in", err: syscall.EINVAL},
		{name: "no route", dst: "172.16.0.1", err: syscall.ENETUNREACH},
		{name: "no route, but a device", dst: "172.16.0.1", oif: "in", want: "dev in via 172.16.0.1 src 10.1.0.1 dst 172.16.0.1 mtu 1500"},
		{name: "no such device", dst: "10.1.0.9", oif: "none", err: syscall.ENODEV},
		{name: "prohibited", dst: "172.16.0.1", setup: func(s *site) { s.kind(fib.Prohibit, "172.16.0.0/16") }, err: syscall.EACCES},
		{name: "unreachable", dst: "172.16.0.1", setup: func(s *site) { s.kind(fib.Unreachable, "172.16.0.0/16") }, err: syscall.EHOSTUNREACH},
		{name: "blackhole", dst: "172.16.0.1", setup: func(s *site) { s.kind(fib.Blackhole, "172.16.0.0/16") }, err: syscall.EINVAL},
		{name: "directed broadcast", dst: "10.1.0.255", want: "dev in via 10.1.0.255 src 10.1.0.1 dst 10.1.0.255 mtu 1500 local broadcast"},
		{name: "limited broadcast without a default route", dst: "255.255.255.255", err: syscall.ENETUNREACH},
		{name: "limited broadcast by a device", dst: "255.255.255.255", oif: "out", want: "dev out via 255.255.255.255 src 10.2.0.1 dst 255.255.255.255 mtu 1500 local broadcast"},
		{name: "limited broadcast from an address", dst: "255.255.255.255", src: "10.2.0.1", want: "dev out via 255.255.255.255 src 10.2.0.1 dst 255.255.255.255 mtu 1500 local broadcast"},
		{name: "limited broadcast by the default route", dst: "255.255.255.255", setup: func(s *site) { s.via(s.n, "0.0.0.0/0", "10.2.0.2", s.out) },
			want: "dev out via 255.255.255.255 src 10.2.0.1 dst 255.255.255.255 mtu 1500 local broadcast"},
		{name: "all hosts", dst: "224.0.0.1", oif: "in", want: "dev in via 224.0.0.1 src 10.1.0.1 dst 224.0.0.1 mtu 1500 local multicast"},
		{name: "a group that nobody joined", dst: "239.1.1.1", oif: "in", want: "dev in via 239.1.1.1 src 10.1.0.1 dst 239.1.1.1 mtu 1500 multicast"},
		{name: "a group by the default route, but not its gateway", dst: "239.1.1.1", setup: func(s *site) { s.via(s.n, "0.0.0.0/0", "10.2.0.2", s.out) },
			want: "dev out via 239.1.1.1 src 10.2.0.1 dst 239.1.1.1 mtu 1500 multicast"},
		{name: "loopback source to the link", dst: "10.1.0.9", src: "127.0.0.1", err: syscall.EINVAL},
		{name: "the route's MTU", dst: "172.16.0.1", setup: func(s *site) {
			s.route(s.n, fib.Route{Dst: netip.MustParsePrefix("172.16.0.0/16"), MTU: 1300, NextHops: []fib.NextHop{{Dev: s.out, Gw: netip.MustParseAddr("10.2.0.2")}}})
		}, want: "dev out via 10.2.0.2 src 10.2.0.1 dst 172.16.0.1 mtu 1300"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				if c.setup != nil {
					c.setup(s)
				}
				fl := fib.Flow{Dst: netip.MustParseAddr(c.dst)}
				if c.src != "" {
					fl.Src = netip.MustParseAddr(c.src)
				}
				if c.oif != "" {
					fl.Oif = 99
					if d := m.core.Device(s.n, c.oif); d != nil {
						fl.Oif = int32(d.Index())
					}
				}
				rt, err := m.in.Route(s.n, &fl)
				if c.err != nil || err != nil {
					if !errors.Is(err, c.err) {
						t.Errorf("%v, want %v", err, c.err)
					}
					return
				}
				if rt.text() != c.want {
					t.Errorf("got  %s\nwant %s", rt.text(), c.want)
				}
			})
		})
	}
}

// TestPathMTU: what ICMP tells is believed for ten minutes, not below min_pmtu,
// and by one Net only.
func TestPathMTU(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		h, r, f := m.line()
		out, back := m.core.Device(r, "out"), m.core.Device(f, "f0")
		set := func(mtu int) {
			m.sys.Lock()
			m.check(m.core.SetMTU(out, mtu))
			m.check(m.core.SetMTU(back, mtu))
			m.sys.Unlock()
		}
		far := netip.MustParseAddr("10.2.0.2")
		var got []PingEvent
		g, err := m.in.OpenPing(h, PingOptions{NoFragment: true})
		m.check(err)
		g.Event = func(e PingEvent) { got = append(got, e) }
		ping := func(size int) error {
			got = nil
			_, err := g.Send(far, 1, size, 0)
			m.run()
			return err
		}
		set(1000)
		m.check(ping(1400))
		if len(got) != 1 || got[0].Type != 3 || got[0].Code != 4 || got[0].Info != 1000 || got[0].From != netip.MustParseAddr("10.1.0.1") {
			t.Fatalf("%+v", got)
		}
		if err := ping(1400); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("again: %v, want EMSGSIZE", err)
		}
		if err := ping(972); err != nil || len(got) != 1 || got[0].Type != 0 {
			t.Errorf("what fits: %v %+v", err, got)
		}
		m.sleep(601 * time.Second)
		if rt, err := m.in.Route(h, &fib.Flow{Dst: far}); err != nil || rt.MTU != 1500 {
			t.Errorf("after ten minutes: %v %s", err, rt.text())
		}
		set(300)
		m.check(ping(900))
		rt, err := m.in.Route(h, &fib.Flow{Dst: far})
		if err != nil || rt.MTU != 552 || !rt.locked {
			t.Errorf("told 300: %s, want 552 locked", rt.text())
		}
		// A datagram without Don't Fragment then gets through in pieces.
		g2, err := m.in.OpenPing(h, PingOptions{DF: true})
		m.check(err)
		g2.Event = g.Event
		got = nil
		_, err = g2.Send(far, 2, 900, 0)
		m.check(err)
		m.run()
		if len(got) != 1 || got[0].Type != 0 {
			t.Errorf("in pieces: %+v", got)
		}
		if e := m.in.path.nets.Of(r).except.count.Load(); e != 0 {
			t.Errorf("the router has %d exceptions", e)
		}
	})
}

// TestBroadcastToOurselves: a broadcast and one to all hosts come back to the
// Net that sent them, as well as to the link.
func TestBroadcastToOurselves(t *testing.T) {
	for _, dst := range []string{"10.1.0.255", "224.0.0.1"} {
		eachPlace(t, func(t *testing.T, m *machine) {
			s := newSite(m)
			m.sysctl(s.n, "net.ipv4.icmp_echo_ignore_broadcasts", "0")
			var got []PingEvent
			m.route(s.n, fib.Route{Dst: netip.MustParsePrefix("224.0.0.0/4"), Scope: fib.Link,
				NextHops: []fib.NextHop{{Dev: s.in, Weight: 1}}})
			g, err := m.in.OpenPing(s.n, PingOptions{Broadcast: true})
			m.check(err)
			g.Event = func(e PingEvent) { got = append(got, e) }
			_, err = g.Send(netip.MustParseAddr(dst), 1, 10, 0)
			m.check(err)
			m.run()
			if len(got) != 1 || got[0].From != netip.MustParseAddr("10.1.0.1") {
				t.Errorf("%+v", got)
			}
			if len(s.here.frames) != 1 || !wire.MAC(s.here.frames[0][:6]).IsMulticast() {
				t.Errorf("%d frames on the link", len(s.here.frames))
			}
			g.o.Broadcast = false
			if _, err := g.Send(netip.MustParseAddr("10.1.0.255"), 1, 10, 0); !errors.Is(err, syscall.EACCES) {
				t.Errorf("without the option: %v", err)
			}
		})
	}
}

// TestSendErrors: each failure has its errno, and ends the packet.
func TestSendErrors(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		rt, err := m.in.Route(s.n, &fib.Flow{Dst: netip.MustParseAddr("10.9.1.1")})
		m.check(err)
		send := func(size int, o SendOptions) error {
			w := m.core.Enter()
			defer w.Leave()
			return m.in.Send(w, w.NewPacket(s.n, size), &rt, &o)
		}
		for _, c := range []struct {
			name string
			size int
			o    SendOptions
			err  error
		}{
			{"fits", 1480, SendOptions{Proto: 200, NoFragment: true}, nil},
			{"does not fit", 1481, SendOptions{Proto: 200, NoFragment: true}, syscall.EMSGSIZE},
			{"is cut", 1481, SendOptions{Proto: 200, DF: true}, nil},
			{"fits no datagram", 65516, SendOptions{Proto: 200}, syscall.EMSGSIZE},
			{"long options", 10, SendOptions{Options: make([]byte, 41)}, syscall.EINVAL},
			{"bad options", 10, SendOptions{Options: []byte{7, 1}}, syscall.EINVAL},
		} {
			if err := send(c.size, c.o); !errors.Is(err, c.err) {
				t.Errorf("%s: %v, want %v", c.name, err, c.err)
			}
		}
		var want string
		for _, ip := range s.far.take() {
			want += show(ip) + "\n"
		}
		if want != "10.2.0.1 > 10.9.1.1 ttl 64 df proto 200\n"+
			"10.2.0.1 > 10.9.1.1 ttl 64 frag 0+1480 mf true\n10.2.0.1 > 10.9.1.1 ttl 64 frag 1480+1 mf false\n" {
			t.Errorf("sent:\n%s", want)
		}
		for _, hook := range []netfilter.Hook{netfilter.LocalOut, netfilter.PostRouting} {
			remove, err := m.in.Hooks.Register(s.n, netfilter.Entry{Family: core.AFInet, Hook: hook,
				Func: func(*core.Worker, *core.Packet, *netfilter.State) netfilter.Verdict { return netfilter.Drop }})
			m.check(err)
			if err := send(10, SendOptions{}); !errors.Is(err, syscall.EPERM) {
				t.Errorf("%v drops: %v, want EPERM", hook, err)
			}
			remove()
		}
	})
}

// TestHooks: the hooks that a packet meets on each way, in their order, with
// the devices that they are told of.
func TestHooks(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		var seen string
		for h := netfilter.PreRouting; h <= netfilter.PostRouting; h++ {
			_, err := m.in.Hooks.Register(s.n, netfilter.Entry{Family: core.AFInet, Hook: h,
				Func: func(_ *core.Worker, p *core.Packet, st *netfilter.State) netfilter.Verdict {
					seen += st.Hook.String() + " "
					for _, d := range []*core.Device{st.In, st.Out} {
						if d != nil {
							seen += d.Name() + " "
						}
					}
					if p.Bytes()[0] != 0x45 {
						t.Errorf("%v: data does not start at the IP header", h)
					}
					return netfilter.Accept
				}})
			m.check(err)
		}
		for _, c := range []struct{ dst, want string }{
			{"10.9.3.4", "PREROUTING in FORWARD in out POSTROUTING in out "},
			{"10.1.0.1", "PREROUTING in INPUT in OUTPUT in POSTROUTING in "},
		} {
			seen = ""
			s.inject(s.in, packet("10.1.0.2", c.dst, 1, echo(1, 1, 8), nil))
			if seen != c.want {
				t.Errorf("%s: %s, want %s", c.dst, seen, c.want)
			}
		}
	})
}
