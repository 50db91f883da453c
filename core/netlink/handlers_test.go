package netlink_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// A house is a whole machine with a Net.
type house struct {
	*nsmodel.Machine
	t testing.TB
	n *netns.Net
}

func eachHouse(t *testing.T, f func(t *testing.T, h *house)) {
	for _, p := range []netns.Placement{netns.Tagged, netns.Replicated} {
		t.Run("place="+p.String(), func(t *testing.T) {
			m, err := nsmodel.New(nsmodel.Config{Seed: 1, Place: nsmodel.Places{Devices: p, Neigh: p, Netlink: p, Addrs: p, FIB: p, Sysctls: p}})
			if err != nil {
				t.Fatal(err)
			}
			h := &house{m, t, nil}
			h.n = h.net("a")
			f(t, h)
		})
	}
}

func (h *house) net(name string) *netns.Net {
	h.t.Helper()
	n, err := h.AddNet(name)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// do returns the answer, and the error as ip(8) has it.
func (h *house) do(n *netns.Net, op netlink.Op, flags netlink.Flags, m netlink.Message) ([]netlink.Message, string) {
	h.Sys.Lock()
	defer h.Sys.Unlock()
	msgs, err := h.Netlink.Do(n, &netlink.Request{Op: op, Flags: flags, Msg: m})
	if err == nil {
		return msgs, ""
	}
	errno, text := netlink.Split(err)
	return msgs, strings.TrimSpace(text + " " + unix.ErrnoName(errno))
}

func (h *house) must(op netlink.Op, flags netlink.Flags, m netlink.Message) {
	h.t.Helper()
	if _, err := h.do(h.n, op, flags, m); err != "" {
		h.t.Fatalf("%v: %s", m, err)
	}
}

func (h *house) index(dev string) int {
	if d := h.Core.Device(h.n, dev); d != nil {
		return d.Index()
	}
	return 99
}

func (h *house) links(n *netns.Net) (all []string) {
	msgs, _ := h.do(n, netlink.Get, netlink.Dump, &netlink.Link{})
	for _, m := range msgs {
		l := m.(*netlink.Link)
		s := fmt.Sprintf("%d %s mtu %d qdisc %s state %v", l.Index, l.Name, l.MTU, l.Qdisc, l.OperState)
		if l.Has&netlink.LinkLink != 0 {
			s += fmt.Sprintf(" link %d", l.Link)
		}
		if l.Has&netlink.LinkLinkNetns != 0 {
			s += fmt.Sprintf(" netnsid %d (%s)", l.LinkNetns, l.LinkNet)
		}
		if l.Master != 0 {
			s += fmt.Sprintf(" master %d", l.Master)
		}
		all = append(all, s)
	}
	return all
}

const add = netlink.Create | netlink.Excl

// What ip link refuses, in its own words, in the order of do_setlink; seen on
// Linux 6.18.
func TestLinkErrors(t *testing.T) {
	up := uint32(unix.IFF_UP)
	mac := func(last byte) netlink.MAC { return netlink.MAC{2, 0, 0, 0, 0, last} }
	eachHouse(t, func(t *testing.T, h *house) {
		h.must(netlink.New, add, &netlink.Link{Name: "w0", Info: "veth", Peer: &netlink.Link{Name: "v1"}})
		h.must(netlink.New, add, &netlink.Link{Name: "q", Info: "bridge"})
		for _, tc := range []struct {
			name  string
			op    netlink.Op
			flags netlink.Flags
			m     *netlink.Link
			want  string
		}{
			{"mtu 67", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkMTU, MTU: 67}, "mtu less than device minimum EINVAL"},
			{"mtu 65536", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkMTU, MTU: 65536}, "mtu greater than device maximum EINVAL"},
			{"group address", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkAddr, Addr: netlink.MAC{1, 0, 0, 0, 0, 1}}, "EADDRNOTAVAIL"},
			{"no address", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkAddr}, "EADDRNOTAVAIL"},
			{"address", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkAddr, Addr: mac(1)}, ""},
			{"name taken", netlink.New, 0, &netlink.Link{Index: h.index("w0"), Name: "v1"}, "EEXIST"},
			{"add taken", netlink.New, add, &netlink.Link{Name: "v1", Info: "veth"}, "EEXIST"},
			{"unknown type", netlink.New, add, &netlink.Link{Name: "x", Info: "nosuch"}, "Unknown device type EOPNOTSUPP"},
			{"master", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkMaster, Master: h.index("q")}, ""},
			{"master is none", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkMaster, Master: h.index("v1")}, "EOPNOTSUPP"},
			{"lo as port", netlink.New, 0, &netlink.Link{Name: "lo", Has: netlink.LinkMaster, Master: h.index("q")}, "EINVAL"},
			{"delete lo", netlink.Del, 0, &netlink.Link{Name: "lo"}, "EOPNOTSUPP"},
			{"delete none", netlink.Del, 0, &netlink.Link{Name: "nope"}, "ENODEV"},
			{"set none", netlink.New, 0, &netlink.Link{Name: "nope", Change: up, Flags: up}, "ENODEV"},
			{"get none", netlink.Get, 0, &netlink.Link{Name: "nope"}, "ENODEV"},
			{"move lo", netlink.New, 0, &netlink.Link{Name: "lo", Has: netlink.LinkNewNet, NewNet: ""}, "The interface netns is immutable EINVAL"},
			{"index taken", netlink.New, add, &netlink.Link{Name: "zz", Index: 1, Info: "bridge"}, "EEXIST"},
			{"index", netlink.New, add, &netlink.Link{Name: "zz", Index: 77, Info: "bridge"}, ""},
			{"template", netlink.New, add, &netlink.Link{Name: "x%dy", Info: "bridge"}, ""},
			{"template's result", netlink.Get, 0, &netlink.Link{Name: "x0y"}, ""},
			{"long name", netlink.New, add, &netlink.Link{Name: "a123456789012345", Info: "bridge"}, "Attribute failed policy validation ERANGE"},
			{"add mtu", netlink.New, add, &netlink.Link{Name: "xx", Info: "bridge", Has: netlink.LinkMTU, MTU: 10}, "mtu less than device minimum EINVAL"},
			{"add address", netlink.New, add, &netlink.Link{Name: "xx", Info: "bridge", Has: netlink.LinkAddr, Addr: netlink.MAC{1}}, "EADDRNOTAVAIL"},
			{"peer mtu", netlink.New, add, &netlink.Link{Name: "xx", Info: "veth", Peer: &netlink.Link{Name: "yy", Has: netlink.LinkMTU, MTU: 10}}, "EINVAL"},
			{"peer's name taken", netlink.New, add, &netlink.Link{Name: "p1", Info: "veth", Peer: &netlink.Link{Name: "lo"}}, "EEXIST"},
			{"one name twice", netlink.New, add, &netlink.Link{Name: "p0", Info: "veth", Peer: &netlink.Link{Name: "p0"}}, "EEXIST"},
			{"neither is left", netlink.Get, 0, &netlink.Link{Name: "p0"}, "ENODEV"},
			{"carrier", netlink.New, 0, &netlink.Link{Name: "w0", Has: netlink.LinkCarrier}, "EOPNOTSUPP"},
			{"mtu before down", netlink.New, 0, &netlink.Link{Name: "zz", Has: netlink.LinkMTU, MTU: 9000, Change: up, Flags: up}, ""},
			{"mtu refused, stays up", netlink.New, 0, &netlink.Link{Name: "zz", Has: netlink.LinkMTU, MTU: 10, Change: up}, "mtu less than device minimum EINVAL"},
			{"mtu refused, name stays", netlink.New, 0, &netlink.Link{Index: 77, Name: "zz1", Has: netlink.LinkMTU, MTU: 10}, "mtu less than device minimum EINVAL"},
		} {
			if _, got := h.do(h.n, tc.op, tc.flags, tc.m); strings.ReplaceAll(got, "ENOTSUP", "EOPNOTSUPP") != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
		}
		if d := h.Core.Device(h.n, "zz"); d == nil || !d.Up() || d.MTU() != 9000 {
			t.Errorf("zz: %v", d)
		}
	})
}

