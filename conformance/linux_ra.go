//go:build linux

package conformance

import (
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/wire"
	"nsmodel/lab"
)

// icmp6Filter is the option ICMP6_FILTER, whose bits say what is kept back.
const icmp6Filter = 1

// An advertiser answers router solicitations from a raw socket.
type advertiser struct {
	f    *os.File
	done chan struct{}
}

// advertise does a probe ra with a raw ICMPv6 socket: the kernel fills in the
// checksum and, as the source, the link-local address.
func (k *kernel) advertise(ns string, p *lab.Probe) error {
	key := service{ns, "ra " + p.Dev, ""}
	if p.Verb != lab.RASend {
		if old := k.adverts[key]; old != nil {
			old.f.Close()
			<-old.done
			delete(k.adverts, key)
		}
	}
	if p.Verb == lab.RAOff {
		return k.in(ns, func() error { _, err := index(p.Dev); return err })
	}
	var f *os.File
	var m []byte
	var to netip.Addr
	at := 0
	err := k.in(ns, func() (err error) {
		d, err := net.InterfaceByName(p.Dev)
		if err != nil {
			return unix.ENODEV
		}
		at = d.Index
		m, to = p.Advert(wire.MAC(d.HardwareAddr))
		f, err = neighbourSocket(p.Dev, wire.ICMP6RouterSolicit)
		return err
	})
	if err != nil {
		return err
	}
	err = sendND(f, m, to, at)
	if err != nil || p.Verb == lab.RASend {
		f.Close()
		time.Sleep(linger)
		return err
	}
	if k.adverts == nil {
		k.adverts = map[service]*advertiser{}
	}
	a := &advertiser{f, make(chan struct{})}
	k.adverts[key] = a
	go func() {
		defer close(a.done)
		b := make([]byte, 2048)
		for {
			if _, err := f.Read(b); err != nil {
				return // closed
			}
			_ = sendND(f, m, to, at) // who asks will ask again
		}
	}()
	time.Sleep(linger)
	return nil
}

// hush ends the advertisers of one namespace, or with "" all.
func (k *kernel) hush(ns string) {
	for key, a := range k.adverts {
		if ns == "" || key.net == ns {
			a.f.Close()
			<-a.done
			delete(k.adverts, key)
		}
	}
}

// neighbourSocket makes a raw socket on a device for messages of neighbour
// discovery, which takes one type of them.
func neighbourSocket(dev string, takes uint8) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return nil, err
	}
	filter := make([]byte, 32)
	for i := range filter {
		filter[i] = 0xff
	}
	filter[takes/32*4+takes%32/8] &^= 1 << (takes % 8) // words with the least octet first
	for _, set := range []func() error{
		func() error { return unix.SetsockoptString(fd, unix.SOL_ICMPV6, icmp6Filter, string(filter)) },
		func() error { return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MULTICAST_HOPS, wire.NDHopLimit) },
		func() error { return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, wire.NDHopLimit) },
		func() error { return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MULTICAST_LOOP, 0) },
		func() error { return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, dev) },
	} {
		if err := set(); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), "icmp6"), nil
}

// sendND sends a message out of the device with that number.
func sendND(f *os.File, m []byte, to netip.Addr, dev int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	err = raw.Write(func(fd uintptr) bool {
		fault = unix.Sendto(int(fd), m, 0, &unix.SockaddrInet6{Addr: to.As16(), ZoneId: uint32(dev)})
		return fault != unix.EAGAIN
	})
	if err != nil {
		return err
	}
	return fault
}
