package udp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/netns"
	"nsmodel/sockhash"
)

// DefaultBuffer is the receive and the send buffer of a socket, in bytes of
// Linux's accounting. Linux: net.core.rmem_default.
const DefaultBuffer = 212992

// MaxPayload is the largest payload of a datagram over IPv4, in bytes.
const MaxPayload = 65535 - wire.IPv4Len - wire.UDPLen

// Options are what a socket is given before it is bound.
type Options struct {
	ReuseAddr bool   // SO_REUSEADDR
	ReusePort bool   // SO_REUSEPORT
	Broadcast bool   // SO_BROADCAST
	Device    string // SO_BINDTODEVICE
	RecvErr   bool   // IP_RECVERR: soft errors and those of unconnected sockets, too
	DF        bool   // IP_MTU_DISCOVER = IP_PMTUDISC_DO
	V6Only    bool   // IPV6_V6ONLY, of an IPv6 socket; net.ipv6.bindv6only for all
	RcvBuf    int    // SO_RCVBUF as doubled by Linux; 0: DefaultBuffer
	TTL, TOS  uint8  // IP_TTL (0: the Net's default), IP_TOS
	Mark      uint32 // SO_MARK
	Priority  uint32 // SO_PRIORITY

	MulticastIf  ipv4.Interface // IP_MULTICAST_IF, IPV6_MULTICAST_IF: the device for groups; zero: as the route has it
	MulticastTTL uint8          // IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS; 0: 1
	HostOnly     bool           // either of 0: groups on this host alone
	NoLoop       bool           // IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP off: members of this Net do not hear it
	OnlyJoined   bool           // IP_MULTICAST_ALL, IPV6_MULTICAST_ALL off: takes groups that it has joined alone
}

// A Conn is a UDP socket. Its calls may be made from several goroutines.
// Linux: struct udp_sock.
type Conn struct {
	// fixed
	u   *UDP
	n   *netns.Net
	six bool // an IPv6 socket
	dev int  // index of the device it is bound to, whatever has it now. Linux: sk_bound_dev_if

	bindMu  sync.Mutex // orders bind, connect, joining and close
	groups  ipv4.Memberships
	groups6 ipv6.Memberships

	mu      sync.Mutex
	ready   sync.Cond // on mu: something to read, or a reason to stop waiting
	opts    Options
	binding *sockhash.Binding[*Conn] // nil while not bound
	laddr   netip.AddrPort
	source  netip.Addr     // what it sends from; the zero Addr: as the route has it. Linux: inet_saddr
	raddr   netip.AddrPort // zero while not connected
	q       queue
	err     error // what ICMP reported, until somebody is told
	dropped uint64
	closed  bool
	gone    bool // closed by the end of its Net
	read    deadline
	write   deadline
	place   int // in openConns
}

// newConn makes a socket that is bound to nothing. Linux: inet_create.
func (u *UDP) newConn(n *netns.Net) *Conn {
	c := &Conn{u: u, n: n, place: -1}
	c.ready.L = &c.mu
	return c
}

// socket makes a socket through the family's gate.
func (u *UDP) socket(n *netns.Net, o Options, six bool) (*Conn, error) {
	family := core.AFInet
	if six {
		family = core.AFInet6
	}
	s, err := u.stack.Socket(n, family, ipv4.SockDgram, ipv4.ProtoUDP)
	if err != nil {
		return nil, err
	}
	c, ok := s.(*Conn)
	if !ok {
		return nil, syscall.EPROTONOSUPPORT
	}
	if o.RcvBuf <= 0 {
		o.RcvBuf = DefaultBuffer
	}
	if six {
		o.V6Only = o.V6Only || u.six.Conf(n).BindV6Only.Load() != 0
	}
	c.opts, c.six = o, six
	if o.Device != "" {
		d := u.stack.Device(n, o.Device)
		if d == nil {
			return nil, fmt.Errorf("bind to device %s: %w", o.Device, syscall.ENODEV)
		}
		c.dev = d.Index()
	}
	if err := c.multicastIf(); err != nil {
		return nil, err
	}
	return c, nil
}

// Listen makes a socket in n, bound to laddr: the zero address is any address,
// port 0 any free port. Errors: EADDRNOTAVAIL for an address that n does not
// have, EADDRINUSE, EAFNOSUPPORT, ENODEV.
func (u *UDP) Listen(n *netns.Net, laddr netip.AddrPort, o Options) (*Conn, error) {
	c, err := u.socket(n, o, isSix(laddr.Addr()))
	if err == nil {
		err = c.bind(laddr)
	}
	if err != nil {
		return nil, opError("listen", laddr, err)
	}
	return c, nil
}

