package lockstep

import (
	"fmt"
	"slices"
	"strings"
)

func addNet(w *world) {
	name := one(w, netNames...)
	if slices.Contains(w.nets, name) {
		if w.chance(20) {
			w.do("ip netns add %s", name)
		}
		return
	}
	w.makeNet(name)
}

func delNet(w *world) {
	name := one(w, netNames...)
	if !slices.Contains(w.nets, name) && !w.chance(10) {
		return
	}
	w.do("ip netns del %s", name)
	w.nets = slices.DeleteFunc(w.nets, func(n string) bool { return n == name })
	for _, d := range slices.Clone(w.devs) {
		if d.net == name {
			w.forget(d)
		}
	}
	w.socks = slices.DeleteFunc(w.socks, func(s sock) bool { return s.net == name })
	w.route = slices.DeleteFunc(w.route, func(e entry) bool { return e.net == name })
}

func addVeth(w *world) {
	i := w.upTo(3)
	v, p := vethNames[i], fmt.Sprintf("w%d", i)
	net, far := w.net(), w.net()
	taken := w.find(net, v) != nil || w.find(far, p) != nil
	if taken && !w.chance(25) {
		return
	}
	mtu := ""
	if w.chance(15) {
		mtu = fmt.Sprintf(" mtu %d", one(w, 67, 68, 576, 1400, 9000, 65535, 65536))
	}
	at := ""
	if far != net {
		if far == "" {
			net, far = far, net
			v, p = p, v
		}
		at = " netns " + far
	}
	w.do("%s link add %s%s address %s type veth peer name %s%s address %s%s", ip(net), v, mtu, mac(v), p, mtu, mac(p), at)
	if taken || !slices.Contains(w.nets, net) || !slices.Contains(w.nets, far) || mtu != "" {
		return
	}
	a, b := &device{name: v, net: net, kind: "veth"}, &device{name: p, net: far, kind: "veth"}
	a.peer, b.peer = b, a
	w.devs = append(w.devs, a, b)
	if w.chance(70) {
		k := one(w, subnets...)
		for j, d := range []*device{a, b} {
			if w.chance(85) {
				d.addrs = []string{fmt.Sprintf("10.0.%d.%d/24", k, 1+j+w.upTo(2))}
				w.do("%s addr add %s dev %s", ip(d.net), d.addrs[0], d.name)
			}
			if w.chance(85) {
				w.do("%s link set %s up", ip(d.net), d.name)
				d.up = true
			}
		}
	}
}

func addBridge(w *world) {
	net, name := w.net(), one(w, bridgeNames...)
	taken := w.find(net, name) != nil
	if taken && !w.chance(20) {
		return
	}
	w.do("%s link add %s address %s type bridge", ip(net), name, mac(name))
	if !taken {
		w.devs = append(w.devs, &device{name: name, net: net, kind: "bridge"})
	}
}

func upDown(w *world) {
	d := w.dev(nil)
	if d == nil {
		return
	}
	d.up = !d.up
	if d.up || w.chance(40) {
		word := "up"
		if !d.up {
			word = "down"
		}
		w.do("%s link set %s %s", ip(d.net), d.name, word)
		if w.six != nil {
			w.settle()
		}
	} else {
		d.up = true
	}
}

func delLink(w *world) {
	d := w.dev(func(d *device) bool { return d.kind != "lo" })
	if d == nil || w.chance(5) {
		net := w.net()
		w.do("%s link del %s", ip(net), one(w, "nodev", "lo", w.some(net)))
		return
	}
	w.do("%s link del %s", ip(d.net), d.name)
	w.forget(d)
}

func setLink(w *world) {
	net := w.net()
	name := w.some(net)
	if name == "lo" && w.chance(90) {
		name = "v0"
	}
	how := one(w, "mtu 1400", "mtu 600", "mtu 68", "mtu 67", "mtu 1500", "mtu 9000", "mtu 65536",
		"arp off", "arp on", "address 02:00:00:00:00:77", "address 03:00:00:00:00:01", "address 00:00:00:00:00:00", "txqueuelen 10", "multicast off", "promisc on", "promisc off",
		"alias text", "alias ''", "group 5", "allmulticast on")
	if name == "lo" && strings.HasPrefix(how, "address") {
		return
	}
	w.do("%s link set %s %s", ip(net), name, how)
	if d := w.find(net, name); d != nil && d.peer != nil && strings.HasPrefix(how, "mtu") {
		w.do("%s link set %s %s", ip(d.peer.net), d.peer.name, how)
	}
}

