package ipv6

import (
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Which of several next hops a flow takes. Only who meets such a route computes
// a hash. Linux: rt6_multipath_hash, net/ipv6/route.c.

// hashSeed is IPv4's: Linux has no tunable of IPv6 for it.
func (s *Inet) hashSeed(n *netns.Net) uint32 {
	if s.seed == nil {
		return 0
	}
	return s.seed(n)
}

// spreadIn chooses the next hop of a packet that arrived.
func (s *Inet) spreadIn(n *netns.Net, ip wire.IPv6, res *fib.Result) {
	c := s.conf.Of(n)
	policy := c.HashPolicy.Load()
	if policy == 0 {
		res.Pick(layer3(ip).Hash(s.hashSeed(n)))
		return
	}
	res.Pick(wire.Dissect(ip, false).HashBy(policy, uint32(c.HashFields.Load()), s.hashSeed(n), ip))
}

// layer3 returns what the header of a packet says or, of an ICMP error, that of the
// packet that it is about: it goes that one's way. Linux: ip6_multipath_l3_keys.
func layer3(ip wire.IPv6) wire.FlowKeys {
	if proto, off, ok := ip.Transport(); ok && proto == wire.ProtoICMPv6 && len(ip) >= off+wire.ICMPLen+wire.IPv6Len {
		switch quoted := ip[off+wire.ICMPLen:]; ip[off] {
		case wire.ICMP6DestUnreach, wire.ICMP6PacketTooBig, wire.ICMP6TimeExceeded, wire.ICMP6ParamProblem:
			ip = quoted
		}
	}
	return wire.FlowKeys{V6: true, Src: ip.Src16(), Dst: ip.Dst16(), Label: ip.FlowLabel(), Proto: ip.Next()}
}

// spreadOut chooses the next hop of what n sends.
func (s *Inet) spreadOut(n *netns.Net, f *fib.Flow, res *fib.Result) {
	k := wire.FlowKeys{V6: true, Dst: f.Dst.As16(), Proto: f.Proto, SPort: f.SPort, DPort: f.DPort}
	if f.Src.IsValid() {
		k.Src = f.Src.As16()
	}
	c := s.conf.Of(n)
	switch policy := c.HashPolicy.Load(); policy {
	case 0, 2:
		res.Pick(k.Only(wire.FieldSrc | wire.FieldDst | wire.FieldProto).Hash(s.hashSeed(n)))
	default:
		res.Pick(k.HashBy(policy, uint32(c.HashFields.Load()), s.hashSeed(n), nil))
	}
}
