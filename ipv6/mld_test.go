package ipv6

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

var bothPlaces = []netns.Placement{netns.Tagged, netns.Replicated}

func ip6(s string) netip.Addr { return netip.MustParseAddr(s) }

func sixteen(s string) [16]byte { return ip6(s).As16() }

// reports describes the MLD messages that were sent by a tap, and forgets them.
func reports(t rapid.TB, tap *tapDriver) string {
	t.Helper()
	var all []string
	for _, b := range tap.sent {
		ip, ok := wire.ParseIPv6(b)
		alert := wire.MLDAlert()
		if !ok || ip.Next() != wire.ProtoHopByHop || len(ip) < 48 {
			continue
		}
		body := ip[48:]
		m, ok := wire.ParseMLD(body)
		if !ok || !wire.ICMPv6(body).ChecksumOK(ip.Src16(), ip.Dst16()) || ip.HopLimit() != 1 || [8]byte(ip[40:48]) != alert || len(b) > 1500 ||
			chosen(ip.Src()) && !ip.Src().IsLinkLocalUnicast() {
			t.Fatalf("no proper report: %x", b)
		}
		s := fmt.Sprintf("%v>%v", ip.Src(), ip.Dst())
		switch m.Type() {
		case wire.ICMP6MLD2Report:
			for _, r := range m.Records() {
				s += fmt.Sprintf(" %s %v", [...]string{"", "IN", "EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"}[r.Type()], netip.AddrFrom16(r.Group()))
				for i := range r.NumSources() {
					s += fmt.Sprintf(",%d", r.Source(i)[15])
				}
			}
		default:
			s += fmt.Sprintf(" %d %v", m.Type(), netip.AddrFrom16(m.Group()))
		}
		all = append(all, s)
	}
	tap.sent = nil
	return strings.Join(all, "; ")
}

// A tapped is a machine with a device whose frames are kept.
type tapped struct {
	*machine
	n   *netns.Net
	d   *core.Device
	tap *tapDriver
	at  int
}

func newTapped(t rapid.TB, place netns.Placement, addrs ...string) *tapped {
	m := newMachine(t, place)
	n := m.net("a")
	m.sysctl(n, "net.ipv6.conf.default.addr_gen_mode", "1")
	tap := &tapDriver{keep: true}
	d := m.device(n, "eth0", tap, 1, addrs...)
	m.advance(time.Minute)
	tap.sent = nil
	return &tapped{m, n, d, tap, d.Index()}
}

