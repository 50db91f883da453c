package udp_test

import (
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
	"nsmodel/transport/udp"
)

// machine is two Nets with a wire, 10.0.0.1 in a and 10.0.0.2 in b.
type machine struct {
	testing.TB
	*nsmodel.Machine
	a, b   *netns.Net
	da, db *core.Device
}

func newMachine(t testing.TB, place netns.Placement) *machine {
	t.Helper()
	sys, err := nsmodel.New(nsmodel.Config{Seed: 1, Place: nsmodel.AllPlaces(place)})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{TB: t, Machine: sys}
	m.a, err = m.AddNet("a")
	m.ok(err)
	m.b, err = m.AddNet("b")
	m.ok(err)
	m.Sys.Lock()
	defer m.Sys.Unlock()
	m.da, err = m.Core.Kind("veth").New(m.a, core.LinkSpec{Name: "v", Peer: &core.LinkSpec{Name: "v"}, PeerNet: m.b})
	m.ok(err)
	m.db = m.da.LowerDevice()
	for i, d := range []*core.Device{m.da, m.db} {
		m.ok(m.Core.SetUp(m.Core.Device(d.Net(), "lo")))
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24)
		m.ok(m.IPv4.AddAddr(d, ipv4.Addr{Local: p.Addr(), Prefix: p, Broadcast: netip.MustParseAddr("10.0.0.255")}))
		m.ok(m.Core.SetUp(d))
	}
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

func (m *machine) fails(err error, want error) {
	m.Helper()
	if !errors.Is(err, want) {
		m.Errorf("error %v, want %v", err, want)
	}
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func (m *machine) listen(n *netns.Net, a string, o udp.Options) *udp.Conn {
	m.Helper()
	c, err := m.UDP.Listen(n, ap(a), o)
	m.ok(err)
	return c
}

func (m *machine) dial(n *netns.Net, a string, o udp.Options) *udp.Conn {
	m.Helper()
	c, err := m.UDP.Dial(n, netip.AddrPort{}, ap(a), o)
	m.ok(err)
	return c
}

// send sends from c and lets the machine come to rest.
func (m *machine) send(c *udp.Conn, text, to string) {
	m.Helper()
	_, err := c.WriteToAddrPort([]byte(text), ap(to))
	m.ok(err)
	m.Advance(time.Millisecond)
}

// got reads what is there: "text from".
func got(c *udp.Conn) string {
	var b [100]byte
	n, from, err := c.TryReadFrom(b[:])
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) {
			return "nothing"
		}
		return err.Error()
	}
	return fmt.Sprintf("%s %v", b[:n], from)
}

func (m *machine) want(c *udp.Conn, want string) {
	m.Helper()
	if g := got(c); g != want {
		m.Errorf("read %q, want %q", g, want)
	}
}

func TestThereAndBack(t *testing.T) {
	each(t, func(m *machine) {
		s, c := m.listen(m.b, "0.0.0.0:7", udp.Options{}), m.listen(m.a, "0.0.0.0:1000", udp.Options{})
		m.send(c, "hello", "10.0.0.2:7")
		m.want(s, "hello 10.0.0.1:1000")
		m.want(s, "nothing")
		m.send(s, "", "10.0.0.1:1000")
		m.want(c, " 10.0.0.2:7")
		m.send(c, "to ourselves", "10.0.0.1:1000")
		m.want(c, "to ourselves 10.0.0.1:1000")
		m.send(c, "to nowhere", "0.0.0.0:1000")
		m.want(c, "to nowhere 127.0.0.1:1000")
		if c.LocalAddr().String() != "0.0.0.0:1000" || c.RemoteAddr() != nil {
			m.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
		}
		m.send(c, "long", "10.0.0.2:7")
		var b [2]byte
		if n, _, err := s.TryReadFrom(b[:]); n != 2 || err != nil {
			m.Errorf("a short buffer: %d, %v", n, err)
		}
		m.want(s, "nothing") // the rest is lost
	})
}

