package fib

import "net/netip"

// A Result is the answer to a lookup: a plain value whose parts are immutable,
// so it stays good, if no longer true, after the routes change.
// Linux: struct fib_result.
type Result struct {
	Hop   *NextHop // the chosen next hop; nil if the route's type has none. Never write to it
	Type  Type
	Scope Scope
	Table uint32 // the table that answered; main while local and main are one trie
	plen  uint8
	dst   key
	alias *alias
}

// Prefix returns the prefix that matched.
func (r Result) Prefix() netip.Prefix {
	return netip.PrefixFrom(r.dst.cut(r.plen).addr(r.alias.family), int(r.plen))
}

// Src returns the route's preferred source; the zero Addr if it has none.
func (r Result) Src() netip.Addr { return r.alias.info.src }

// MTU returns the route's own MTU in bytes, or 0.
func (r Result) MTU() int { return int(r.alias.info.mtu) }

// AdvMSS returns the route's own advertised segment size in bytes, or 0.
func (r Result) AdvMSS() int { return int(r.alias.info.advmss) }

// TOS returns the TOS for which the route is, 0 if for any.
func (r Result) TOS() uint8 { return r.alias.service() }

// Metrics returns the route's other metrics.
func (r Result) Metrics() Metrics { return r.alias.info.metrics }

// Metric returns the route's metric.
func (r Result) Metric() uint32 { return r.alias.metric }

// Proto tells who made the route (RTPROT_*).
func (r Result) Proto() uint8 { return r.alias.proto }

// Route returns the whole route; for dumps, not for the packet path.
func (r Result) Route() Route { return cell{key: r.dst.cut(r.plen), plen: r.plen}.route(r.alias) }
