package udp_test

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"nsmodel/core/wire"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

var groupAddr = netip.MustParseAddr("239.1.1.1")

// TestGroups: who has joined hears, in its own Net alone.
func TestGroups(t *testing.T) {
	each(t, func(m *machine) {
		onB := ipv4.Interface{Addr: netip.MustParseAddr("10.0.0.2")}
		joined, err := m.UDP.Listen(m.b, ap("0.0.0.0:5"), udp.Options{ReuseAddr: true, OnlyJoined: true})
		m.ok(err)
		picky, err := m.UDP.Listen(m.b, ap("0.0.0.0:5"), udp.Options{ReuseAddr: true, OnlyJoined: true})
		m.ok(err)
		anybody, err := m.UDP.Listen(m.b, ap("0.0.0.0:5"), udp.Options{ReuseAddr: true})
		m.ok(err)
		own, err := m.UDP.Listen(m.a, ap("0.0.0.0:5"), udp.Options{})
		m.ok(err)
		send := func(o udp.Options, want ...int) {
			m.Helper()
			o.MulticastIf.Addr = netip.MustParseAddr("10.0.0.1")
			c, err := m.UDP.Dial(m.a, netip.AddrPort{}, netip.AddrPortFrom(groupAddr, 5), o)
			m.ok(err)
			_, err = c.Write([]byte("x"))
			m.ok(err)
			m.ok(c.Close())
			m.Settle()
			for i, c := range []*udp.Conn{joined, picky, anybody, own} {
				if c.Pending() != want[i] {
					m.Errorf("socket %d got %d, want %d", i, c.Pending(), want[i])
				}
				for c.Pending() > 0 {
					_, _, err := c.TryReadFrom(make([]byte, 9))
					m.ok(err)
				}
			}
		}
		send(udp.Options{}, 0, 0, 0, 0)
		m.ok(joined.JoinGroup(groupAddr, onB))
		send(udp.Options{}, 1, 0, 1, 0)
		m.ok(picky.JoinSource(groupAddr, netip.MustParseAddr("10.0.0.9"), onB))
		send(udp.Options{}, 1, 0, 1, 0)
		m.ok(picky.JoinSource(groupAddr, netip.MustParseAddr("10.0.0.1"), onB))
		send(udp.Options{}, 1, 1, 1, 0)
		m.ok(joined.BlockSource(groupAddr, netip.MustParseAddr("10.0.0.1"), onB))
		send(udp.Options{}, 0, 1, 1, 0)
		m.fails(own.JoinGroup(groupAddr, onB), syscall.ENODEV) // the address is another Net's
		m.ok(own.JoinGroup(groupAddr, ipv4.Interface{Index: m.da.Index()}))
		send(udp.Options{}, 0, 1, 1, 1)
		send(udp.Options{NoLoop: true}, 0, 1, 1, 0)
		send(udp.Options{HostOnly: true}, 0, 0, 0, 1)
		m.ok(picky.Close())
		m.ok(joined.LeaveGroup(groupAddr, onB))
		send(udp.Options{}, 0, 0, 0, 1)
		if k := len(m.IPv4.Groups(m.db)); k != 1 {
			t.Errorf("the closed socket's membership stayed: %d groups", k)
		}
		m.fails(picky.JoinGroup(groupAddr, onB), net.ErrClosed)
	})
}

// TestGroupDeliveryAllocs: a datagram for a group with one member costs no
// allocation.
func TestGroupDeliveryAllocs(t *testing.T) {
	m := newMachine(t, netns.Tagged)
	c, err := m.UDP.Listen(m.b, ap("0.0.0.0:5"), udp.Options{})
	m.ok(err)
	m.ok(c.JoinSource(groupAddr, netip.MustParseAddr("10.0.0.1"), ipv4.Interface{Index: m.db.Index()}))
	m.Advance(time.Minute)
	w := m.Core.Workers()[0]
	frame := make([]byte, 14+20+8+4)
	wire.PutEthernet(frame, wire.MulticastMAC(groupAddr.As4()), wire.MAC{2, 9}, wire.EtherTypeIPv4)
	wire.PutIPv4(frame[14:], wire.IPv4Fields{TTL: 1, Proto: wire.ProtoUDP, Src: [4]byte{10, 0, 0, 1}, Dst: groupAddr.As4()})
	wire.PutUDPHeader(frame[34:], 4000, 5)
	b := make([]byte, 16)
	one := func() {
		p := w.NewFrame(len(frame))
		copy(p.Bytes(), frame)
		m.db.Queue(w, p)
		w.Poll(m.Sys.Now(), 1)
		if _, _, err := c.TryReadFrom(b); err != nil {
			t.Fatal(err)
		}
	}
	one()
	if k := testing.AllocsPerRun(100, one); k != 0 {
		t.Errorf("%v allocations for a datagram", k)
	}
}
