package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/ipv4"
	"nsmodel/netns"
)

// ReadFromAddrPort reads a datagram into b, waiting for one, and returns its
// length in b, what did not fit being lost, and its sender.
func (c *Conn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.take(b, true)
	return n, from, c.wrap("read", err)
}

// TryReadFrom is ReadFromAddrPort without waiting: EAGAIN if there is nothing.
// Linux: MSG_DONTWAIT.
func (c *Conn) TryReadFrom(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.take(b, false)
	return n, from, c.wrap("read", err)
}

// ReadFrom implements [net.PacketConn].
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// Read implements [net.Conn]: a datagram of whoever may send to the socket.
func (c *Conn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFromAddrPort(b)
	return n, err
}

// WriteToAddrPort sends b to a. Errors: EDESTADDRREQ, EINVAL for port 0,
// EMSGSIZE, EACCES for a broadcast without SO_BROADCAST, those of a route, and
// what ICMP reported of an earlier datagram. Linux: udp_sendmsg.
func (c *Conn) WriteToAddrPort(b []byte, a netip.AddrPort) (int, error) {
	if c.connected().IsValid() && a.IsValid() && a != c.connected() {
		return 0, c.wrap("write", syscall.EISCONN)
	}
	return c.write1(b, a)
}

func (c *Conn) write1(b []byte, a netip.AddrPort) (int, error) {
	if err := c.send(b, netip.AddrPortFrom(a.Addr().Unmap(), a.Port())); err != nil {
		return 0, c.wrap("write", err)
	}
	return len(b), nil
}

// WriteTo implements [net.PacketConn].
func (c *Conn) WriteTo(b []byte, a net.Addr) (int, error) {
	u, ok := a.(*net.UDPAddr)
	if !ok || u == nil {
		return 0, c.wrap("write", syscall.EINVAL)
	}
	return c.WriteToAddrPort(b, u.AddrPort())
}

// Write implements [net.Conn]; EDESTADDRREQ if the socket is not connected.
func (c *Conn) Write(b []byte) (int, error) { return c.write1(b, c.connected()) }

func (c *Conn) connected() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raddr
}

// sendable says why the socket cannot send now, if so.
func (c *Conn) sendable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return c.closedError()
	case c.write.passed(c):
		return os.ErrDeadlineExceeded
	case c.err != nil:
		err := c.err
		c.err = nil
		return err
	}
	return nil
}

func (c *Conn) send(b []byte, to netip.AddrPort) error {
	if err := c.sendable(); err != nil {
		return err
	}
	switch {
	case len(b) > MaxPayload && !to.Addr().Is6(): // see send6
		return syscall.EMSGSIZE
	case !to.Addr().IsValid():
		return syscall.EDESTADDRREQ
	case to.Addr().Is6() && !c.six, to.Addr().Is4() && c.six && c.opts.V6Only:
		return syscall.EAFNOSUPPORT
	case to.Port() == 0:
		return syscall.EINVAL
	}
	src, port := c.local()
	if port == 0 {
		if err := c.bind(netip.AddrPort{}); err != nil {
			return err
		}
		src, port = c.local()
	}
	w := c.u.stack.Enter()
	defer w.Leave()
	if !c.n.Alive() {
		return syscall.ENETDOWN
	}
	if to.Addr().Is6() {
		return c.send6(w, b, src, port, to)
	}
	if c.six { // of a socket of both families
		src = netip.Addr{}
	}
	rt, err := c.route(to, src, port)
	if err != nil {
		return err
	}
	if rt.Broadcast && !c.opts.Broadcast {
		return syscall.EACCES
	}
	return c.output(w, b, &rt, port, to)
}