func moveLink(w *world) {
	d := w.dev(func(d *device) bool { return d.kind != "lo" })
	if d == nil || w.chance(4) {
		w.do("%s link set lo netns %s", ip(w.net()), one(w, netNames...))
		return
	}
	to := one(w, append(netNames, "nowhere")...)
	more := ""
	name := d.name
	if w.chance(15) {
		name = one(w, "x0", "v0", "lo", "v%d", "br0")
		more = " name " + name
	}
	w.do("%s link set %s netns %s%s", ip(d.net), d.name, to, more)
	if !slices.Contains(w.nets, to) || w.find(to, name) != nil || d.kind == "bridge" || to == d.net || more != "" {
		return
	}
	d.net, d.master, d.up, d.addrs = to, "", false, nil
}

func rename(w *world) {
	d := w.dev(func(d *device) bool { return !d.up })
	if d == nil || w.chance(20) {
		if d = w.dev(nil); d == nil {
			return
		}
	}
	to := one(w, "x0", "v0", "w2", "v1", "a.b", "lo", "averylongdevicename", "x%d")
	w.do("%s link set %s name %s", ip(d.net), d.name, to)
	if (to == "x0" || to == "v0" || to == "w2" || to == "v1") && w.find(d.net, to) == nil {
		d.name = to
	}
}

func enslave(w *world) {
	if w.chance(25) {
		if d := w.dev(func(d *device) bool { return d.master != "" }); d != nil {
			w.do("%s link set %s nomaster", ip(d.net), d.name)
			d.master = ""
		}
		return
	}
	br := w.dev(func(d *device) bool { return d.kind == "bridge" })
	if br == nil {
		addBridge(w)
		return
	}
	d := w.dev(func(d *device) bool { return d.net == br.net && d != br })
	if d == nil {
		return
	}
	w.do("%s link set %s master %s", ip(br.net), d.name, br.name)
	if d.kind == "veth" && br.kind == "bridge" {
		d.master = br.name
	}
}

func addAddr(w *world) {
	d := w.dev(nil)
	if d == nil {
		return
	}
	a := w.prefix()
	more := ""
	switch w.upTo(12) {
	case 0:
		more = " broadcast +"
	case 1:
		more = " scope " + one(w, "link", "host", "global", "50")
	case 2:
		more = " label " + d.name + ":x"
	case 3:
		more = " metric " + one(w, "5", "100")
	case 4:
		more = " noprefixroute"
	case 5:
		more = " peer " + w.host() + one(w, "", "/24", "/30")
		a = bare(a)
	case 6:
		a = one(w, "127.0.0.5/8", "224.0.0.5/24", "0.0.0.0/8", "10.0.0.255/24", "10.0.0.0/24", "255.255.255.255/32", "10.0.0.1/0")
	}
	w.do("%s addr %s %s dev %s%s", ip(d.net), one(w, "add", "add", "add", "add", "replace", "change"), a, d.name, more)
	d.addrs = append(d.addrs, a)
}

func delAddr(w *world) {
	d := w.dev(func(d *device) bool { return len(d.addrs) > 0 })
	switch {
	case d == nil || w.chance(10):
		net := w.net()
		w.do("%s addr del %s dev %s", ip(net), w.prefix(), w.some(net))
	case w.chance(10):
		w.do("%s addr flush dev %s", ip(d.net), d.name)
		d.addrs = nil
	default:
		i := w.upTo(len(d.addrs) - 1)
		w.do("%s addr del %s dev %s", ip(d.net), d.addrs[i], d.name)
		d.addrs = slices.Delete(d.addrs, i, i+1)
	}
}

// nexthop draws where a route goes.
func (w *world) nexthop(net string) string {
	switch w.upTo(9) {
	case 0, 1:
		return "dev " + w.some(net)
	case 2:
		return fmt.Sprintf("via %s dev %s", w.host(), w.some(net))
	case 3:
		return fmt.Sprintf("via %s dev %s onlink", w.host(), w.some(net))
	}
	return "via " + w.host()
}

func addRoute(w *world) {
	net := w.net()
	to, hop := w.target(), w.nexthop(net)
	kind := ""
	more := ""
	switch w.upTo(13) {
	case 0:
		kind, hop = one(w, "blackhole ", "unreachable ", "prohibit ", "throw "), ""
	case 1:
		to = one(w, "10.8.0.0/16", "10.8.1.0/24") // to which nobody sends, see elsewhere
		hop = fmt.Sprintf("nexthop via %s nexthop via %s weight %d", w.host(), w.host(), 1+w.upTo(3))
	case 2:
		more = " metric " + one(w, "5", "10")
	case 3, 4:
		more = " table " + one(w, "7", "100", "local")
	case 5:
		more = " src " + w.host()
	case 6:
		more = one(w, " mtu 600", " mtu lock 700", " scope link", " scope host", " proto static", " tos 0x10", " advmss 500", " scope nowhere")
	case 7:
		kind = one(w, "local ", "broadcast ", "multicast ", "nat ")
	}
	text := strings.TrimRight(kind+to+" "+hop, " ") + more
	w.do("%s route %s %s", ip(net), one(w, "add", "add", "add", "add", "add", "replace", "append", "prepend", "change"), text)
	w.route = append(w.route, entry{net, "route", text})
}

