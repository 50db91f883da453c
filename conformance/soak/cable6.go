package soak

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/wire"
	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
)

// The two ends of a cable in IPv6.
var (
	near6 = netip.MustParseAddr("2001:db8:1::1")
	far6  = netip.MustParsePrefix("2001:db8:1::2/64")
)

// quiet6 gives the Net at the quiet cable IPv6 and a service.
const quiet6 = `ip netns exec $N sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip -n $N addr add 2001:db8:1::1/64 dev eth0 nodad
ip netns exec $N probe udp echo [::]:17
`

// talk6 is talk over IPv6: what is long goes in fragments.
func (c *cable) talk6(rng *rand.Rand) {
	if err := ping6(c.ns, near6, uint16(rng.Uint32()), rng.IntN(3000)); err != nil {
		c.o.fault("the kernel pings the model by IPv6: %v", err)
	}
	said := strings.Repeat("x", 1+rng.IntN(3000))
	heard, err := linux.Ask(c.ns, netip.AddrPortFrom(near6, 17), said, patience)
	if err != nil || heard != said {
		c.o.fault("the kernel asks the model with %d bytes by IPv6 and hears %d: %v", len(said), len(heard), err)
	}
	c.o.exchanges.Add(2)
}

// ping6 sends an echo request from a namespace of the kernel's and waits for its
// reply, which must be as long. The kernel sums what it sends.
func ping6(ns *rtnl.Namespace, to netip.Addr, seq uint16, size int) error {
	fd := -1
	err := ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b := make([]byte, 65536)
	b[0] = wire.ICMP6Echo
	binary.BigEndian.PutUint16(b[4:], uint16(fd))
	binary.BigEndian.PutUint16(b[6:], seq)
	if err := unix.Sendto(fd, b[:wire.ICMPLen+size], 0, &unix.SockaddrInet6{Addr: to.As16()}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for end := time.Now().Add(patience); time.Until(end) > 0; {
		left := unix.NsecToTimeval(max(time.Until(end), time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &left); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		k, _, err := unix.Recvfrom(fd, b, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		case k >= wire.ICMPLen && b[0] == wire.ICMP6EchoReply && binary.BigEndian.Uint16(b[4:]) == uint16(fd) && binary.BigEndian.Uint16(b[6:]) == seq:
			if k != wire.ICMPLen+size {
				return fmt.Errorf("%d bytes went, %d came", wire.ICMPLen+size, k)
			}
			return nil
		}
	}
	return fmt.Errorf("no reply in %v", patience)
}
