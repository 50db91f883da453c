package advise

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/netfilter"
	"nsmodel/netns"
	"nsmodel/transport/raw"
)

// A subsystem is one whose placement is a word, and how to give a Net entries of
// it by the front door.
type subsystem struct {
	word  string
	kind  Kind
	entry string // what one entry is
	most  int    // entries of a Net in a measurement: some are large
	six   bool   // its Nets speak IPv6
	once  bool   // any number of entries is as good as one
	asked bool   // packets look only in Nets that have an entry
	// add files n's i-th entry; nil: a Net has its one value from the start.
	add func(m *nsmodel.Machine, n *netns.Net, i int) error
	// look finds it again through an exported function; nil: there is none that is
	// not hidden under more.
	look func(m *nsmodel.Machine, n *netns.Net, i int) bool
	// probe looks exactly once from a Net through any exported function; whatever
	// else it does costs the same under both placements. nil: there is none.
	probe   func(m *nsmodel.Machine, n *netns.Net)
	probeAt string // in the Net of that path; "": PathReceive
	// isolation says in a sentence what the placement means beside its costs, and
	// where Linux learnt it.
	isolation string
}

// has returns how many entries count of e that a Net is said to have.
func (s *subsystem) has(e float64) float64 {
	switch {
	case s.add == nil:
		return 0
	case s.once:
		return min(1, e)
	}
	return e
}

// bridgeName is the device that every Net of a measurement has beside lo.
const bridgeName = "br0"

func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i>>16) | 64, byte(i >> 8), byte(i)})
}

func mac(i int) wire.MAC { return wire.MAC{2, 7, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)} }

// withBridge calls f with n's bridge, under rtnl.
func withBridge(m *nsmodel.Machine, n *netns.Net, f func(*core.Device) error) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	return f(m.Core.Device(n, bridgeName))
}

func pass(*core.Worker, *core.Packet, *netfilter.State) netfilter.Verdict { return netfilter.Accept }

// subsystems lists them in the order of the floors, as [nsmodel.PlaceWords] does.
func subsystems() []*subsystem {
	return slices.Concat(lowSubsystems(), highSubsystems(), sixSubsystems())
}

// Unmeasured lists the subsystems of which there is no advice: nothing is measured
// of them.
func Unmeasured() (words []string) {
	all := subsystems()
	for w := range strings.SplitSeq(nsmodel.PlaceWords(), ", ") {
		if !slices.ContainsFunc(all, func(s *subsystem) bool { return s.word == w }) {
			words = append(words, w)
		}
	}
	return words
}

// lowSubsystems are those of core and its devices.
func lowSubsystems() []*subsystem {
	return []*subsystem{
		{word: "devices", kind: Table, entry: "a device", most: 16,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				_, err := m.Core.Kind("bridge").New(n, core.LinkSpec{Name: fmt.Sprint("d", i)})
				return err
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, i int) bool { return m.Core.DeviceByIndex(n, i+3) != nil }, // after lo and br0
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.Core.DeviceByIndex(n, 1) },
			isolation: "the same index and name exist in every Net, so a forgotten tag finds another tenant's device; Linux has replicated them since 2007"},
		{word: "mib", kind: Cell, entry: "a ledger",
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.Core.Ledger(n) },
			isolation: "every packet writes it: shared or own, two Nets' counters are never one"},
		{word: "neigh", kind: Table, entry: "a permanent entry", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				w := m.Core.Enter()
				defer w.Leave()
				return withBridge(m, n, func(d *core.Device) error {
					return m.Core.SetNeighbour(w, d, addr(i), core.NeighUpdate{State: core.NudPermanent, MAC: mac(i)})
				})
			},
			look: func(m *nsmodel.Machine, n *netns.Net, i int) bool {
				return m.Core.Neighbour(m.Core.Device(n, bridgeName), addr(i)) != nil
			},
			probe: func(m *nsmodel.Machine, n *netns.Net) {
				m.Core.Neighbour(m.Core.DeviceByIndex(n, 1), addr(0))
			},
			isolation: "a shared limit (Linux's gc_thresh3, host-wide until cda2962b6e2b) lets one tenant fill it for all; here thresholds count per Net under either placement"},
		{word: "netlink", kind: Listeners, entry: "a subscription", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, _ int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				_, err := m.Netlink.Subscribe(n, netlink.GroupLink, 8, nil)
				return err
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, _ int) bool { return m.Netlink.Listening(n, netlink.GroupLink) },
			isolation: "no packet looks here, only changes of configuration; a shared map takes one lock for all Nets' notifications"},
		{word: "fdb", kind: Table, entry: "a permanent station", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				return withBridge(m, n, func(d *core.Device) error { return m.Links.AddFDB(d, mac(i), link.FDBPermanent, false) })
			},
			probeAt: PathBridge,
			probe: func(m *nsmodel.Machine, n *netns.Net) {
				_ = m.Links.DelFDB(m.Core.Device(n, bridgeName), mac(1<<20)) // ENOENT, after one look
			},
			isolation: "frames of strangers make entries, so the count must be limited by bridge or Net, not by table"},
		{word: "hooks", kind: Cell, entry: "a hook function", most: 8,
			add: func(m *nsmodel.Machine, n *netns.Net, _ int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				_, err := m.Hooks.Register(n, netfilter.Entry{Family: core.AFInet, Hook: netfilter.PreRouting, Func: pass})
				return err
			},
			probe: func(m *nsmodel.Machine, n *netns.Net) {
				w := m.Core.Workers()[0]
				p := w.NewPacket(n, 64)
				m.Hooks.Run(w, p, netfilter.PreRouting, core.AFInet, nil, nil)
				w.Deliver(p)
			},
			isolation: "lists that all Nets ran made everybody pay for one tenant's functions, until 085db2c04557 (2015)"},
	}
}

