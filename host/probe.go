package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"nsmodel/core/wire"
	"nsmodel/ipv4"
	"nsmodel/lab"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A service is a socket that a probe command left behind.
type service struct {
	conn *udp.Conn
	echo bool
}

type serviceKey struct {
	net  netns.ID
	addr netip.AddrPort
	name string
}

// kept is how many datagrams a listening probe keeps; lab's documentation says
// so.
const kept = 64

// Probe implements [lab.Machine].
func (h *Host) Probe(net string, p *lab.Probe) ([]lab.Datagram, error) {
	n, err := h.net(net)
	if err != nil {
		return nil, err
	}
	defer n.Put()
	switch p.Verb {
	case lab.UDPSend:
		return h.send(n, p)
	case lab.UDPListen, lab.UDPEcho:
		return nil, h.listen(n, p)
	case lab.UDPShow:
		return h.show(n, p)
	case lab.UDPClose:
		return nil, h.close(n, p)
	case lab.UDPJoin, lab.UDPLeave, lab.UDPBlock, lab.UDPUnblock:
		return nil, h.member(n, p)
	case lab.MrouteInit, lab.MrouteDone, lab.MrouteAddVIF, lab.MrouteDelVIF, lab.MrouteAdd, lab.MrouteDel:
		return nil, h.mroute(n, p)
	case lab.RawSend:
		return nil, h.raw(n, p)
	case lab.RawListen, lab.RawShow, lab.RawClose, lab.RawSendTo:
		return h.rawSocket(n, p)
	case lab.CaptureStart:
		return nil, h.capture(n, p)
	case lab.CaptureStop:
		return nil, h.captureStop(n, p)
	case lab.RASend, lab.RAOn, lab.RAOff:
		return nil, h.advertise(n, p)
	case lab.Sleep:
		h.advance(p.Wait)
		return nil, nil
	case lab.Ledger:
		return nil, h.ledger()
	}
	return nil, fmt.Errorf("probe verb %d: %w", p.Verb, syscall.EINVAL)
}

func (h *Host) key(n *netns.Net, p *lab.Probe) serviceKey {
	return serviceKey{n.ID(), wildcard(p.Local), p.Name}
}

// listen opens a socket that stays.
func (h *Host) listen(n *netns.Net, p *lab.Probe) error {
	c, err := h.M.UDP.Listen(n, wildcard(p.Local), udp.Options{Broadcast: true, ReuseAddr: p.Reuse, Device: p.Dev,
		OnlyJoined: p.OnlyJoined})
	if err != nil {
		return bare(err)
	}
	s := &service{conn: c, echo: p.Verb == lab.UDPEcho}
	h.mu.Lock()
	if h.services[h.key(n, p)] != nil { // it would not be found again
		h.mu.Unlock()
		c.Close()
		return syscall.EADDRINUSE
	}
	h.services[h.key(n, p)] = s
	h.mu.Unlock()
	if s.echo && h.Live {
		go s.run()
	}
	return nil
}

// loops reports whether a datagram comes from another echo service, or from this
// one: two of them would talk for ever. inetd does not answer such either.
func (s *service) loops(from netip.AddrPort) bool {
	return from.Port() == s.conn.LocalAddrPort().Port()
}

// run echoes until the socket closes; for machines whose time is real.
func (s *service) run() {
	b := make([]byte, 65536)
	for {
		k, from, err := s.conn.ReadFromAddrPort(b)
		switch {
		case errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENETDOWN):
			return
		case err == nil && !s.loops(from):
			_, _ = s.conn.WriteToAddrPort(b[:k], from) // UDP: a reply that cannot be sent is lost
		}
	}
}

// serve lets the echo services answer what they have; for virtual time. It
// reports whether any did.
func (h *Host) serve() (did bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b [65536]byte
	for _, s := range h.sorted() {
		for s.echo && s.conn.Pending() > 0 {
			k, from, err := s.conn.TryReadFrom(b[:])
			if err == nil && !s.loops(from) {
				_, _ = s.conn.WriteToAddrPort(b[:k], from)
			}
			did = true
		}
	}
	return did
}

// sorted returns the services in the order of their Nets and addresses, so that
// the order of a map is never seen.
func (h *Host) sorted() []*service {
	keys := make([]serviceKey, 0, len(h.services))
	for k := range h.services {
		keys = append(keys, k)
	}
	sortKeys(keys)
	out := make([]*service, len(keys))
	for i, k := range keys {
		out[i] = h.services[k]
	}
	return out
}

func (h *Host) show(n *netns.Net, p *lab.Probe) ([]lab.Datagram, error) {
	h.mu.Lock()
	s := h.services[h.key(n, p)]
	h.mu.Unlock()
	if s == nil || s.echo {
		return nil, syscall.ENOENT
	}
	var out []lab.Datagram
	b := make([]byte, 65536)
	for {
		k, from, err := s.conn.TryReadFrom(b)
		if err != nil {
			break
		}
		if len(out) < kept {
			out = append(out, lab.Datagram{From: from, Data: string(b[:k])})
		}
	}
	return out, nil
}

