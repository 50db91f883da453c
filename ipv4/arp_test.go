package ipv4

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

var (
	macH = wire.MAC{2, 0, 0, 0, 0, 0x99} // the host that asks
	macO = wire.MAC{2, 0, 0, 0, 0, 1}    // ours
	macG = wire.MAC{1, 0, 0, 0, 0, 0x99} // a group
	zero wire.MAC
)

// arpBytes makes an ARP packet.
func arpBytes(op uint16, smac wire.MAC, sip string, tmac wire.MAC, tip string) []byte {
	b := make([]byte, wire.ARPLen)
	wire.PutARP(b, wire.ARPFields{Op: op, SenderMAC: smac, SenderIP: netip.MustParseAddr(sip).As4(), TargetMAC: tmac, TargetIP: netip.MustParseAddr(tip).As4()})
	return b
}

// arpShow describes the ARP packets that a tap kept, and forgets them.
func (v *tapDriver) arp() string {
	var s []string
	for _, f := range v.frames {
		e := wire.Ethernet(f)
		a, ok := wire.ParseARP(e.Payload())
		if e.Type() != wire.EtherTypeARP || !ok {
			continue
		}
		s = append(s, fmt.Sprintf("%d %v %v > %v %v to %v", a.Op(), a.SenderMAC(), a.SenderIP(), a.TargetMAC(), a.TargetIP(), e.Dst()))
	}
	v.frames = nil
	if s == nil {
		return "none"
	}
	return strings.Join(s, "; ")
}

// known lists the neighbours of d with their states, and forgets them.
func (m *machine) known(d *core.Device) string {
	var s []string
	for _, nb := range m.core.Neighbours(d.Net()) {
		if i := nb.Info(); i.State != core.NudNoARP {
			s = append(s, fmt.Sprintf("%v %v %#x", i.Addr, i.MAC, i.State))
		}
	}
	m.core.FlushNeighbours(core.AFInet, d, true)
	return strings.Join(s, ", ")
}

