package raw

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/netns"
)

// DefaultBuffer is the receive buffer of a socket, in bytes of Linux's
// accounting. Linux: net.core.rmem_default.
const DefaultBuffer = 212992

// Options are what a socket is given before it is bound.
type Options struct {
	Device    string // SO_BINDTODEVICE
	Broadcast bool   // SO_BROADCAST
	RecvErr   bool   // IP_RECVERR: soft errors and those of unconnected sockets, too
	DF        bool   // IP_MTU_DISCOVER = IP_PMTUDISC_DO
	RcvBuf    int    // SO_RCVBUF as doubled by Linux; 0: DefaultBuffer
	TTL, TOS  uint8  // IP_TTL (0: the Net's default; of a group 1), IP_TOS
	Mark      uint32 // SO_MARK
	Priority  uint32 // SO_PRIORITY
	NoLoop    bool   // IP_MULTICAST_LOOP off: members of this Net do not hear it

	// Whole lets the socket's user write the IP header. A socket of protocol 255
	// has it so. Linux: IP_HDRINCL, IPV6_HDRINCL.
	Whole bool
	// Blocked are the ICMP types that a raw socket of ICMP does not want, a bit
	// each. Linux: ICMP_FILTER, of IPv4 the first word alone; ICMP6_FILTER.
	Blocked [8]uint32
	// Checksum has the checksum at an even offset filled in on what is sent, and
	// looked at on what comes; of ICMPv6 it always is, at 2. Of IPv6 only.
	// Linux: IPV6_CHECKSUM.
	Checksum   bool
	ChecksumAt int
}

// A Conn is a raw or a ping socket. Its calls may be made from several
// goroutines. Linux: struct raw_sock, raw6_sock, ping's inet_sock.
type Conn struct {
	// fixed
	r     *Raw
	n     *netns.Net
	six   bool  // of IPv6
	ping  bool  // a ping socket
	proto uint8 // what it gets
	opts  Options

	at     atomic.Pointer[endpoints] // published
	bindMu sync.Mutex                // orders bind, connect and close

	mu      sync.Mutex
	ready   sync.Cond // on mu: something to read, or a reason to stop waiting
	q       []Message
	used    int   // charged against the receive buffer
	err     error // what ICMP reported, until somebody is told
	dropped uint64
	closed  bool
	gone    bool // closed by the end of its Net
	read    deadline
}

// endpoints are what a socket is bound and connected to.
type endpoints struct {
	local  netip.Addr // takes packets to this address alone, if it is one. Linux: inet_rcv_saddr
	source netip.Addr // what it sends from; the zero Addr: as the route has it. Linux: inet_saddr
	remote netip.Addr // the peer; the zero Addr while not connected
	dev    int        // index of the device it is bound to. Linux: sk_bound_dev_if
	ident  uint16     // of a ping socket; 0 while not bound
}

// A Message is what a socket has received.
type Message struct {
	From netip.Addr // with a zone if it means something on one link only
	Dev  int        // index of the device it came in by
	Data []byte     // of a raw IPv4 socket from the IP header on, else from what stands behind
	cost int
}

// newConn makes a socket of no protocol yet. Linux: inet_create.
func (r *Raw) newConn(n *netns.Net, ping bool) *Conn {
	c := &Conn{r: r, n: n, ping: ping}
	c.ready.L = &c.mu
	c.at.Store(new(endpoints))
	return c
}

// socket makes a socket through the family's gate and the raw sockets'.
func (r *Raw) socket(n *netns.Net, six, ping bool, proto uint8, o Options) (*Conn, error) {
	family, typ := core.AFInet, ipv4.SockRaw
	if six {
		family = core.AFInet6
	}
	if ping {
		typ = ipv4.SockDgram
	}
	s, err := r.stack.Socket(n, family, typ, int(proto))
	if err != nil {
		return nil, err
	}
	c, ok := s.(*Conn)
	if !ok || c.ping != ping || !r.allowed(n, six, ping) {
		return nil, syscall.EPROTONOSUPPORT
	}
	if o.RcvBuf <= 0 {
		o.RcvBuf = DefaultBuffer
	}
	c.six, c.proto, c.opts = six, proto, o
	switch icmp6 := six && proto == protoICMPv6; {
	case o.Checksum && (!six || icmp6 || o.ChecksumAt < 0 || o.ChecksumAt%2 != 0):
		return nil, syscall.EINVAL
	case icmp6:
		c.opts.Checksum, c.opts.ChecksumAt = true, 2
	case proto == protoRaw:
		c.opts.Whole = true
	}
	if o.Device != "" {
		d := r.stack.Device(n, o.Device)
		if d == nil {
			return nil, fmt.Errorf("bind to device %s: %w", o.Device, syscall.ENODEV)
		}
		c.at.Store(&endpoints{dev: d.Index()})
	}
	return c, nil
}

