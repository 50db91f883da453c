package wire

import (
	"encoding/binary"
	"math/bits"
)

// Odd, with about half of their bits set: digits of the golden ratio and of
// the roots of 2 and 3.
const (
	flowK0 = 0x9e3779b97f4a7c15
	flowK1 = 0x6a09e667f3bcc909
	flowK2 = 0xbb67ae8584caa73b
)

// FlowHash4 spreads flows over next hops, queues and sockets of a SO_REUSEPORT
// group: equal arguments give equal results on every machine, and each bit of
// the result depends on each bit of the arguments. Who does not know the seed
// cannot easily aim at one result, but that is no defence for a hash table
// (it is no keyed cryptographic hash). Direction counts: swapping the ends
// changes the result.
func FlowHash4(seed uint32, proto uint8, src, dst [4]byte, sport, dport uint16) uint32 {
	key := (uint64(seed)<<8 | uint64(proto)) * flowK0
	addrs := uint64(binary.BigEndian.Uint32(src[:]))<<32 | uint64(binary.BigEndian.Uint32(dst[:]))
	ports := uint64(sport)<<16 | uint64(dport)
	hi, lo := bits.Mul64(addrs^key^flowK1, flowK2^ports*flowK0)
	hi, lo = bits.Mul64(hi^lo^key, flowK0)
	return uint32(hi ^ lo>>32)
}

// FlowHash6 is FlowHash4 for IPv6.
func FlowHash6(seed uint32, proto uint8, src, dst [16]byte, sport, dport uint16) uint32 {
	be := binary.BigEndian
	key := (uint64(seed)<<8 | uint64(proto)) * flowK0
	h := key
	for _, v := range [...]uint64{be.Uint64(src[:8]), be.Uint64(src[8:]), be.Uint64(dst[:8]), be.Uint64(dst[8:]), uint64(sport)<<16 | uint64(dport)} {
		hi, lo := bits.Mul64(h^v^flowK1, flowK2)
		h = hi ^ lo
	}
	hi, lo := bits.Mul64(h^key, flowK0)
	return uint32(hi ^ lo>>32)
}