// What Linux 6.18 answers and learns, seen on a veth whose other end sent the
// frames: v0 is up with 10.0.0.1/24 and 02:00:00:00:00:01, 10.9.9.9/32 (global)
// and 10.9.9.10/32 (host) are at lo. The answer, if there is one, goes to the
// asker alone.
func TestARP(t *testing.T) {
	const yes, no = true, false
	stale := "10.0.0.9 02:00:00:00:00:99 0x4"
	reach := "10.0.0.9 02:00:00:00:00:99 0x2"
	for _, tc := range []struct {
		name     string
		set      string // a tunable of v0
		op       uint16
		smac     wire.MAC
		sip      string
		tmac     wire.MAC
		tip      string
		to       wire.MAC // zero: all
		answered bool
		learnt   string
	}{
		{"ours", "", 1, macH, "10.0.0.9", zero, "10.0.0.1", zero, yes, stale},
		{"ours, to us alone", "", 1, macH, "10.0.0.9", zero, "10.0.0.1", macO, yes, stale},
		{"another's", "", 1, macH, "10.0.0.9", zero, "10.0.0.5", zero, no, ""},
		{"from another subnet", "", 1, macH, "9.9.9.9", zero, "10.0.0.1", zero, yes, "9.9.9.9 02:00:00:00:00:99 0x4"},
		{"probe", "", 1, macH, "0.0.0.0", zero, "10.0.0.1", zero, yes, ""},
		{"probe for another's", "", 1, macH, "0.0.0.0", zero, "10.0.0.5", zero, no, ""},
		{"reply nobody asked for", "", 2, macH, "10.0.0.9", macO, "10.0.0.1", macO, no, ""},
		{"claims our address", "", 1, macH, "10.0.0.1", zero, "10.0.0.1", zero, no, ""},
		{"claims it in a reply", "", 2, macH, "10.0.0.1", macH, "10.0.0.1", zero, no, ""},
		{"for loopback", "", 1, macH, "10.0.0.9", zero, "127.0.0.1", zero, no, ""},
		{"from a group", "", 1, macH, "224.0.0.9", zero, "10.0.0.1", zero, no, ""},
		{"from the broadcast address", "", 1, macH, "10.0.0.255", zero, "10.0.0.1", zero, yes, ""},
		{"from 255.255.255.255", "", 1, macH, "255.255.255.255", zero, "10.0.0.1", zero, no, ""},
		{"a group's hardware address", "", 1, macG, "10.0.0.9", zero, "10.0.0.1", zero, yes, "10.0.0.9 01:00:00:00:00:99 0x4"},
		{"for the broadcast address", "", 1, macH, "10.0.0.9", zero, "10.0.0.255", zero, no, ""},
		{"operation 3", "", 3, macH, "10.0.0.9", zero, "10.0.0.1", zero, no, ""},
		{"gratuitous", "", 1, macH, "10.0.0.9", zero, "10.0.0.9", zero, no, ""},
		{"gratuitous, accepted", "arp_accept=1", 1, macH, "10.0.0.9", zero, "10.0.0.9", zero, no, stale},
		{"gratuitous reply", "arp_accept=1", 2, macH, "10.0.0.9", zero, "10.0.0.9", zero, no, stale},
		{"accepted from anywhere", "arp_accept=1", 1, macH, "9.0.0.9", zero, "9.0.0.9", zero, no, "9.0.0.9 02:00:00:00:00:99 0x4"},
		{"accepted from the subnet: no", "arp_accept=2", 1, macH, "9.0.0.9", zero, "9.0.0.9", zero, no, ""},
		{"accepted from the subnet", "arp_accept=2", 1, macH, "10.0.0.9", zero, "10.0.0.9", zero, no, stale},
		{"reply accepted", "arp_accept=2", 2, macH, "10.0.0.9", macO, "10.0.0.1", zero, no, stale},
		{"reply to us accepted", "arp_accept=1", 2, macH, "10.0.0.9", macO, "10.0.0.1", macO, no, reach},
		{"lo's", "", 1, macH, "10.0.0.9", zero, "10.9.9.9", zero, yes, stale},
		{"ignore 1: lo's", "arp_ignore=1", 1, macH, "10.0.0.9", zero, "10.9.9.9", zero, no, ""},
		{"ignore 1: ours", "arp_ignore=1", 1, macH, "10.3.0.9", zero, "10.0.0.1", zero, yes, "10.3.0.9 02:00:00:00:00:99 0x4"},
		{"ignore 2: another subnet", "arp_ignore=2", 1, macH, "10.3.0.9", zero, "10.0.0.1", zero, no, ""},
		{"ignore 2: probe", "arp_ignore=2", 1, macH, "0.0.0.0", zero, "10.0.0.1", zero, yes, ""},
		{"ignore 3: lo's global", "arp_ignore=3", 1, macH, "10.0.0.9", zero, "10.9.9.9", zero, yes, stale},
		{"ignore 3: lo's host", "arp_ignore=3", 1, macH, "10.0.0.9", zero, "10.9.9.10", zero, no, ""},
		{"ignore 8", "arp_ignore=8", 1, macH, "10.0.0.9", zero, "10.0.0.1", zero, no, ""},
		{"drop gratuitous", "drop_gratuitous_arp=1", 1, macH, "10.0.0.1", zero, "10.0.0.1", zero, no, ""},
		{"rp_filter", "rp_filter=1", 1, macH, "9.9.9.9", zero, "10.0.0.1", zero, no, ""}, // no route back
		{"rp_filter, near", "rp_filter=1", 1, macH, "10.0.0.9", zero, "10.0.0.1", zero, yes, stale},
		{"arp_filter, no way back", "arp_filter=1", 1, macH, "9.9.9.9", zero, "10.0.0.1", zero, no, ""},
		{"arp_filter", "arp_filter=1", 1, macH, "10.0.0.9", zero, "10.0.0.1", zero, yes, stale},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				n := m.net("a")
				tap := &tapDriver{keep: true}
				d := m.device(n, "v0", tap, 1, "10.0.0.1/24")
				m.sys.Lock()
				lo := m.core.Device(n, "lo")
				m.check(m.in.AddAddr(lo, Addr{Local: netip.MustParseAddr("10.9.9.9"), Prefix: netip.MustParsePrefix("10.9.9.9/32")}))
				m.check(m.in.AddAddr(lo, Addr{Local: netip.MustParseAddr("10.9.9.10"), Prefix: netip.MustParsePrefix("10.9.9.10/32"), Scope: fib.Host}))
				m.sys.Unlock()
				if k, v, ok := strings.Cut(tc.set, "="); ok {
					m.sysctl(n, "net.ipv4.conf.v0."+k, v)
				}
				to := tc.to
				if to == zero {
					to = wire.BroadcastMAC()
				}
				m.frame(d, to, wire.EtherTypeARP, arpBytes(tc.op, tc.smac, tc.sip, tc.tmac, tc.tip))
				want := "none"
				if tc.answered {
					want = fmt.Sprintf("2 %v %v > %v %v to %v", macO, tc.tip, tc.smac, tc.sip, tc.smac)
				}
				if got := tap.arp(); got != want {
					t.Errorf("answer %s, want %s", got, want)
				}
				if got := m.known(d); got != tc.learnt {
					t.Errorf("learnt %q, want %q", got, tc.learnt)
				}
			})
		})
	}
}

