//go:build linux

package conformance

import (
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/lab"
)

// ownTool reports whether a command is this project's to carry out on the
// kernel: a probe, or a way's tool that is not installed.
func ownTool(cmd *lab.Command) bool {
	switch do := cmd.Do.(type) {
	case *lab.Probe:
		return true
	case *lab.Trace:
		name := "tracepath"
		if do.Route {
			name = "traceroute"
		}
		_, err := exec.LookPath(name)
		return err != nil
	}
	return false
}

// A kernelTrace is the socket of a tracepath or traceroute.
type kernelTrace struct {
	f     *os.File
	raw   syscall.RawConn
	dst   netip.Addr
	start time.Time
}

// Trace implements [lab.Tracer].
func (m probes) Trace(net string, dst netip.Addr) (lab.TraceSocket, error) {
	t := &kernelTrace{dst: dst, start: time.Now()}
	err := m.k.in(net, func() error {
		f, err := OpenTrace(dst)
		t.f = f
		return err
	})
	if err != nil {
		return nil, err
	}
	t.raw, err = t.f.SyscallConn()
	return t, err
}

// OpenTrace makes the socket of a tracepath to dst in the calling thread's
// namespace: with an error queue, and with Don't Fragment and what is known of
// the path.
func OpenTrace(dst netip.Addr) (*os.File, error) {
	family, level := unix.AF_INET, unix.SOL_IP
	options := [][2]int{{unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO}, {unix.IP_RECVERR, 1}, {unix.IP_RECVTTL, 1}}
	if dst.Is6() {
		family, level = unix.AF_INET6, unix.SOL_IPV6
		options = [][2]int{{unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO}, {unix.IPV6_RECVERR, 1}, {unix.IPV6_RECVHOPLIMIT, 1}}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, level, o[0], o[1]); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), "trace"), nil
}

// control calls f with the descriptor.
func (t *kernelTrace) control(f func(fd int) error) (err error) {
	if e := t.raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

func (t *kernelTrace) Send(port uint16, ttl int, data []byte) error {
	return t.control(func(fd int) error {
		level, name := unix.SOL_IP, unix.IP_TTL
		if t.dst.Is6() {
			level, name = unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS
		}
		if err := unix.SetsockoptInt(fd, level, name, ttl); err != nil {
			return err
		}
		return unix.Sendto(fd, data, 0, sockaddr(netip.AddrPortFrom(t.dst, port)))
	})
}

func (t *kernelTrace) Wait(d time.Duration) (reply bool) {
	_ = t.control(func(fd int) error {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(d.Milliseconds())); err != nil {
			return err
		}
		_, _, err := unix.Recvfrom(fd, make([]byte, 64), unix.MSG_DONTWAIT)
		reply = err == nil
		return err
	})
	return reply
}

func (t *kernelTrace) Error() (e lab.SockError, ok bool) {
	_ = t.control(func(fd int) (err error) {
		e, err = ReadSockError(fd)
		ok = err == nil
		return err
	})
	return e, ok
}

func (t *kernelTrace) Now() time.Duration { return time.Since(t.start) }
func (t *kernelTrace) Close() error       { return t.f.Close() }

// ReadSockError takes the oldest entry of a socket's error queue.
func ReadSockError(fd int) (e lab.SockError, err error) {
	data, control := make([]byte, 65536), make([]byte, 512)
	n, k, _, from, err := unix.Recvmsg(fd, data, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return e, err
	}
	e.Data, e.Hops = string(data[:n]), -1
	e.To, _ = addrPort(from)
	all, err := unix.ParseSocketControlMessage(control[:k])
	if err != nil {
		return e, err
	}
	for _, m := range all {
		switch m.Header.Level<<16 | m.Header.Type {
		case unix.SOL_IP<<16 | unix.IP_TTL, unix.SOL_IPV6<<16 | unix.IPV6_HOPLIMIT:
			e.Hops = int(binary.NativeEndian.Uint32(m.Data))
		case unix.SOL_IP<<16 | unix.IP_RECVERR, unix.SOL_IPV6<<16 | unix.IPV6_RECVERR:
			b := m.Data // struct sock_extended_err, then the offender's sockaddr
			e.Errno = syscall.Errno(binary.NativeEndian.Uint32(b))
			e.Origin, e.Type, e.Code, e.Info = b[4], b[5], b[6], binary.NativeEndian.Uint32(b[8:])
			switch binary.NativeEndian.Uint16(b[16:]) {
			case unix.AF_INET:
				e.Offender = netip.AddrFrom4([4]byte(b[20:24]))
			case unix.AF_INET6:
				e.Offender = netip.AddrFrom16([16]byte(b[24:40]))
			}
		}
	}
	return e, nil
}

var _ lab.Tracer = probes{}

// discover sets what a probe says of its socket's errors; in its Net.
func discover(fd int, p *lab.Probe) error {
	level, name, queue := unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_RECVERR
	if p.Remote.Addr().Is6() {
		level, name, queue = unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_RECVERR
	}
	if p.Remote.Addr().Is6() && p.HasTTL {
		if err := unix.SetsockoptInt(fd, level, unix.IPV6_UNICAST_HOPS, p.TTL); err != nil {
			return err
		}
	}
	if p.RecvErr {
		if err := unix.SetsockoptInt(fd, level, queue, 1); err != nil {
			return err
		}
	}
	if p.Discover == "" {
		return nil
	}
	return unix.SetsockoptInt(fd, level, name, map[string]int{"dont": unix.IP_PMTUDISC_DONT, "want": unix.IP_PMTUDISC_WANT, "do": unix.IP_PMTUDISC_DO,
		"probe": unix.IP_PMTUDISC_PROBE}[p.Discover])
}

// sendQueue sends a datagram from a socket without a peer, and shows what its
// error queue holds when the time is up, or after the first entry.
func sendQueue(f *os.File, p *lab.Probe, data []byte) (all []lab.Datagram, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fault error
	err = raw.Control(func(fd uintptr) {
		fault = unix.Sendto(int(fd), data, 0, sockaddr(p.Remote))
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, int(p.Wait.Milliseconds()))
		for {
			e, err := ReadSockError(int(fd))
			if err != nil {
				return
			}
			all = append(all, lab.Datagram{Err: &e})
		}
	})
	if err == nil {
		err = fault
	}
	return all, err
}