func (h *Host) close(n *netns.Net, p *lab.Probe) error {
	k := h.key(n, p)
	h.mu.Lock()
	s := h.services[k]
	delete(h.services, k)
	h.mu.Unlock()
	if s == nil {
		return syscall.ENOENT
	}
	return bare(s.conn.Close())
}

// member changes what a socket has joined.
func (h *Host) member(n *netns.Net, p *lab.Probe) error {
	h.mu.Lock()
	s := h.services[h.key(n, p)]
	h.mu.Unlock()
	if s == nil {
		return syscall.ENOENT
	}
	at := ipv4.Interface{Addr: p.Via}
	if p.Dev != "" {
		d := h.M.Core.Device(n, p.Dev)
		if d == nil {
			return syscall.ENODEV
		}
		at.Index = d.Index()
	}
	c, ofAll := s.conn, !p.Source.IsValid()
	var err error
	switch {
	case p.Verb == lab.UDPJoin && ofAll:
		err = c.JoinGroup(p.Group, at)
	case p.Verb == lab.UDPJoin:
		err = c.JoinSource(p.Group, p.Source, at)
	case p.Verb == lab.UDPLeave && ofAll:
		err = c.LeaveGroup(p.Group, at)
	case p.Verb == lab.UDPLeave:
		err = c.LeaveSource(p.Group, p.Source, at)
	case p.Verb == lab.UDPBlock:
		err = c.BlockSource(p.Group, p.Source, at)
	default:
		err = c.UnblockSource(p.Group, p.Source, at)
	}
	h.settle()
	return bare(err)
}

// send sends one datagram and waits for an answer if it was told to.
func (h *Host) send(n *netns.Net, p *lab.Probe) ([]lab.Datagram, error) {
	o := udp.Options{Broadcast: !p.NoBroadcast, NoLoop: p.NoLoop}
	if p.HasTTL {
		o.TTL, o.MulticastTTL, o.HostOnly = uint8(p.TTL), uint8(p.TTL), p.TTL == 0
	}
	if p.Dev != "" {
		d := h.M.Core.Device(n, p.Dev)
		if d == nil {
			return nil, syscall.ENODEV
		}
		o.MulticastIf.Index = d.Index()
	}
	o.RecvErr, o.Discover = p.RecvErr, map[string]udp.Discover{"do": udp.DiscoverDo, "dont": udp.DiscoverDont, "want": udp.DiscoverWant,
		"probe": udp.DiscoverProbe}[p.Discover]
	data := []byte(p.Data)
	data = append(data, make([]byte, max(0, p.Size-len(data)))...)
	if p.RecvErr {
		return h.sendQueue(n, p, o, data)
	}
	c, err := h.M.UDP.Dial(n, p.Local, p.Remote, o)
	if err != nil {
		return nil, bare(err)
	}
	defer c.Close()
	if _, err := c.Write(data); err != nil {
		return nil, bare(err)
	}
	h.settle()
	if p.Wait == 0 {
		return nil, nil
	}
	b := make([]byte, 65536)
	var k int
	var from netip.AddrPort
	err = syscall.EAGAIN
	h.until(func() bool {
		k, from, err = c.TryReadFrom(b)
		return !errors.Is(err, syscall.EAGAIN)
	}, p.Wait)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, lab.ErrNoReply
	}
	if err != nil {
		return nil, bare(err)
	}
	return []lab.Datagram{{From: from, Data: string(b[:k])}}, nil
}

// raw sends a frame as an AF_PACKET socket would.
func (h *Host) raw(n *netns.Net, p *lab.Probe) error {
	d := h.M.Core.Device(n, p.Dev)
	switch {
	case d == nil:
		return syscall.ENODEV
	case !d.Up():
		return syscall.ENETDOWN
	case len(p.Data) < wire.EthernetLen:
		return syscall.EINVAL
	case len(p.Data) > d.MTU()+wire.EthernetLen+4:
		return syscall.EMSGSIZE
	}
	w := h.M.Core.Enter()
	q := w.NewPacket(n, len(p.Data))
	copy(q.Bytes(), p.Data)
	d.Xmit(w, q)
	w.Leave()
	h.settle()
	return nil
}

// ledger says what is out of balance. While workers run, a reading can fall
// between a packet's coming and its going: what is out of balance then is so
// only if it stays so.
func (h *Host) ledger() (err error) {
	h.settle()
	if !h.Live {
		return h.balance()
	}
	h.until(func() bool { err = h.balance(); return err == nil }, 2*time.Second)
	return err
}

func (h *Host) balance() error {
	for n := range h.M.Sys.Nets() {
		if b := h.M.Core.Ledger(n); !b.Balanced() {
			return fmt.Errorf("namespace %q: %v", n.Name(), b)
		}
	}
	if b := h.M.Core.DeadLedger(); !b.Balanced() || b.Held != 0 {
		return fmt.Errorf("namespaces that are gone: %v", b)
	}
	return nil
}

// bare takes net's wrapping off, so that the errno's text stands alone as in
// the tools' messages.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

var _ lab.Machine = (*Host)(nil)