func TestConnected(t *testing.T) {
	each(t, func(m *machine) {
		s := m.listen(m.b, "0.0.0.0:7", udp.Options{})
		other := m.listen(m.b, "0.0.0.0:8", udp.Options{})
		c := m.dial(m.a, "10.0.0.2:7", udp.Options{})
		local := c.LocalAddrPort()
		if local.Addr() != netip.MustParseAddr("10.0.0.1") || local.Port() < 32768 || c.RemoteAddr().String() != "10.0.0.2:7" {
			m.Errorf("addresses %v, %v", local, c.RemoteAddr())
		}
		_, err := c.Write([]byte("hi"))
		m.ok(err)
		m.Advance(time.Millisecond)
		m.want(s, "hi "+local.String())
		m.send(other, "stranger", local.String())
		m.want(c, "nothing")
		m.send(s, "peer", local.String())
		m.want(c, "peer 10.0.0.2:7")
		_, err = c.WriteToAddrPort([]byte("x"), ap("10.0.0.2:8"))
		m.fails(err, syscall.EISCONN)
		_, err = s.Write([]byte("x"))
		m.fails(err, syscall.EDESTADDRREQ)
	})
}

func TestErrorsOfCalls(t *testing.T) {
	each(t, func(m *machine) {
		c := m.listen(m.a, "0.0.0.0:7", udp.Options{})
		_, err := m.UDP.Listen(m.a, ap("0.0.0.0:7"), udp.Options{})
		m.fails(err, syscall.EADDRINUSE)
		_, err = m.UDP.Listen(m.a, ap("10.0.0.1:7"), udp.Options{})
		m.fails(err, syscall.EADDRINUSE)
		m.listen(m.b, "0.0.0.0:7", udp.Options{}) // the other Net's port is its own
		_, err = m.UDP.Listen(m.a, ap("10.0.0.2:9"), udp.Options{})
		m.fails(err, syscall.EADDRNOTAVAIL)
		_, err = m.UDP.Listen(m.a, ap("[::1]:9"), udp.Options{}) // IPv6 is off: lo has no such address
		m.fails(err, syscall.EADDRNOTAVAIL)
		_, err = m.UDP.Listen(m.a, ap("0.0.0.0:9"), udp.Options{Device: "none"})
		m.fails(err, syscall.ENODEV)
		for to, want := range map[string]error{"10.0.0.2:0": syscall.EINVAL, "10.0.0.255:9": syscall.EACCES, "255.255.255.255:9": nil,
			"192.0.2.1:9": syscall.ENETUNREACH, "[fe80::1]:9": syscall.EAFNOSUPPORT} {
			_, err := c.WriteToAddrPort([]byte("x"), ap(to))
			if want == nil && err != nil { // without a default route 255.255.255.255 has none
				continue
			}
			m.fails(err, want)
		}
		_, err = c.WriteToAddrPort(make([]byte, udp.MaxPayload+1), ap("10.0.0.2:9"))
		m.fails(err, syscall.EMSGSIZE)
		_, err = c.WriteTo([]byte("x"), &net.TCPAddr{})
		m.fails(err, syscall.EINVAL)
		_, err = m.UDP.Dial(m.a, netip.AddrPort{}, ap("192.0.2.1:9"), udp.Options{})
		m.fails(err, syscall.ENETUNREACH)
		df := m.listen(m.a, "0.0.0.0:0", udp.Options{Discover: udp.DiscoverDo})
		_, err = df.WriteToAddrPort(make([]byte, 1473), ap("10.0.0.2:9"))
		m.fails(err, syscall.EMSGSIZE)
		_, err = df.WriteToAddrPort(make([]byte, 1472), ap("10.0.0.2:9"))
		m.ok(err)
		m.ok(c.Close())
		m.fails(c.Close(), net.ErrClosed)
		_, err = c.WriteToAddrPort([]byte("x"), ap("10.0.0.2:9"))
		m.fails(err, net.ErrClosed)
		m.fails(c.SetDeadline(time.Time{}), net.ErrClosed)
		m.listen(m.a, "0.0.0.0:7", udp.Options{}) // the port is free again
	})
}

