package ipv4

// What ipv4-conf owns and this branch compiles against until it is merged; the
// names are those of the contract. Deleted with the merge.

import (
	"net/netip"
	"sync/atomic"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Conf is net.ipv4.* of one Net.
type Conf struct {
	Forward, DefaultTTL                                        atomic.Int32
	ICMPRatelimit, ICMPRatemask, ICMPMsgsPerSec, ICMPMsgsBurst atomic.Int32
	EchoIgnoreAll, EchoIgnoreBroadcasts                        atomic.Int32
	IPNoPMTUDisc                                               atomic.Int32
	FragHighThresh, FragLowThresh, FragTime, FragMaxDist       atomic.Int64
	MinPMTU, MTUExpires                                        atomic.Int32
	all                                                        devConf
}

// devConf is net.ipv4.conf.DEV.* of one device, or all.
type devConf struct {
	Forwarding, RPFilter, AcceptLocal, AcceptSourceRoute, SendRedirects, RouteLocalnet atomic.Int32
}

type device struct {
	conf devConf
}

// Addr is an address of a device.
type Addr struct {
	Dev         *core.Device
	Local, Peer netip.Addr
	Prefix      netip.Prefix
	Broadcast   netip.Addr
	Scope       fib.Scope
	Label       string
	Flags       uint32
}

func (s *Inet) SelectSource(n *netns.Net, d *core.Device, dst netip.Addr, scope fib.Scope) netip.Addr {
	return netip.IPv4Unspecified()
}
func (s *Inet) IsLocal(n *netns.Net, a [4]byte) bool             { return false }
func (s *Inet) LocalDevice(n *netns.Net, a [4]byte) *core.Device { return nil }
func (s *Inet) AddrType(n *netns.Net, a [4]byte) fib.Type        { return fib.Unicast }
