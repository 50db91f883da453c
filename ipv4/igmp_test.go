package ipv4

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

func ip4(s string) netip.Addr { return netip.MustParseAddr(s) }

// reports describes the IGMP messages that were sent by a tap, and forgets them.
func reports(t rapid.TB, tap *tapDriver) string {
	t.Helper()
	var all []string
	for _, f := range tap.frames {
		ip, ok := wire.ParseIPv4(f[14:])
		if !ok || ip.Proto() != wire.ProtoIGMP {
			continue
		}
		m, ok := wire.ParseIGMP(ip.Payload())
		if !ok || !m.ChecksumOK() || ip.TTL() != 1 || ip.TOS() != 0xc0 || !ip.DF() || string(ip.Options()) != "\x94\x04\x00\x00" ||
			wire.Ethernet(f).Dst() != wire.MulticastMAC(ip.Dst4()) || len(f) > 14+1500 {
			t.Fatalf("no proper report: %x", f)
		}
		s := fmt.Sprintf("%v>%v", ip.Src(), ip.Dst())
		switch m.Type() {
		case wire.IGMPv3Report:
			for _, r := range m.Records() {
				s += fmt.Sprintf(" %s %v", [...]string{"", "IN", "EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"}[r.Type()], netip.AddrFrom4(r.Group()))
				for i := range r.NumSources() {
					s += fmt.Sprintf(",%d", r.Source(i)[3])
				}
			}
		default:
			s += fmt.Sprintf(" %#x %v", m.Type(), netip.AddrFrom4(m.Group()))
		}
		all = append(all, s)
	}
	tap.frames = nil
	return strings.Join(all, "; ")
}

// A tapped is a machine with a device whose frames are kept.
type tapped struct {
	*machine
	n   *netns.Net
	d   *core.Device
	tap *tapDriver
	at  Interface
}

func newTapped(t rapid.TB, place netns.Placement, addrs ...string) *tapped {
	m := newMachine(t, place)
	n := m.net("a")
	tap := &tapDriver{keep: true}
	d := m.device(n, "eth0", tap, 1, addrs...)
	return &tapped{m, n, d, tap, Interface{Index: d.Index()}}
}

