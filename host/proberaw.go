package host

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"

	"nsmodel/lab"
	"nsmodel/netns"
	"nsmodel/transport/raw"
)

// rawServices are the raw and ping sockets that probe commands left open.
type rawServices struct {
	mu  sync.Mutex
	all map[rawKey]*raw.Conn
}

type rawKey struct {
	net           netns.ID
	network, name string
}

func (s *rawServices) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.all {
		c.Close()
	}
	s.all = nil
}

// forget drops those of Nets that are gone.
func (s *rawServices) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, c := range s.all {
		if c.Closed() {
			delete(s.all, k)
		}
	}
}

// rawSocket does one probe of a raw or a ping socket.
func (h *Host) rawSocket(n *netns.Net, p *lab.Probe) ([]lab.Datagram, error) {
	k := rawKey{n.ID(), p.Raw.Network(), p.Raw.Name}
	h.raws.mu.Lock()
	c := h.raws.all[k]
	h.raws.mu.Unlock()
	switch {
	case p.Verb == lab.RawListen:
		return nil, h.rawListen(n, k, p)
	case p.Verb == lab.RawSendTo && p.Raw.Name == "":
		c, err := h.rawOpen(n, p)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return nil, h.rawSend(c, p)
	case c == nil:
		return nil, syscall.ENOENT
	case p.Verb == lab.RawSendTo:
		return nil, h.rawSend(c, p)
	case p.Verb == lab.RawShow:
		return rawShow(c)
	}
	h.raws.mu.Lock()
	delete(h.raws.all, k)
	h.raws.mu.Unlock()
	return nil, bare(c.Close())
}

// rawOpen makes the socket that a probe describes.
func (h *Host) rawOpen(n *netns.Net, p *lab.Probe) (c *raw.Conn, err error) {
	r := p.Raw
	o := raw.Options{Device: p.Dev, Broadcast: !r.NoBroadcst, RecvErr: r.RecvErr, TTL: uint8(r.TTL), Whole: r.Whole,
		Checksum: r.Checksum >= 0, ChecksumAt: r.Checksum}
	if r.RcvBuf > 0 {
		o.RcvBuf = max(2*min(r.RcvBuf, raw.DefaultBuffer), 2304)
	}
	for _, t := range r.Without {
		o.Blocked[t>>5] |= 1 << (t & 31)
	}
	if r.Ping {
		c, err = h.M.Raw.ListenPing(n, r.Six, r.Local, r.Number, o)
	} else {
		c, err = h.M.Raw.Listen(n, r.Six, uint8(r.Number), r.Local, o)
	}
	if err == nil && r.Peer.IsValid() {
		if err = c.Connect(r.Peer); err != nil {
			c.Close()
		}
	}
	return c, bare(err)
}

func (h *Host) rawListen(n *netns.Net, k rawKey, p *lab.Probe) error {
	c, err := h.rawOpen(n, p)
	if err != nil {
		return err
	}
	h.raws.mu.Lock()
	defer h.raws.mu.Unlock()
	if h.raws.all[k] != nil { // it would not be found again
		c.Close()
		return syscall.EADDRINUSE
	}
	if h.raws.all == nil {
		h.raws.all = map[rawKey]*raw.Conn{}
	}
	h.raws.all[k] = c
	return nil
}

func (h *Host) rawSend(c *raw.Conn, p *lab.Probe) error {
	_, err := c.Send([]byte(p.Data), p.Raw.To)
	h.settle()
	return bare(err)
}

// rawShow takes what a socket has got, and tells of an error after it.
func rawShow(c *raw.Conn) (got []lab.Datagram, err error) {
	for {
		m, e := c.TryReceive()
		switch {
		case e == nil:
			got = append(got, lab.Datagram{From: netip.AddrPortFrom(m.From, 0), Data: string(m.Data)})
		case errors.Is(e, syscall.EAGAIN):
			return got, err
		default:
			if err == nil {
				err = bare(e)
			}
			if c.Closed() {
				return got, err
			}
		}
	}
}
