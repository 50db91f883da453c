package ipv6

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// naiveND is what the options of an advertisement come to, read octet by octet as
// RFC 4861 section 4.6 has it.
type naiveND struct {
	ok       bool
	prefixes []netip.Prefix // on the link, for a time that is not zero
	mtu      uint32         // the last that a device of 1500 octets takes; 0: none
}

func readNaively(b []byte) (o naiveND) {
	on := map[netip.Prefix]bool{}
	var order []netip.Prefix
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || len(b) < 8*int(b[1]) {
			return naiveND{}
		}
		opt := b[:8*int(b[1])]
		b = b[len(opt):]
		switch {
		case opt[0] == 1 || opt[0] == 2:
			if len(opt) != 8 {
				return naiveND{}
			}
		case opt[0] == 3 && len(opt) >= 32:
			valid, preferred := binary.BigEndian.Uint32(opt[4:]), binary.BigEndian.Uint32(opt[8:])
			a := netip.AddrFrom16([16]byte(opt[16:32]))
			if opt[3]&0x80 == 0 || opt[2] > 128 || preferred > valid || a.IsMulticast() || a.IsLinkLocalUnicast() {
				continue
			}
			p := netip.PrefixFrom(a, int(opt[2])).Masked()
			if _, seen := on[p]; !seen {
				order = append(order, p)
			}
			on[p] = valid != 0
		case opt[0] == 5:
			if m := binary.BigEndian.Uint32(opt[4:]); m >= 1280 && m <= 1500 {
				o.mtu = m
			}
		}
	}
	o.ok = true
	for _, p := range order {
		if on[p] {
			o.prefixes = append(o.prefixes, p)
		}
	}
	return o
}

// FuzzNDOptions gives a host advertisements with any options. It never panics, and
// believes what a naive reader does: the message as a whole, its prefixes, its MTU.
func FuzzNDOptions(f *testing.F) {
	ra := wire.AppendRA(nil, wire.RAFields{MTU: 1400, Source: wire.MAC{2, 0, 0, 0, 0, 9},
		Prefixes: []wire.NDPrefixInfo{{Prefix: [16]byte{0x20, 1, 0xd, 0xb8, 15: 0}, Bits: 64, OnLink: true, Auto: true, Valid: 600, Preferred: 300}},
		Routes:   []wire.NDRoute{{Prefix: [16]byte{0x20, 1, 0xd, 0xb9}, Bits: 48, Pref: 1, Lifetime: 60}}})
	f.Add(ra[16:])
	f.Add([]byte{1, 0})
	f.Add([]byte{3, 4})
	f.Add([]byte{24, 1, 0, 8, 0, 0, 0, 9})
	f.Add([]byte{5, 1, 0, 0, 0, 0, 5, 0, 14, 1, 1, 2, 3, 4, 5, 6})
	f.Fuzz(func(t *testing.T, options []byte) {
		if len(options) > 1400 {
			return
		}
		m := newMachine(t, netns.Replicated)
		n := m.net("h")
		d := m.device(n, "e0", &tapDriver{}, 1)
		m.sysctl(n, "net.ipv6.conf.e0.accept_ra_rt_info_max_plen", "128")
		m.advance(3 * time.Second)
		src, dst := netip.MustParseAddr("fe80::9").As16(), [16]byte{0xff, 2, 15: 1}
		body := append(wire.AppendRA(nil, wire.RAFields{Lifetime: 900}), options...)
		wire.ICMPv6(body).FillChecksum(src, dst)
		m.receive(d, datagram("fe80::9", "ff02::1", 255, wire.ProtoICMPv6, body))
		want := readNaively(options)
		var got []netip.Prefix
		router := false
		for r := range m.in.FIB.Routes(n, fib.TableMain) {
			if r.Proto == fib.ProtoRA && r.Dst.Bits() == 0 {
				router = true
			}
			if r.Proto == fib.ProtoKernel && r.NextHops[0].Dev == d && r.Dst.String() != "fe80::/64" {
				got = append(got, r.Dst)
			}
		}
		for _, list := range [][]netip.Prefix{got, want.prefixes} {
			slices.SortFunc(list, func(a, b netip.Prefix) int {
				if c := a.Addr().Compare(b.Addr()); c != 0 {
					return c
				}
				return a.Bits() - b.Bits()
			})
		}
		// A route information option for everywhere may withdraw or make the router a default one.
		if !want.ok && router {
			t.Errorf("%x: believed, but makes no sense", options)
		}
		if !slices.Equal(got, want.prefixes) {
			t.Errorf("%x: on the link %v, a naive reader has %v", options, got, want.prefixes)
		}
		mtu := int32(1500)
		if want.ok && want.mtu != 0 {
			mtu = int32(want.mtu)
		}
		if v := m.in.devs.Of(d).own.Load().v[confMTU]; v != mtu {
			t.Errorf("%x: MTU %d, a naive reader has %d", options, v, mtu)
		}
	})
}

