//go:build linux

package conformance

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/lab"
)

// keep is how many datagrams a listening probe keeps.
const keep = 64

// linger is how long a packet is given to arrive that nobody waits for: the
// kernel delivers it in microseconds, unless it is busy.
const linger = 10 * time.Millisecond

// A listener is an open socket of a probe.
type listener struct {
	f    *os.File
	echo bool
	done chan struct{}

	mu   sync.Mutex
	kept []lab.Datagram
}

// probes makes a lab's probe commands act on the kernel, with its own sockets,
// so that they print what they print on the model.
type probes struct{ k *kernel }

// Netns implements [lab.Machine] as far as a probe needs it.
func (m probes) Netns(op lab.NetnsOp, name string) ([]string, error) {
	if op != lab.NetnsCheck || !m.k.known[name] {
		return nil, unix.ENOENT
	}
	return nil, nil
}

// Netlink is none of a probe's business.
func (probes) Netlink(string, *netlink.Request) ([]netlink.Message, error) {
	return nil, unix.EOPNOTSUPP
}

// Sysctl is none of a probe's business.
func (probes) Sysctl(string, string, *string) ([]lab.Sysctl, error) { return nil, unix.EOPNOTSUPP }

// Ping is none of a probe's business: the labs' ping is Linux's.
func (probes) Ping(string, *lab.Ping, func(lab.PingEvent)) (lab.PingResult, error) {
	return lab.PingResult{}, unix.EOPNOTSUPP
}

// Probe implements [lab.Machine].
func (m probes) Probe(net string, p *lab.Probe) ([]lab.Datagram, error) {
	got, err := m.k.probe(net, p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = lab.ErrNoReply
	}
	return got, err
}

func (k *kernel) probe(net string, p *lab.Probe) ([]lab.Datagram, error) {
	key := service{net, p.Local.String(), p.Name}
	switch p.Verb {
	case lab.UDPEcho, lab.UDPListen:
		return nil, k.listen(key, p)
	case lab.UDPShow:
		return k.show(key)
	case lab.UDPClose:
		if k.services[key] == nil {
			return nil, unix.ENOENT
		}
		k.shut(key)
	case lab.UDPSend:
		return k.send(net, p)
	case lab.UDPJoin, lab.UDPLeave, lab.UDPBlock, lab.UDPUnblock:
		return nil, k.member(key, p)
	case lab.RawSend:
		return nil, k.raw(net, p)
	case lab.RASend, lab.RAOn, lab.RAOff:
		return nil, k.advertise(net, p)
	case lab.CaptureStart, lab.CaptureStop: // the file is no part of the transcript
		return nil, k.in(net, func() error { _, err := index(p.Dev); return err })
	case lab.Sleep:
		time.Sleep(p.Wait)
	case lab.Ledger:
	default:
		return nil, unix.EOPNOTSUPP
	}
	return nil, nil
}

// show takes what a listening socket has kept.
func (k *kernel) show(key service) ([]lab.Datagram, error) {
	time.Sleep(linger)
	l := k.services[key]
	if l == nil || l.echo {
		return nil, unix.ENOENT
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.kept
	l.kept = nil
	return got, nil
}

func index(dev string) (int, error) {
	i, err := net.InterfaceByName(dev)
	if err != nil {
		return 0, unix.ENODEV
	}
	return i.Index, nil
}

// udp makes a UDP socket in a Net, bound and connected as asked.
func (k *kernel) udp(net string, p *lab.Probe) (f *os.File, err error) {
	local, remote := p.Local, p.Remote
	err = k.in(net, func() error {
		family := unix.AF_INET
		if local.Addr().Is6() || remote.Addr().Is6() {
			family = unix.AF_INET6
		}
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		if err = k.options(fd, p, family == unix.AF_INET6); err == nil && local.IsValid() {
			err = unix.Bind(fd, sockaddr(local))
		}
		if err == nil && remote.IsValid() {
			err = unix.Connect(fd, sockaddr(remote))
		}
		if err != nil {
			unix.Close(fd)
			return err
		}
		f = os.NewFile(uintptr(fd), "udp")
		return nil
	})
	return f, err
}

// sockaddr returns an address as a call takes it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// addrPort is sockaddr's inverse; what IPv4 brought to an IPv6 socket is IPv4's.
func addrPort(s unix.Sockaddr) (a netip.AddrPort, ok bool) {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port)), true
	}
	return a, false
}

// listen opens a service.
func (k *kernel) listen(key service, p *lab.Probe) error {
	f, err := k.udp(key.net, p)
	if err != nil {
		return err
	}
	l := &listener{f: f, echo: p.Verb == lab.UDPEcho, done: make(chan struct{})}
	if k.services[key] != nil {
		f.Close()
		return unix.EADDRINUSE
	}
	k.services[key] = l
	go l.serve()
	return nil
}

// shut closes a service and waits for its end.
func (k *kernel) shut(key service) {
	l := k.services[key]
	delete(k.services, key)
	l.f.Close()
	<-l.done
}

func (l *listener) serve() {
	defer close(l.done)
	raw, err := l.f.SyscallConn()
	if err != nil {
		return
	}
	b := make([]byte, 65536)
	for {
		var n int
		var from unix.Sockaddr
		var fault error
		err := raw.Read(func(fd uintptr) bool {
			n, from, fault = unix.Recvfrom(int(fd), b, 0)
			return fault != unix.EAGAIN
		})
		if err != nil {
			return // closed
		}
		sender, ok := addrPort(from)
		if fault != nil || !ok {
			continue
		}
		if l.echo {
			data := b[:n]
			_ = raw.Write(func(fd uintptr) bool { return unix.Sendto(int(fd), data, 0, from) != unix.EAGAIN })
			continue
		}
		l.mu.Lock()
		if len(l.kept) < keep {
			l.kept = append(l.kept, lab.Datagram{From: sender, Data: string(b[:n])})
		}
		l.mu.Unlock()
	}
}

// send sends one datagram from a socket of its own, and may wait for an answer.
func (k *kernel) send(net string, p *lab.Probe) ([]lab.Datagram, error) {
	f, err := k.udp(net, p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Write([]byte(p.Data)); err != nil {
		return nil, err
	}
	if p.Wait == 0 {
		time.Sleep(linger)
		return nil, nil
	}
	if err := f.SetReadDeadline(time.Now().Add(p.Wait)); err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 65536)
	var n int
	var fault error
	if err := raw.Read(func(fd uintptr) bool { // not f.Read: an empty datagram is no end of file
		n, fault = unix.Read(int(fd), b)
		return fault != unix.EAGAIN
	}); err != nil {
		return nil, err
	}
	if fault != nil {
		return nil, fault
	}
	return []lab.Datagram{{From: p.Remote, Data: string(b[:n])}}, nil
}

// raw sends a frame out of a device.
func (k *kernel) raw(net string, p *lab.Probe) error {
	err := k.in(net, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		i, err := index(p.Dev)
		if err != nil {
			return err
		}
		return unix.Sendto(fd, []byte(p.Data), 0, &unix.SockaddrLinklayer{Ifindex: i})
	})
	time.Sleep(linger)
	return err
}
