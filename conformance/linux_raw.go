//go:build linux

package conformance

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/lab"
)

// A rawService is a raw or ping socket that a probe keeps open on the kernel.
type rawService struct{ net, network, name string }

// rawSocket does one probe of a raw or a ping socket.
func (k *kernel) rawSocket(net string, p *lab.Probe) ([]lab.Datagram, error) {
	key := rawService{net, p.Raw.Network(), p.Raw.Name}
	fd, open := k.raws[key]
	switch {
	case p.Verb == lab.RawListen:
		fd, err := k.rawOpen(net, p)
		if err != nil {
			return nil, err
		}
		if open {
			unix.Close(fd)
			return nil, unix.EADDRINUSE
		}
		if k.raws == nil {
			k.raws = map[rawService]int{}
		}
		k.raws[key] = fd
		return nil, nil
	case p.Verb == lab.RawSendTo && p.Raw.Name == "":
		fd, err := k.rawOpen(net, p)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		return nil, k.rawSend(net, fd, p)
	case !open:
		return nil, unix.ENOENT
	case p.Verb == lab.RawSendTo:
		return nil, k.rawSend(net, fd, p)
	case p.Verb == lab.RawShow:
		return rawShow(k, net, fd)
	}
	delete(k.raws, key)
	return nil, unix.Close(fd)
}

// shutRaw closes the raw and ping sockets of a Net, or of all.
func (k *kernel) shutRaw(in func(net string) bool) {
	for s, fd := range k.raws {
		if in(s.net) {
			unix.Close(fd)
			delete(k.raws, s)
		}
	}
}

// rawOpen makes the socket that a probe describes.
func (k *kernel) rawOpen(net string, p *lab.Probe) (fd int, err error) {
	err = k.in(net, func() error {
		r := p.Raw
		family, typ, proto := unix.AF_INET, unix.SOCK_RAW, int(r.Number)
		if r.Six {
			family = unix.AF_INET6
		}
		if r.Ping {
			if typ, proto = unix.SOCK_DGRAM, unix.IPPROTO_ICMP; r.Six {
				proto = unix.IPPROTO_ICMPV6
			}
		}
		if fd, err = unix.Socket(family, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto); err != nil {
			return err
		}
		if err = rawOptions(fd, p); err == nil && (r.Local.IsValid() || r.Ping) {
			port := uint16(0)
			if r.Ping {
				port = r.Number
			}
			var a unix.Sockaddr
			if a, err = rawAddr(r.Local, r.Six, port); err == nil {
				err = unix.Bind(fd, a)
			}
		}
		if err == nil && r.Peer.IsValid() {
			var a unix.Sockaddr
			if a, err = rawAddr(r.Peer, r.Six, 0); err == nil {
				err = unix.Connect(fd, a)
			}
		}
		if err != nil {
			unix.Close(fd)
		}
		return err
	})
	return fd, err
}

// rawAddr is an address as a call takes it; zones are looked up in the calling
// thread's namespace.
func rawAddr(a netip.Addr, six bool, port uint16) (unix.Sockaddr, error) {
	if !a.IsValid() {
		if a = netip.IPv4Unspecified(); six {
			a = netip.IPv6Unspecified()
		}
	}
	if a.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: a.As4()}, nil
	}
	s := &unix.SockaddrInet6{Port: int(port), Addr: a.As16()}
	if a.Zone() != "" {
		i, err := index(a.Zone())
		if err != nil {
			return nil, err
		}
		s.ZoneId = uint32(i)
	}
	return s, nil
}

func rawOptions(fd int, p *lab.Probe) error {
	r := p.Raw
	if p.Dev != "" {
		if err := unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, p.Dev); err != nil {
			return err
		}
	}
	level, ttl, whole, errs := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_HDRINCL, unix.IP_RECVERR
	if r.Six {
		level, ttl, whole, errs = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_HDRINCL, unix.IPV6_RECVERR
	}
	for _, o := range []struct {
		set                bool
		level, name, value int
	}{
		{!r.NoBroadcst, unix.SOL_SOCKET, unix.SO_BROADCAST, 1},
		{r.RcvBuf > 0, unix.SOL_SOCKET, unix.SO_RCVBUF, r.RcvBuf},
		{r.TTL > 0, level, ttl, r.TTL}, {r.Whole, level, whole, 1}, {r.RecvErr, level, errs, 1},
		{r.Checksum >= 0, unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, r.Checksum},
	} {
		if o.set {
			if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
				return err
			}
		}
	}
	if len(r.Without) == 0 {
		return nil
	}
	var blocked [8]uint32
	for _, t := range r.Without {
		blocked[t>>5] |= 1 << (t & 31)
	}
	if r.Six {
		return unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, 1, &unix.ICMPv6Filter{Data: blocked})
	}
	const solRaw, icmpFilter = 255, 1
	b := binary.NativeEndian.AppendUint32(nil, blocked[0])
	return unix.SetsockoptString(fd, solRaw, icmpFilter, string(b))
}

func (k *kernel) rawSend(net string, fd int, p *lab.Probe) error {
	err := k.in(net, func() error {
		a, err := rawAddr(p.Raw.To, p.Raw.Six, 0)
		if err != nil {
			return err
		}
		return unix.Sendto(fd, []byte(p.Data), 0, a)
	})
	time.Sleep(linger)
	return err
}

// rawShow takes what a socket has got, and tells of an error after it.
func rawShow(k *kernel, netns string, fd int) (got []lab.Datagram, err error) {
	time.Sleep(linger)
	b := make([]byte, 65536)
	for {
		n, from, e := unix.Recvfrom(fd, b, 0)
		switch {
		case e == unix.EAGAIN:
			return got, err
		case e != nil:
			if err == nil {
				err = e
			}
			continue
		}
		a, _ := addrPort(from)
		ip := a.Addr()
		if six, ok := from.(*unix.SockaddrInet6); ok && six.ZoneId != 0 {
			_ = k.in(netns, func() error {
				i, err := net.InterfaceByIndex(int(six.ZoneId))
				if err == nil {
					ip = ip.WithZone(i.Name)
				}
				return err
			})
		}
		got = append(got, lab.Datagram{From: netip.AddrPortFrom(ip, 0), Data: string(b[:n])})
	}
}