// highSubsystems are those of IPv4 and its transports.
func highSubsystems() []*subsystem {
	return []*subsystem{
		{word: "addrs", kind: Table, entry: "an address", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				return withBridge(m, n, func(d *core.Device) error {
					return m.IPv4.AddAddr(d, ipv4.Addr{Local: addr(i), Prefix: netip.PrefixFrom(addr(i), 32), Scope: fib.Global})
				})
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, i int) bool { return m.IPv4.LocalDevice(n, addr(i).As4()) != nil },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv4.LocalDevice(n, [4]byte{10, 1, 0, 1}) },
			isolation: "a lock that all Nets share stood in the way of an RTNL for each (1675f385213e, 2024)"},
		{word: "fib", kind: Cell, entry: "a route", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				return m.IPv4.FIB.Add(n, fib.Route{Dst: netip.PrefixFrom(addr(i), 32), Table: fib.TableMain, Type: fib.Blackhole}, fib.AddRoute)
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, _ int) bool { m.IPv4.FIB.Table(n, fib.TableMain); return true },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv4.FIB.Table(n, fib.TableMain) },
			isolation: "a trie has nothing to tag but its root; 127.0.0.1 of all Nets in one bucket of fib_info made ends very slow (79eb15da3cd6, 2022)"},
		{word: "rules", kind: Cell, entry: "a rule", most: 16,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				return m.IPv4.FIB.AddRule(n, fib.Rule{From: netip.PrefixFrom(addr(i), 32), Priority: uint32(1000 + i), PrioritySet: true, Table: fib.TableMain})
			},
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv4.FIB.Rules(n) },
			isolation: "a list that is walked for every packet: with those of others in it everybody would pay for one tenant's rules"},
		{word: "sysctls", kind: Cell, entry: "a tunable set", most: 8, once: true,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				return m.Sysctl.Set(n, "net.ipv4.ip_default_ttl", fmt.Sprint(65+i))
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, _ int) bool { return m.IPv4.Conf(n) != nil },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv4.Conf(n) },
			isolation: "a small set of variables, of which 2007 said to have simply more"},
		{word: "frags", kind: Table, entry: "a first fragment", most: 64,
			add:       addFragment,
			isolation: "a shared budget lets one sender starve all (Linux's answer was a table and a limit for each Net, 648700f76b03, 2018); here the memory counts per Net under either placement"},
		mroutes(),
		{word: "udp", kind: Table, entry: "a bound socket", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				_, err := stage.Listen(m, n, uint16(1024+i))
				return err
			},
			isolation: "in a shared table of fixed size the sockets of others lengthen one's own chains (9804985bf27f, 2022); own ones cannot be filled by a neighbour"},
		{word: "raw", kind: Table, entry: "a raw socket", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				_, err := m.Raw.Listen(n, false, uint8(100+i), netip.Addr{}, raw.Options{})
				return err
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, i int) bool { return m.Raw.Listening(n, false, uint8(100+i)) },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.Raw.Listening(n, false, 99) },
			isolation: "in one table of 256 chains by protocol everybody's sockets for ICMP hang in one chain"},
		exceptions(),
	}
}

// addFragment lets a first fragment arrive at n's lo, whose rest never comes.
func addFragment(m *nsmodel.Machine, n *netns.Net, i int) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	w, lo := m.Core.Workers()[0], m.Core.Device(n, "lo")
	frame := fragment(lo.Addr(), "127.0.0.1", "127.0.0.1", uint16(i), 0)
	p := w.NewFrame(len(frame))
	copy(p.Bytes(), frame)
	lo.Queue(w, p)
	for w.Pending() {
		w.Poll(m.Sys.Now(), core.Budget)
	}
	return nil
}

// fragment returns a piece of a UDP datagram as a frame: the 16 bytes at 0, or the
// rest at 16.
func fragment(to wire.MAC, src, dst string, id uint16, offset int) []byte {
	whole := stage.UDPFrame(to, src, dst, stage.Port)
	const head = wire.EthernetLen + wire.IPv4Len
	payload := whole[head : head+16]
	more := true
	if offset > 0 {
		payload, more = whole[head+16:], false
	}
	b := make([]byte, head+len(payload))
	a, z := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	wire.PutEthernet(b, to, stage.Far(), wire.EtherTypeIPv4)
	ip, _ := wire.PutIPv4(b[wire.EthernetLen:], wire.IPv4Fields{Src: a, Dst: z, Proto: wire.ProtoUDP, TTL: 64, ID: id, FragOffset: offset, MF: more})
	copy(ip.Payload(), payload)
	return b
}