// What Linux 6.18 makes of a secret and a prefix.
func TestStableAddr(t *testing.T) {
	secret := netip.MustParseAddr("2001:db8:1:2:3:4:5:6").As16()
	for prefix, want := range map[string]string{"fe80::": "fe80::ff05:eb87:4e94:b3ad", "2001:db8:1::": "2001:db8:1:0:272d:956f:6eb6:7dc9"} {
		a, ok := stableAddr(secret, netip.MustParseAddr(prefix).As16(), 0, 3)
		if !ok || a.String() != want {
			t.Errorf("%s: %v, %v, want %s", prefix, a, ok, want)
		}
		if b, _ := stableAddr(secret, netip.MustParseAddr(prefix).As16(), 1, 3); a == b {
			t.Errorf("%s: the counter does not count", prefix)
		}
	}
	for _, id := range [][8]byte{{}, {0x02, 0, 0x5e, 0xff, 0xfe, 1}, {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80}} {
		if !reservedID(id) {
			t.Errorf("%x is reserved (RFC 5453)", id)
		}
	}
}

// Who is asked for routers is asked less and less often (RFC 7559), until a router
// answers; as often as router_solicitations says.
func TestSolicitBackoff(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n := m.net("h")
		m.sysctl(n, "net.ipv6.conf.default.router_solicitation_max_interval", "60")
		tap := &tapDriver{keep: true}
		d := m.device(n, "e0", tap, 1)
		count := func(over time.Duration) (k int) {
			tap.sent = nil
			m.advance(over)
			for _, b := range tap.sent {
				if len(b) > wire.IPv6Len && b[6] == wire.ProtoICMPv6 && b[wire.IPv6Len] == wire.ICMP6RouterSolicit {
					k++
				}
			}
			return k
		}
		if k := count(70 * time.Second); k < 4 || k > 5 { // at about 2, 6, 14, 30, 62 s
			t.Errorf("%d questions within 70 s", k)
		}
		if k := count(600 * time.Second); k < 8 || k > 12 {
			t.Errorf("%d questions in 600 s, once a minute", k)
		}
		src, dst := netip.MustParseAddr("fe80::9").As16(), [16]byte{0xff, 2, 15: 1}
		body := wire.AppendRA(nil, wire.RAFields{Lifetime: 900})
		wire.ICMPv6(body).FillChecksum(src, dst)
		m.receive(d, datagram("fe80::9", "ff02::1", 255, wire.ProtoICMPv6, body))
		if k := count(600 * time.Second); k != 0 {
			t.Errorf("%d questions after an answer", k)
		}
		m.sysctl(n, "net.ipv6.conf.default.router_solicitations", "3")
		tap = &tapDriver{keep: true}
		m.device(n, "e1", tap, 2)
		if k := count(600 * time.Second); k != 3 {
			t.Errorf("%d questions of 3", k)
		}
	})
}

// Addresses and routes end when their time is over, and not with a Net that is gone.
func TestLifetimes(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n := m.net("h")
		d := m.device(n, "e0", &tapDriver{}, 1)
		m.sys.Lock()
		m.check(m.in.AddAddr(d, Addr{Local: netip.MustParseAddr("2001:db8::1"), Bits: 64, Flags: 0x02, Valid: 10 * time.Second, Preferred: 5 * time.Second}))
		m.sys.Unlock()
		has := func() (a *Addr, route bool) {
			for _, b := range m.in.Addrs(d) {
				if b.Local == netip.MustParseAddr("2001:db8::1") {
					a = b
				}
			}
			for r := range m.in.FIB.Routes(n, fib.TableMain) {
				route = route || r.Dst == netip.MustParsePrefix("2001:db8::/64")
			}
			return a, route
		}
		m.advance(4 * time.Second)
		if a, route := has(); a == nil || !route || a.Flags&0x20 != 0 {
			t.Errorf("after 4 s: %v, route %v", a, route)
		}
		m.advance(2 * time.Second)
		if a, route := has(); a == nil || !route || a.Flags&0x20 == 0 { // IFA_F_DEPRECATED
			t.Errorf("after 6 s: %v, route %v", a, route)
		}
		if mm := m.in.addrMessage(m.in.Addrs(d)[0]); mm.Valid != 4*time.Second || mm.Preferred != 0 {
			t.Errorf("after 6 s: valid %v, preferred %v", mm.Valid, mm.Preferred)
		}
		m.advance(5 * time.Second)
		if a, route := has(); a != nil || route {
			t.Errorf("after 11 s: %v, route %v", a, route)
		}
		m.sys.Lock()
		m.check(m.in.AddAddr(d, Addr{Local: netip.MustParseAddr("2001:db8::1"), Bits: 64, Flags: 0x02, Valid: 10 * time.Second, Preferred: netlink.Forever}))
		n.Put()
		m.sys.Reap()
		m.sys.Unlock()
		m.advance(20 * time.Second)
	})
}
