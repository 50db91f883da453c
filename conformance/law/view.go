package law

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/host"
	"nsmodel/ipv4"
	"nsmodel/lab"
	"nsmodel/netns"
)

// dumps are the tools' questions about a Net. X is "ip" with its Net's option,
// B is "bridge" with it, E is what goes before another tool.
var dumps = []string{
	"X -s -s -d -j link", "X -s link", "X -d -j addr", "X -br addr",
	"X -d -j route show table all", "X route", "X -d -j rule", "X rule", "X -6 rule", "X -6 route", "X -6 route show table all", "X maddr",
	"X -s -j neigh show nud all", "X neigh", "X -j neigh show proxy",
	"B -s -j fdb", "B fdb", "B -d -j link", "X -j netns list-id",
	"E sysctl -a",
}

// flows are destinations that routes are asked for: what is cached, excepted or
// unreachable shows here.
var flows = []string{
	"10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.1.2", "10.0.2.2", "10.9.0.1", "10.9.1.1", "10.0.0.255", "127.0.0.1", "224.0.0.1",
	"10.9.0.1 mark 1", "10.9.0.1 oif v0", "2001:db8::1", "2001:db8:1::2", "2001:db8:9::1", "2001:db8:9::1 oif v0",
}

// view is all that a Net's owner can see of it without changing anything, and
// what would soon show: every dump of every tool in its forms, every tunable,
// the route to a number of destinations (which tells of path MTUs), the ledger
// with its reasons, each device with its counters and its queue, the sockets
// with what waits in them, the neighbours with their times, the deadlines of
// all timers, and the log: every frame at every device with its time, every
// notification and every device event, in order.
//
// It leaves out names and numbers that only the machine has (a Net's ID), and
// "ip netns list", for names of Nets are files, and no part of a Net.
func (b *bench) view(name string) string {
	n := b.net(name)
	var s strings.Builder
	if n == nil {
		fmt.Fprintf(&s, "# %s is not there\n%s", name, b.watch.text(name))
		return s.String()
	}
	defer n.Put()
	for _, d := range dumps {
		s.WriteString(b.ask(inNet(name, d)))
	}
	for _, f := range flows {
		s.WriteString(b.ask(inNet(name, "X route get "+f)))
	}
	s.WriteString(inside(b.h, n))
	s.WriteString(b.watch.text(name))
	return s.String()
}

// ask runs a command that changes nothing.
func (b *bench) ask(text string) string {
	r, err := b.in.Run(lab.Line{File: "view", Text: text, Words: strings.Fields(text)})
	if err != nil {
		panic(err)
	}
	return r.String()
}

// inside is what no tool shows.
func inside(h *host.Host, n *netns.Net) string {
	m := h.M
	var s strings.Builder
	books, err := json.Marshal(m.Core.Ledger(n))
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(&s, "books %s\n", books)
	m.Sys.Lock()
	for _, d := range m.Core.Devices(n) {
		fmt.Fprintf(&s, "device %d %s flags %#x mtu %d addr %v qlen %d waits %d conflicts %d %+v", d.Index(), d.Name(), d.Flags(), d.MTU(), d.Addr(),
			d.TxQLen(), d.QueueLen(), m.IPv4.Conflicts(d), d.Stats())
		if master := d.Master(); master != nil {
			fmt.Fprintf(&s, " master %s", master.Name())
		}
		s.WriteString("\n")
	}
	m.Sys.Unlock()
	for _, nb := range m.Core.Neighbours(n) {
		i := nb.Info()
		fmt.Fprintf(&s, "neighbour %v %v %v %v probes %d used %v confirmed %v updated %v\n", nb, i.MAC, i.State, i.Router, i.Probes, i.Used, i.Confirmed, i.Updated)
	}
	for _, c := range m.UDP.Sockets(n) {
		fmt.Fprintf(&s, "socket %v %v pending %d dropped %d\n", c.LocalAddr(), c.RemoteAddr(), c.Pending(), c.Dropped())
	}
	for _, c := range m.Raw.Sockets(n) {
		fmt.Fprintf(&s, "raw %d %v %v\n", c.Protocol(), c.LocalAddr(), c.RemoteAddr())
	}
	fmt.Fprintf(&s, "timers %v\n", m.Sys.Deadlines(n))
	return s.String()
}

