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
	Addr netip.Addr
	Dev  *Device // nil: at every device
}

// SetProxy makes n answer for a at d, or at every device if d is nil; ENOBUFS
// over the Net's share of the table. Linux: pneigh_create.
func (s *Stack) SetProxy(n *netns.Net, d *Device, a netip.Addr) error {
	return s.proxies.Set(n, proxyKey(d, a), d)
}

// DeleteProxy takes that back; ENOENT if there is none such.
// Linux: pneigh_delete.
func (s *Stack) DeleteProxy(n *netns.Net, d *Device, a netip.Addr) error {
	if _, ok := s.proxies.Delete(n, proxyKey(d, a)); !ok {
		return fmt.Errorf("core: proxy entry %v: %w", a, syscall.ENOENT)
	}
	return nil
}

// HasProxy reports whether n answers for a at d. Linux: pneigh_lookup.
func (s *Stack) HasProxy(n *netns.Net, d *Device, a netip.Addr) bool {
	if _, ok := s.proxies.Get(n, proxyKey(d, a)); ok {
		return true
	}
	_, ok := s.proxies.Get(n, proxyKey(nil, a))
	return ok
}

// Proxies returns n's proxy entries in the order in which they came.
func (s *Stack) Proxies(n *netns.Net) []Proxy {
	var all []Proxy
	for k, d := range s.proxies.All(n) {
		all = append(all, Proxy{k.addr, d})
	}
	return all
}

// flushProxies takes away d's entries. Linux: pneigh_ifdown_and_unlock.
func (s *Stack) flushProxies(n *netns.Net, d *Device, family int) {
	if s.proxies.Len(n) == 0 {
		return
	}
	for k, at := range s.proxies.All(n) {
		if at != nil && at == d && (family == 0 || familyOf(k.addr) == family) {
			s.proxies.Delete(n, k)
		}
	}
}

func proxyKey(d *Device, a netip.Addr) neighKey {
	if d == nil {
		return neighKey{0, a}
	}
	return neighKey{d.Index(), a}
}
