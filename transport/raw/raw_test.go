package raw_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/raw"
)

// machine is two Nets with a wire, 10.0.0.1 in a and 10.0.0.2 in b, and a third
// with the same addresses and no wire.
type machine struct {
	testing.TB
	*nsmodel.Machine
	a, b, c *netns.Net
}

func newMachine(t testing.TB, place netns.Placement) *machine {
	t.Helper()
	sys, err := nsmodel.New(nsmodel.Config{Seed: 1, IPv6: true, Place: nsmodel.AllPlaces(place)})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{TB: t, Machine: sys}
	for name, at := range map[string]**netns.Net{"a": &m.a, "b": &m.b, "c": &m.c} {
		*at, err = m.AddNet(name)
		m.ok(err)
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	da, err := m.Core.Kind("veth").New(m.a, core.LinkSpec{Name: "v", Peer: &core.LinkSpec{Name: "v"}, PeerNet: m.b})
	m.ok(err)
	for i, d := range []*core.Device{da, da.LowerDevice()} {
		m.ok(m.Core.SetUp(m.Core.Device(d.Net(), "lo")))
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24)
		m.ok(m.IPv4.AddAddr(d, ipv4.Addr{Local: p.Addr(), Prefix: p}))
		m.ok(m.Core.SetUp(d))
	}
	m.ok(m.Core.SetUp(m.Core.Device(m.c, "lo")))
	return m
}

func each(t *testing.T, f func(m *machine)) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		t.Run(fmt.Sprintf("place=%v", place), func(t *testing.T) {
			m := newMachine(t, place)
			f(m)
			m.Advance(time.Minute)
			if total := m.Core.TotalLedger(); !total.Balanced() || total.Held != 0 || m.Core.Outstanding() != 0 {
				t.Errorf("%v, %d packets outstanding", total, m.Core.Outstanding())
			}
		})
	}
}

func (m *machine) ok(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *machine) fails(err, want error) {
	m.Helper()
	if !errors.Is(err, want) {
		m.Errorf("error %v, want %v", err, want)
	}
}

func (m *machine) allow(n *netns.Net) {
	m.Helper()
	m.Sys.Lock()
	defer m.Sys.Unlock()
	m.ok(m.Sysctl.Set(n, "net.ipv4.ping_group_range", "0 0"))
}

func (m *machine) listen(n *netns.Net, network string) net.PacketConn {
	m.Helper()
	c, err := m.ListenIP(n, network, "")
	m.ok(err)
	m.ok(c.SetReadDeadline(m.Core.Epoch().Add(time.Hour)))
	return c
}

// As a program for package net would have it: a datagram goes from one socket to
// another, to that of its Net alone, and without its header.
func TestPacketConn(t *testing.T) {
	each(t, func(m *machine) {
		here, there, apart := m.listen(m.a, "ip4:99"), m.listen(m.b, "ip4:99"), m.listen(m.c, "ip4:99")
		_, err := here.WriteTo([]byte("hello"), &net.IPAddr{IP: net.IPv4(10, 0, 0, 2)})
		m.ok(err)
		m.Advance(time.Millisecond)
		var b [64]byte
		k, from, err := there.ReadFrom(b[:])
		if m.ok(err); string(b[:k]) != "hello" || from.String() != "10.0.0.1" {
			t.Errorf("%q from %v", b[:k], from)
		}
		for _, c := range []net.PacketConn{here, apart} {
			if k := c.(*raw.Conn).Pending(); k != 0 {
				t.Errorf("%d packets at a socket that they are not for", k)
			}
		}
		_, err = here.WriteTo([]byte("x"), &net.TCPAddr{})
		m.fails(err, syscall.EINVAL)
		_, err = here.WriteTo([]byte("x"), &net.IPAddr{IP: net.ParseIP("fe80::1")})
		m.fails(err, syscall.EAFNOSUPPORT)
		_, err = here.WriteTo(make([]byte, 65536), &net.IPAddr{IP: net.IPv4(10, 0, 0, 2)})
		m.fails(err, syscall.EMSGSIZE)
		_, err = here.(*raw.Conn).Send([]byte("x"), netip.Addr{})
		m.fails(err, syscall.EDESTADDRREQ)
	})
}

// A ping socket's identifier is its port; the reply has it and the peer's bytes.
func TestPingSocket(t *testing.T) {
	each(t, func(m *machine) {
		_, err := m.ListenIP(m.a, "udp4", "")
		m.fails(err, syscall.EACCES)
		m.allow(m.a)
		one, two := m.listen(m.a, "udp4"), m.listen(m.a, "udp4")
		id := one.LocalAddr().(*net.UDPAddr).Port
		if id == 0 || id == two.LocalAddr().(*net.UDPAddr).Port {
			t.Errorf("identifiers %v and %v", one.LocalAddr(), two.LocalAddr())
		}
		_, err = one.WriteTo([]byte{8, 0, 0, 0, 0xde, 0xad, 0, 7, 'h', 'i'}, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2)})
		m.ok(err)
		m.Advance(time.Millisecond)
		var b [64]byte
		k, from, err := one.ReadFrom(b[:])
		if m.ok(err); b[0] != 0 || int(b[4])<<8|int(b[5]) != id || !bytes.Equal(b[6:k], []byte{0, 7, 'h', 'i'}) || from.String() != "10.0.0.2:0" {
			t.Errorf("%x from %v", b[:k], from)
		}
		if two.(*raw.Conn).Pending() != 0 {
			t.Error("the other socket has a copy")
		}
		_, err = m.ListenIP(m.b, "udp4", "") // the range is a's
		m.fails(err, syscall.EACCES)
	})
}