// output builds the datagram. Its checksum is left to whoever puts it on a
// wire, as Linux leaves it to the device. Linux: udp_send_skb.
func (c *Conn) output(w *core.Worker, b []byte, rt *ipv4.Route, sport uint16, to netip.AddrPort) error {
	p := w.NewPacket(c.n, wire.UDPLen+len(b))
	data := p.Bytes()
	copy(data[wire.UDPLen:], b)
	src, dst := rt.Src, to.Addr()
	if dst.IsUnspecified() {
		dst = src // Linux: a send to 0.0.0.0 is one to ourselves
	}
	h, ok := wire.PutUDPHeader(data, sport, to.Port())
	if !ok {
		w.Drop(p, core.NotSpecified)
		return syscall.EMSGSIZE
	}
	h.FillPartial4(src.As4(), dst.As4())
	p.SetPartial(0, 6)
	p.Mark, p.Priority = c.opts.Mark, c.opts.Priority
	o := ipv4.SendOptions{Src: src, Dst: dst, Proto: ipv4.ProtoUDP, TOS: c.opts.TOS, TTL: c.opts.TTL, DF: c.u.ip.WantDF(c.n), NoFragment: c.opts.DF,
		Mark: c.opts.Mark, Priority: c.opts.Priority, MulticastLoop: !c.opts.NoLoop}
	if rt.Multicast { // Linux: mc_ttl
		o.TTL, o.HostOnly = c.opts.MulticastTTL, c.opts.HostOnly
	}
	return c.u.ip.Send(w, p, rt, &o)
}

// LocalAddr returns the address that the socket is bound to.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return net.UDPAddrFromAddrPort(c.laddr)
}

// LocalAddrPort returns the same as a value.
func (c *Conn) LocalAddrPort() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.laddr
}

// RemoteAddr returns the peer of a connected socket, else nil.
func (c *Conn) RemoteAddr() net.Addr {
	if r := c.connected(); r.IsValid() {
		return net.UDPAddrFromAddrPort(r)
	}
	return nil
}

// SetDeadline sets both deadlines; the zero time is none.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets the time after which a read that waits gives up with
// [os.ErrDeadlineExceeded]. Times count from [core.Stack.Epoch], the machine's boot.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.read, t) }

// SetWriteDeadline sets the same for writes, which never wait.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.write, t) }

func (c *Conn) setDeadline(d *deadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.closedError()
	}
	d.change(c, t)
	c.ready.Broadcast()
	return nil
}

// SetReadBuffer sets the receive buffer: twice k, as Linux does, within
// net.core.rmem_max. Linux: SO_RCVBUF.
func (c *Conn) SetReadBuffer(k int) error {
	if k < 0 {
		return c.wrap("set", syscall.EINVAL)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opts.RcvBuf = max(2*min(k, DefaultBuffer), 2304)
	return nil
}

// openConns are the sockets of one Net, so that its end finds them.
type openConns struct {
	mu   sync.Mutex
	all  []*Conn
	over bool
}

// track notes c among its Net's sockets; ENETDOWN if the Net is ending.
func (u *UDP) track(c *Conn) error {
	o := u.open.Own(c.n)
	o.mu.Lock()
	over := o.over
	if !over && c.place < 0 {
		c.place = len(o.all)
		o.all = append(o.all, c)
	}
	o.mu.Unlock()
	if over {
		c.u.table.Unbind(c.n, c.binding)
		return syscall.ENETDOWN
	}
	return nil
}

func (u *UDP) untrack(c *Conn) {
	o := u.open.Of(c.n)
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.place < 0 || c.place >= len(o.all) || o.all[c.place] != c {
		return
	}
	last := len(o.all) - 1
	o.all[c.place] = o.all[last]
	o.all[c.place].place = c.place
	o.all[last] = nil
	o.all = o.all[:last]
	c.place = -1
}

// preExit closes a dying Net's sockets: whoever waits on one wakes.
func (u *UDP) preExit(n *netns.Net) {
	if u.table.Len(n) == 0 {
		return
	}
	o := u.open.Own(n)
	o.mu.Lock()
	o.over = true
	all := append([]*Conn(nil), o.all...)
	o.mu.Unlock()
	for _, c := range all {
		c.shut(true)
	}
}

// Sockets returns n's bound sockets in the order of their ports' binding.
func (u *UDP) Sockets(n *netns.Net) []*Conn {
	var all []*Conn
	for _, b := range u.table.All(n) {
		all = append(all, b.Sock)
	}
	return all
}

// Closed reports whether the socket was closed, by its user or by the end of its
// Net.
func (c *Conn) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