// tells lets time pass and compares what was told.
func (x *tapped) tells(what string, d time.Duration, want string) {
	x.t.Helper()
	x.advance(d)
	if got := reports(x.t, x.tap); got != want {
		x.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// hear has a message arrive at the device, from a querier.
func (x *tapped) hear(dst string, b []byte) {
	x.t.Helper()
	alert := wire.MLDAlert()
	b = slices.Clone(b)
	if len(b) >= 4 {
		wire.ICMPv6(b).FillChecksum(sixteen("fe80::9"), sixteen(dst))
	}
	x.receive(x.d, datagram("fe80::9", dst, 1, wire.ProtoHopByHop, alert[:], b))
}

// query is one of MLDv2.
func query(delay uint16, g string, sources ...string) []byte {
	b := append(wire.AppendMLD(nil, wire.ICMP6MLDQuery, delay, sixteen(g)), 2, 125, 0, byte(len(sources)))
	for _, s := range sources {
		a := sixteen(s)
		b = append(b, a[:]...)
	}
	return b
}

func TestStateChanges(t *testing.T) {
	for _, place := range bothPlaces {
		x := newTapped(t, place)
		in, n, g := x.in, x.n, ip6("ff05::1")
		a, b := new(Memberships), new(Memberships)
		twice := func(s string) string { return "::>ff02::16 " + s + "; ::>ff02::16 " + s }
		x.tells("up", time.Minute, "")
		x.check(in.JoinGroup(n, a, g, x.at))
		x.tells("join", time.Minute, twice("TO_EX ff05::1"))
		x.check(in.JoinSource(n, b, g, ip6("2001:db8::5"), x.at))
		x.tells("one source, beside all", time.Minute, "")
		x.check(in.LeaveGroup(n, a, g, x.at))
		x.tells("only the source is left", time.Minute, twice("TO_IN ff05::1,5"))
		x.check(in.JoinSource(n, b, g, ip6("2001:db8::6"), x.at))
		x.tells("a second", time.Minute, twice("ALLOW ff05::1,6"))
		x.check(in.LeaveSource(n, b, g, ip6("2001:db8::5"), x.at))
		x.tells("the first goes", time.Minute, twice("BLOCK ff05::1,5"))
		x.check(in.LeaveSource(n, b, g, ip6("2001:db8::6"), x.at))
		x.tells("the last goes", time.Minute, twice("BLOCK ff05::1,6"))
		if l := in.Groups(x.d); len(l) != 2 || len(b.all()) != 0 {
			t.Errorf("still in %v, %v", l, b.all())
		}
		x.check(in.JoinGroup(n, a, g, x.at))
		x.check(in.BlockSource(n, a, g, ip6("2001:db8::7"), x.at))
		x.tells("all but one at once", time.Minute, twice("TO_EX ff05::1,7"))
		x.check(in.BlockSource(n, a, g, ip6("2001:db8::8"), x.at))
		x.tells("all but two", time.Minute, twice("BLOCK ff05::1,8"))
		x.check(in.UnblockSource(n, a, g, ip6("2001:db8::7"), x.at))
		x.tells("and again but one", time.Minute, twice("ALLOW ff05::1,7"))
		x.check(in.SetFilter(n, a, g, x.at, Include, []netip.Addr{ip6("2001:db8::1")}))
		x.tells("turned", time.Minute, twice("TO_IN ff05::1,1"))
		x.check(in.JoinGroup(n, b, ip6("ff02::9"), x.at))
		x.check(in.JoinGroup(n, b, ip6("ff02::1"), x.at))
		x.check(in.JoinGroup(n, b, ip6("ff01::9"), x.at))
		x.tells("of the link, all nodes, and of the host", time.Minute, twice("TO_EX ff02::9"))
		in.LeaveAllGroups(n, a)
		in.LeaveAllGroups(n, b)
		x.tells("the end", time.Minute, twice("TO_IN ff02::9 BLOCK ff05::1,1"))
		if at, ok := x.sys.NextTimer(); ok {
			t.Errorf("a timer is left at %v", at)
		}
	}
}

// TestReportsFromNewAddress: what was told from no address is told again from the
// first link-local one (RFC 3810 section 5.2.13, RFC 3590).
func TestReportsFromNewAddress(t *testing.T) {
	x := newTapped(t, netns.Tagged)
	m := new(Memberships)
	x.check(x.in.JoinGroup(x.n, m, ip6("ff05::1"), x.at))
	x.tells("join", time.Minute, "::>ff02::16 TO_EX ff05::1; ::>ff02::16 TO_EX ff05::1")
	x.sys.Lock()
	x.check(x.in.AddAddr(x.d, Addr{Local: ip6("fe80::77"), Bits: 64}))
	x.sys.Unlock()
	// Twice as a change from ::, and twice all when nobody has objected to the address.
	x.advance(time.Minute)
	got := strings.Split(reports(t, x.tap), "; ")
	var from []string
	for _, s := range got {
		src, rest, _ := strings.Cut(s, ">")
		if !strings.Contains(rest, "TO_EX ff05::1") || !strings.Contains(rest, "TO_EX ff02::1:ff00:77") {
			t.Errorf("not all is told: %s", s)
		}
		from = append(from, src)
	}
	slices.Sort(from)
	if n := slices.Index(from, "fe80::77"); len(from) != 4 || n < 0 || len(from)-n < 2 {
		t.Errorf("told %v", got)
	}
}

func TestQueries(t *testing.T) {
	for _, place := range bothPlaces {
		x := newTapped(t, place)
		in, n, m := x.in, x.n, new(Memberships)
		g, h := ip6("ff05::1"), ip6("ff05::2")
		x.check(in.JoinGroup(n, m, g, x.at))
		x.check(in.JoinSource(n, m, h, ip6("2001:db8::5"), x.at))
		x.tells("two joins", time.Minute,
			"::>ff02::16 ALLOW ff05::2,5 TO_EX ff05::1; ::>ff02::16 ALLOW ff05::2,5 TO_EX ff05::1")
		x.hear("ff02::1", query(10000, "::"))
		x.tells("general", 11*time.Second, "::>ff02::16 IN ff05::2,5 EX ff05::1")
		x.hear("ff02::1", query(10000, "::"))
		x.hear("ff02::1", query(10000, "::"))
		x.tells("two at once", 11*time.Second, "::>ff02::16 IN ff05::2,5 EX ff05::1")
		x.hear("ff05::1", query(1000, "ff05::1"))
		x.tells("of a group", 2*time.Second, "::>ff02::16 EX ff05::1")
		x.hear("ff05::2", query(1000, "ff05::2", "2001:db8::5"))
		x.tells("of a source that is heard", 2*time.Second, "::>ff02::16 IN ff05::2,5")
		x.hear("ff05::2", query(1000, "ff05::2", "2001:db8::6"))
		x.tells("of one that is not", 2*time.Second, "")
		x.hear("ff05::1", query(1000, "ff05::1", "2001:db8::6"))
		x.tells("of one that nobody excludes", 2*time.Second, "::>ff02::16 EX ff05::1")
		x.hear("ff05::1", query(1000, "ff05::1")[:26])
		x.hear("ff02::1", query(1000, "::", "2001:db8::6"))
		x.hear("ff05::1", query(1000, "ff05::1", "2001:db8::6")[:40])
		x.tells("rubbish", 20*time.Second, "")

		v1 := func(g string, delay uint16) []byte { return wire.AppendMLD(nil, wire.ICMP6MLDQuery, delay, sixteen(g)) }
		x.hear("ff02::1", v1("::", 2000))
		x.advance(3 * time.Second)
		got := strings.Split(reports(t, x.tap), "; ")
		slices.Sort(got)
		if s := strings.Join(got, "; "); s != "::>ff05::1 131 ff05::1; ::>ff05::2 131 ff05::2" {
			t.Errorf("to version 1: %s", s)
		}
		x.hear("ff02::1", v1("::", 2000))
		x.hear("ff05::1", wire.AppendMLD(nil, wire.ICMP6MLDReport, 0, g.As16()))
		x.tells("another host was faster", 3*time.Second, "::>ff05::2 131 ff05::2")
		x.check(in.LeaveGroup(n, m, g, x.at))
		x.tells("a done of who was not the last to report", time.Second, "")
		x.check(in.LeaveGroup(n, m, h, x.at))
		x.tells("a done of who was", time.Second, "::>ff02::2 132 ff05::2")
		x.check(in.JoinGroup(n, m, g, x.at))
		x.tells("a join in version 1", time.Minute, "::>ff05::1 131 ff05::1; ::>ff05::1 131 ff05::1")
		x.advance(5 * time.Minute)
		x.check(in.LeaveGroup(n, m, g, x.at))
		x.tells("old queriers are forgotten", time.Minute, "::>ff02::16 TO_IN ff05::1; ::>ff02::16 TO_IN ff05::1")
	}
}

// TestManySources: what does not fit one report takes more; of what is excluded
// one record tells, as much as fits.
func TestManySources(t *testing.T) {
	x := newTapped(t, netns.Tagged)
	x.in.SetMLDLimits(x.n, 2, 1000)
	var list []netip.Addr
	for i := range 300 {
		list = append(list, netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}))
	}
	m, g := new(Memberships), ip6("ff05::1")
	x.check(x.in.JoinSource(x.n, m, g, ip6("2001:db8::ffff"), x.at))
	x.advance(time.Minute)
	reports(t, x.tap)
	x.check(x.in.SetFilter(x.n, m, g, x.at, Include, list))
	x.advance(time.Minute)
	if got := reports(t, x.tap); strings.Count(got, "ALLOW") != 8 || strings.Count(got, ",") != 2*301 || strings.Count(got, "BLOCK") != 2 {
		t.Errorf("%d ALLOW, %d BLOCK, %d sources", strings.Count(got, "ALLOW"), strings.Count(got, "BLOCK"), strings.Count(got, ","))
	}
	x.check(x.in.SetFilter(x.n, m, g, x.at, Exclude, list))
	x.advance(time.Minute)
	if got := reports(t, x.tap); strings.Count(got, "TO_EX") != 2 || strings.Count(got, ",") != 2*((1500-40-8-8-20)/16) {
		t.Errorf("%d TO_EX, %d sources", strings.Count(got, "TO_EX"), strings.Count(got, ","))
	}
}