// A connected socket hears of a port that nobody listens at, once; one that is
// not connected hears of it only if it asked.
func TestConnectionRefused(t *testing.T) {
	each(t, func(m *machine) {
		c := m.dial(m.a, "10.0.0.2:9", udp.Options{})
		_, err := c.Write([]byte("x"))
		m.ok(err)
		m.Advance(time.Millisecond)
		_, _, err = c.TryReadFrom(make([]byte, 9))
		m.fails(err, syscall.ECONNREFUSED)
		m.want(c, "nothing")
		_, err = c.Write([]byte("x"))
		m.ok(err)
		m.Advance(time.Second)
		_, err = c.Write([]byte("x"))
		m.fails(err, syscall.ECONNREFUSED)
		plain, asks := m.listen(m.a, "0.0.0.0:0", udp.Options{}), m.listen(m.a, "0.0.0.0:0", udp.Options{RecvErr: true})
		m.send(plain, "x", "10.0.0.2:9")
		m.want(plain, "nothing")
		m.Advance(time.Second)
		m.send(asks, "x", "10.0.0.2:9")
		_, _, err = asks.TryReadFrom(make([]byte, 9))
		m.fails(err, syscall.ECONNREFUSED)
	})
}

func TestBroadcast(t *testing.T) {
	each(t, func(m *machine) {
		s := []*udp.Conn{m.listen(m.b, "0.0.0.0:7", udp.Options{ReuseAddr: true}), m.listen(m.b, "0.0.0.0:7", udp.Options{ReuseAddr: true}),
			m.listen(m.b, "10.0.0.255:7", udp.Options{ReuseAddr: true}), m.listen(m.b, "10.0.0.2:7", udp.Options{ReuseAddr: true})}
		c := m.listen(m.a, "10.0.0.1:1000", udp.Options{Broadcast: true})
		m.send(c, "all", "10.0.0.255:7")
		for i, want := range []string{"all 10.0.0.1:1000", "all 10.0.0.1:1000", "all 10.0.0.1:1000", "nothing"} {
			if g := got(s[i]); g != want {
				m.Errorf("socket %d read %q, want %q", i, g, want)
			}
		}
		// A socket bound to the broadcast address sends from the device's own.
		m.send(s[2], "reply", "10.0.0.1:1000")
		m.want(c, "reply 10.0.0.2:7")
		m.send(c, "one", "10.0.0.2:7")
		m.want(s[3], "one 10.0.0.1:1000")
		m.send(c, "nobody", "10.0.0.255:99") // and no ICMP comes back
	})
}

func TestReceiveBuffer(t *testing.T) {
	each(t, func(m *machine) {
		s := m.listen(m.b, "0.0.0.0:7", udp.Options{RcvBuf: 3 * core.Truesize(29)})
		c := m.listen(m.a, "0.0.0.0:0", udp.Options{})
		for range 10 {
			m.send(c, "x", "10.0.0.2:7")
		}
		if s.Pending() != 3 || s.Dropped() != 7 {
			m.Errorf("%d wait, %d dropped", s.Pending(), s.Dropped())
		}
		if k := m.Core.Ledger(m.b).Reasons[core.SocketBuffer.String()]; k != 7 {
			m.Errorf("ledger: %d", k)
		}
		m.fails(s.SetReadBuffer(-1), syscall.EINVAL)
		m.ok(s.SetReadBuffer(1 << 30))
		m.send(c, "room", "10.0.0.2:7")
		if s.Pending() != 4 {
			m.Errorf("%d wait", s.Pending())
		}
		m.ok(s.Close())
		m.send(c, "late", "10.0.0.2:7")
	})
}

// A socket bound to a device hears only what comes in by it, and stays behind
// when the device moves away: its index is a name of the Net.
func TestBoundToDevice(t *testing.T) {
	each(t, func(m *machine) {
		s := m.listen(m.b, "0.0.0.0:7", udp.Options{Device: "v"})
		lo := m.listen(m.b, "0.0.0.0:7", udp.Options{Device: "lo"})
		c := m.listen(m.a, "0.0.0.0:1000", udp.Options{})
		m.send(c, "one", "10.0.0.2:7")
		m.want(s, "one 10.0.0.1:1000")
		m.want(lo, "nothing")
		m.Sys.Lock()
		n, err := m.Sys.NewNet("c")
		m.ok(err)
		m.ok(m.Core.Move(m.db, n, ""))
		m.ok(m.IPv4.AddAddr(m.db, ipv4.Addr{Local: netip.MustParseAddr("10.0.0.2"), Prefix: netip.MustParsePrefix("10.0.0.2/24")}))
		m.ok(m.Core.SetUp(m.db))
		m.Sys.Unlock()
		d := m.listen(n, "0.0.0.0:7", udp.Options{Device: "v"})
		m.send(c, "two", "10.0.0.2:7")
		m.want(s, "nothing")
		m.want(d, "two 10.0.0.1:1000")
		if _, err := s.WriteToAddrPort([]byte("x"), ap("10.0.0.1:1000")); err == nil {
			m.Error("a socket sent by a device that is not in its Net")
		}
	})
}

