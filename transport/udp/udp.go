// Package udp is UDP (RFC 768) over IPv4 and IPv6, with sockets that are a
// [net.PacketConn] and a [net.Conn].
package udp

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/netns"
	"nsmodel/sockhash"
)

// A Config says where UDP's state stands. The zero value is Linux's defaults.
type Config struct {
	Sockets netns.Placement // the socket table; default Tagged
	Secret  uint64          // keys the choice within SO_REUSEPORT groups
}

// A UDP is UDP on one machine. Linux: struct udp_table, udp_prot.
type UDP struct {
	ip    *ipv4.Inet
	six   *ipv6.Inet // nil on a machine without
	stack *core.Stack
	table *sockhash.Table[*Conn]
	open  *netns.Cell[openConns]
}

// New builds UDP on ip, before the machine boots.
func New(ip *ipv4.Inet, sockets *ipv4.Sockets, c Config) (*UDP, error) {
	if c.Sockets == netns.Default {
		c.Sockets = netns.Tagged
	}
	sys := ip.Core.Sys
	u := &UDP{ip: ip, stack: ip.Core}
	u.table = sockhash.New[*Conn](sys, "udp", c.Sockets, c.Secret)
	u.open = netns.NewCell(sys, "udp-open", netns.Replicated, func(*netns.Net) *openConns { return new(openConns) })
	// Once more after the grace period, for a bind that was under way.
	netns.Attend(sys, "udp-exit", nil, u.preExit, u.preExit)
	sockets.Handle(ipv4.SockDgram, ipv4.ProtoUDP, func(n *netns.Net) (any, error) { return u.newConn(n), nil })
	return u, ip.Handle(ipv4.Protocol{Number: ipv4.ProtoUDP, Receive: u.receive, Error: u.icmpError})
}

// receive takes a datagram. Linux: __udp4_lib_rcv.
func (u *UDP) receive(w *core.Worker, p *core.Packet, ip wire.IPv4) {
	h, ok := wire.ParseUDP(p.Bytes())
	if !ok {
		w.Drop(p, core.HeaderTooShort)
		return
	}
	src, dst := ip.Src4(), ip.Dst4()
	if p.Checksum == core.ChecksumNone && h.Checksum() != 0 && !h.ChecksumOK4(src, dst) {
		w.Drop(p, core.BadL4Checksum)
		return
	}
	f := sockhash.Flow{Local: sockhash.Addr4(dst), Remote: sockhash.Addr4(src),
		LocalPort: h.DstPort(), RemotePort: h.SrcPort(), Dev: p.InIndex}
	if d := p.Dev; d != nil {
		// A datagram of this Net to itself came in, for Linux, by the device that
		// has the address (rt_iif), and not by lo.
		if d.Flags()&core.FlagLoopback != 0 {
			if own := u.ip.LocalDevice(p.Net(), dst); own != nil {
				d = own
			}
		}
		f.Dev = d.Index()
	}
	if ipv4.Broadcast(p) {
		var takes func(*Conn) bool
		if dst4IsGroup(dst) {
			takes = func(c *Conn) bool { return c.takes(ip, f.Dev) }
		}
		if u.deliverAll(w, p, ip.Src(), h, &f, takes) {
			return
		}
		w.Drop(p, core.NoSocket)
		return
	}
	c, ok := u.table.Lookup(p.Net(), &f)
	if !ok {
		u.ip.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPPortUnreach, 0)
		w.Drop(p, core.NoSocket)
		return
	}
	u.deliver(w, p, c, ip.Src(), h)
}

func (u *UDP) deliver(w *core.Worker, p *core.Packet, c *Conn, src netip.Addr, h wire.UDP) {
	switch c.enqueue(p, src, h) {
	case nil:
		w.Deliver(p)
	case syscall.ENOBUFS:
		w.Drop(p, core.SocketBuffer)
	default:
		w.Drop(p, core.SocketClosed)
	}
}