// Dial makes a socket in n, bound to laddr, which may be zero, and connected to
// raddr. Errors: those of Listen, and those of a route to raddr.
func (u *UDP) Dial(n *netns.Net, laddr, raddr netip.AddrPort, o Options) (*Conn, error) {
	c, err := u.socket(n, o, isSix(raddr.Addr()))
	if err != nil {
		return nil, opError("dial", raddr, err)
	}
	if laddr.Port() != 0 || laddr.Addr().IsValid() && !laddr.Addr().IsUnspecified() {
		if err := c.bind(laddr); err != nil {
			return nil, opError("dial", raddr, err)
		}
	}
	if err := c.connect(raddr); err != nil {
		c.Close()
		return nil, opError("dial", raddr, err)
	}
	return c, nil
}

func opError(op string, a netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "udp", Addr: net.UDPAddrFromAddrPort(a), Err: err}
}

// bind gives the socket its address and port, unless somebody was faster.
// Linux: inet_bind, inet_autobind.
func (c *Conn) bind(laddr netip.AddrPort) error {
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	if c.binding != nil {
		return nil
	}
	if c.isClosed() {
		return net.ErrClosed
	}
	w := c.u.stack.Enter()
	defer w.Leave()
	if !c.n.Alive() {
		return syscall.ENETDOWN
	}
	a := laddr.Addr()
	if !a.IsValid() {
		if a = netip.IPv4Unspecified(); c.six {
			a = netip.IPv6Unspecified()
		}
	}
	if a = a.Unmap(); a.Is6() != c.six {
		return syscall.EAFNOSUPPORT
	}
	var source netip.Addr // stays the device's to choose, if a is a group's
	if c.six {
		var err error
		if a, source, err = c.source6(a); err != nil {
			return err
		}
	} else if !a.IsUnspecified() && !a.IsMulticast() {
		switch c.u.ip.AddrType(c.n, a.As4()) {
		case fib.Local:
			source = a
		case fib.Broadcast:
		default:
			if c.u.ip.Conf(c.n).NonlocalBind.Load() == 0 {
				return syscall.EADDRNOTAVAIL
			}
			source = a
		}
	}
	b := c.newBinding(a, laddr.Port())
	if err := c.file(b); err != nil {
		return err
	}
	c.mu.Lock()
	c.binding, c.laddr, c.source = b, netip.AddrPortFrom(a, b.Port), source
	c.mu.Unlock()
	return c.u.track(c)
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// local returns what the socket sends from.
func (c *Conn) local() (source netip.Addr, port uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.source, c.laddr.Port()
}

func (c *Conn) newBinding(a netip.Addr, port uint16) *sockhash.Binding[*Conn] {
	b := &sockhash.Binding[*Conn]{Sock: c, Local: sockhash.AddrOf(a), Port: port, ReuseAddr: c.opts.ReuseAddr, ReusePort: c.opts.ReusePort, Dev: c.dev,
		Six: c.six, V6Only: c.opts.V6Only}
	return b
}

func (c *Conn) file(b *sockhash.Binding[*Conn]) error {
	if b.Port != 0 {
		return c.u.table.Bind(c.n, b)
	}
	low, high := c.u.ip.PortRange(c.n)
	return c.u.table.BindAny(c.n, b, low, high, c.n.Uint64N)
}

// connect gives the socket its peer. Linux: __ip4_datagram_connect.
func (c *Conn) connect(raddr netip.AddrPort) error {
	raddr = netip.AddrPortFrom(raddr.Addr().Unmap(), raddr.Port())
	if !raddr.Addr().IsValid() || raddr.Addr().Is6() != c.six {
		return syscall.EAFNOSUPPORT
	}
	if c.six {
		if err := c.linkOf(raddr.Addr()); err != nil {
			return err
		}
	}
	if err := c.bind(netip.AddrPort{}); err != nil {
		return err
	}
	src, port := c.local()
	w := c.u.stack.Enter()
	defer w.Leave()
	if !c.n.Alive() {
		return syscall.ENETDOWN
	}
	var from netip.Addr
	if c.six {
		rt, err := c.route6(raddr, src, port)
		if err != nil {
			return err
		}
		from = rt.Src
	} else {
		rt, err := c.route(raddr, src, port)
		if err != nil {
			return err
		}
		if rt.Broadcast && !c.opts.Broadcast {
			return syscall.EACCES
		}
		from = rt.Src
	}
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	if c.isClosed() {
		return net.ErrClosed
	}
	old := c.binding
	next := *old
	if next.Local.Wild() {
		next.Local = sockhash.AddrOf(from)
	}
	next.Dev = c.dev
	next.Remote, next.RemotePort = sockhash.AddrOf(raddr.Addr().WithZone("")), raddr.Port()
	if err := c.u.table.Rebind(c.n, old, &next); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.binding, c.raddr = &next, raddr
	if c.laddr.Addr().IsUnspecified() {
		c.laddr = netip.AddrPortFrom(from, c.laddr.Port())
	}
	if !c.source.IsValid() {
		c.source = from
	}
	return nil
}

func (c *Conn) route(to netip.AddrPort, src netip.Addr, port uint16) (ipv4.Route, error) {
	fl := fib.Flow{Dst: to.Addr(), Src: src, Mark: c.opts.Mark, TOS: c.opts.TOS & 0x1c, Proto: ipv4.ProtoUDP,
		SPort: port, DPort: to.Port(), Oif: int32(c.dev)}
	if to.Addr().IsMulticast() {
		c.byGroup(&fl)
	}
	return c.u.ip.Route(c.n, &fl)
}

// enqueue gives the socket a datagram. ENOBUFS if its buffer is full,
// net.ErrClosed if nobody will read it. Linux: udp_queue_rcv_skb.
func (c *Conn) enqueue(p *core.Packet, src netip.Addr, h wire.UDP) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if c.q.n > 0 && c.q.used+cost(len(h.Payload())) > c.opts.RcvBuf { // one always fits
		c.dropped++
		return syscall.ENOBUFS
	}
	c.q.push(datagram{from: netip.AddrPortFrom(src, h.SrcPort()), dev: device(p)}, h.Payload())
	c.ready.Signal()
	return nil
}