// Protocols of which sockets know something.
const (
	protoICMP   = 1
	protoICMPv6 = 58
	protoRaw    = 255
)

// allowed reports whether n may have such sockets.
func (r *Raw) allowed(n *netns.Net, six, ping bool) bool {
	switch {
	case six && ping:
		return r.six.PingAllowed(n)
	case six:
		return r.six.RawAllowed(n)
	case ping:
		return r.ip.PingAllowed(n)
	}
	return r.ip.RawAllowed(n)
}

// Listen makes a raw socket in n for a protocol of IPv4, or of IPv6 if six is
// set, bound to local, which may be the zero Addr. Errors: EADDRNOTAVAIL for an
// address that n does not have, EPROTONOSUPPORT for protocol 0 or closed gates,
// EAFNOSUPPORT, ENODEV, EINVAL, ENETDOWN. Linux: socket(SOCK_RAW), bind.
func (r *Raw) Listen(n *netns.Net, six bool, proto uint8, local netip.Addr, o Options) (*Conn, error) {
	c, err := r.socket(n, six, false, proto, o)
	if err != nil {
		return nil, opError("listen", "ip", err)
	}
	if err := c.hash(); err != nil {
		return nil, opError("listen", "ip", err)
	}
	if err := c.bind(local, 0); err != nil {
		c.shut(false)
		return nil, opError("listen", "ip", err)
	}
	return c, nil
}

// hash lets a new raw socket be found, in a Net that lives.
func (c *Conn) hash() error {
	w := c.r.stack.Enter()
	defer w.Leave()
	if !c.n.Alive() {
		return syscall.ENETDOWN
	}
	return c.r.file(c)
}

func opError(op, network string, err error) error {
	return &net.OpError{Op: op, Net: network, Err: err}
}

// bind gives the socket its address, and a ping socket its identifier, 0 being
// any free one. Linux: raw_bind, rawv6_bind, ping_bind.
func (c *Conn) bind(a netip.Addr, ident uint16) error {
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	w := c.r.stack.Enter()
	defer w.Leave()
	if !c.n.Alive() {
		return syscall.ENETDOWN
	}
	e := *c.at.Load()
	if a = a.Unmap(); a.IsValid() && a.Is6() != c.six {
		return syscall.EAFNOSUPPORT
	}
	if a.IsValid() && !a.IsUnspecified() {
		check := c.local4
		if c.six {
			check = c.local6
		}
		if err := check(a, &e); err != nil {
			return err
		}
	}
	if c.ping {
		if c.isClosed() {
			return net.ErrClosed
		}
		id, err := c.r.takeIdent(c, ident)
		if err != nil {
			return err
		}
		e.ident = id
	}
	c.at.Store(&e)
	return nil
}

// local4 looks at an address to bind to. Linux: raw_bind, ping_check_bind_addr.
func (c *Conn) local4(a netip.Addr, e *endpoints) error {
	typ := c.r.ip.AddrType(c.n, a.As4())
	e.local, e.source = a, a
	switch {
	case typ == fib.Local:
	case (typ == fib.Multicast || typ == fib.Broadcast) && !c.ping:
		e.source = netip.Addr{} // to receive only
	case !c.r.ip.NonlocalBind(c.n) || typ == fib.Multicast || typ == fib.Broadcast:
		return syscall.EADDRNOTAVAIL
	}
	return nil
}

