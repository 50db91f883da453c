package lockstep

import (
	"fmt"
	"slices"
	"strings"
)

func setSysctl(w *world) {
	net := w.net()
	dev := w.some(net)
	key := one(w, "net.ipv4.ip_forward=1", "net.ipv4.ip_forward=1", "net.ipv4.ip_forward=0", "net.ipv4.ip_default_ttl=9", "net.ipv4.icmp_echo_ignore_all=1",
		"net.ipv4.icmp_echo_ignore_broadcasts=0", "net.ipv4.ip_forward_use_pmtu=1", "net.ipv4.ip_nonlocal_bind=1",
		"net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.all.forwarding=1", "net.ipv4.conf.default.forwarding=1", "net.ipv4.conf.all.accept_local=1", "net.ipv4.conf.all.arp_ignore=1",
		"net.ipv4.conf.all.arp_announce=2", "net.ipv4.conf.all.arp_filter=1", "net.ipv4.conf.all.proxy_arp=1", "net.ipv4.conf.all.send_redirects=0",
		"net.ipv4.conf.D.forwarding=0", "net.ipv4.conf.D.forwarding=1", "net.ipv4.conf.D.rp_filter=1", "net.ipv4.conf.D.rp_filter=2", "net.ipv4.conf.D.proxy_arp=1",
		"net.ipv4.conf.D.accept_local=1", "net.ipv4.conf.D.route_localnet=1", "net.ipv4.conf.D.arp_ignore=8", "net.ipv4.conf.D.send_redirects=0",
		"net.ipv4.conf.D.promote_secondaries=1", "net.ipv4.conf.all.promote_secondaries=1", "net.ipv4.conf.D.arp_notify=1", "net.ipv4.conf.D.arp_accept=1",
		"net.ipv4.conf.D.bc_forwarding=1", "net.ipv4.conf.D.ignore_routes_with_linkdown=1", "net.ipv4.conf.D.accept_source_route=0", "net.ipv4.conf.D.shared_media=0",
		"net.ipv4.neigh.D.base_reachable_time_ms=10000", "net.ipv4.ip_no_pmtu_disc=1", "net.ipv4.nonsense=1", "net.ipv4.ip_default_ttl=0", "net.ipv4.conf.D.rp_filter=x")
	if dev == "lo" {
		key = strings.ReplaceAll(key, "D.arp_notify", "all.nothing")
	}
	for i := range key {
		if key[i] == 'D' {
			key = key[:i] + dev + key[i+1:]
			break
		}
	}
	if w.chance(10) {
		w.do("%ssysctl %s", in(net), key[:slices.Index([]byte(key), '=')])
		return
	}
	w.do("%ssysctl -w %s", in(net), key)
}

// local draws a socket's own address.
func (w *world) local(net string) string {
	port := one(w, "7", "7", "9", "4000")
	if w.chance(50) {
		return port
	}
	return w.host() + ":" + port
}

func listen(w *world) {
	s := sock{w.net(), "", one(w, "echo", "echo", "listen", "listen", "listen")}
	s.local = w.local(s.net)
	w.do("%sprobe udp %s %s", in(s.net), s.verb, s.local)
	w.socks = append(w.socks, s)
}

func closeSock(w *world) {
	if len(w.socks) == 0 {
		return
	}
	i := w.upTo(len(w.socks) - 1)
	s := w.socks[i]
	w.do("%sprobe udp close %s", in(s.net), s.local)
	w.socks = slices.Delete(w.socks, i, i+1)
}

func showSock(w *world) {
	for _, s := range w.socks {
		if s.verb == "listen" && w.chance(50) {
			w.do("%sprobe udp show %s", in(s.net), s.local)
			return
		}
	}
}

func sendUDP(w *world) {
	net := w.net()
	to := w.host()
	port := one(w, "7", "7", "7", "9", "9", "4000")
	from := ""
	if w.chance(35) {
		from = " from " + one(w, "4000", w.host()+":4000", w.host()+":9", "9")
	}
	wait := " wait 100ms"
	if w.chance(25) {
		wait = ""
	}
	text := one(w, "hello", "hello", "x", `""`)
	if w.chance(12) {
		text = long(one(w, 548, 1372, 1472, 1473, 3000))
	}
	w.do("%sprobe udp send %s:%s %s%s%s", in(net), to, port, text, from, wait)
}

// long is a text of n octets.
func long(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%23)
	}
	return string(b)
}

func ping(w *world) {
	net := w.net()
	opts := ""
	switch w.upTo(9) {
	case 0:
		opts = " -s " + one(w, "1372", "1472", "1473", "3000", "0", "572", "573")
	case 1:
		opts = " -t " + one(w, "1", "2", "64")
	case 2:
		opts = " -I " + w.some(net)
	case 3:
		opts = " -I " + w.host()
	case 4:
		opts = " -M " + one(w, "do", "dont", "want") + " -s " + one(w, "572", "573", "1472", "1473", "1300")
	case 5:
		opts = one(w, " -b", " -m 1", " -Q 16")
	}
	w.do("%sping -c 1 -W 0.1%s %s", in(net), opts, w.host())
}

// rawFrame sends a frame made by hand, mostly to a device that takes it.
func rawFrame(w *world) {
	d := w.dev(func(d *device) bool { return d.kind == "veth" && d.peer != nil })
	if d == nil {
		return
	}
	dst := mac(d.peer.name)
	if w.chance(25) {
		dst = one(w, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:99", "01:00:5e:00:00:01", "00:00:00:00:00:00")
	}
	body := ""
	switch w.upTo(5) {
	case 0:
		op := one(w, "0001", "0001", "0002")
		body = fmt.Sprintf("0806 0001 0800 0604 %s %s %s %s %s", op, mac(d.name), hexIP(w.host()), "000000000000", hexIP(w.host()))
	case 1:
		body = "88b5 0001"
	default:
		body = "0800 " + ipv4Hex(w.host(), w.host(), one(w, 64, 64, 2, 1, 0), one(w, 17, 17, 1, 200), one(w, 0, 0, 0, 0x2000, 185, 0x4000), w.chance(6))
	}
	w.do("%sprobe raw send %s %s %s %s", in(d.net), d.name, dst, mac(d.name), body)
}

func hexIP(a string) string {
	var o [4]int
	_, _ = fmt.Sscanf(a, "%d.%d.%d.%d", &o[0], &o[1], &o[2], &o[3])
	return fmt.Sprintf("%02x%02x%02x%02x", o[0], o[1], o[2], o[3])
}