// report notes an ICMP error. Without IP_RECVERR only a connected socket hears
// of it, and of hard ones only. Linux: __udp4_lib_err.
func (c *Conn) report(errno syscall.Errno, hard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errno == 0 || c.closed || !c.opts.RecvErr && (!hard || !c.raddr.IsValid()) {
		return
	}
	c.err = errno
	c.ready.Broadcast()
}

// take returns the oldest datagram's length and sender, waiting for one if wait
// is set; EAGAIN if not.
func (c *Conn) take(b []byte, wait bool) (n int, from netip.AddrPort, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, from, c.closedError()
		case c.err != nil:
			err, c.err = c.err, nil
			return 0, from, err
		case c.read.passed(c):
			return 0, from, os.ErrDeadlineExceeded
		case c.q.n > 0:
			d, data := c.q.pop()
			return copy(b, data), d.from, nil
		case !wait:
			return 0, from, syscall.EAGAIN
		}
		c.ready.Wait()
	}
}

func (c *Conn) closedError() error {
	if c.gone {
		return fmt.Errorf("namespace is gone: %w", syscall.ENETDOWN)
	}
	return net.ErrClosed
}

// Pending returns how many datagrams wait to be read.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.q.n
}

// Dropped returns how many datagrams found the receive buffer full.
func (c *Conn) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Close ends the socket: readers wake with net.ErrClosed.
func (c *Conn) Close() error {
	if !c.shut(false) {
		return c.wrap("close", net.ErrClosed)
	}
	return nil
}

// shut closes the socket once; gone says that its Net is ending.
func (c *Conn) shut(gone bool) bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.closed, c.gone = true, gone
	c.q = queue{}
	c.read.timer.stop()
	c.write.timer.stop()
	c.ready.Broadcast()
	c.mu.Unlock()
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	c.u.ip.LeaveAllGroups(c.n, &c.groups)
	if c.six {
		c.u.six.LeaveAllGroups(c.n, &c.groups6)
	}
	if c.binding != nil {
		c.u.table.Unbind(c.n, c.binding)
	}
	c.u.untrack(c)
	return true
}

func (c *Conn) wrap(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	e := &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Err: err}
	if r := c.RemoteAddr(); r != nil {
		e.Addr = r
	}
	return e
}