func delRoute(w *world) {
	net := w.net()
	for _, e := range w.route {
		if e.what == "route" && w.chance(40) {
			w.do("%s route del %s", ip(e.net), e.text)
			return
		}
	}
	switch w.upTo(4) {
	case 0:
		w.do("%s route flush %s", ip(net), one(w, "table 7", "10.9.0.0/16", "root 10.0.0.0/8", "dev "+w.some(net), "proto kernel"))
	case 1:
		w.do("%s route del 10.0.%d.0/24", ip(net), one(w, subnets...))
	default:
		w.do("%s route del %s", ip(net), w.target())
	}
}

func getRoute(w *world) {
	net := w.net()
	more := ""
	switch w.upTo(7) {
	case 0:
		more = " from " + w.host()
	case 1:
		more = " oif " + w.some(net)
	case 2:
		if dev := w.some(net); dev != "lo" {
			more = " from " + w.host() + " iif " + dev
		}
	case 3:
		more = " mark " + one(w, "1", "2")
	case 4:
		more = " fibmatch"
	}
	w.do("%s route get %s%s", ip(net), one(w, w.host(), w.host(), "10.9.1.7", "8.8.8.8"), more)
}

// selector draws what a rule looks at.
func (w *world) selector(net string) string {
	switch w.upTo(9) {
	case 0, 1:
		return "from 10.0." + one(w, "0", "1", "2") + ".0/24"
	case 2:
		return "to " + w.target()
	case 3:
		return "iif " + w.some(net)
	case 4:
		return "oif " + w.some(net)
	case 5:
		return "fwmark " + one(w, "1", "1/3", "0x10")
	case 6:
		return "not from " + w.host()
	case 7:
		return one(w, "tos 0x10", "ipproto udp", "ipproto icmp", "ipproto udp dport 7", "ipproto udp sport 1-100", "uidrange 0-10")
	case 8:
		return "from " + w.host() + " to " + w.host()
	}
	return "from all"
}

func addRule(w *world) {
	net := w.net()
	pref := ""
	if w.chance(85) {
		pref = " pref " + one(w, "100", "200", "200", "300", "32766", "0")
	}
	act := one(w, "table 7", "table 7", "table 7", "table 100", "lookup main", "prohibit", "blackhole", "unreachable", "goto 300", "nop", "table main suppress_prefixlength 0")
	text := w.selector(net) + " " + act + pref
	w.do("%s rule add %s", ip(net), text)
	w.route = append(w.route, entry{net, "rule", text})
}

func delRule(w *world) {
	net := w.net()
	for _, e := range w.route {
		if e.what == "rule" && w.chance(50) {
			w.do("%s rule del %s", ip(e.net), e.text)
			return
		}
	}
	w.do("%s rule %s", ip(net), one(w, "del pref 100", "del pref 200", "del pref 32766", "del table 7", "flush", "del pref 0", "del from 10.0.0.0/24", "del table main", "add pref 32767 table default"))
}

func setNeigh(w *world) {
	net := w.net()
	what := " lladdr 02:00:00:00:00:" + one(w, "00", "10", "01", "11", "99")
	switch w.upTo(8) {
	case 0:
		what += " nud " + one(w, "permanent", "noarp", "stale", "reachable")
	case 1:
		what = " nud " + one(w, "failed", "none", "permanent", "incomplete")
	case 2:
		what = ""
	}
	verb := one(w, "add", "add", "replace", "replace", "change")
	if w.chance(15) {
		w.do("%s neigh %s proxy %s dev %s", ip(net), verb, w.host(), w.wire(net))
		return
	}
	w.do("%s neigh %s %s%s dev %s", ip(net), verb, w.host(), what, w.wire(net))
}

func delNeigh(w *world) {
	net := w.net()
	switch w.upTo(5) {
	case 0:
		w.do("%s neigh flush dev %s", ip(net), w.wire(net))
	case 1:
		w.do("%s neigh get %s dev %s", ip(net), w.host(), w.wire(net))
	case 2:
		w.do("%s neigh show proxy", ip(net))
	default:
		w.do("%s neigh del %s dev %s", ip(net), w.host(), w.wire(net))
	}
}
