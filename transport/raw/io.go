package raw

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// Receive returns the oldest message, waiting for one. Errors: what ICMP
// reported, net.ErrClosed, os.ErrDeadlineExceeded, ENETDOWN when the Net has gone.
func (c *Conn) Receive() (Message, error) {
	m, err := c.take(true)
	return m, c.wrap("read", err)
}

// TryReceive is Receive without waiting: EAGAIN if there is nothing.
// Linux: MSG_DONTWAIT.
func (c *Conn) TryReceive() (Message, error) {
	m, err := c.take(false)
	return m, c.wrap("read", err)
}

// ReadFrom implements [net.PacketConn]. As [net.IPConn] does it leaves out the IP
// header that a raw IPv4 socket gets. The sender is a *net.IPAddr, of a ping
// socket a *net.UDPAddr.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	m, err := c.Receive()
	if err != nil {
		return 0, nil, err
	}
	data := m.Data
	if !c.six && !c.ping {
		if ip, ok := wire.ParseIPv4(data); ok {
			data = ip.Payload()
		}
	}
	return copy(b, data), c.netAddr(m.From), nil
}

// netAddr returns an address as this kind of socket has it.
func (c *Conn) netAddr(a netip.Addr) net.Addr {
	if c.ping {
		return &net.UDPAddr{IP: a.AsSlice(), Zone: a.Zone()}
	}
	return &net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()}
}

// WriteTo implements [net.PacketConn]: the address is a *net.IPAddr or, of what
// comes from package x/net/icmp, a *net.UDPAddr. EINVAL for others.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	var ip net.IP
	var zone string
	switch to := to.(type) {
	case *net.IPAddr:
		ip, zone = to.IP, to.Zone
	case *net.UDPAddr:
		ip, zone = to.IP, to.Zone
	}
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return 0, c.wrap("write", syscall.EINVAL)
	}
	return c.Send(b, a.Unmap().WithZone(zone))
}

// Send sends b to an address; the zero Addr is the peer of a connected socket. A
// ping socket puts its identifier and the checksum into b's echo request. Errors:
// EDESTADDRREQ, EMSGSIZE, EACCES for a broadcast without SO_BROADCAST, EINVAL for
// what makes no sense, those of a route, and what ICMP reported of an earlier
// packet. Linux: raw_sendmsg, rawv6_sendmsg, ping_v4_sendmsg, ping_v6_sendmsg.
func (c *Conn) Send(b []byte, to netip.Addr) (int, error) {
	if err := c.send(b, to.Unmap()); err != nil {
		return 0, c.wrap("write", err)
	}
	return len(b), nil
}

// sendable says why the socket cannot send now, if so.
func (c *Conn) sendable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.closedError()
	}
	err := c.err
	c.err = nil
	return err
}

// Ident returns the identifier of a ping socket, 0 of a raw one.
func (c *Conn) Ident() uint16 { return c.at.Load().ident }

// LocalAddr returns the address that the socket is bound to; the identifier of a
// ping socket is its port.
func (c *Conn) LocalAddr() net.Addr {
	e := c.at.Load()
	a := e.local
	if !a.IsValid() {
		if a = netip.IPv4Unspecified(); c.six {
			a = netip.IPv6Unspecified()
		}
	}
	if c.ping {
		return &net.UDPAddr{IP: a.AsSlice(), Port: int(e.ident)}
	}
	return &net.IPAddr{IP: a.AsSlice()}
}

// RemoteAddr returns the peer of a connected socket, else nil.
func (c *Conn) RemoteAddr() net.Addr {
	if a := c.at.Load().remote; a.IsValid() {
		return c.netAddr(a)
	}
	return nil
}

// Protocol returns the number of the protocol whose datagrams the socket gets.
func (c *Conn) Protocol() uint8 { return c.proto }

// Pending returns how many messages wait to be read.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.q)
}

// Dropped returns how many messages found the receive buffer full.
func (c *Conn) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Closed reports whether the socket was closed, by its user or by the end of its
// Net.
func (c *Conn) Closed() bool { return c.isClosed() }

// Close ends the socket: readers wake with net.ErrClosed.
func (c *Conn) Close() error {
	if !c.shut(false) {
		return c.wrap("close", net.ErrClosed)
	}
	return nil
}

// SetDeadline sets the read deadline: writes never wait.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing, since writes never wait.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline sets the time after which a read that waits gives up with
// [os.ErrDeadlineExceeded]; the zero time is none. Times count from
// [core.Stack.Epoch], the machine's boot.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.closedError()
	}
	d := &c.read
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.set = !t.IsZero(); d.set {
		d.at = t.Sub(c.r.stack.Epoch())
		if d.timer == nil {
			d.timer = new(netns.Timer)
			d.timer.Init(c.n, func(time.Duration) {
				c.mu.Lock()
				c.ready.Broadcast()
				c.mu.Unlock()
			})
		}
		d.timer.Reset(d.at)
	}
	c.ready.Broadcast()
	return nil
}

func (c *Conn) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	network := "ip"
	if c.ping {
		network = "icmp"
	}
	e := &net.OpError{Op: op, Net: network, Source: c.LocalAddr(), Err: err}
	if r := c.RemoteAddr(); r != nil {
		e.Addr = r
	}
	return e
}
