package fib

import (
	"net/netip"

	"nsmodel/netns"
)

// Match returns the next hop of the first route of the longest prefix in one table
// that covers an address, nil if there is none or its type has none. No rule, TOS,
// scope, type or state of a device is asked: it is what a bare table would say, to
// be measured beside others. It takes no lock and allocates nothing.
func (f *FIB) Match(n *netns.Net, table uint32, a netip.Addr) *NextHop {
	k, ok := keyOf(f.conf.Family, a)
	t := f.homes.Of(n).tables.Load()
	if !ok || t == nil {
		return nil
	}
	tr := t.get(table)
	if tr == nil {
		return nil
	}
	c, _ := tr.lookup(k)
	if c == nil || c.info.hop.Dev == nil {
		return nil
	}
	return &c.info.hop
}