// A pair across Nets: each end is shown with the other's index and the number
// of its Net, given at that moment and freed when that Net dies.
func TestLinkNetns(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		b := h.net("b")
		h.must(netlink.New, add, &netlink.Link{Name: "v0", Info: "veth", Peer: &netlink.Link{Name: "v1", Has: netlink.LinkNewNet, NewNet: "b"}})
		if got, want := h.links(h.n)[1], "2 v0 mtu 1500 qdisc noop state DOWN link 2 netnsid 0 (b)"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := h.links(b)[1], "2 v1 mtu 1500 qdisc noop state DOWN link 2 netnsid 0 (a)"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if _, err := h.do(h.n, netlink.New, 0, &netlink.NSID{Name: "b", ID: 5}); err != "Peer netns already has a nsid assigned EEXIST" {
			t.Error(err)
		}
		c := h.net("c")
		h.must(netlink.New, 0, &netlink.NSID{Name: "c", ID: 9})
		if _, err := h.do(h.n, netlink.New, 0, &netlink.NSID{Name: "", ID: 9}); err != "The specified nsid is already used EEXIST" {
			t.Error(err)
		}
		// v0 moves to c: b has no number for c yet, and is not told a's.
		h.must(netlink.New, 0, &netlink.Link{Name: "v0", Has: netlink.LinkNewNet, NewNet: "c"})
		if got, want := h.links(b)[1], "2 v1 mtu 1500 qdisc noop state DOWN link 2 netnsid 1 (c)"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if err := h.DeleteNet("c"); err != nil {
			t.Fatal(err)
		}
		_ = c
		if got := h.links(b); len(got) != 1 {
			t.Errorf("the pair outlived its Net: %s", got)
		}
		for _, n := range []*netns.Net{h.n, b} {
			msgs, _ := h.do(n, netlink.Get, netlink.Dump, &netlink.NSID{})
			if len(msgs) != 1 || msgs[0].(*netlink.NSID).ID != 0 {
				t.Errorf("numbers of %s: %v", n.Name(), msgs)
			}
		}
	})
}

