package conformance_test

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netfilter"
	"nsmodel/netns"
	"nsmodel/transport/raw"
	"nsmodel/transport/udp"
)

// Every subsystem whose placement can be chosen goes through the battery.
func TestOwnSubsystems(t *testing.T) {
	own := []conformance.Subsystem[*own]{
		ownDevices(), ownMIB(), ownNeigh(), ownNetlink(), ownFDB(), ownHooks(),
		ownAddrs(), ownFIB(), ownRules(), ownSysctls(), ownFrags(), ownMroutes(), ownUDP(), ownRaw(), ownExceptions(),
		ownAddrs6(), ownFIB6(), ownRules6(), ownSysctls6(), ownFrags6(), ownExceptions6(), ownMroutes6(),
	}
	// There are many of them: fewer cases each, unless more are asked for.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("40")
		defer func() { _ = f.Value.Set(f.DefValue) }()
	}
	var words []string
	for _, s := range own {
		words = append(words, s.Name)
		t.Run(s.Name, func(t *testing.T) { conformance.TestSubsystem(t, s) })
	}
	if got, want := strings.Join(words, ", "), nsmodel.PlaceWords(); got != want {
		t.Errorf("these go through the battery: %s\nthese have a placement: %s", got, want)
	}
}

// Own is the handle of the subsystems that every machine has: who carries out a
// lab's commands, and what the operations keep in each Net.
type own struct {
	m         *nsmodel.Machine
	seq, live *host.Host

	mu   sync.Mutex
	kept map[netns.ID]*keepsake
}

// A keepsake is what operations in one Net have opened.
type keepsake struct {
	conns  []*udp.Conn
	raws   []*raw.Conn
	subs   []*netlink.Subscription
	remove []func()
}

func newOwn(m *nsmodel.Machine, _ netns.Placement) (*own, error) {
	o := &own{m: m, seq: host.New(m), live: host.New(m), kept: map[netns.ID]*keepsake{}}
	o.live.Live = true
	netns.Attend(m.Sys, "own", nil, nil, func(n *netns.Net) {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.kept, n.ID())
	})
	return o, nil
}

// with calls f with what is kept of n, unless n is dead.
func (o *own) with(n *netns.Net, f func(k *keepsake) (string, error)) (string, error) {
	if !n.Alive() {
		return "", syscall.ESRCH
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k := o.kept[n.ID()]
	if k == nil {
		k = new(keepsake)
		o.kept[n.ID()] = k
	}
	return f(k)
}

// run carries out a lab's command in n and returns what it says.
func (o *own) run(n *netns.Net, live bool, text string) (string, error) {
	h := o.seq
	if live {
		h = o.live
	}
	if !n.IsInit() {
		text = "ip netns exec " + n.Name() + " " + text
	}
	lines, err := lab.Load("battery", text+"\n")
	if err != nil {
		return "", err
	}
	r, err := lab.New(h).Run(lines[0])
	return r.Stdout + r.Stderr, err
}

type (
	ownCall = conformance.Call[*own]
	ownOp   = conformance.Op[*own]
)

// command makes an operation of a command, in which $D stands for a device, $A
// for an address of the link, $I for a small number.
func command(t *rapid.T, text string) ownOp {
	text = strings.ReplaceAll(text, "$D", conformance.AnyDevice(t))
	text = strings.ReplaceAll(text, "$I", fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "number")))
	text = strings.ReplaceAll(text, "$A", fmt.Sprintf("10.0.0.%d", rapid.IntRange(1, 4).Draw(t, "host")))
	return ownOp{Text: text, Free: strings.HasPrefix(text, "ping"), Do: func(c ownCall) (string, error) {
		said, err := c.H.run(c.N, c.Live, text)
		if strings.Contains(said, "Cannot find device") || strings.Contains(said, "Device does not exist") {
			// ip's words, also when it was refused the look
			_, why := c.M.Netlink.Do(c.N, &netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: &netlink.Link{}})
			err = errors.Join(err, why)
		}
		return said, err
	}}
}

// commands draws one of several.
func commands(texts ...string) func(t *rapid.T) ownOp {
	return func(t *rapid.T) ownOp { return command(t, rapid.SampledFrom(texts).Draw(t, "command")) }
}

// shown is a dump by a command.
func shown(text string) func(ownCall) string {
	return func(c ownCall) string {
		said, err := c.H.run(c.N, c.Live, text)
		if err != nil {
			return err.Error()
		}
		return said
	}
}

func row(l core.Layer, entry string) core.GateRow { return core.GateRow{Layer: l, Entry: entry} }