// Connect gives the socket its peer: it gets what comes from there alone, and
// hears of errors. Errors: those of a route to the peer, EACCES for a broadcast
// without SO_BROADCAST. Linux: ip4_datagram_connect, ip6_datagram_connect.
func (c *Conn) Connect(to netip.Addr) error {
	to = to.Unmap()
	if !to.IsValid() || to.Is6() != c.six {
		return c.wrap("connect", syscall.EAFNOSUPPORT)
	}
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	w := c.r.stack.Enter()
	defer w.Leave()
	if c.isClosed() || !c.n.Alive() {
		return c.wrap("connect", c.closedError())
	}
	e := *c.at.Load()
	var from netip.Addr
	if c.six {
		rt, err := c.route6(to, &e)
		if err != nil {
			return c.wrap("connect", err)
		}
		from, e.remote = rt.Src, rt.Dst
		if to.IsLinkLocalUnicast() {
			e.dev = int(c.zone(to, &e))
		}
	} else {
		rt, err := c.route4(to, &e)
		if err == nil && rt.Broadcast && !c.opts.Broadcast {
			err = syscall.EACCES
		}
		if err != nil {
			return c.wrap("connect", err)
		}
		from, e.remote = rt.Src, rt.Dst
	}
	if !e.source.IsValid() {
		e.source = from
	}
	if !e.local.IsValid() {
		e.local = from
	}
	c.at.Store(&e)
	return nil
}

// takes reports whether a packet is for the socket. Linux: raw_v4_match,
// raw_v6_match.
func (e *endpoints) takes(src, dst netip.Addr, dev func() int) bool {
	return (!e.remote.IsValid() || e.remote == src) && (!e.local.IsValid() || e.local == dst) && (e.dev == 0 || e.dev == dev())
}

// room reports whether the socket takes one more, and counts it as dropped if
// not: what is there may exceed the buffer by the last message.
// Linux: sk_rmem_alloc against sk_rcvbuf in raw_v4_input.
func (c *Conn) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used >= c.opts.RcvBuf {
		c.dropped++
		return false
	}
	return true
}

// enqueue gives the socket a message of which the data is still somebody
// else's; false if nobody will read it, or there is no room.
func (c *Conn) enqueue(m Message) bool {
	m.cost = core.Truesize(len(m.Data) + headerRoom)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.used >= c.opts.RcvBuf {
		c.dropped++
		return false
	}
	m.Data = append([]byte(nil), m.Data...)
	c.q = append(c.q, m)
	c.used += m.cost
	c.ready.Signal()
	return true
}

// headerRoom is what a message's buffer has beside its data, in bytes: the
// Ethernet header.
const headerRoom = 14

// report notes an ICMP error. Without IP_RECVERR only a connected socket hears
// of it, and of hard ones only. Linux: raw_err, rawv6_err, ping_err.
func (c *Conn) report(errno syscall.Errno, hard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errno == 0 || c.closed || !c.opts.RecvErr && (!hard || !c.at.Load().remote.IsValid()) {
		return
	}
	c.err = errno
	c.ready.Broadcast()
}

// take returns the oldest message, waiting for one if wait is set; EAGAIN if not.
func (c *Conn) take(wait bool) (m Message, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return m, c.closedError()
		case c.err != nil:
			err, c.err = c.err, nil
			return m, err
		case c.read.set && c.r.stack.Sys.Now() >= c.read.at:
			return m, os.ErrDeadlineExceeded
		case len(c.q) > 0:
			m = c.q[0]
			c.q[0] = Message{}
			c.q = c.q[1:]
			c.used -= m.cost
			return m, nil
		case !wait:
			return m, syscall.EAGAIN
		}
		c.ready.Wait()
	}
}

// closedError says why the socket does nothing any more; under c.mu or bindMu.
func (c *Conn) closedError() error {
	if c.gone || !c.n.Alive() {
		return fmt.Errorf("namespace is gone: %w", syscall.ENETDOWN)
	}
	return net.ErrClosed
}

// shut closes the socket once; gone says that its Net is ending.
func (c *Conn) shut(gone bool) bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.closed, c.gone = true, gone
	c.q, c.used = nil, 0
	if c.read.timer != nil {
		c.read.timer.Stop()
	}
	c.ready.Broadcast()
	c.mu.Unlock()
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	if c.ping {
		c.r.dropIdent(c)
	} else {
		c.r.unfile(c)
	}
	return true
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// A deadline is a time until which a call may wait.
type deadline struct {
	set   bool
	at    time.Duration // the machine's time
	timer *netns.Timer  // nil until there was one
}
