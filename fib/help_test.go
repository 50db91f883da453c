package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/netns"
)

// A bench is a System with a FIB and some devices, the same in each Net.
type bench struct {
	t     fataler
	sys   *netns.System
	fib   *FIB
	other *netns.Cell[int] // another subsystem
	devs  []*core.Device   // devs[i] has index i; devs[0] is nil
	down  map[*core.Device]bool
	dark  map[*core.Device]bool // without carrier
	skip  bool                  // ignore_routes_with_linkdown
	name  map[string]int32
}

// fataler is what testing.TB and rapid.T have in common.
type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func newBench(t fataler, place netns.Placement, c netns.Config) *bench {
	b := &bench{t: t, down: map[*core.Device]bool{}, dark: map[*core.Device]bool{}, name: map[string]int32{"lo": 1, "d1": 2, "d2": 3, "d3": 4}}
	b.sys = netns.New(c)
	b.other = netns.NewCell(b.sys, "other", netns.Replicated, func(*netns.Net) *int { return new(int) })
	b.fib = New(b.sys, Config{
		FIB: place, Rules: place,
		Up:             func(d *core.Device) bool { return !b.down[d] },
		Carrier:        func(d *core.Device) bool { return !b.dark[d] },
		IgnoreLinkDown: func(*core.Device) bool { return b.skip },
		Index:          func(_ *netns.Net, name string) int32 { return b.name[name] },
	})
	if err := b.sys.Boot(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		b.devs = append(b.devs, nil)
		if i > 0 {
			b.devs[i] = new(core.Device)
		}
	}
	return b
}