// tells lets time pass and compares what was told.
func (x *tapped) tells(what string, d time.Duration, want string) {
	x.t.Helper()
	x.sleep(d)
	if got := reports(x.t, x.tap); got != want {
		x.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// hear has a message arrive at the device.
func (x *tapped) hear(dst [4]byte, b []byte) {
	x.t.Helper()
	w := x.core.Enter()
	defer w.Leave()
	p := w.NewFrame(14 + 20 + len(b))
	f := p.Bytes()
	wire.PutEthernet(f, wire.MulticastMAC(dst), wire.MAC{2, 9}, wire.EtherTypeIPv4)
	wire.PutIPv4(f[14:], wire.IPv4Fields{TTL: 1, Proto: wire.ProtoIGMP, Src: [4]byte{10, 0, 0, 9}, Dst: dst})
	copy(f[34:], b)
	x.d.Queue(w, p)
}

// query is one of IGMPv3.
func query(code uint8, g [4]byte, sources ...[4]byte) []byte {
	b := append(wire.AppendIGMP(nil, wire.IGMPQuery, code, g), 2, 125, 0, byte(len(sources)))
	for _, s := range sources {
		b = append(b, s[:]...)
	}
	wire.IGMP(b).FillChecksum()
	return b
}

func TestStateChanges(t *testing.T) {
	for _, place := range placements {
		x := newTapped(t, place, "10.0.0.1/24")
		in, n, g := x.in, x.n, ip4("239.1.1.1")
		a, b := new(Memberships), new(Memberships)
		x.tells("up", time.Minute, "")
		x.check(in.JoinGroup(n, a, g, x.at))
		x.tells("join", time.Minute, "10.0.0.1>224.0.0.22 TO_EX 239.1.1.1; 10.0.0.1>224.0.0.22 TO_EX 239.1.1.1")
		x.check(in.JoinSource(n, b, g, ip4("10.0.0.5"), x.at))
		x.tells("one source, beside all", time.Minute, "")
		x.check(in.LeaveGroup(n, a, g, x.at))
		x.tells("only the source is left", time.Minute, "10.0.0.1>224.0.0.22 TO_IN 239.1.1.1,5; 10.0.0.1>224.0.0.22 TO_IN 239.1.1.1,5")
		x.check(in.JoinSource(n, b, g, ip4("10.0.0.6"), x.at))
		x.tells("a second", time.Minute, "10.0.0.1>224.0.0.22 ALLOW 239.1.1.1,6; 10.0.0.1>224.0.0.22 ALLOW 239.1.1.1,6")
		x.check(in.LeaveSource(n, b, g, ip4("10.0.0.5"), x.at))
		x.tells("the first goes", time.Minute, "10.0.0.1>224.0.0.22 BLOCK 239.1.1.1,5; 10.0.0.1>224.0.0.22 BLOCK 239.1.1.1,5")
		x.check(in.LeaveSource(n, b, g, ip4("10.0.0.6"), x.at))
		x.tells("the last goes", time.Minute, "10.0.0.1>224.0.0.22 BLOCK 239.1.1.1,6; 10.0.0.1>224.0.0.22 BLOCK 239.1.1.1,6")
		if l := in.Groups(x.d); len(l) != 1 || len(b.all()) != 0 {
			t.Errorf("still in %v, %v", l, b.all())
		}
		x.check(in.JoinGroup(n, a, g, x.at))
		x.check(in.BlockSource(n, a, g, ip4("10.0.0.7"), x.at))
		x.tells("all but one at once", time.Minute, "10.0.0.1>224.0.0.22 TO_EX 239.1.1.1,7; 10.0.0.1>224.0.0.22 TO_EX 239.1.1.1,7")
		x.check(in.BlockSource(n, a, g, ip4("10.0.0.8"), x.at))
		x.tells("all but two", time.Minute, "10.0.0.1>224.0.0.22 BLOCK 239.1.1.1,8; 10.0.0.1>224.0.0.22 BLOCK 239.1.1.1,8")
		x.check(in.UnblockSource(n, a, g, ip4("10.0.0.7"), x.at))
		x.tells("and again but one", time.Minute, "10.0.0.1>224.0.0.22 ALLOW 239.1.1.1,7; 10.0.0.1>224.0.0.22 ALLOW 239.1.1.1,7")
		x.check(in.SetFilter(n, a, g, x.at, Include, []netip.Addr{ip4("10.0.0.1")}))
		x.tells("turned", time.Minute, "10.0.0.1>224.0.0.22 TO_IN 239.1.1.1,1; 10.0.0.1>224.0.0.22 TO_IN 239.1.1.1,1")
		x.check(in.JoinGroup(n, b, ip4("224.0.0.9"), x.at))
		x.check(in.JoinGroup(n, b, ip4("224.0.0.1"), x.at))
		x.tells("of the link, and all hosts", time.Minute, "10.0.0.1>224.0.0.22 TO_EX 224.0.0.9; 10.0.0.1>224.0.0.22 TO_EX 224.0.0.9")
		in.LeaveAllGroups(n, a)
		in.LeaveAllGroups(n, b)
		x.tells("the end", time.Minute, "10.0.0.1>224.0.0.22 TO_IN 224.0.0.9 BLOCK 239.1.1.1,1; 10.0.0.1>224.0.0.22 TO_IN 224.0.0.9 BLOCK 239.1.1.1,1")
		if at, ok := x.sys.NextTimer(); ok {
			t.Errorf("a timer is left at %v", at)
		}
	}
}

func TestQueries(t *testing.T) {
	for _, place := range placements {
		x := newTapped(t, place)
		in, n, m := x.in, x.n, new(Memberships)
		g, h := ip4("239.1.1.1"), ip4("239.1.1.2")
		x.check(in.JoinGroup(n, m, g, x.at))
		x.check(in.JoinSource(n, m, h, ip4("10.0.0.5"), x.at))
		x.tells("two joins, without an address", time.Minute,
			"0.0.0.0>224.0.0.22 ALLOW 239.1.1.2,5 TO_EX 239.1.1.1; 0.0.0.0>224.0.0.22 ALLOW 239.1.1.2,5 TO_EX 239.1.1.1")
		x.hear(allHosts, query(100, [4]byte{}))
		x.tells("general", 11*time.Second, "0.0.0.0>224.0.0.22 IN 239.1.1.2,5 EX 239.1.1.1")
		x.hear(allHosts, query(100, [4]byte{}))
		x.hear(allHosts, query(100, [4]byte{}))
		x.tells("two at once", 11*time.Second, "0.0.0.0>224.0.0.22 IN 239.1.1.2,5 EX 239.1.1.1")
		x.hear(g.As4(), query(10, g.As4()))
		x.tells("of a group", 2*time.Second, "0.0.0.0>224.0.0.22 EX 239.1.1.1")
		x.hear(h.As4(), query(10, h.As4(), [4]byte{10, 0, 0, 5}))
		x.tells("of a source that is heard", 2*time.Second, "0.0.0.0>224.0.0.22 IN 239.1.1.2,5")
		x.hear(h.As4(), query(10, h.As4(), [4]byte{10, 0, 0, 6}))
		x.tells("of one that is not", 2*time.Second, "")
		x.hear(g.As4(), query(10, g.As4(), [4]byte{10, 0, 0, 6}))
		x.tells("of one that nobody excludes", 2*time.Second, "0.0.0.0>224.0.0.22 EX 239.1.1.1")
		bad := query(10, g.As4())
		bad[3]++
		x.hear(g.As4(), bad)
		x.hear(g.As4(), query(10, g.As4())[:10])
		x.hear(allHosts, query(10, [4]byte{}, [4]byte{10, 0, 0, 6}))
		x.tells("rubbish", 20*time.Second, "")

		x.hear(allHosts, wire.AppendIGMP(nil, wire.IGMPQuery, 20, [4]byte{}))
		x.sleep(3 * time.Second)
		got := strings.Split(reports(t, x.tap), "; ")
		slices.Sort(got)
		if s := strings.Join(got, "; "); s != "0.0.0.0>239.1.1.1 0x16 239.1.1.1; 0.0.0.0>239.1.1.2 0x16 239.1.1.2" {
			t.Errorf("to version 2: %s", s)
		}
		x.hear(allHosts, wire.AppendIGMP(nil, wire.IGMPQuery, 20, [4]byte{}))
		x.hear(g.As4(), wire.AppendIGMP(nil, wire.IGMPv2Report, 0, g.As4()))
		x.tells("another host was faster", 3*time.Second, "0.0.0.0>239.1.1.2 0x16 239.1.1.2")
		x.check(in.LeaveGroup(n, m, g, x.at))
		x.tells("a leave of who was not the last to report", time.Second, "")
		x.check(in.LeaveGroup(n, m, h, x.at))
		x.tells("a leave of who was", time.Second, "0.0.0.0>224.0.0.2 0x17 239.1.1.2")
		x.hear(allHosts, wire.AppendIGMP(nil, wire.IGMPQuery, 0, [4]byte{}))
		x.sleep(time.Second)
		x.check(in.JoinGroup(n, m, g, x.at))
		x.tells("version 1", time.Minute, "0.0.0.0>239.1.1.1 0x12 239.1.1.1; 0.0.0.0>239.1.1.1 0x12 239.1.1.1")
		x.sleep(5 * time.Minute)
		x.check(in.LeaveGroup(n, m, g, x.at))
		x.tells("old queriers are forgotten", time.Minute, "0.0.0.0>224.0.0.22 TO_IN 239.1.1.1; 0.0.0.0>224.0.0.22 TO_IN 239.1.1.1")
	}
}

// TestManySources: what does not fit one report takes more; of what is excluded
// one record tells, as much as fits.
func TestManySources(t *testing.T) {
	x := newTapped(t, netns.Tagged, "10.0.0.1/24")
	x.sysctl(x.n, "net.ipv4.igmp_max_msf", "1000")
	var list []netip.Addr
	for i := range 1000 {
		list = append(list, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
	}
	m, g := new(Memberships), ip4("239.1.1.1")
	x.check(x.in.JoinSource(x.n, m, g, ip4("10.9.9.9"), x.at))
	x.sleep(time.Minute)
	reports(t, x.tap)
	x.check(x.in.SetFilter(x.n, m, g, x.at, Include, list))
	x.sleep(time.Minute)
	if got := reports(t, x.tap); strings.Count(got, "ALLOW") != 6 || strings.Count(got, ",") != 2*1001 || strings.Count(got, "BLOCK") != 2 {
		t.Errorf("%d ALLOW, %d BLOCK, %d sources", strings.Count(got, "ALLOW"), strings.Count(got, "BLOCK"), strings.Count(got, ","))
	}
	x.check(x.in.SetFilter(x.n, m, g, x.at, Exclude, list))
	x.sleep(time.Minute)
	if got := reports(t, x.tap); strings.Count(got, "TO_EX") != 2 || strings.Count(got, ",") != 2*((1500-24-8-8)/4) {
		t.Errorf("%d TO_EX, %d sources", strings.Count(got, "TO_EX"), strings.Count(got, ","))
	}
}

// TestMembershipEnds: a device that leaves its Net, goes down or is deleted, and
// a Net that ends, leave no timer and no group behind.
func TestMembershipEnds(t *testing.T) {
	for _, place := range placements {
		x := newTapped(t, place, "10.0.0.1/24")
		o := x.net("o")
		m, g := new(Memberships), ip4("239.1.1.1")
		x.check(x.in.JoinGroup(x.n, m, g, x.at))
		x.sys.Lock()
		x.check(x.core.Move(x.d, o, ""))
		x.check(x.core.SetUp(x.d))
		x.sys.Unlock()
		if l := x.in.Groups(x.d); len(l) != 1 || x.in.member(x.d, g.As4(), [4]byte{}, 17) || len(x.d.Groups()) != 1 {
			t.Errorf("after the move in %v, listening to %v", l, x.d.Groups())
		}
		if at, ok := x.sys.NextTimer(); ok {
			t.Errorf("a timer is left at %v", at)
		}
		if err := x.in.LeaveGroup(x.n, m, g, x.at); err != nil { // as Linux: it is the socket's to give back
			t.Error(err)
		}
		if err := x.in.LeaveGroup(x.n, m, g, x.at); err != syscall.EADDRNOTAVAIL {
			t.Error(err)
		}
		x.at.Index = x.d.Index()
		x.check(x.in.JoinGroup(o, m, g, x.at))
		x.sys.Lock()
		x.core.SetDown(x.d)
		x.sys.Unlock()
		if l := x.in.Groups(x.d); len(l) != 1 || l[0].Addr != g.As4() || x.tap.frames != nil {
			t.Errorf("down: in %v", l)
		}
		if at, ok := x.sys.NextTimer(); ok {
			t.Errorf("down: a timer is left at %v", at)
		}
		x.sys.Lock()
		x.check(x.core.SetUp(x.d))
		x.check(x.core.Unregister(x.d))
		x.sys.Unlock()
		if at, ok := x.sys.NextTimer(); ok {
			t.Errorf("deleted: a timer is left at %v", at)
		}
		x.in.LeaveAllGroups(o, m)
	}
}

// TestReportsOfTwoNets: when a Net reports is drawn from its own stream; another
// Net that joins the same group at a device of the same number changes nothing.
func TestReportsOfTwoNets(t *testing.T) {
	times := func(place netns.Placement, beside bool) (at []time.Duration) {
		x := newTapped(t, place, "10.0.0.1/24")
		g := ip4("239.1.1.1")
		var m, k Memberships
		if beside {
			o := x.net("o")
			other := x.device(o, "eth0", new(tapDriver), 1, "10.0.0.1/24")
			x.check(x.in.JoinGroup(o, &k, g, Interface{Index: other.Index()}))
			x.check(x.in.JoinGroup(o, &k, ip4("239.1.1.2"), Interface{Index: other.Index()}))
			if x.in.member(x.d, g.As4(), [4]byte{}, 17) {
				t.Error("another Net's membership lets packets in here")
			}
		}
		x.check(x.in.JoinGroup(x.n, &m, g, x.at))
		x.hear(allHosts, query(120, [4]byte{}))
		for range 3000 {
			x.sleep(10 * time.Millisecond)
			if reports(t, x.tap) != "" {
				at = append(at, x.now)
			}
		}
		return at
	}
	for _, place := range placements {
		alone, beside := times(place, false), times(place, true)
		if len(alone) != 3 || !slices.Equal(alone, beside) {
			t.Errorf("alone at %v, beside another Net at %v", alone, beside)
		}
	}
}

// TestFilters compares what a device lets in with what its sockets ask for, each
// looked at by itself.
func TestFilters(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := newTapped(r, rapid.SampledFrom(placements).Draw(r, "place"), "10.0.0.1/24")
		groups := []netip.Addr{ip4("239.1.1.1"), ip4("239.1.1.2")}
		source := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
		socks := make([]Memberships, 3)
		agree := func() {
			for _, g := range groups {
				for i := range 4 {
					want := false
					for k := range socks {
						want = want || socks[k].Allows(g.As4(), source(i).As4(), x.d.Index(), false)
					}
					if got := x.in.member(x.d, g.As4(), source(i).As4(), 17); got != want {
						r.Fatalf("%v from %v: let in %v, want %v", g, source(i), got, want)
					}
				}
			}
		}
		pick := func(what string, k int) int { return rapid.IntRange(0, k-1).Draw(r, what) }
		r.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { agree() },
			"change": func(*rapid.T) {
				m, g, src := &socks[pick("socket", 3)], groups[pick("group", 2)], source(pick("source", 4))
				switch pick("what", 8) {
				case 0:
					_ = x.in.JoinGroup(x.n, m, g, x.at)
				case 1:
					_ = x.in.LeaveGroup(x.n, m, g, x.at)
				case 2:
					_ = x.in.JoinSource(x.n, m, g, src, x.at)
				case 3:
					_ = x.in.LeaveSource(x.n, m, g, src, x.at)
				case 4:
					_ = x.in.BlockSource(x.n, m, g, src, x.at)
				case 5:
					_ = x.in.UnblockSource(x.n, m, g, src, x.at)
				case 6:
					x.in.LeaveAllGroups(x.n, m)
				case 7:
					_ = x.in.SetFilter(x.n, m, g, x.at, FilterMode(pick("mode", 2)), []netip.Addr{src, source(9)}[:pick("sources", 3)])
				}
			},
			"sleep": func(*rapid.T) { x.sleep(time.Duration(pick("ms", 1500)) * time.Millisecond) },
			"hear": func(*rapid.T) {
				x.hear(allHosts, query(uint8(pick("code", 30)), [4]byte{}))
			},
			"flap": func(*rapid.T) {
				x.sys.Lock()
				x.core.SetDown(x.d)
				x.check(x.core.SetUp(x.d))
				x.sys.Unlock()
			},
		})
		for k := range socks {
			x.in.LeaveAllGroups(x.n, &socks[k])
		}
		// What was left while the device was down is told with the next change.
		x.check(x.in.JoinGroup(x.n, &socks[0], ip4("239.1.1.3"), x.at))
		x.in.LeaveAllGroups(x.n, &socks[0])
		x.sleep(time.Minute)
		if l := x.in.Groups(x.d); len(l) != 1 || len(x.d.Groups()) != 1 {
			r.Fatalf("at the end in %v, listening to %v", l, x.d.Groups())
		}
		if st := x.d; x.in.devs.Of(st).mc.st != nil && len(x.in.devs.Of(st).mc.st.gone) != 0 {
			r.Fatal("something is still to be told")
		}
	})
}

