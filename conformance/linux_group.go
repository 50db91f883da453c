//go:build linux

package conformance

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/lab"
)

// options sets what a probe says of its socket; in its Net.
func (k *kernel) options(fd int, p *lab.Probe, six bool) error {
	type option struct {
		level, name, value int
		on                 bool
	}
	send := p.Verb == lab.UDPSend
	list := []option{
		{unix.SOL_SOCKET, unix.SO_BROADCAST, 1, !p.NoBroadcast},
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, p.Reuse},
		{unix.SOL_IP, unix.IP_MULTICAST_ALL, 0, p.OnlyJoined},
		{unix.SOL_IP, unix.IP_MULTICAST_LOOP, 0, p.NoLoop},
		{unix.SOL_IP, unix.IP_MULTICAST_TTL, p.TTL, p.HasTTL},
		{unix.SOL_IP, unix.IP_TTL, p.TTL, p.HasTTL && p.TTL > 0},
	}
	if six {
		list = append(list[:2], []option{
			{unix.SOL_IPV6, unix.IPV6_MULTICAST_ALL, 0, p.OnlyJoined},
			{unix.SOL_IPV6, unix.IPV6_MULTICAST_LOOP, 0, p.NoLoop},
			{unix.SOL_IPV6, unix.IPV6_MULTICAST_HOPS, p.TTL, p.HasTTL},
			{unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, p.TTL, p.HasTTL && p.TTL > 0},
		}...)
	}
	for _, o := range list {
		if !o.on {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	switch {
	case p.Dev == "":
		return nil
	case send:
		i, err := index(p.Dev)
		if err != nil {
			return err
		}
		if six {
			return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MULTICAST_IF, i)
		}
		return unix.SetsockoptIPMreqn(fd, unix.SOL_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(i)})
	}
	return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, p.Dev)
}

// member changes what a service's socket has joined.
func (k *kernel) member(key service, p *lab.Probe) error {
	l := k.services[key]
	if l == nil {
		return unix.ENOENT
	}
	raw, err := l.f.SyscallConn()
	if err != nil {
		return err
	}
	return k.in(key.net, func() error { // names of devices are this Net's
		var fault error
		if err := raw.Control(func(fd uintptr) { fault = setMember(int(fd), p) }); err != nil {
			return err
		}
		return fault
	})
}

// setMember joins or leaves. A source is given by the interface's number, too,
// which the older calls have no place for.
func setMember(fd int, p *lab.Probe) error {
	at := 0
	if p.Dev != "" {
		var err error
		if at, err = index(p.Dev); err != nil {
			return err
		}
	}
	level := unix.SOL_IP
	if p.Group.Is6() {
		level = unix.SOL_IPV6
	}
	if !p.Source.IsValid() && level == unix.SOL_IPV6 {
		op := unix.IPV6_JOIN_GROUP
		if p.Verb == lab.UDPLeave {
			op = unix.IPV6_LEAVE_GROUP
		}
		return unix.SetsockoptIPv6Mreq(fd, level, op, &unix.IPv6Mreq{Multiaddr: p.Group.As16(), Interface: uint32(at)})
	}
	if !p.Source.IsValid() {
		op := unix.IP_ADD_MEMBERSHIP
		if p.Verb == lab.UDPLeave {
			op = unix.IP_DROP_MEMBERSHIP
		}
		return unix.SetsockoptIPMreqn(fd, unix.SOL_IP, op, &unix.IPMreqn{Multiaddr: p.Group.As4(), Address: address4(p.Via), Ifindex: int32(at)})
	}
	if p.Via.IsValid() { // struct ip_mreq_source
		op := map[lab.ProbeVerb]int{lab.UDPJoin: unix.IP_ADD_SOURCE_MEMBERSHIP, lab.UDPLeave: unix.IP_DROP_SOURCE_MEMBERSHIP,
			lab.UDPBlock: unix.IP_BLOCK_SOURCE, lab.UDPUnblock: unix.IP_UNBLOCK_SOURCE}[p.Verb]
		var b []byte
		for _, a := range []netip.Addr{p.Group, p.Via, p.Source} {
			four := address4(a)
			b = append(b, four[:]...)
		}
		return unix.SetsockoptString(fd, unix.SOL_IP, op, string(b))
	}
	op := map[lab.ProbeVerb]int{lab.UDPJoin: unix.MCAST_JOIN_SOURCE_GROUP, lab.UDPLeave: unix.MCAST_LEAVE_SOURCE_GROUP,
		lab.UDPBlock: unix.MCAST_BLOCK_SOURCE, lab.UDPUnblock: unix.MCAST_UNBLOCK_SOURCE}[p.Verb]
	return unix.SetsockoptString(fd, level, op, groupSource(at, p.Group, p.Source))
}

func address4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

// groupSource is a struct group_source_req: a number, and two sockaddr_storage.
func groupSource(index int, group, source netip.Addr) string {
	const storage = 128
	b := make([]byte, 8+2*storage)
	b[0], b[1], b[2], b[3] = byte(index), byte(index>>8), byte(index>>16), byte(index>>24)
	for i, a := range []netip.Addr{group, source} {
		at := b[8+i*storage:]
		if a.Is6() {
			at[0] = unix.AF_INET6
			six := a.As16()
			copy(at[8:24], six[:])
			continue
		}
		at[0] = unix.AF_INET
		four := address4(a)
		copy(at[4:8], four[:])
	}
	return string(b)
}