// An address may be in both Nets: each answers for itself.
func TestSameAddressInTwoNets(t *testing.T) {
	each(t, func(m *machine) {
		x, y := m.listen(m.a, "127.0.0.1:7", udp.Options{}), m.listen(m.b, "127.0.0.1:7", udp.Options{})
		c := m.listen(m.a, "127.0.0.1:1000", udp.Options{})
		m.send(c, "mine", "127.0.0.1:7")
		m.want(x, "mine 127.0.0.1:1000")
		m.want(y, "nothing")
	})
}

func TestNetDeath(t *testing.T) {
	each(t, func(m *machine) {
		var conns []*udp.Conn
		for i := range 5 {
			conns = append(conns, m.listen(m.b, fmt.Sprint("0.0.0.0:", 7+i), udp.Options{}))
		}
		conns = append(conns, m.dial(m.b, "10.0.0.1:9", udp.Options{}))
		c := m.listen(m.a, "0.0.0.0:0", udp.Options{})
		m.send(c, "unread", "10.0.0.2:7")
		m.ok(m.DeleteNet("b"))
		for i, s := range conns {
			_, _, err := s.TryReadFrom(make([]byte, 9))
			m.fails(err, syscall.ENETDOWN)
			_, err = s.WriteToAddrPort([]byte("x"), ap("10.0.0.1:9"))
			if i == 5 {
				_, err = s.Write([]byte("x"))
			}
			m.fails(err, syscall.ENETDOWN)
			m.fails(s.Close(), net.ErrClosed)
		}
		if k := len(m.UDP.Sockets(m.b)); k != 0 {
			m.Errorf("%d sockets outlived their Net", k)
		}
		_, err := m.UDP.Listen(m.b, ap("0.0.0.0:7"), udp.Options{})
		m.fails(err, syscall.ENETDOWN)
	})
}

func TestEphemeralPortsRunOut(t *testing.T) {
	m := newMachine(t, netns.Tagged)
	m.Sys.Lock()
	err := m.Sysctl.Set(m.a, "net.ipv4.ip_local_port_range", "40000 40009")
	m.Sys.Unlock()
	m.ok(err)
	for range 10 {
		m.listen(m.a, "0.0.0.0:0", udp.Options{})
	}
	_, err = m.UDP.Listen(m.a, ap("0.0.0.0:0"), udp.Options{})
	m.fails(err, syscall.EADDRINUSE)
	if p := m.listen(m.b, "0.0.0.0:0", udp.Options{}).LocalAddrPort().Port(); p < 32768 {
		t.Errorf("the other Net's port is %d", p)
	}
}

func TestDeadlineInVirtualTime(t *testing.T) {
	m := newMachine(t, netns.Tagged)
	c := m.listen(m.a, "0.0.0.0:7", udp.Options{})
	m.ok(c.SetReadDeadline(m.Core.Epoch().Add(m.Sys.Now() + time.Second)))
	m.want(c, "nothing")
	m.Advance(time.Second)
	_, _, err := c.ReadFromAddrPort(make([]byte, 1))
	m.fails(err, os.ErrDeadlineExceeded)
	m.ok(c.SetReadDeadline(time.Time{}))
	m.want(c, "nothing")
	m.ok(c.SetWriteDeadline(m.Core.Epoch()))
	_, err = c.WriteToAddrPort([]byte("x"), ap("10.0.0.2:9"))
	m.fails(err, os.ErrDeadlineExceeded)
}