func ownDevices() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "devices", New: newOwn,
		Op: commands("ip link set $D mtu 1$I00", "ip link set $D down", "ip link set $D up", "ip link add br$I type bridge", "ip link del br$I",
			"ip link add v$I type veth peer name w$I", "ip link del v$I", "ip link set nic0 master br$I", "ip link set $D address 02:00:00:00:01:0$I"),
		Dump: shown("ip link"), Sorted: "by index",
		Gates: []core.GateRow{row(core.LayerNetlink, "link")},
	}
}

func ownMIB() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "mib", New: newOwn,
		Op:   commands("ping -c 1 -W 0.1 $A", "probe raw send $D ffffffffffff 020000000001 88b5 00", "probe raw send $D ffffffffffff 020000000001 0806 0001", "ip link set $D down"),
		Dump: func(c ownCall) string { return c.M.Core.Ledger(c.N).String() },
	}
}

func ownNeigh() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "neigh",
		New: func(m *nsmodel.Machine, place netns.Placement) (*own, error) {
			netns.Attend(m.Sys, "neigh-limit", func(n *netns.Net) error { m.IPv4.SetNeighLimits(n, [3]int{0, 16, 16}); return nil }, nil, nil)
			return newOwn(m, place)
		},
		Op: commands("ip neigh add $A lladdr 02:00:00:00:00:0$I dev $D", "ip neigh replace $A lladdr 02:00:00:00:00:0$I dev $D nud permanent",
			"ip neigh del $A dev $D", "ip neigh add proxy $A dev $D", "ping -c 1 -W 0.1 $A"),
		Dump: shown("ip neigh"),
		Fill: func(c ownCall, i int) error {
			d := c.Device("nic0")
			if d == nil {
				d = c.Device("eth0")
			}
			if d == nil {
				return syscall.ENODEV
			}
			_, err := c.M.Core.NewNeighbour(d, netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), c.M.Sys.Now())
			return err
		},
		Gates: []core.GateRow{row(core.LayerNetlink, "neigh")},
	}
}

func ownNetlink() conformance.Subsystem[*own] {
	subscribe := func(g netlink.Groups, text string) ownOp {
		return ownOp{Text: "subscribe to " + text, Do: func(c ownCall) (string, error) {
			c.M.Sys.Lock()
			defer c.M.Sys.Unlock()
			return c.H.with(c.N, func(k *keepsake) (string, error) {
				s, err := c.M.Netlink.Subscribe(c.N, g, 3, nil)
				if err == nil {
					k.subs = append(k.subs, s)
				}
				return "", err
			})
		}}
	}
	receive := ownOp{Text: "receive", Do: func(c ownCall) (string, error) {
		return c.H.with(c.N, func(k *keepsake) (string, error) {
			var s strings.Builder
			for _, sub := range k.subs {
				note, err := sub.Receive()
				fmt.Fprintf(&s, "%v %v %+v %v; ", note.Op, note.Group, note.Msg, err)
			}
			return s.String(), nil
		})
	}}
	leave := ownOp{Text: "leave", Do: func(c ownCall) (string, error) {
		return c.H.with(c.N, func(k *keepsake) (string, error) {
			for _, sub := range k.subs {
				sub.Close()
			}
			k.subs = nil
			return "", nil
		})
	}}
	return conformance.Subsystem[*own]{
		Name: "netlink", New: newOwn,
		Op: func(t *rapid.T) ownOp {
			return rapid.SampledFrom([]ownOp{subscribe(netlink.GroupLink, "links"), subscribe(netlink.GroupIPv4IfAddr|netlink.GroupIPv4Route, "addresses and routes"),
				receive, receive, leave, command(t, "ip addr add $A/24 dev $D"), command(t, "ip link set $D up"), command(t, "ip link set $D down")}).Draw(t, "op")
		},
		Dump: func(c ownCall) string {
			return fmt.Sprint(c.M.Netlink.Listening(c.N, netlink.GroupLink), c.M.Netlink.Listening(c.N, netlink.GroupIPv4IfAddr))
		},
	}
}

func ownFDB() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "fdb", New: newOwn,
		Op: commands("ip link add br0 type bridge", "ip link set br0 up", "ip link set $D master br0", "ip link set $D nomaster", "bridge fdb add 02:00:00:00:02:0$I dev $D master static",
			"bridge fdb del 02:00:00:00:02:0$I dev $D master", "bridge mdb add dev br0 port $D grp 239.1.1.$I permanent", "bridge mdb add dev br0 port $D grp 239.1.1.$I",
			"bridge mdb del dev br0 port $D grp 239.1.1.$I", "probe raw send $D ffffffffffff 02000000030$I 88b5 00"),
		Dump: func(c ownCall) string { return shown("bridge fdb")(c) + shown("bridge mdb")(c) }, Sorted: "by bridge and port",
	}
}