// Of several replies in a row the first counts for locktime (1 s on Linux);
// one who announces himself is believed at once.
func TestARPLocktime(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n := m.net("a")
		d := m.device(n, "v0", &tapDriver{}, 1, "10.0.0.1/24")
		mac := func() byte {
			i := m.core.Neighbour(d, netip.MustParseAddr("10.0.0.9")).Info()
			return i.MAC[5]
		}
		reply := func(last byte) {
			m.frame(d, d.Addr(), wire.EtherTypeARP, arpBytes(2, wire.MAC{2, 0, 0, 0, 0, last}, "10.0.0.9", macO, "10.0.0.1"))
		}
		m.frame(d, d.Addr(), wire.EtherTypeARP, arpBytes(1, macH, "10.0.0.9", zero, "10.0.0.1"))
		reply(0xaa)
		if got := mac(); got != 0x99 {
			t.Errorf("at once: %x", got)
		}
		m.sleep(1100 * time.Millisecond)
		reply(0xaa)
		if got := mac(); got != 0xaa {
			t.Errorf("after locktime: %x", got)
		}
		m.frame(d, wire.BroadcastMAC(), wire.EtherTypeARP, arpBytes(1, wire.MAC{2, 0, 0, 0, 0, 0xbb}, "10.0.0.9", zero, "10.0.0.9"))
		if got := mac(); got != 0xbb {
			t.Errorf("gratuitous: %x", got)
		}
	})
}

// A router with proxy_arp, or with a proxy entry, answers for who is behind
// another device, and for nobody else.
func TestProxyARP(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup func(m *machine, d *core.Device)
		tip   string
		want  bool
	}{
		{"off", func(*machine, *core.Device) {}, "10.1.0.5", false},
		{"on", func(m *machine, d *core.Device) { m.sysctl(d.Net(), "net.ipv4.conf.v0.proxy_arp", "1") }, "10.1.0.5", true},
		{"on, same link", func(m *machine, d *core.Device) { m.sysctl(d.Net(), "net.ipv4.conf.v0.proxy_arp", "1") }, "10.0.0.5", false},
		{"pvlan, same link", func(m *machine, d *core.Device) { m.sysctl(d.Net(), "net.ipv4.conf.v0.proxy_arp_pvlan", "1") }, "10.0.0.5", true},
		{"entry", func(m *machine, d *core.Device) { m.core.SetProxy(d.Net(), d, netip.MustParseAddr("10.1.0.5")) }, "10.1.0.5", true},
		{"entry everywhere", func(m *machine, d *core.Device) { m.core.SetProxy(d.Net(), nil, netip.MustParseAddr("10.1.0.5")) }, "10.1.0.5", true},
		{"entry for another", func(m *machine, d *core.Device) { m.core.SetProxy(d.Net(), d, netip.MustParseAddr("10.1.0.6")) }, "10.1.0.5", false},
		{"no router", func(m *machine, d *core.Device) {
			m.sysctl(d.Net(), "net.ipv4.conf.v0.proxy_arp", "1")
			m.sysctl(d.Net(), "net.ipv4.ip_forward", "0")
		}, "10.1.0.5", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				n := m.net("a")
				tap := &tapDriver{keep: true}
				d := m.device(n, "v0", tap, 1, "10.0.0.1/24")
				m.device(n, "w0", &tapDriver{}, 2, "10.1.0.1/24")
				m.sysctl(n, "net.ipv4.ip_forward", "1")
				tc.setup(m, d)
				m.frame(d, wire.BroadcastMAC(), wire.EtherTypeARP, arpBytes(1, macH, "10.0.0.9", zero, tc.tip))
				m.sleep(800 * time.Millisecond) // proxy_delay
				if got := tap.arp(); (got != "none") != tc.want {
					t.Errorf("answer %s", got)
				}
			})
		})
	}
}