// Identifiers of others are not seen: each Net counts for itself.
func TestIdentifiersAreTheNets(t *testing.T) {
	each(t, func(m *machine) {
		m.allow(m.a)
		m.allow(m.b)
		for range 3 {
			m.listen(m.b, "udp4")
		}
		if id := m.listen(m.a, "udp4").(*raw.Conn).Ident(); id != 1 {
			t.Errorf("the first identifier of a Net is %d", id)
		}
	})
}

func TestNetDeath(t *testing.T) {
	each(t, func(m *machine) {
		m.allow(m.b)
		conns := []net.PacketConn{m.listen(m.b, "ip4:99"), m.listen(m.b, "ip6:99"), m.listen(m.b, "udp4"), m.listen(m.b, "udp6")}
		woken := make(chan error)
		go func() { _, _, err := conns[0].ReadFrom(make([]byte, 9)); woken <- err }()
		m.ok(m.DeleteNet("b"))
		m.fails(<-woken, syscall.ENETDOWN)
		for _, c := range conns {
			_, err := c.(*raw.Conn).TryReceive()
			m.fails(err, syscall.ENETDOWN)
			_, err = c.(*raw.Conn).Send(make([]byte, 8), netip.MustParseAddr("10.0.0.1"))
			if err == nil {
				t.Error("a socket sent for a Net that is gone")
			}
			m.fails(c.Close(), net.ErrClosed)
		}
		if k := len(m.Raw.Sockets(m.b)); k != 0 {
			t.Errorf("%d sockets outlived their Net", k)
		}
		_, err := m.ListenIP(m.b, "ip4:99", "")
		m.fails(err, syscall.ENETDOWN)
		// Nobody asks for sockets of the protocol any more: nobody there is an error.
		c, err := m.Raw.Listen(m.a, false, 99, netip.Addr{}, raw.Options{RecvErr: true})
		m.ok(err)
		m.ok(c.Close())
		m.fails(c.Close(), net.ErrClosed)
	})
}

func TestDeadlineInVirtualTime(t *testing.T) {
	m := newMachine(t, netns.Tagged)
	c, err := m.Raw.Listen(m.a, false, 1, netip.Addr{}, raw.Options{})
	m.ok(err)
	m.ok(c.SetDeadline(m.Core.Epoch().Add(m.Sys.Now() + time.Second)))
	_, err = c.TryReceive()
	m.fails(err, syscall.EAGAIN)
	m.Advance(time.Second)
	_, err = c.Receive()
	m.fails(err, os.ErrDeadlineExceeded)
	m.ok(c.SetReadDeadline(time.Time{}))
	_, err = c.TryReceive()
	m.fails(err, syscall.EAGAIN)
	m.ok(c.Close())
	m.fails(c.SetReadDeadline(time.Time{}), net.ErrClosed)
}

func TestNetworks(t *testing.T) {
	m := newMachine(t, netns.Tagged)
	for network, want := range map[string]error{"ip4:icmp": nil, "ip6:ipv6-icmp": nil, "ip6:58": nil, "ip4:0": syscall.EPROTONOSUPPORT,
		"ip4:256": net.UnknownNetworkError("ip4:256"), "tcp": net.UnknownNetworkError("tcp"), "udp4:1": net.UnknownNetworkError("udp4:1"), "udp6": syscall.EACCES} {
		c, err := m.ListenIP(m.a, network, "")
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", network, err, want)
		}
		if err == nil {
			m.ok(c.Close())
		}
	}
	_, err := m.ListenIP(m.a, "ip4:icmp", "10.0.0.2")
	m.fails(err, syscall.EADDRNOTAVAIL)
	_, err = m.ListenIP(m.a, "ip4:icmp", "nonsense")
	m.fails(err, syscall.EINVAL)
}

// FuzzReceive lets strangers' bytes come to raw and ping sockets of both families.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}, uint8(1), false)
	f.Add([]byte{3, 1, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9, 8, 0, 0, 0, 0, 1, 0, 1}, uint8(1), false)
	f.Add([]byte{1, 0, 0, 0}, uint8(58), true)
	f.Fuzz(func(t *testing.T, data []byte, proto uint8, six bool) {
		if proto == 0 || len(data) > 1400 {
			return
		}
		m := newMachine(t, netns.Tagged)
		m.allow(m.a)
		ping := m.listen(m.a, "udp4").(*raw.Conn)
		m.ok(ping.Connect(netip.MustParseAddr("10.0.0.2")))
		c, err := m.Raw.Listen(m.a, six, proto, netip.Addr{}, raw.Options{RecvErr: true})
		m.ok(err)
		to, src := "10.0.0.1", m.b
		if six {
			to, src = "::1", m.a
		}
		s, err := m.Raw.Listen(src, six, proto, netip.Addr{}, raw.Options{})
		m.ok(err)
		_, _ = s.Send(data, netip.MustParseAddr(to))
		m.Advance(time.Second)
		for {
			got, err := c.TryReceive()
			if errors.Is(err, syscall.EAGAIN) {
				break
			}
			if err == nil && len(got.Data) > len(data)+20+1500 {
				t.Errorf("%d bytes came of %d", len(got.Data), len(data))
			}
		}
		m.ok(c.Close())
		m.ok(s.Close())
		m.ok(ping.Close())
		m.Advance(time.Minute)
		if total := m.Core.TotalLedger(); !total.Balanced() || m.Core.Outstanding() != total.Held {
			t.Errorf("%v, %d packets outstanding", total, m.Core.Outstanding())
		}
	})
}