func ownHooks() conformance.Subsystem[*own] {
	hook := func(at netfilter.Hook, v netfilter.Verdict, text string) ownOp {
		return ownOp{Text: text, Do: func(c ownCall) (string, error) {
			c.M.Sys.Lock()
			defer c.M.Sys.Unlock()
			return c.H.with(c.N, func(k *keepsake) (string, error) {
				remove, err := c.M.Hooks.Register(c.N, netfilter.Entry{Family: core.AFInet, Hook: at,
					Func: func(*core.Worker, *core.Packet, *netfilter.State) netfilter.Verdict { return v }})
				if err == nil {
					k.remove = append(k.remove, remove)
				}
				return "", err
			})
		}}
	}
	flush := ownOp{Text: "flush", Free: true, Do: func(c ownCall) (string, error) {
		c.M.Sys.Lock()
		defer c.M.Sys.Unlock()
		return c.H.with(c.N, func(k *keepsake) (string, error) {
			for _, f := range k.remove {
				f()
			}
			k.remove = nil
			return "", nil
		})
	}}
	list := []ownOp{hook(netfilter.LocalIn, netfilter.Drop, "drop what comes in"), hook(netfilter.LocalOut, netfilter.Drop, "drop what goes out"), hook(netfilter.LocalIn, netfilter.Accept, "accept what comes in")}
	return conformance.Subsystem[*own]{
		Name: "hooks", New: newOwn,
		Op: func(t *rapid.T) ownOp {
			return rapid.SampledFrom(append(list, flush, command(t, "ping -c 1 -W 0.1 $A"))).Draw(t, "op")
		},
		Dump: func(c ownCall) string {
			return fmt.Sprint(c.M.Core.Ledger(c.N).Reasons[core.NetfilterDrop.String()], " dropped by a hook")
		},
		Gates: []core.GateRow{row(core.LayerNetfilter, "ipv4")},
	}
}

func ownAddrs() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "addrs",
		New: func(m *nsmodel.Machine, place netns.Placement) (*own, error) {
			netns.Attend(m.Sys, "addrs-limit", func(n *netns.Net) error { m.IPv4.SetAddrCap(n, 12); return nil }, nil, nil)
			return newOwn(m, place)
		},
		Op:   commands("ip addr add $A/24 dev $D", "ip addr add $A/32 dev $D", "ip addr del $A/24 dev $D", "ip -4 addr flush dev $D"),
		Dump: shown("ip addr"), Sorted: "by device",
		Fill: func(c ownCall, i int) error {
			said, err := c.H.run(c.N, c.Live, fmt.Sprintf("ip addr add 10.8.0.%d/32 dev lo", i))
			if err == nil && said != "" {
				err = syscall.ENOBUFS
			}
			return err
		},
		Gates: []core.GateRow{row(core.LayerNetlink, "addr")},
	}
}

func ownFIB() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "fib", New: newOwn,
		Op: commands("ip route add 10.9.$I.0/24 dev $D", "ip route add 10.9.$I.0/24 via $A", "ip route append 10.9.$I.0/24 via $A metric $I", "ip route replace default via $A",
			"ip route del 10.9.$I.0/24", "ip route add blackhole 10.9.0.0/16 table $I", "ip route get 10.9.$I.1"),
		Dump: shown("ip route show table all"), Sorted: "by table and prefix",
		Gates: []core.GateRow{row(core.LayerNetlink, "route")},
	}
}

func ownRules() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "rules", New: newOwn,
		// No rule names nic0: a rule keeps a device's name when the device has left.
		Op:   commands("ip rule add from $A table 7 pref 10$I", "ip rule add fwmark $I table 8", "ip rule add iif lo table $I", "ip rule del pref 10$I", "ip rule del fwmark $I", "ip rule add to $A prohibit"),
		Dump: shown("ip rule"), Sorted: "by preference",
		Gates: []core.GateRow{row(core.LayerNetlink, "rule")},
	}
}

func ownSysctls() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "sysctls", New: newOwn,
		Op: commands("sysctl -w net.ipv4.ip_forward=$I", "sysctl -w net.ipv4.ip_default_ttl=1$I", "sysctl -w net.ipv4.conf.$D.rp_filter=1", "sysctl -w net.ipv4.conf.all.forwarding=$I",
			"sysctl -w net.ipv4.conf.default.arp_ignore=$I", "sysctl -w net.ipv4.neigh.$D.gc_stale_time=3$I", "sysctl net.ipv4.conf.$D.forwarding"),
		Dump: shown("sysctl net.ipv4"), Sorted: "by name",
		Gates: []core.GateRow{row(core.LayerSysctl, "net.ipv4")},
	}
}

