//go:build linux

package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"nsmodel/internal/rtnl"
)

// A Pinger sends ICMP echo requests from a kernel namespace.
type Pinger struct {
	f   *os.File
	id  uint16
	seq uint16
}

// NewPinger opens a raw ICMP socket in ns.
func NewPinger(ns *rtnl.Namespace) (*Pinger, error) {
	var fd int
	err := ns.Do(func() (err error) {
		fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMP)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("raw ICMP socket: %w", err)
	}
	return &Pinger{f: os.NewFile(uintptr(fd), "icmp"), id: uint16(os.Getpid())}, nil
}

// Close ends the socket.
func (p *Pinger) Close() error { return p.f.Close() }

// Ping sends one echo request with a payload of size bytes to a and waits for
// the reply. ErrDeadlineExceeded if none comes in time; an ICMP error comes
// back as its errno.
func (p *Pinger) Ping(a netip.Addr, size int, wait time.Duration) (time.Duration, error) {
	p.seq++
	b := make([]byte, 8+size)
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], p.id)
	binary.BigEndian.PutUint16(b[6:], p.seq)
	for i := 8; i < len(b); i++ {
		b[i] = byte(i)
	}
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	start := time.Now()
	if err := p.send(b, a); err != nil {
		return 0, err
	}
	if err := p.f.SetReadDeadline(start.Add(wait)); err != nil {
		return 0, err
	}
	in := make([]byte, 65536)
	for {
		n, err := p.f.Read(in)
		if err != nil {
			return 0, err
		}
		if n < 28 {
			continue
		}
		h := in[int(in[0]&15)*4 : n]
		if len(h) < 8 || binary.BigEndian.Uint16(h[4:]) != p.id || binary.BigEndian.Uint16(h[6:]) != p.seq {
			continue
		}
		if h[0] == 0 {
			return time.Since(start), nil
		}
	}
}

func (p *Pinger) send(b []byte, a netip.Addr) error {
	raw, err := p.f.SyscallConn()
	if err != nil {
		return err
	}
	to := &syscall.SockaddrInet4{Addr: a.As4()}
	err2 := raw.Write(func(fd uintptr) bool {
		err = syscall.Sendto(int(fd), b, 0, to)
		return !errors.Is(err, syscall.EAGAIN)
	})
	return errors.Join(err, err2)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// DialUDP opens a UDP socket of the kernel in ns, connected to a.
func DialUDP(ns *rtnl.Namespace, a netip.AddrPort) (c *net.UDPConn, err error) {
	err = ns.Do(func() error {
		c, err = net.DialUDP(udpOf(a), nil, net.UDPAddrFromAddrPort(a))
		return err
	})
	return c, err
}

// ListenUDP opens a UDP socket of the kernel in ns, bound to a.
func ListenUDP(ns *rtnl.Namespace, a netip.AddrPort) (c *net.UDPConn, err error) {
	err = ns.Do(func() error {
		c, err = net.ListenUDP(udpOf(a), net.UDPAddrFromAddrPort(a))
		return err
	})
	return c, err
}

// Ask sends text to a from a fresh kernel socket in ns and returns the answer.
func Ask(ns *rtnl.Namespace, a netip.AddrPort, text string, wait time.Duration) (string, error) {
	c, err := DialUDP(ns, a)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return Exchange(c, text, wait)
}

// Exchange sends text on c, a socket of the kernel's or of the model's, and
// returns the answer.
func Exchange(c net.Conn, text string, wait time.Duration) (string, error) {
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	b := make([]byte, 65536)
	n, err := c.Read(b)
	return string(b[:n]), err
}

// udpOf returns net's word for UDP of a's family alone.
func udpOf(a netip.AddrPort) string {
	if a.Addr().Is6() {
		return "udp6"
	}
	return "udp4"
}