// lastWill is what a Net would do next, which changes it: the numbers that it
// would hand out (an interface index and a hardware address, a port, an
// identification, an echo client's number, a random number), and how many
// errors it would still send. It is asked at the very end.
func (b *bench) lastWill(t fataler, name string) string {
	n := b.net(name)
	if n == nil {
		return "# " + name + " is not there\n"
	}
	defer n.Put()
	var s strings.Builder
	run := func(text string) { s.WriteString(b.do(t, inNet(name, text))) }
	run("X link add last%d type bridge")
	run("X link show last0")
	run("X link set lo up")
	run("E ping -c 1 -W 0.1 127.0.0.1")
	run("E probe udp send 127.0.0.1:4444 x wait 10ms")
	b.exercise(t, n)
	for _, d := range b.devices(n) {
		run("E probe capture stop " + d.Name())
	}
	if f := b.files[name+".pcapng"]; f != nil {
		fmt.Fprintf(&s, "captured %x\n", f.Bytes())
	}
	c, err := b.m.ListenPacket(n, "0.0.0.0:0")
	if err != nil {
		fmt.Fprintf(&s, "no port: %v\n", err)
	} else {
		fmt.Fprintf(&s, "port %v\n", c.LocalAddr())
		c.Close()
	}
	ping, err := b.m.IPv4.OpenPing(n, ipv4.PingOptions{})
	if err == nil {
		ping.Close()
	}
	run(`E sysctl -w net.ipv4.ping_group_range="0 0"`)
	s.WriteString(b.rawOp(n, "ping", name+"/will", nil))
	fmt.Fprintf(&s, "echo client %v\nrandom %d\n", err, n.Uint64())
	s.WriteString(b.view(name))
	return s.String()
}

func (b *bench) devices(n *netns.Net) []*core.Device {
	b.m.Sys.Lock()
	defer b.m.Sys.Unlock()
	return b.m.Core.Devices(n)
}

// exercise lets strangers on its links ask a Net for all that it may be asked
// for, and often, so that what is limited comes to its limit: for ports that
// nobody has and that somebody may have, for an echo, for who has an address,
// to pass something on, to keep pieces of datagrams. What it says is in the log.
func (b *bench) exercise(t fataler, n *netns.Net) {
	name := nameOf(n)
	for _, d := range b.devices(n) {
		addrs := b.m.IPv4.Addrs(d)
		mac := wire.MAC{2, 0, 0, 0, 0xee, 1}
		if !d.Up() || d.Flags()&core.FlagLoopback != 0 {
			continue
		}
		b.exercise6(t, n, d, mac)
		if len(addrs) == 0 {
			continue
		}
		own := addrs[0].Local.As4()
		from := own
		from[3] ^= 0xc0
		b.do(t, inNet(name, fmt.Sprintf("X neigh replace %v lladdr %v dev %s", netip.AddrFrom4(from), mac, d.Name())))
		b.feed(d, strangersFrames(d.Addr(), mac, own, from)...)
		b.settle()
	}
}

// strangersFrames are what a stranger, from, sends to a device and its address.
func strangersFrames(to, mac wire.MAC, own, from [4]byte) (all [][]byte) {
	ip := func(src, dst [4]byte, proto, ttl uint8, id, flags uint16, payload []byte) {
		all = append(all, ethernet(to, mac, wire.EtherTypeIPv4, ipPacket(src, dst, proto, ttl, id, flags, payload)))
	}
	datagram := func(src, dst [4]byte, ttl uint8, port uint16) {
		ip(src, dst, 17, ttl, 1, 0, udpPacket(src, dst, 5555, port, "x"))
	}
	for range 8 {
		datagram(from, own, 64, 5556)
	}
	for range 8 {
		ip(from, own, 1, 64, 1, 0, icmpPacket(8, 0, 0x00010001, []byte("abcdefgh")))
	}
	for range 4 {
		datagram(from, [4]byte{10, 77, 0, 1}, 64, 7)
	}
	for port := uint16(7); port < 10; port++ {
		datagram(from, own, 64, port)
	}
	datagram(from, [4]byte{255, 255, 255, 255}, 64, 7)
	for _, dst := range [][4]byte{{10, 0, 0, 4}, {10, 0, 1, 2}, {10, 9, 0, 1}} {
		datagram(from, dst, 64, 7)
		datagram(from, dst, 1, 7)
	}
	for i := range byte(3) {
		other := from
		other[3] += i + 1
		datagram(other, own, 64, 5556) // who it is must be asked for first
	}
	for _, a := range [][4]byte{own, {10, 0, 0, 4}, {10, 0, 1, 2}, {10, 0, 1, 3}, {10, 9, 0, 1}, {10, 0, 0, 50}} {
		all = append(all, arpFrame(stations[0], mac, 1, mac, from, wire.MAC{}, a))
	}
	for id := uint16(100); id < 110; id++ {
		ip(from, own, 17, 64, id, 0x2000, make([]byte, 24))
	}
	return all
}
