package law

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/netfilter"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// gateIsGate: with any rows of the table of gates closed, each entry point
// refuses every Net but the initial one just if its own row is closed, in the way
// of its layer, and the initial Net does not notice. Open, it refuses nobody.
func gateIsGate(t *rapid.T, vs []conformance.Variant) {
	c := vs[rapid.IntRange(0, len(vs)-1).Draw(t, "variant")].Config
	rows := core.DefaultGates()
	closed := map[string]bool{}
	for range rapid.IntRange(0, 2).Draw(t, "closed") {
		r := rows[rapid.IntRange(0, len(rows)-1).Draw(t, "row")]
		closed[string(r.Layer)+" "+r.Entry] = true
	}
	watcher := core.GateRow{Layer: core.LayerNotifier, Entry: "law", Open: rapid.Bool().Draw(t, "watcher open")}
	if !watcher.Open {
		closed["notifier law"] = true
	}
	c.Gates = append(slices.Clone(c.Gates), watcher)
	seen := map[*netns.Net]int{}
	c.Extend = func(m *nsmodel.Machine) error {
		return m.Core.HandleEvents("law", func(_ core.Event, d *core.Device) { seen[d.Net()]++ })
	}
	m, err := nsmodel.New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for i := range rows {
		if closed[string(rows[i].Layer)+" "+rows[i].Entry] {
			g, err := m.Core.Gate(rows[i].Layer, rows[i].Entry)
			if err != nil {
				t.Fatalf("%v", err)
			}
			g.Close()
		}
	}
	child, err := m.AddNet("a")
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, n := range []*netns.Net{m.Init(), child} {
		for _, bad := range passing(m, n, seen[n] > 0, func(l core.Layer, entry string) bool {
			return n.IsInit() || !closed[string(l)+" "+entry]
		}) {
			t.Errorf("in %q, with %v closed: %s", n.Name(), closed, bad)
		}
	}
}

// passing has n knock at every entry point, and returns where what happens is not
// what open says.
func passing(m *nsmodel.Machine, n *netns.Net, told bool, open func(core.Layer, string) bool) (bad []string) {
	expect := func(l core.Layer, entry, what string, passed bool) {
		if want := open(l, entry); passed != want {
			bad = append(bad, fmt.Sprintf("%s %s: %s passes: %v, want %v", l, entry, what, passed, want))
		}
	}
	refused := func(err error, errno syscall.Errno) bool { return errors.Is(err, errno) }
	m.Sys.Lock()
	for _, h := range m.Netlink.Handlers() {
		if h.Op == netlink.Get {
			_, err := m.Netlink.Do(n, &netlink.Request{Op: h.Op, Flags: netlink.Dump, Msg: empty(h.Kind, h.Family)})
			expect(core.LayerNetlink, h.Row, h.Kind.String()+" dump", !refused(err, unix.EOPNOTSUPP))
			if h.Family == unix.AF_INET { // and by way of all families, of which one that is open is enough
				_, err := m.Netlink.Do(n, &netlink.Request{Op: h.Op, Flags: netlink.Dump, Msg: empty(h.Kind, unix.AF_UNSPEC)})
				some := slices.ContainsFunc(m.Netlink.Handlers(), func(o netlink.Handler) bool {
					return o.Op == h.Op && o.Kind == h.Kind && open(core.LayerNetlink, o.Row)
				})
				if passed := !refused(err, unix.EOPNOTSUPP); passed != some {
					bad = append(bad, fmt.Sprintf("%v dump of all families passes: %v, want %v", h.Kind, passed, some))
				}
			}
		}
	}
	for _, row := range []string{"net.core", "net.ipv4"} {
		some := slices.ContainsFunc(m.Sysctl.All(n), func(v sysctl.Value) bool { return strings.HasPrefix(v.Name, row+".") })
		expect(core.LayerSysctl, row, "a listing", some)
	}
	_, err := m.Sysctl.Get(n, "net.ipv4.ip_forward")
	expect(core.LayerSysctl, "net.ipv4", "a reading", !refused(err, syscall.ENOENT))
	err = m.Sysctl.Set(n, "net.ipv4.ip_default_ttl", "64")
	expect(core.LayerSysctl, "net.ipv4", "a writing", !refused(err, syscall.ENOENT))
	remove, err := m.Hooks.Register(n, netfilter.Entry{Family: core.AFInet, Hook: netfilter.LocalIn,
		Func: func(*core.Worker, *core.Packet, *netfilter.State) netfilter.Verdict { return netfilter.Accept }})
	expect(core.LayerNetfilter, "ipv4", "a function", !refused(err, unix.EOPNOTSUPP))
	if err == nil {
		remove()
	}
	lo := m.Core.Device(n, "lo")
	err = m.Core.SetUp(lo)
	m.Sys.Unlock()
	if err != nil || lo == nil {
		return append(bad, fmt.Sprintf("lo: %v", err))
	}
	expect(core.LayerNotifier, "law", "an event", told)
	c, err := m.UDP.Listen(n, netip.MustParseAddrPort("0.0.0.0:7"), udp.Options{})
	expect(core.LayerFamily, "2", "a socket", !refused(err, unix.EAFNOSUPPORT))
	if err != nil {
		return bad
	}
	defer c.Close()
	if !open(core.LayerNotifier, "ipv4") {
		return bad // no address, and so no packet
	}
	before := m.Core.Ledger(n).Reasons[core.GateClosed.String()]
	if _, err := c.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("127.0.0.1:7")); err != nil {
		return append(bad, fmt.Sprintf("send: %v", err))
	}
	m.Settle()
	passed := m.Core.Ledger(n).Reasons[core.GateClosed.String()] == before
	if want := open(core.LayerProtocol, "0x0800") && open(core.LayerTransport, "17"); passed != want || (c.Pending() == 1) != want {
		bad = append(bad, fmt.Sprintf("a datagram passes: %v, %d arrived, want %v", passed, c.Pending(), want))
	}
	return bad
}

// empty is a message that asks for all.
func empty(k netlink.Kind, family uint8) netlink.Message {
	switch k {
	case netlink.KindLink:
		return &netlink.Link{Family: family}
	case netlink.KindAddr:
		return &netlink.Addr{Family: family}
	case netlink.KindRoute:
		return &netlink.Route{Family: family}
	case netlink.KindNeigh:
		return &netlink.Neigh{Family: family}
	case netlink.KindRule:
		return &netlink.Rule{Family: family}
	case netlink.KindMulticast:
		return &netlink.Multicast{Family: family}
	case netlink.KindMDB:
		return &netlink.MDB{}
	}
	return &netlink.NSID{}
}
