package nsmodel

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/fib"
)

// sources tells the bridges who they are when they ask for members: they stand below
// IP and do not know. Linux: br_ip4_multicast_alloc_query calls inet_select_addr, and
// br_ip6_multicast_alloc_query ipv6_dev_get_saddr.
func (m *Machine) sources() link.Sources {
	return link.Sources{
		IPv4: func(d *core.Device) netip.Addr {
			return m.IPv4.SelectSource(d.Net(), d, netip.Addr{}, fib.Link)
		},
		IPv6: func(d *core.Device) netip.Addr {
			return m.IPv6.SelectSource(d.Net(), d, netip.IPv6LinkLocalAllNodes())
		},
	}
}
