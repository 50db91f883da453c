package ipv4_test

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
	"nsmodel/fib"
	"nsmodel/netns"
)

// A house is a whole machine, as users build it.
type house struct {
	*nsmodel.Machine
	t testing.TB
}

// places are what every fact is checked under.
func eachHouse(t *testing.T, f func(t *testing.T, h *house)) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, collide := range []bool{false, true} {
			t.Run(fmt.Sprintf("place=%v/collide=%v", place, collide), func(t *testing.T) {
				f(t, newHouse(t, place, nsmodel.Config{Seed: 1, Collide: collide}))
			})
		}
	}
}

func newHouse(t testing.TB, p netns.Placement, c nsmodel.Config) *house {
	t.Helper()
	c.Place = nsmodel.Places{Devices: p, MIB: p, Neigh: p, Netlink: p, Hooks: p, Addrs: p, FIB: p, Rules: p, Sysctls: p, Frags: p, UDP: p, FDB: p}
	m, err := nsmodel.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &house{m, t}
}

func (h *house) net(name string) *netns.Net {
	h.t.Helper()
	n, err := h.AddNet(name)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// do does one request, and returns the answer and the error as ip(8) shows it.
func (h *house) do(n *netns.Net, op netlink.Op, flags netlink.Flags, m netlink.Message) ([]netlink.Message, string) {
	h.Sys.Lock()
	defer h.Sys.Unlock()
	msgs, err := h.Netlink.Do(n, &netlink.Request{Op: op, Flags: flags, Msg: m})
	if err == nil {
		return msgs, ""
	}
	errno, text := netlink.Split(err)
	if text != "" {
		return msgs, "Error: " + text + ". " + unix.ErrnoName(errno)
	}
	return msgs, unix.ErrnoName(errno)
}

func (h *house) must(n *netns.Net, op netlink.Op, flags netlink.Flags, m netlink.Message) []netlink.Message {
	h.t.Helper()
	msgs, err := h.do(n, op, flags, m)
	if err != "" {
		h.t.Fatalf("%v %+v: %s", op, m, err)
	}
	return msgs
}

const add = netlink.Create | netlink.Excl

// veth makes a pair in two Nets.
func (h *house) veth(n *netns.Net, name string, far *netns.Net, peer string) {
	h.t.Helper()
	h.must(n, netlink.New, add, &netlink.Link{Name: name, Info: "veth",
		Peer: &netlink.Link{Name: peer, Has: netlink.LinkNewNet, NewNet: far.Name()}})
}

func (h *house) index(n *netns.Net, dev string) int {
	h.t.Helper()
	d := h.Core.Device(n, dev)
	if d == nil {
		h.t.Fatalf("no device %s", dev)
	}
	return d.Index()
}

func (h *house) up(n *netns.Net, dev string, up bool) {
	h.t.Helper()
	m := &netlink.Link{Index: h.index(n, dev), Change: unix.IFF_UP}
	if up {
		m.Flags = unix.IFF_UP
	}
	h.must(n, netlink.New, 0, m)
}

// address reads what `ip addr add` does: ADDR[/LEN] [peer ADDR[/LEN]] [brd B]
// [scope S] [metric M] [noprefixroute], with its defaults.
func (h *house) address(n *netns.Net, dev, text string) *netlink.Addr {
	h.t.Helper()
	w := strings.Fields(text)
	p := prefix(w[0])
	m := &netlink.Addr{Family: unix.AF_INET, Index: h.index(n, dev), Local: p.Addr(), Peer: p.Addr(), Prefix: p.Bits()}
	if p.Addr().IsLoopback() {
		m.Scope = unix.RT_SCOPE_HOST
	}
	for i := 1; i < len(w); i++ {
		switch w[i] {
		case "peer":
			i++
			q := prefix(w[i])
			m.Peer, m.Prefix = q.Addr(), q.Bits()
		case "brd":
			i++
			if w[i] == "+" {
				m.Broadcast = last(netip.PrefixFrom(m.Peer, m.Prefix))
			} else if w[i] == "-" {
				m.Broadcast = netip.PrefixFrom(m.Peer, m.Prefix).Masked().Addr()
			} else {
				m.Broadcast = netip.MustParseAddr(w[i])
			}
		case "scope":
			i++
			m.Scope = map[string]uint8{"link": 253, "host": 254, "global": 0}[w[i]]
		case "metric":
			i++
			fmt.Sscan(w[i], &m.Metric)
		case "label":
			i++
			m.Label = w[i]
		case "noprefixroute":
			m.Flags |= unix.IFA_F_NOPREFIXROUTE
		}
	}
	return m
}

func last(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}

func prefix(s string) netip.Prefix {
	if !strings.Contains(s, "/") {
		s += "/32"
	}
	return netip.MustParsePrefix(s)
}

func (h *house) addr(n *netns.Net, dev, text string) {
	h.t.Helper()
	h.must(n, netlink.New, add, h.address(n, dev, text))
}

func (h *house) delAddr(n *netns.Net, dev, text string) {
	h.t.Helper()
	h.must(n, netlink.Del, 0, h.address(n, dev, text))
}

// addrs are a device's addresses as `ip -o addr` shows them.
func (h *house) addrs(n *netns.Net, dev string) []string {
	var all []string
	for _, m := range h.must(n, netlink.Get, netlink.Dump, &netlink.Addr{Family: unix.AF_INET, Index: h.index(n, dev)}) {
		a := m.(*netlink.Addr)
		s := fmt.Sprintf("%v/%d", a.Local, a.Prefix)
		if a.Peer != a.Local {
			s = fmt.Sprintf("%v peer %v/%d", a.Local, a.Peer, a.Prefix)
		}
		if a.Broadcast.IsValid() {
			s += fmt.Sprintf(" brd %v", a.Broadcast)
		}
		s += " scope " + fib.Scope(a.Scope).String()
		if a.Flags&unix.IFA_F_SECONDARY != 0 {
			s += " secondary"
		}
		all = append(all, s+" "+a.Label)
	}
	return all
}

// routes are n's routes as `ip route show table all` shows them.
func (h *house) routes(n *netns.Net) []string {
	var all []string
	for _, m := range h.must(n, netlink.Get, netlink.Dump, &netlink.Route{Family: unix.AF_INET}) {
		all = append(all, h.show(n, m.(*netlink.Route)))
	}
	return all
}

func (h *house) show(n *netns.Net, r *netlink.Route) string {
	s := r.Dst.String()
	if r.Dst.Bits() == 32 {
		s = r.Dst.Addr().String()
	}
	if r.Type != unix.RTN_UNICAST {
		s = fib.Type(r.Type).String() + " " + s
	}
	if r.Gateway.IsValid() {
		s += " via " + r.Gateway.String()
	}
	if r.OIF != 0 {
		s += " dev " + h.Core.DeviceByIndex(n, r.OIF).Name()
	}
	if r.Table != fib.TableMain {
		s += " table " + map[uint32]string{255: "local"}[r.Table]
	}
	if r.Proto == fib.ProtoKernel {
		s += " proto kernel"
	}
	if r.Scope != 0 {
		s += " scope " + fib.Scope(r.Scope).String()
	}
	if r.PrefSrc.IsValid() {
		s += " src " + r.PrefSrc.String()
	}
	if r.Priority != 0 {
		s += fmt.Sprint(" metric ", r.Priority)
	}
	return s
}

func (h *house) same(what string, got, want []string) {
	h.t.Helper()
	if !slices.Equal(got, want) {
		h.t.Errorf("%s:\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// missing returns what a has and b lacks.
func missing(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// balance checks every Net's ledger.
func (h *house) balance() {
	h.t.Helper()
	for n := range h.Sys.Nets() {
		if b := h.Core.Ledger(n); !b.Balanced() {
			h.t.Errorf("%s: %v", n.Name(), b)
		}
	}
}

var _ = core.FlagUp

type nsNet = netns.Net

func (h *house) set(n *netns.Net, name, value string) {
	h.t.Helper()
	h.Sys.Lock()
	defer h.Sys.Unlock()
	if err := h.Sysctl.Set(n, name, value); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) get(n *netns.Net, name string) string {
	v, err := h.Sysctl.Get(n, name)
	if err != nil {
		return unix.ErrnoName(errno(err))
	}
	return v
}

func errno(err error) unix.Errno {
	e, _ := netlink.Split(err)
	return e
}
