package fib

import (
	"iter"
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

type info struct {
	src         netip.Addr
	mtu, advmss uint32
	metric      uint32
	proto       uint8
}
type alias struct{ info *info }

func (a *alias) prefix() netip.Prefix { return netip.Prefix{} }
func (a *alias) route() Route         { return Route{} }

type tables struct{}
type ruleSet struct{}

func stockRules() []Rule { return nil }

// Lookup finds the route of a flow; the errors are bare Errnos.
func (f *FIB) Lookup(n *netns.Net, fl *Flow) (Result, error) { return Result{}, syscall.ENOSYS }

// AddrType tells what the table local says an address is. Linux: inet_addr_type.
func (f *FIB) AddrType(n *netns.Net, a netip.Addr) Type { return Unicast }

// AddrTypeDev is AddrType, counting only addresses of dev. Linux: inet_addr_type_dev_table, inet_dev_addr_type.
func (f *FIB) AddrTypeDev(n *netns.Net, dev *core.Device, a netip.Addr) Type { return Unicast }

// Add adds a route; under rtnl.
func (f *FIB) Add(n *netns.Net, r Route, how Flags) error { return syscall.ENOSYS }

// Delete takes the first matching route away; under rtnl.
func (f *FIB) Delete(n *netns.Net, r Route) error { return syscall.ENOSYS }

// Routes yields the routes of a table (0: all) in Linux's order.
func (f *FIB) Routes(n *netns.Net, table uint32) iter.Seq[Route] { return nil }

// Down, Up, Carrier and Gone are device events; under rtnl.
func (f *FIB) DeviceDown(n *netns.Net, d *core.Device) int             { return 0 }
func (f *FIB) DeviceUp(n *netns.Net, d *core.Device) int               { return 0 }
func (f *FIB) DeviceCarrier(n *netns.Net, d *core.Device, up bool) int { return 0 }
func (f *FIB) DeviceGone(n *netns.Net, d *core.Device) int             { return 0 }
func (f *FIB) AddrGone(n *netns.Net, a netip.Addr) int                 { return 0 }
func (f *FIB) FlushNet(n *netns.Net)                                   {}

// Bind and Unbind attach rules by device name; under rtnl.
func (f *FIB) Bind(n *netns.Net, name string, index int32) {}
func (f *FIB) Unbind(n *netns.Net, name string)            {}

// AddRule, DeleteRule; under rtnl. Rules yields them in order.
func (f *FIB) AddRule(n *netns.Net, r Rule) error    { return syscall.ENOSYS }
func (f *FIB) DeleteRule(n *netns.Net, r Rule) error { return syscall.ENOSYS }
func (f *FIB) Rules(n *netns.Net) []Rule             { return nil }
