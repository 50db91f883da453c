package ipv4

import (
	"strconv"
	"strings"
	"syscall"

	"nsmodel/core/sysctl"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Which of several next hops a flow takes. Only who meets such a route computes
// a hash. Linux: fib_multipath_hash, net/ipv4/route.c.

// HashSeed returns net.ipv4.fib_multipath_hash_seed, by which both families choose.
// 0, which in Linux stands for a number that the host has drawn, is a number here.
func (s *Inet) HashSeed(n *netns.Net) uint32 { return s.conf.Of(n).HashSeed.Load() }

// spreadIn chooses the next hop of a packet that arrived.
func (s *Inet) spreadIn(n *netns.Net, ip wire.IPv4, res *fib.Result) {
	c := s.conf.Of(n)
	policy := c.HashPolicy.Load()
	if policy == 0 {
		res.Pick(layer3(ip).Hash(c.HashSeed.Load()))
		return
	}
	res.Pick(wire.Dissect(ip, false).HashBy(policy, uint32(c.HashFields.Load()), c.HashSeed.Load(), ip))
}

// layer3 returns the addresses of a packet or, of an ICMP error, those of the
// packet that it is about: it goes that one's way. Linux: ip_multipath_l3_keys.
func layer3(ip wire.IPv4) wire.FlowKeys {
	b := []byte(ip)
	if hdr := ip.HeaderLen(); ip.Proto() == wire.ProtoICMP && ip.FragOffset() == 0 && len(b) >= hdr+wire.ICMPLen+wire.IPv4Len {
		switch b[hdr] {
		case wire.ICMPDestUnreach, wire.ICMPRedirect, wire.ICMPTimeExceeded, wire.ICMPParamProblem:
			if quoted := b[hdr+wire.ICMPLen:]; quoted[0]>>4 == 4 {
				b = quoted
			}
		}
	}
	return wire.Dissect(b, false).Only(wire.FieldSrc | wire.FieldDst)
}

// spreadOut chooses the next hop of what n sends.
func (s *Inet) spreadOut(n *netns.Net, f *fib.Flow, res *fib.Result) {
	k := wire.FlowKeys{Proto: f.Proto, SPort: f.SPort, DPort: f.DPort}
	src, dst := as4(f.Src), as4(f.Dst)
	copy(k.Src[:], src[:])
	copy(k.Dst[:], dst[:])
	c := s.conf.Of(n)
	policy := c.HashPolicy.Load()
	if policy == 0 {
		policy = 2
	}
	res.Pick(k.HashBy(policy, uint32(c.HashFields.Load()), c.HashSeed.Load(), nil))
}

// initMultipathSysctl registers what is no int.
func (s *Inet) initMultipathSysctl() error {
	return s.Sysctl.Register(sysctl.Entry{Name: "net.ipv4.fib_multipath_hash_seed", Row: "net.ipv4",
		Get: func(n *netns.Net, _ string) (string, error) {
			return strconv.FormatUint(uint64(s.HashSeed(n)), 10), nil
		},
		Set: func(n *netns.Net, _, value string) error {
			if strings.HasPrefix(strings.TrimSpace(value), "-") {
				return syscall.EINVAL
			}
			v, err := ParseInt(value, 0, 1<<32-1)
			if err == nil && uint32(v) != s.HashSeed(n) {
				s.conf.Own(n).HashSeed.Store(uint32(v))
			}
			return err
		}})
}