// States as ip link shows them on Linux 6.18.
func TestOperState(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		set := func(dev string, flags uint32) {
			h.must(netlink.New, 0, &netlink.Link{Name: dev, Change: unix.IFF_UP, Flags: flags})
		}
		h.must(netlink.New, add, &netlink.Link{Name: "v0", Info: "veth", Peer: &netlink.Link{Name: "v1"}})
		set("lo", unix.IFF_UP)
		set("v0", unix.IFF_UP)
		want := []string{"1 lo mtu 65536 qdisc noqueue state UNKNOWN", "2 v1 mtu 1500 qdisc noop state DOWN link 3", "3 v0 mtu 1500 qdisc noqueue state LOWERLAYERDOWN link 2"}
		if got := h.links(h.n); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		set("v1", unix.IFF_UP)
		want = []string{want[0], "2 v1 mtu 1500 qdisc noqueue state UP link 3", "3 v0 mtu 1500 qdisc noqueue state UP link 2"}
		if got := h.links(h.n); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// ip neigh, with its words, on Linux 6.18.
func TestNeigh(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.must(netlink.New, add, &netlink.Link{Name: "v0", Info: "veth", Peer: &netlink.Link{Name: "v1"}})
		for _, d := range []string{"lo", "v0", "v1"} {
			h.must(netlink.New, 0, &netlink.Link{Name: d, Change: unix.IFF_UP, Flags: unix.IFF_UP})
		}
		dev, ll := h.index("v0"), netlink.MAC{2, 0, 0, 0, 0, 0x50}
		nb := func(a string, state uint16, mac bool, mod ...func(*netlink.Neigh)) *netlink.Neigh {
			m := &netlink.Neigh{Family: unix.AF_INET, Index: dev, State: state, Dst: netip.MustParseAddr(a)}
			if mac {
				m.LLAddr, m.Has = ll, netlink.NeighLLAddr
			}
			for _, f := range mod {
				f(m)
			}
			return m
		}
		proxy := func(m *netlink.Neigh) { m.Flags, m.State = unix.NTF_PROXY, 0 }
		everywhere := func(m *netlink.Neigh) { m.Index = 0 }
		nowhere := func(m *netlink.Neigh) { m.Index = 999 }
		for _, tc := range []struct {
			name  string
			op    netlink.Op
			flags netlink.Flags
			m     *netlink.Neigh
			want  string
		}{
			{"add", netlink.New, add, nb("10.0.0.50", unix.NUD_PERMANENT, true), ""},
			{"again", netlink.New, add, nb("10.0.0.50", unix.NUD_PERMANENT, true), "EEXIST"},
			{"no address", netlink.New, add, nb("10.0.0.51", unix.NUD_PERMANENT, false), "No link layer address given EINVAL"},
			{"it is there all the same", netlink.New, add, nb("10.0.0.51", unix.NUD_NONE, false), "EEXIST"},
			{"change none", netlink.New, netlink.Replace, nb("10.0.0.55", unix.NUD_PERMANENT, true), "ENOENT"},
			{"replace makes", netlink.New, netlink.Create | netlink.Replace, nb("10.0.0.55", unix.NUD_REACHABLE, true), ""},
			{"failed", netlink.New, add, nb("10.0.0.53", unix.NUD_FAILED, false), ""},
			{"no device", netlink.New, add, nb("10.0.0.53", unix.NUD_FAILED, false, nowhere), "ENODEV"},
			{"any device", netlink.New, add, nb("10.0.0.53", unix.NUD_FAILED, false, everywhere), "Device not specified EINVAL"},
			{"get", netlink.Get, 0, nb("10.0.0.50", 0, false), ""},
			{"get none", netlink.Get, 0, nb("10.0.0.254", 0, false), "Neighbour entry not found ENOENT"},
			{"del", netlink.Del, 0, nb("10.0.0.50", 0, false), ""},
			{"del again", netlink.Del, 0, nb("10.0.0.50", 0, false), "ENOENT"},
			{"proxy", netlink.New, add, nb("10.0.0.70", 0, false, proxy), ""},
			{"proxy again", netlink.New, add, nb("10.0.0.70", 0, false, proxy), ""},
			{"proxy everywhere", netlink.New, add, nb("10.0.0.71", 0, false, proxy, everywhere), ""},
			{"del proxy", netlink.Del, 0, nb("10.0.0.70", 0, false, proxy), ""},
			{"del proxy again", netlink.Del, 0, nb("10.0.0.70", 0, false, proxy), "ENOENT"},
		} {
			if _, got := h.do(h.n, tc.op, tc.flags, tc.m); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
		}
		// Down takes them all, permanent ones too, and the device's proxies.
		h.must(netlink.New, add, nb("10.0.0.60", unix.NUD_PERMANENT, true))
		h.must(netlink.New, add, nb("10.0.0.72", 0, false, proxy))
		h.must(netlink.New, 0, &netlink.Link{Name: "v0", Change: unix.IFF_UP})
		all, _ := h.do(h.n, netlink.Get, netlink.Dump, &netlink.Neigh{Family: unix.AF_INET})
		left, _ := h.do(h.n, netlink.Get, netlink.Dump, &netlink.Neigh{Family: unix.AF_INET, Flags: unix.NTF_PROXY})
		if len(all) != 0 || len(left) != 1 {
			t.Errorf("after down: %v, proxies %v", all, left)
		}
	})
}

