package udp

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
)

// Discover is how a socket goes about path MTU discovery. Linux: the values of
// IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, IP_PMTUDISC_*.
type Discover uint8

// Ways of path MTU discovery.
const (
	DiscoverUsual Discover = iota // Want, or Dont if net.ipv4.ip_no_pmtu_disc was set when the socket was made
	DiscoverDont                  // never Don't Fragment
	DiscoverWant                  // Don't Fragment on what fits the path; the rest is cut
	DiscoverDo                    // Don't Fragment always; what does not fit the path is an EMSGSIZE
	DiscoverProbe                 // Don't Fragment always; what does not fit the device is an EMSGSIZE
)

// strict reports whether what is too large is an error.
func (d Discover) strict() bool { return d >= DiscoverDo }

// discover settles what the socket does of its own accord. Linux: inet_create.
func (c *Conn) discover() {
	switch {
	case c.opts.Discover != DiscoverUsual:
	case c.six || c.u.ip.WantDF(c.n):
		c.opts.Discover = DiscoverWant
	default:
		c.opts.Discover = DiscoverDont
	}
}

// Origins of a QueuedError. Linux: SO_EE_ORIGIN_*.
const (
	OriginLocal = 1 // a send that failed here
	OriginICMP  = 2
	OriginICMP6 = 3
)

// A QueuedError is an entry of a socket's error queue.
// Linux: struct sock_extended_err, with what recvmsg gives beside it.
type QueuedError struct {
	Errno      syscall.Errno  // ee_errno
	Origin     uint8          // ee_origin
	Type, Code uint8          // ee_type, ee_code: of the ICMP message
	Info       uint32         // ee_info: of EMSGSIZE the MTU
	Offender   netip.Addr     // SO_EE_OFFENDER: who sent the ICMP message
	To         netip.AddrPort // msg_name: whom the datagram was for
	Hops       uint8          // IP_TTL, IPV6_HOPLIMIT: what the ICMP message arrived with
	Payload    []byte         // of the datagram, as much as was quoted
}

func (e *QueuedError) icmp() bool { return e.Origin != OriginLocal }

// queueError files e, unless the socket has as much to read as its buffer holds;
// under c.mu. Linux: sock_queue_err_skb.
func (c *Conn) queueError(e QueuedError) {
	size := core.Truesize(len(e.Payload))
	if c.q.used+c.errSize+size >= c.opts.RcvBuf {
		return
	}
	e.Payload = append([]byte(nil), e.Payload...)
	c.errs = append(c.errs, e)
	c.errSize += size
	c.ready.Broadcast()
}

// ReadError takes the oldest entry of the error queue: EAGAIN if there is none.
// Only a socket with [Options.RecvErr] has one. The error that the next call
// would have returned is then that of the next entry. Linux: MSG_ERRQUEUE,
// sock_dequeue_err_skb.
func (c *Conn) ReadError() (QueuedError, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return QueuedError{}, c.closedError()
	case len(c.errs) == 0:
		return QueuedError{}, syscall.EAGAIN
	}
	e := c.errs[0]
	c.errs[0] = QueuedError{}
	c.errs = c.errs[1:]
	c.errSize -= core.Truesize(len(e.Payload))
	switch {
	case len(c.errs) > 0 && c.errs[0].icmp():
		c.err = c.errs[0].Errno
	case e.icmp():
		c.err = nil
	}
	return e, nil
}

// tooBig is the end of a send that does not fit; who reads the queue is told
// what would. Of IPv4 the port is the peer's, if there is one.
// Linux: ip_local_error, ipv6_local_error.
func (c *Conn) tooBig(to netip.AddrPort, mtu int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.Addr().Is4() {
		to = netip.AddrPortFrom(to.Addr(), c.raddr.Port())
	}
	if c.opts.RecvErr {
		c.queueError(QueuedError{Errno: syscall.EMSGSIZE, Origin: OriginLocal, Info: uint32(mtu), To: to})
	}
	return syscall.EMSGSIZE
}

// MTU returns the MTU of the path to the peer, as far as is known: ENOTCONN
// without one. Linux: IP_MTU, IPV6_MTU.
func (c *Conn) MTU() (int, error) {
	to := c.connected()
	if !to.IsValid() {
		return 0, c.wrap("get", syscall.ENOTCONN)
	}
	src, port := c.local()
	w := c.u.stack.Enter()
	defer w.Leave()
	if c.six {
		rt, err := c.route6(to, src, port)
		return rt.MTU, c.wrap("get", err)
	}
	rt, err := c.route(to, src, port)
	return rt.MTU, c.wrap("get", err)
}

// SetTTL sets the TTL or hop limit of what the socket sends to a host; 0 is the
// Net's. It is for whoever sends, between sends. Linux: IP_TTL, IPV6_UNICAST_HOPS.
func (c *Conn) SetTTL(ttl uint8) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opts.TTL = ttl
}