// TestMembershipEnds: a device that leaves its Net, goes down or is deleted leaves
// no timer and no group behind.
func TestMembershipEnds(t *testing.T) {
	for _, place := range bothPlaces {
		x := newTapped(t, place, "2001:db8::1/64")
		o := x.net("o")
		x.sysctl(o, "net.ipv6.conf.default.addr_gen_mode", "1")
		m, g := new(Memberships), ip6("ff05::1")
		x.check(x.in.JoinGroup(x.n, m, g, x.at))
		x.sys.Lock()
		x.check(x.core.Move(x.d, o, ""))
		x.check(x.core.SetUp(x.d))
		x.sys.Unlock()
		if l := x.in.Groups(x.d); len(l) != 2 || x.in.devs.Of(x.d).member(g.As16(), [16]byte{}) || len(x.d.Groups()) != 1 {
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
		x.at = x.d.Index()
		x.check(x.in.JoinGroup(o, m, g, x.at))
		x.advance(time.Minute)
		x.tap.sent = nil
		x.sys.Lock()
		x.core.SetDown(x.d)
		x.sys.Unlock()
		if l := x.in.Groups(x.d); len(l) != 3 || l[0].Addr != g.As16() || x.tap.sent != nil || len(x.d.Groups()) != 0 {
			t.Errorf("down: in %v, listening to %v", l, x.d.Groups())
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
		x := newTapped(t, place)
		g := ip6("ff05::1")
		var m, k Memberships
		if beside {
			o := x.net("o")
			other := x.device(o, "eth0", new(tapDriver), 1)
			x.check(x.in.JoinGroup(o, &k, g, other.Index()))
			x.check(x.in.JoinGroup(o, &k, ip6("ff05::2"), other.Index()))
			if x.in.devs.Of(x.d).member(g.As16(), [16]byte{}) {
				t.Error("another Net's membership lets packets in here")
			}
		}
		x.check(x.in.JoinGroup(x.n, &m, g, x.at))
		x.hear("ff02::1", query(12000, "::"))
		for range 3000 {
			x.advance(10 * time.Millisecond)
			if reports(t, x.tap) != "" {
				at = append(at, x.sys.Now())
			}
		}
		return at
	}
	for _, place := range bothPlaces {
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
		x := newTapped(t, rapid.SampledFrom(bothPlaces).Draw(r, "place"))
		groups := []netip.Addr{ip6("ff05::1"), ip6("ff05::2")}
		source := func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i + 1)}) }
		socks := make([]Memberships, 3)
		agree := func() {
			for _, g := range groups {
				for i := range 4 {
					want := false
					for k := range socks {
						want = want || socks[k].Allows(g.As16(), source(i).As16(), false)
					}
					if got := x.in.devs.Of(x.d).member(g.As16(), source(i).As16()); got != want {
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
			"sleep": func(*rapid.T) { x.advance(time.Duration(pick("ms", 1500)) * time.Millisecond) },
			"hear":  func(*rapid.T) { x.hear("ff02::1", query(uint16(pick("delay", 3000)), "::")) },
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
		x.check(x.in.JoinGroup(x.n, &socks[0], ip6("ff05::3"), x.at))
		x.in.LeaveAllGroups(x.n, &socks[0])
		x.advance(time.Minute)
		if l := x.in.Groups(x.d); len(l) != 2 || len(x.d.Groups()) != 1 {
			r.Fatalf("at the end in %v, listening to %v", l, x.d.Groups())
		}
		if st := x.in.devs.Of(x.d).mc.st; st != nil && len(st.gone) != 0 {
			r.Fatal("something is still to be told")
		}
	})
}

// FuzzMLDHeard: whatever arrives, no panic, and every packet is accounted for.
func FuzzMLDHeard(f *testing.F) {
	f.Add([]byte{})
	f.Add(query(2000, "::"))
	f.Add(query(2000, "ff05::1", "2001:db8::5"))
	f.Add(wire.AppendMLD(nil, wire.ICMP6MLDReport, 0, sixteen("ff05::1")))
	f.Add(wire.AppendMLD(nil, wire.ICMP6MLDQuery, 0, [16]byte{}))
	f.Add(wire.AppendGroupRecord6(nil, wire.RecordAllow, sixteen("ff05::2"), [][16]byte{sixteen("2001:db8::5")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newTapped(t, netns.Tagged, "2001:db8::1/64")
		m := new(Memberships)
		x.check(x.in.JoinGroup(x.n, m, ip6("ff05::1"), x.at))
		x.check(x.in.JoinSource(x.n, m, ip6("ff05::2"), ip6("2001:db8::5"), x.at))
		x.advance(time.Minute)
		b = b[:min(len(b), 1400)]
		x.hear("ff05::1", b)
		x.hear("ff02::1", b)
		x.advance(3 * time.Hour)
		reports(t, x.tap)
		x.in.LeaveAllGroups(x.n, m)
		x.advance(time.Minute)
		if l := x.core.Ledger(x.n); !l.Balanced() || l.Held != 0 {
			t.Fatal(l)
		}
	})
}
