package core

import (
	"fmt"
	"net/netip"
	"syscall"

	"nsmodel/netns"
)

// A Proxy is an address for which a Net answers on behalf of somebody behind
// it. Linux: struct pneigh_entry.
type Proxy struct {
	Addr   netip.Addr
	Dev    *Device // nil: at every device
	Router bool    // the answers call it a router. Linux: NTF_ROUTER
}

// A proxyEntry is a Proxy in the table.
type proxyEntry struct {
	dev    *Device
	router bool
}

// SetProxy makes n answer for a at d, or at every device if d is nil; ENOBUFS
// over the Net's share of the table. Linux: pneigh_create.
func (s *Stack) SetProxy(n *netns.Net, d *Device, a netip.Addr) error {
	return s.AddProxy(n, Proxy{Addr: a, Dev: d})
}

// AddProxy is SetProxy with all that an entry says; one that is there it changes.
// Errors: also those of [NeighOps.Proxy].
func (s *Stack) AddProxy(n *netns.Net, x Proxy) error {
	k := proxyKey(x.Dev, x.Addr)
	ops := s.neighOps[familyIndex(familyOf(x.Addr))]
	if _, there := s.proxies.Get(n, k); !there && ops != nil && ops.Proxy != nil {
		if err := ops.Proxy(x.Dev, x.Addr, true); err != nil {
			return err
		}
	}
	return s.proxies.Set(n, k, proxyEntry{x.Dev, x.Router})
}

// endProxy takes back what an entry that was taken out had brought about.
func (s *Stack) endProxy(a netip.Addr, x proxyEntry) {
	if ops := s.neighOps[familyIndex(familyOf(a))]; ops != nil && ops.Proxy != nil {
		_ = ops.Proxy(x.dev, a, false) // what was joined can be left
	}
}

// DeleteProxy takes that back; ENOENT if there is none such.
// Linux: pneigh_delete.
func (s *Stack) DeleteProxy(n *netns.Net, d *Device, a netip.Addr) error {
	x, ok := s.proxies.Delete(n, proxyKey(d, a))
	if !ok {
		return fmt.Errorf("core: proxy entry %v: %w", a, syscall.ENOENT)
	}
	s.endProxy(a, x)
	return nil
}

// HasProxy reports whether n answers for a at d. Linux: pneigh_lookup.
func (s *Stack) HasProxy(n *netns.Net, d *Device, a netip.Addr) bool {
	_, ok := s.ProxyAt(n, d, a)
	return ok
}

// ProxyAt returns the entry by which n answers for a at d.
func (s *Stack) ProxyAt(n *netns.Net, d *Device, a netip.Addr) (x Proxy, ok bool) {
	e, ok := s.proxies.Get(n, proxyKey(d, a))
	if !ok {
		e, ok = s.proxies.Get(n, proxyKey(nil, a))
	}
	return Proxy{a, e.dev, e.router}, ok
}

// Proxies returns n's proxy entries in the order in which they came.
func (s *Stack) Proxies(n *netns.Net) []Proxy {
	var all []Proxy
	for k, x := range s.proxies.All(n) {
		all = append(all, Proxy{k.addr, x.dev, x.router})
	}
	return all
}

// flushProxies takes away d's entries. Linux: pneigh_ifdown_and_unlock.
func (s *Stack) flushProxies(n *netns.Net, d *Device, family int) {
	if s.proxies.Len(n) == 0 {
		return
	}
	for k, x := range s.proxies.All(n) {
		if x.dev != nil && x.dev == d && (family == 0 || familyOf(k.addr) == family) {
			s.proxies.Delete(n, k)
			s.endProxy(k.addr, x)
		}
	}
}

func proxyKey(d *Device, a netip.Addr) neighKey {
	if d == nil {
		return neighKey{0, a}
	}
	return neighKey{d.Index(), a}
}