// FuzzIGMPHeard: whatever arrives, no panic, and every packet is accounted for.
func FuzzIGMPHeard(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(query(20, [4]byte{}), true)
	f.Add(query(20, [4]byte{239, 1, 1, 1}, [4]byte{10, 0, 0, 5}), true)
	f.Add(wire.AppendIGMP(nil, wire.IGMPv2Report, 0, [4]byte{239, 1, 1, 1}), true)
	f.Add(wire.AppendIGMP(nil, wire.IGMPQuery, 0, [4]byte{}), true)
	f.Fuzz(func(t *testing.T, b []byte, fill bool) {
		x := newTapped(t, netns.Tagged, "10.0.0.1/24")
		m := new(Memberships)
		x.check(x.in.JoinGroup(x.n, m, ip4("239.1.1.1"), x.at))
		x.check(x.in.JoinSource(x.n, m, ip4("239.1.1.2"), ip4("10.0.0.5"), x.at))
		x.sleep(time.Minute)
		if b = slices.Clone(b[:min(len(b), 1400)]); fill && len(b) >= 8 {
			wire.IGMP(b).FillChecksum()
		}
		x.hear([4]byte{239, 1, 1, 1}, b)
		x.hear(allHosts, b)
		x.sleep(time.Hour)
		reports(t, x.tap)
		x.in.LeaveAllGroups(x.n, m)
		x.sleep(time.Minute)
		if l := x.core.Ledger(x.n); !l.Balanced() || l.Held != 0 {
			t.Fatal(l)
		}
	})
}
