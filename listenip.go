package nsmodel

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"nsmodel/netns"
	"nsmodel/transport/raw"
)

// ListenIP makes a raw or an ICMP datagram socket in n. The network is written as
// for [net.ListenPacket]: "ip4:icmp", "ip6:ipv6-icmp", "ip4:89" is a raw socket
// of a protocol; and as for package x/net/icmp: "udp4" and "udp6" is an ICMP
// datagram socket, which net.ipv4.ping_group_range must allow (EACCES). The
// address, of IPv6 perhaps with a zone, may be empty. What is read from a raw
// IPv4 socket has no IP header, as [net.IPConn] leaves it out.
func (m *Machine) ListenIP(n *netns.Net, network, address string) (net.PacketConn, error) {
	six, ping, proto, err := parseNetwork(network)
	if err != nil {
		return nil, err
	}
	var local netip.Addr
	if address != "" {
		if local, err = netip.ParseAddr(address); err != nil {
			return nil, &net.OpError{Op: "listen", Net: network, Err: fmt.Errorf("%q: %w", address, syscall.EINVAL)}
		}
	}
	var c *raw.Conn
	if ping {
		c, err = m.Raw.ListenPing(n, six, local, 0, raw.Options{})
	} else {
		c, err = m.Raw.Listen(n, six, proto, local, raw.Options{Broadcast: true})
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parseNetwork reads a network of [Machine.ListenIP]; a net.UnknownNetworkError
// for another.
func parseNetwork(s string) (six, ping bool, proto uint8, err error) {
	word, name, given := strings.Cut(s, ":")
	six = strings.HasSuffix(word, "6")
	switch word {
	case "udp4", "udp6":
		if !given {
			return six, true, 0, nil
		}
	case "ip", "ip4", "ip6":
		names := map[string]uint8{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "ospf": 89}
		if p, ok := names[strings.ToLower(name)]; ok {
			return six, false, p, nil
		}
		if p, err := strconv.ParseUint(name, 10, 8); err == nil {
			return six, false, uint8(p), nil
		}
	}
	return false, false, 0, net.UnknownNetworkError(s)
}