// Which address a question carries: arp_announce 0 the packet's own, 1 only if
// the target is in its subnet, 2 never.
func TestARPAnnounce(t *testing.T) {
	for level, want := range map[string]string{"0": "10.5.0.1", "1": "10.0.0.1", "2": "10.0.0.1"} {
		eachPlace(t, func(t *testing.T, m *machine) {
			n := m.net("a")
			tap := &tapDriver{keep: true}
			d := m.device(n, "v0", tap, 1, "10.0.0.1/24", "10.5.0.1/24")
			m.sysctl(n, "net.ipv4.conf.all.arp_announce", level)
			m.sendFrom(n, "10.5.0.1", "10.0.0.9")
			if got, want := tap.arp(), fmt.Sprintf("1 %v %s > %v 10.0.0.9 to ff:ff:ff:ff:ff:ff", macO, want, zero); got != want {
				t.Errorf("announce %s: %s, want %s", level, got, want)
			}
			m.core.FlushNeighbours(core.AFInet, d, true)
		})
	}
}

// sendFrom sends an echo request with a chosen source.
func (m *machine) sendFrom(n *netns.Net, src, dst string) {
	m.t.Helper()
	w := m.core.Enter()
	defer w.Leave()
	fl := fib.Flow{Dst: netip.MustParseAddr(dst), Src: netip.MustParseAddr(src), Proto: wire.ProtoICMP}
	rt, err := m.in.Route(n, &fl)
	m.check(err)
	p := w.NewPacket(n, 16)
	copy(p.Bytes(), echo(1, 1, 8))
	m.check(m.in.Send(w, p, &rt, &SendOptions{Proto: wire.ProtoICMP}))
}

// A next hop that does not answer is asked three times, a second apart; then
// who waits is told: here, by the error that ICMP would bring.
func TestUnanswered(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n := m.net("a")
		tap := &tapDriver{keep: true}
		m.device(n, "v0", tap, 1, "10.0.0.1/24")
		m.sendFrom(n, "10.0.0.1", "10.0.0.9")
		if held := m.core.Ledger(n).Held; held != 1 {
			t.Errorf("held %d", held)
		}
		m.sleep(5 * time.Second)
		question := fmt.Sprintf("1 %v 10.0.0.1 > %v 10.0.0.9 to ff:ff:ff:ff:ff:ff", macO, zero)
		if got := tap.arp(); got != strings.Join([]string{question, question, question}, "; ") {
			t.Errorf("asked %s", got)
		}
		if got := m.drops(n, core.NeighbourFailed); got != 1 {
			t.Errorf("dropped %d", got)
		}
	})
}