// deliverAll gives every socket that the datagram is for a copy of it, and
// reports false, with p untouched, if there is none; takes, if it is not nil,
// says which of the sockets that the flow fits hear it.
// Linux: __udp4_lib_mcast_deliver, __udp6_lib_mcast_deliver.
func (u *UDP) deliverAll(w *core.Worker, p *core.Packet, src netip.Addr, h wire.UDP, f *sockhash.Flow, takes func(*Conn) bool) bool {
	var errno error = syscall.ENOENT
	u.table.Each(p.Net(), f, func(c *Conn) bool {
		if takes != nil && !takes(c) {
			return true
		}
		if e := c.enqueue(p, src, h); e == nil || errno != nil {
			errno = e
		}
		return true
	})
	switch errno {
	case nil:
		w.Deliver(p)
	case syscall.ENOENT:
		return false
	case syscall.ENOBUFS:
		w.Drop(p, core.SocketBuffer)
	default:
		w.Drop(p, core.SocketClosed)
	}
	return true
}

// icmpError tells a socket what became of its datagram. Linux: __udp4_lib_err.
func (u *UDP) icmpError(w *core.Worker, p *core.Packet, quoted wire.IPv4, e ipv4.ICMPError) {
	b := quoted.Payload()
	if len(b) < 4 {
		return
	}
	sport, dport := uint16(b[0])<<8|uint16(b[1]), uint16(b[2])<<8|uint16(b[3])
	f := sockhash.Flow{Local: sockhash.Addr4(quoted.Src4()), Remote: sockhash.Addr4(quoted.Dst4()), LocalPort: sport, RemotePort: dport}
	if p.Dev != nil {
		f.Dev = p.Dev.Index()
	}
	c, ok := u.table.Lookup(p.Net(), &f)
	if !ok {
		return
	}
	u.ip.LearnFrom(w, p, c.errorFlow(quoted.Dst(), quoted.Src()), e)
	errno, hard := convert(e, u.ip.WantDF(p.Net()))
	c.report(errno, hard)
}

// convert returns the errno of an ICMP error and whether it is hard: a soft one
// is for those only who asked. What was too large is hard to who discovers path
// MTUs, and no error to others. Linux: __udp4_lib_err with icmp_err_convert, RFC
// 1122 section 4.1.3.3.
func convert(e ipv4.ICMPError, discovers bool) (errno syscall.Errno, hard bool) {
	switch e.Type {
	case wire.ICMPTimeExceeded:
		return syscall.EHOSTUNREACH, false
	case wire.ICMPParamProblem:
		return syscall.EPROTO, true
	case wire.ICMPSourceQuench, wire.ICMPRedirect:
		return 0, false
	case wire.ICMPDestUnreach:
		if e.Code == wire.ICMPFragNeeded {
			if !discovers {
				return 0, false
			}
			return syscall.EMSGSIZE, true
		}
		if int(e.Code) < len(unreach) {
			return unreach[e.Code].errno, unreach[e.Code].hard
		}
	}
	return syscall.EHOSTUNREACH, false
}

// unreach are the errnos of destination unreachable, by code.
var unreach = [...]struct {
	errno syscall.Errno
	hard  bool
}{
	{syscall.ENETUNREACH, false}, {syscall.EHOSTUNREACH, false}, {syscall.ENOPROTOOPT, true}, {syscall.ECONNREFUSED, true},
	{syscall.EMSGSIZE, false}, {syscall.EOPNOTSUPP, false}, {syscall.ENETUNREACH, true}, {syscall.EHOSTDOWN, true},
	{syscall.ENONET, true}, {syscall.ENETUNREACH, true}, {syscall.EHOSTUNREACH, true}, {syscall.ENETUNREACH, false},
	{syscall.EHOSTUNREACH, false}, {syscall.EHOSTUNREACH, true}, {syscall.EHOSTUNREACH, true}, {syscall.EHOSTUNREACH, true},
}

// errorFlow is the flow of the datagram that an ICMP error quotes, as its socket
// sent it. Linux: __build_flow_key.
func (c *Conn) errorFlow(dst, src netip.Addr) *fib.Flow {
	return &fib.Flow{Dst: dst, Src: src, Oif: int32(c.dev), Mark: c.opts.Mark, TOS: c.opts.TOS & 0x1c, Proto: ipv4.ProtoUDP}
}
