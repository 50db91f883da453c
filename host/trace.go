package host

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"nsmodel/lab"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A tracer is the socket of a tracepath or traceroute.
type tracer struct {
	h    *Host
	n    *netns.Net
	dst  netip.Addr
	conn *udp.Conn
}

// Trace implements [lab.Tracer].
func (h *Host) Trace(net string, dst netip.Addr) (lab.TraceSocket, error) {
	n, err := h.net(net)
	if err != nil {
		return nil, err
	}
	any := netip.IPv4Unspecified()
	if dst.Is6() {
		any = netip.IPv6Unspecified()
	}
	c, err := h.M.UDP.Listen(n, netip.AddrPortFrom(any, 0), udp.Options{RecvErr: true, Discover: udp.DiscoverDo})
	if err != nil {
		n.Put()
		return nil, bare(err)
	}
	return &tracer{h, n, dst, c}, nil
}

func (t *tracer) Send(port uint16, ttl int, data []byte) error {
	t.conn.SetTTL(uint8(ttl))
	_, err := t.conn.WriteToAddrPort(data, netip.AddrPortFrom(t.dst, port))
	return bare(err)
}

func (t *tracer) Wait(d time.Duration) (reply bool) {
	b := make([]byte, 64)
	t.h.until(func() bool {
		_, _, err := t.conn.TryReadFrom(b)
		reply = err == nil
		return !errors.Is(err, syscall.EAGAIN)
	}, d)
	return reply
}

func (t *tracer) Error() (lab.SockError, bool) {
	e, err := t.conn.ReadError()
	return sockError(e), err == nil
}

func (t *tracer) Now() time.Duration { return t.h.M.Sys.Now() }

func (t *tracer) Close() error {
	defer t.n.Put()
	return t.conn.Close()
}

func sockError(e udp.QueuedError) lab.SockError {
	s := lab.SockError{Errno: e.Errno, Origin: e.Origin, Type: e.Type, Code: e.Code, Info: e.Info, Offender: e.Offender, To: e.To,
		Hops: int(e.Hops), Data: string(e.Payload)}
	if e.Origin == udp.OriginLocal {
		s.Hops = -1
	}
	return s
}

var _ lab.Tracer = (*Host)(nil)

// sendQueue sends a datagram from a socket without a peer, and shows what its
// error queue holds when the time is up, or after the first entry.
func (h *Host) sendQueue(n *netns.Net, p *lab.Probe, o udp.Options, data []byte) (all []lab.Datagram, err error) {
	at := p.Local
	if !at.IsValid() {
		if at = netip.AddrPortFrom(netip.IPv4Unspecified(), 0); p.Remote.Addr().Is6() {
			at = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	c, err := h.M.UDP.Listen(n, at, o)
	if err != nil {
		return nil, bare(err)
	}
	defer c.Close()
	_, err = c.WriteToAddrPort(data, p.Remote)
	h.until(func() bool {
		for {
			e, err := c.ReadError()
			if err != nil {
				return len(all) > 0
			}
			s := sockError(e)
			all = append(all, lab.Datagram{Err: &s})
		}
	}, p.Wait)
	return all, bare(err)
}