// ProbeAddress finds out that an address is taken, or free after its questions.
func TestProbeAddress(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		a, b := m.net("a"), m.net("b")
		d, far := m.pair(a, "v0", "10.0.0.1/24", b, "v1", "10.0.0.2/24")
		for addr, want := range map[string]string{"10.0.0.2": "true " + far.Addr().String(), "10.0.0.3": "false 00:00:00:00:00:00"} {
			got := ""
			m.sys.Lock()
			_, err := m.in.ProbeAddress(d, netip.MustParseAddr(addr), 3, time.Second, func(taken bool, by wire.MAC) { got += fmt.Sprint(taken, " ", by) })
			m.sys.Unlock()
			m.check(err)
			m.sleep(10 * time.Second)
			if got != want {
				t.Errorf("%s: %q, want %q", addr, got, want)
			}
		}
		if _, err := m.in.ProbeAddress(m.core.Device(a, "lo"), netip.MustParseAddr("10.0.0.3"), 1, time.Second, func(bool, wire.MAC) {}); err != syscall.ENETDOWN {
			t.Errorf("lo: %v", err)
		}
		var seen []Conflict
		m.in.OnConflict = func(c Conflict) { seen = append(seen, c) }
		m.frame(d, wire.BroadcastMAC(), wire.EtherTypeARP, arpBytes(1, macH, "10.0.0.1", zero, "10.0.0.1"))
		if m.in.Conflicts(d) != 1 || len(seen) != 1 || seen[0].By != macH {
			t.Errorf("conflicts %d, %v", m.in.Conflicts(d), seen)
		}
		if m.in.Conflicts(far) != 0 {
			t.Error("the neighbour sees the conflict")
		}
	})
}

// arp_notify announces the addresses when the device comes up and when its
// hardware address changes, not when one is added (Linux 6.18).
func TestARPNotify(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n := m.net("a")
		tap := &tapDriver{keep: true}
		d := m.device(n, "v0", tap, 1, "10.0.0.1/24")
		m.sysctl(n, "net.ipv4.conf.v0.arp_notify", "1")
		if got := tap.arp(); got != "none" {
			t.Errorf("added: %s", got)
		}
		m.sys.Lock()
		m.core.SetDown(d)
		m.check(m.core.SetUp(d))
		m.sys.Unlock()
		if got, want := tap.arp(), fmt.Sprintf("1 %v 10.0.0.1 > %v 10.0.0.1 to ff:ff:ff:ff:ff:ff", macO, zero); got != want {
			t.Errorf("up: %s, want %s", got, want)
		}
	})
}

// The way of a question and its answer makes no garbage.
func TestARPAllocs(t *testing.T) {
	m := newMachine(t, 0)
	n := m.net("a")
	d := m.device(n, "v0", &tapDriver{}, 1, "10.0.0.1/24")
	ask := arpBytes(1, macH, "10.0.0.9", zero, "10.0.0.1")
	dst := d.Addr()
	once := func() {
		w := m.core.Enter()
		p := w.NewFrame(wire.EthernetLen + len(ask))
		wire.PutEthernet(p.Bytes(), dst, macH, wire.EtherTypeARP)
		copy(p.Bytes()[wire.EthernetLen:], ask)
		d.Queue(w, p)
		w.Leave()
		m.w.Poll(m.now, 64)
	}
	for range 1000 { // until the pools have what they keep
		once()
	}
	if got := testing.AllocsPerRun(200, once); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// Whatever bytes come as ARP, nothing breaks and the ledger stays in balance.
func FuzzARP(f *testing.F) {
	f.Add(arpBytes(1, macH, "10.0.0.9", zero, "10.0.0.1"))
	f.Add(arpBytes(2, macH, "10.0.0.1", macO, "10.0.0.1"))
	f.Add([]byte{0, 1, 8, 0})
	m := newMachine(f, 0)
	n := m.net("a")
	d := m.device(n, "v0", &tapDriver{}, 1, "10.0.0.1/24")
	m.sysctl(n, "net.ipv4.conf.v0.arp_accept", "1")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1500 {
			return
		}
		m.t = t
		m.frame(d, wire.BroadcastMAC(), wire.EtherTypeARP, b)
		if l := m.core.Ledger(n); !l.Balanced() {
			t.Fatal(l)
		}
	})
}