// Who listens hears of his own Net alone.
func TestNotifications(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		b := h.net("b")
		h.Sys.Lock()
		mine, _ := h.Netlink.Subscribe(h.n, netlink.GroupAll, 100, nil)
		theirs, _ := h.Netlink.Subscribe(b, netlink.GroupAll, 100, nil)
		h.Sys.Unlock()
		h.must(netlink.New, add, &netlink.Link{Name: "br", Info: "bridge"})
		h.must(netlink.New, 0, &netlink.Link{Name: "br", Change: unix.IFF_UP, Flags: unix.IFF_UP})
		h.must(netlink.New, add, &netlink.Addr{Family: unix.AF_INET, Index: h.index("br"), Local: netip.MustParseAddr("10.0.0.1"), Prefix: 24})
		h.must(netlink.Del, 0, &netlink.Link{Name: "br"})
		var heard []string
		for {
			note, err := mine.Receive()
			if err != nil {
				break
			}
			heard = append(heard, note.Op.String()+note.Msg.Kind().String())
		}
		want := "NEWLINK NEWLINK NEWADDR NEWROUTE NEWROUTE NEWROUTE NEWLINK DELADDR DELROUTE DELLINK" // as ip monitor has it
		if got := strings.Join(heard, " "); got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
		if note, err := theirs.Receive(); err == nil {
			t.Errorf("b heard %v", note.Msg)
		}
	})
}

var _ = core.FlagUp

// A permanent entry has room in a full table. Linux: exempt_from_gc.
func TestNeighPermanentIsExempt(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.must(netlink.New, add, &netlink.Link{Name: "v0", Info: "veth", Peer: &netlink.Link{Name: "v1"}})
		for _, d := range []string{"v0", "v1"} {
			h.must(netlink.New, 0, &netlink.Link{Name: d, Change: unix.IFF_UP, Flags: unix.IFF_UP})
		}
		nb := func(i byte, state uint16) *netlink.Neigh {
			return &netlink.Neigh{Family: unix.AF_INET, Index: h.index("v0"), State: state, Dst: netip.AddrFrom4([4]byte{10, 0, 0, i}),
				LLAddr: netlink.MAC{2, 0, 0, 0, 0, i}, Has: netlink.NeighLLAddr}
		}
		h.IPv4.SetNeighLimits(h.n, [3]int{1, 1, 2})
		h.must(netlink.New, add, nb(1, unix.NUD_STALE))
		h.must(netlink.New, add, nb(2, unix.NUD_STALE))
		if _, err := h.do(h.n, netlink.New, add, nb(3, unix.NUD_STALE)); err != "ENOBUFS" {
			t.Errorf("beyond gc_thresh3: %s", err)
		}
		h.must(netlink.New, add, nb(4, unix.NUD_PERMANENT))
	})
}