func (b *bench) net(name string) *netns.Net {
	b.sys.Lock()
	defer b.sys.Unlock()
	n, err := b.sys.NewNet(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// parse reads a route in iproute2's words, with devices lo, d1 to d3 of index
// 1 to 4 and iproute2's defaults.
func (b *bench) parse(text string) Route {
	r := Route{Type: Unicast, Proto: ProtoBoot}
	var hop NextHop
	scoped, w := false, strings.Fields(text)
	if t := slices.Index(typeNames[:], w[0]); t >= 0 {
		r.Type, w = Type(t), w[1:]
	}
	if w[0] == "default" {
		w[0] = "0.0.0.0/0"
	} else if !strings.Contains(w[0], "/") {
		w[0] += "/32"
	}
	r.Dst = netip.MustParsePrefix(w[0])
	flush := func() {
		if hop != (NextHop{}) {
			r.NextHops = append(r.NextHops, hop)
		}
		hop = NextHop{}
	}
	for w = w[1:]; len(w) > 0; w = w[1:] {
		var arg string
		if w[0] != "onlink" && w[0] != "nexthop" {
			arg = w[1]
		}
		num := func() (i int) { fmt.Sscan(arg, &i); return }
		switch w[0] {
		case "nexthop":
			flush()
			continue
		case "onlink":
			hop.Flags |= HopOnlink
			continue
		case "dev":
			hop.IfIndex = b.name[arg]
			hop.Dev = b.devs[hop.IfIndex]
		case "via":
			hop.Gw = netip.MustParseAddr(arg)
		case "weight":
			hop.Weight = uint16(num())
		case "src":
			r.Src = netip.MustParseAddr(arg)
		case "metric":
			r.Metric = uint32(num())
		case "mtu":
			r.MTU = uint32(num())
		case "proto":
			r.Proto = uint8(num())
		case "tos":
			r.TOS = uint8(num())
		case "table":
			r.Table = map[string]uint32{"main": TableMain, "local": TableLocal, "default": TableDefault}[arg]
			if r.Table == 0 {
				r.Table = uint32(num())
			}
		case "scope":
			scoped = true
			r.Scope = map[string]Scope{"global": Global, "link": Link, "host": Host, "nowhere": Nowhere, "site": Site}[arg]
		default:
			b.t.Fatalf("%q: %q", text, w[0])
		}
		w = w[1:]
	}
	flush()
	if !scoped {
		r.Scope = iproute2Scope(r)
	}
	if r.Table == 0 && (r.Type == Local || r.Type == Broadcast || r.Type == NAT || r.Type == Anycast) {
		r.Table = TableLocal
	}
	return r
}

// iproute2Scope is what `ip route` fills in, ip/iproute.c.
func iproute2Scope(r Route) Scope {
	switch {
	case r.Type == Local || r.Type == NAT:
		return Host
	case r.Type == Broadcast || r.Type == Multicast || r.Type == Anycast:
		return Link
	case r.Type == Unicast && len(r.NextHops) < 2 && (len(r.NextHops) == 0 || !r.NextHops[0].Gw.IsValid()):
		return Link
	}
	return Global
}

// show prints a route as `ip route` does, without its proto.
func (b *bench) show(r Route) string {
	var s strings.Builder
	if r.Type != Unicast {
		s.WriteString(r.Type.String() + " ")
	}
	switch {
	case r.Dst.Bits() == 0:
		s.WriteString("default")
	case r.Dst.IsSingleIP():
		s.WriteString(r.Dst.Addr().String())
	default:
		s.WriteString(r.Dst.String())
	}
	hop := func(h NextHop) {
		if h.Gw.IsValid() {
			fmt.Fprintf(&s, " via %v", h.Gw)
		}
		for name, i := range b.name {
			if h.IfIndex == i {
				s.WriteString(" dev " + name)
			}
		}
		for _, f := range []struct {
			bit  HopFlags
			name string
		}{{HopDead, "dead"}, {HopOnlink, "onlink"}, {HopLinkDown, "linkdown"}} {
			if h.Flags&f.bit != 0 {
				s.WriteString(" " + f.name)
			}
		}
	}
	if r.TOS != 0 {
		fmt.Fprintf(&s, " tos %#x", r.TOS)
	}
	if len(r.NextHops) == 1 {
		hop(r.NextHops[0])
	}
	if r.Table != TableMain {
		name := map[uint32]string{TableLocal: "local", TableDefault: "default"}[r.Table]
		if name == "" {
			name = fmt.Sprint(r.Table)
		}
		s.WriteString(" table " + name)
	}
	if r.Scope != Global {
		fmt.Fprintf(&s, " scope %v", r.Scope)
	}
	if r.Src.IsValid() {
		fmt.Fprintf(&s, " src %v", r.Src)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&s, " metric %d", r.Metric)
	}
	if len(r.NextHops) > 1 {
		for _, h := range r.NextHops {
			s.WriteString(" nexthop")
			hop(h)
			fmt.Fprintf(&s, " weight %d", h.Weight)
		}
	}
	return s.String()
}

// route does what `ip route VERB ...` does and returns what it prints.
func (b *bench) route(n *netns.Net, line string) string {
	b.sys.Lock()
	defer b.sys.Unlock()
	verb, rest, _ := strings.Cut(line, " ")
	how := map[string]Flags{"add": AddRoute, "replace": ReplaceRoute, "change": ChangeRoute, "append": AppendRoute, "prepend": PrependRoute}
	switch verb {
	case "show":
		var out []string
		for r := range b.fib.Routes(n, b.parse("0.0.0.0/0 table "+rest).Table) {
			out = append(out, b.show(r))
		}
		return strings.Join(out, "\n")
	case "get":
		return b.get(n, rest)
	case "del":
		r := b.parse(rest)
		r.Proto = 0
		if !strings.Contains(rest, "scope") {
			r.Scope = Nowhere
		}
		if strings.Contains(rest, "proto") {
			r.Proto = b.parse(rest).Proto
		}
		if r.Type == Unicast && !strings.HasPrefix(rest, "unicast") {
			r.Type = Unspec
		}
		return iproute2Error(b.fib.Delete(n, r))
	}
	return iproute2Error(b.fib.Add(n, b.parse(rest), how[verb]))
}

// get does `ip route get`, for type, prefix and next hop only.
func (b *bench) get(n *netns.Net, text string) string {
	w := strings.Fields(text)
	fl := Flow{Dst: netip.MustParseAddr(w[0]), Iif: 1}
	for w = w[1:]; len(w) > 1; w = w[2:] {
		var num uint32
		fmt.Sscan(w[1], &num)
		switch w[0] {
		case "from":
			fl.Src = netip.MustParseAddr(w[1])
		case "oif":
			fl.Oif = b.name[w[1]]
		case "iif":
			fl.Iif = b.name[w[1]]
		case "mark":
			fl.Mark = num
		case "tos":
			fl.TOS = uint8(num)
		case "proto":
			fl.Proto = uint8(num)
		case "dport":
			fl.DPort = uint16(num)
		case "hash":
			fl.Hash = num
		}
	}
	res, err := b.fib.Lookup(n, &fl)
	if err != nil {
		return "RTNETLINK answers: " + errText[err.(syscall.Errno)]
	}
	r := res.Route()
	r.NextHops = []NextHop{*res.Hop}
	return b.show(r)
}

var errText = map[syscall.Errno]string{
	syscall.ENETUNREACH: "Network is unreachable", syscall.EHOSTUNREACH: "No route to host",
	syscall.EINVAL: "Invalid argument", syscall.EACCES: "Permission denied",
	syscall.EEXIST: "File exists", syscall.ENOENT: "No such file or directory",
	syscall.ESRCH: "No such process", syscall.ENODEV: "No such device", syscall.ENETDOWN: "Network is down",
}

// iproute2Error is how iproute2 prints an answer.
func iproute2Error(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &e):
		return err.Error()
	case e.Text != "":
		return "Error: " + e.Text + "."
	}
	return "RTNETLINK answers: " + errText[e.Errno]
}

// both runs f under each placement, with ordinary and with colliding hashes.
func both(t *testing.T, f func(t *testing.T, b *bench)) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, collide := range []bool{false, true} {
			t.Run(fmt.Sprintf("place=%v/collide=%v", place, collide), func(t *testing.T) {
				f(t, newBench(t, place, netns.Config{Seed: 1, Collide: collide}))
			})
		}
	}
}