// fragment sends n, by one of its devices, the first part of a datagram of which
// nothing more comes.
func fragment(c ownCall, dev string, id int) error {
	d := c.Device(dev)
	if d == nil {
		return syscall.ENODEV
	}
	w := c.M.Core.Enter()
	defer w.Leave()
	const head = wire.EthernetLen + wire.IPv4Len
	p := w.NewFrame(head + 1400)
	b := p.Bytes()
	clear(b)
	a := d.Addr()
	copy(b, a[:])
	copy(b[6:], "\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x05\x8c")
	b[18], b[19], b[20], b[22], b[23] = byte(id>>8), byte(id), 0x20, 9, 17
	copy(b[26:], "\x0a\x00\x00\x63\x0a\x00\x00\x01")
	sum := wire.Checksum(b[wire.EthernetLen:head])
	b[24], b[25] = byte(sum>>8), byte(sum)
	d.Queue(w, p)
	return nil
}

func ownFrags() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "frags", New: newOwn,
		Op: func(t *rapid.T) ownOp {
			dev, id := conformance.AnyDevice(t), rapid.IntRange(1, 3).Draw(t, "id")
			return rapid.SampledFrom([]ownOp{
				{Text: fmt.Sprintf("fragment %d by %s", id, dev), Do: func(c ownCall) (string, error) { return "", fragment(c, dev, id) }},
				command(t, "ping -c 1 -s 3000 -W 0.1 10.0.0.1"),
			}).Draw(t, "op")
		},
		Dump:  func(c ownCall) string { return fmt.Sprint(c.M.Core.Ledger(c.N).Held, " packets held") },
		Gates: []core.GateRow{row(core.LayerProtocol, "0x0800")},
	}
}

func ownUDP() conformance.Subsystem[*own] {
	at := func(addr string, port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port))
	}
	listen := func(a netip.AddrPort) ownOp {
		return ownOp{Text: "listen at " + a.String(), Do: func(c ownCall) (string, error) {
			return c.H.with(c.N, func(k *keepsake) (string, error) {
				conn, err := c.M.UDP.Listen(c.N, a, udp.Options{})
				if err != nil {
					return "", err
				}
				k.conns = append(k.conns, conn)
				return conn.LocalAddr().String(), nil
			})
		}}
	}
	first := func(text string, do func(c ownCall, conn *udp.Conn) (string, error)) ownOp {
		return ownOp{Text: text, Free: true, Do: func(c ownCall) (string, error) {
			return c.H.with(c.N, func(k *keepsake) (string, error) {
				if len(k.conns) == 0 {
					return "no socket", nil
				}
				return do(c, k.conns[0])
			})
		}}
	}
	receive := func(_ ownCall, conn *udp.Conn) (string, error) {
		b := make([]byte, 16)
		k, from, err := conn.TryReadFrom(b)
		return fmt.Sprintf("%q from %v", b[:k], from), err
	}
	return conformance.Subsystem[*own]{
		Name: "udp", New: newOwn,
		Op: func(t *rapid.T) ownOp {
			port, to := rapid.IntRange(7, 9).Draw(t, "port"), rapid.IntRange(1, 3).Draw(t, "host")
			return rapid.SampledFrom([]ownOp{
				listen(at("0.0.0.0", port)), listen(at(fmt.Sprintf("10.0.0.%d", to), port)), listen(at("0.0.0.0", 0)),
				first(fmt.Sprintf("send to 10.0.0.%d:%d", to, port), func(_ ownCall, conn *udp.Conn) (string, error) {
					_, err := conn.WriteToAddrPort([]byte("hello"), at(fmt.Sprintf("10.0.0.%d", to), port))
					return "", err
				}),
				first("receive", receive),
				first("wait for a datagram", func(c ownCall, conn *udp.Conn) (string, error) {
					c.Go(func() { _, _, _ = conn.ReadFromAddrPort(make([]byte, 16)) })
					return "", nil
				}),
				{Text: "close", Free: true, Do: func(c ownCall) (string, error) {
					return c.H.with(c.N, func(k *keepsake) (string, error) {
						if len(k.conns) == 0 {
							return "no socket", nil
						}
						conn := k.conns[0]
						k.conns = k.conns[1:]
						return "", conn.Close()
					})
				}},
			}).Draw(t, "op")
		},
		Dump: func(c ownCall) string {
			var b strings.Builder
			for _, conn := range c.M.UDP.Sockets(c.N) {
				fmt.Fprintln(&b, conn.LocalAddr(), conn.RemoteAddr(), conn.Dropped())
			}
			return b.String()
		},
		Fill: func(c ownCall, i int) error {
			c.M.Sys.Lock()
			err := c.M.Sysctl.Set(c.N, "net.ipv4.ip_local_port_range", "40000 40019")
			c.M.Sys.Unlock()
			if err != nil {
				return err
			}
			_, err = listen(at("0.0.0.0", 0)).Do(c)
			return err
		},
		Gates: []core.GateRow{row(core.LayerFamily, "2")},
	}
}
