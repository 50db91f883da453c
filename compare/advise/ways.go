package advise

import (
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/netns"
)

// What a Net was told of ways: path MTUs by ICMP, multicast routes by a daemon.

// learnt is the path MTU of every exception.
const learnt = 1400

// unknown is an entry that nobody makes.
const unknown = 1 << 20

// wayOut routes prefix, where entries' destinations are, by n's first device beside
// lo. That is done with the first entry, so that Nets without any have no route either.
func wayOut(m *nsmodel.Machine, f *fib.FIB, n *netns.Net, prefix string) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	for _, d := range m.Core.Devices(n) {
		if d.Flags()&core.FlagLoopback == 0 {
			if f == m.IPv6.FIB { // which sends nothing without an address
				if err := m.IPv6.AddAddr(d, ipv6.Addr{Local: addr6(unknown + 1), Bits: 128, Flags: unix.IFA_F_NODAD}); err != nil {
					return err
				}
			}
			return f.Add(n, fib.Route{Dst: netip.MustParsePrefix(prefix), Table: fib.TableMain, Type: fib.Unicast, Proto: fib.ProtoBoot, Scope: fib.Link,
				NextHops: []fib.NextHop{{Dev: d, IfIndex: int32(d.Index()), Weight: 1}}}, fib.AddRoute)
		}
	}
	return fmt.Errorf("advise: a Net has no device: %w", syscall.ENODEV)
}

func flow4(i int) *fib.Flow { return &fib.Flow{Dst: addr(i)} }

func flow6(i int) *fib.Flow { return &fib.Flow{Dst: addr6(i)} }

func addException(m *nsmodel.Machine, n *netns.Net, i int) error {
	if i == 0 {
		if err := wayOut(m, m.IPv4.FIB, n, "10.64.0.0/10"); err != nil {
			return err
		}
	}
	m.IPv4.UpdatePMTU(n, flow4(i), learnt)
	if rt, err := m.IPv4.Route(n, flow4(i)); err != nil || rt.MTU != learnt {
		return fmt.Errorf("%v has an MTU of %d (%v): %w", addr(i), rt.MTU, err, syscall.EIO)
	}
	return nil
}

func addException6(m *nsmodel.Machine, n *netns.Net, i int) error {
	if i == 0 {
		if err := wayOut(m, m.IPv6.FIB, n, "fd40::/16"); err != nil {
			return err
		}
	}
	m.IPv6.UpdatePMTU(n, flow6(i), learnt)
	if rt, err := m.IPv6.Route(n, flow6(i)); err != nil || rt.MTU != learnt {
		return fmt.Errorf("%v has an MTU of %d (%v): %w", addr6(i), rt.MTU, err, syscall.EIO)
	}
	return nil
}

// addMroute files an entry of n's multicast cache; the first brings the daemon, and
// its one vif.
func addMroute(m *nsmodel.Machine, n *netns.Net, i int) error {
	w := m.Core.Enter()
	defer w.Leave()
	return withBridge(m, n, func(d *core.Device) error {
		if i == 0 {
			if err := m.IPv4.MrouteInit(n); err != nil {
				return err
			}
			if err := m.IPv4.AddVIF(n, d, 1); err != nil {
				return err
			}
		}
		return m.IPv4.AddMFC(w, n, ipv4.MFC{Origin: addr(i).As4(), Group: [4]byte{239, 1, byte(i >> 8), byte(i)}, Iif: d})
	})
}

func addMroute6(m *nsmodel.Machine, n *netns.Net, i int) error {
	w := m.Core.Enter()
	defer w.Leave()
	return withBridge(m, n, func(d *core.Device) error {
		if i == 0 {
			if err := m.IPv6.MrouteInit(n); err != nil {
				return err
			}
			if err := m.IPv6.AddVIF(n, d, 1); err != nil {
				return err
			}
		}
		return m.IPv6.AddMFC(w, n, ipv6.MFC{Origin: addr6(i).As16(), Group: [16]byte{0xff, 0x0e, 14: byte(i >> 8), 15: byte(i)}, Iif: d})
	})
}

func mroutes() *subsystem {
	return &subsystem{word: "mroutes", kind: Table, entry: "a multicast route", most: 64,
		add:       addMroute,
		isolation: "only packets to groups look here, and no path that is measured carries any; how many flows wait for the daemon is limited by Net under either placement"}
}

func mroutes6() *subsystem {
	return &subsystem{word: "mroutes6", six: true, kind: Table, entry: "a multicast route", most: 64,
		add:       addMroute6,
		isolation: "as mroutes: only packets to groups look here"}
}

func exceptions() *subsystem {
	return &subsystem{word: "exceptions", kind: Table, entry: "a path MTU", most: 64, asked: true,
		add: addException,
		look: func(m *nsmodel.Machine, n *netns.Net, i int) bool {
			rt, _ := m.IPv4.Route(n, flow4(i))
			return rt.MTU == learnt
		},
		probe:     func(m *nsmodel.Machine, n *netns.Net) { _, _ = m.IPv4.Route(n, flow4(unknown)) },
		isolation: "strangers' ICMP makes entries, so they are limited by Net under either placement; a packet looks only if its Net has any, which is assumed here"}
}

func exceptions6() *subsystem {
	return &subsystem{word: "exceptions6", six: true, kind: Table, entry: "a path MTU", most: 64, asked: true,
		add: addException6,
		look: func(m *nsmodel.Machine, n *netns.Net, i int) bool {
			rt, _ := m.IPv6.Route(n, flow6(i))
			return rt.MTU == learnt
		},
		probe:     func(m *nsmodel.Machine, n *netns.Net) { _, _ = m.IPv6.Route(n, flow6(unknown)) },
		probeAt:   PathReceive6,
		isolation: "as exceptions: limited by Net, and asked only by Nets that have any"}
}
