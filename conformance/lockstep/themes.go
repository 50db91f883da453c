package lockstep

import "fmt"

// themes are what labs are about.
var themes = []theme{
	{"anything", pairSetup, nil},
	{"from nothing", func(*world) {}, []string{"nets", "links", "addresses"}},
	{"pair", pairSetup, []string{"pings", "addresses", "links"}},
	{"sockets", pairSetup, []string{"sockets"}},
	{"routing", chainSetup, []string{"routes", "pings"}},
	{"policy", chainSetup, []string{"rules", "routes"}},
	{"forwarding", chainSetup, []string{"sysctls", "pings", "sockets"}},
	{"neighbours", pairSetup, []string{"neighbours", "pings"}},
	{"bridging", bridgeSetup, []string{"bridges", "pings", "links"}},
	{"moves", chainSetup, []string{"moves", "links", "nets"}},
	{"frames", chainSetup, []string{"frames", "sysctls", "pings"}},
	{"fragments", narrowSetup, []string{"pings", "sockets"}},
	{"errors", pairSetup, []string{"errors", "routes", "addresses", "rules"}},
}

// pairSetup joins two Nets, or one to the initial.
func pairSetup(w *world) {
	w.makeNet("a")
	far := ""
	if w.chance(60) {
		w.makeNet("b")
		far = "b"
	}
	w.join("v0", "a", "10.0.0.1/24", "w0", far, "10.0.0.2/24")
}

// chainSetup puts a router between two Nets.
func chainSetup(w *world) {
	for _, n := range netNames {
		w.makeNet(n)
	}
	w.join("v0", "a", "10.0.0.1/24", "w0", "b", "10.0.0.2/24")
	w.join("v1", "b", "10.0.1.1/24", "w1", "c", "10.0.1.2/24")
	if w.chance(85) {
		w.do("ip netns exec b sysctl -w net.ipv4.ip_forward=1")
	}
	if w.chance(85) {
		w.do("ip -n a route add default via 10.0.0.2")
		w.do("ip -n c route add default via 10.0.1.1")
	}
}

// narrowSetup is a chain with a bottleneck.
func narrowSetup(w *world) {
	chainSetup(w)
	mtu := one(w, 600, 1000, 1280, 1400)
	w.do("ip -n b link set v1 mtu %d", mtu)
	w.do("ip -n c link set w1 mtu %d", mtu)
}

// bridgeSetup puts a bridge in a Net, with a port to each of two others.
func bridgeSetup(w *world) {
	for _, n := range netNames {
		w.makeNet(n)
	}
	w.do("ip -n c link add br0 address %s type bridge", mac("br0"))
	br := &device{name: "br0", net: "c", kind: "bridge"}
	w.devs = append(w.devs, br)
	for i, n := range []string{"a", "b"} {
		port := fmt.Sprintf("w%d", i)
		w.join(fmt.Sprintf("v%d", i), n, fmt.Sprintf("10.0.0.%d/24", i+1), port, "c", "")
		w.do("ip -n c link set %s master br0", port)
		w.find("c", port).master = "br0"
	}
	w.do("ip -n c link set br0 up")
	br.up = true
	if w.chance(60) {
		w.do("ip -n c addr add 10.0.0.3/24 dev br0")
		br.addrs = []string{"10.0.0.3/24"}
	}
}

// makeNet adds a Net; its loopback is mostly brought up.
func (w *world) makeNet(name string) {
	w.do("ip netns add %s", name)
	w.nets = append(w.nets, name)
	lo := &device{name: "lo", net: name, kind: "lo"}
	w.devs = append(w.devs, lo)
	if w.chance(70) {
		w.do("ip -n %s link set lo up", name)
		lo.up = true
	}
}

// join makes a veth pair from Net to Net with addresses, mostly up.
func (w *world) join(v, net, addr, peer, far, farAddr string) {
	a := &device{name: v, net: net, kind: "veth"}
	b := &device{name: peer, net: far, kind: "veth", peer: a}
	a.peer = b
	w.devs = append(w.devs, a, b)
	at := ""
	if far != net {
		at = " netns " + far
		if far == "" {
			a, b, v, peer, net, far, addr, farAddr = b, a, peer, v, far, net, farAddr, addr
			at = " netns " + far
		}
	}
	w.do("%s link add %s address %s type veth peer name %s address %s%s", ip(net), v, mac(v), peer, mac(peer), at)
	for _, e := range []struct {
		d    *device
		addr string
	}{{a, addr}, {b, farAddr}} {
		if e.addr != "" {
			w.do("%s addr add %s dev %s", ip(e.d.net), e.addr, e.d.name)
			e.d.addrs = []string{e.addr}
		}
		if !w.chance(5) {
			w.do("%s link set %s up", ip(e.d.net), e.d.name)
			e.d.up = true
		}
	}
}
