package fib

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// A key is an address of either family, left-aligned: IPv4 fills the upper half
// of hi. One width for both keeps one body of code without type parameters,
// whose method calls would be indirect.
type key struct{ hi, lo uint64 }

// keyOf returns a's key; ok is false if a is not of family f.
func keyOf(f Family, a netip.Addr) (k key, ok bool) {
	if f == IPv4 {
		if !a.Is4() {
			return k, false
		}
		b := a.As4()
		return key{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}, true
	}
	if !a.Is6() {
		return k, false
	}
	b := a.As16()
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}, true
}

// addr is keyOf's inverse.
func (k key) addr(f Family) netip.Addr {
	if f == IPv4 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.hi>>32))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b)
}

// agree reports whether k and o have their first plen bits in common.
// In Go a shift by 64 or more gives 0.
func (k key) agree(o key, plen uint8) bool {
	if plen <= 64 {
		return (k.hi^o.hi)>>(64-plen) == 0
	}
	return k.hi == o.hi && (k.lo^o.lo)>>(128-plen) == 0
}

// common returns how many leading bits k and o share, 0 to 128.
func (k key) common(o key) uint8 {
	if x := k.hi ^ o.hi; x != 0 {
		return uint8(bits.LeadingZeros64(x))
	}
	return uint8(64 + bits.LeadingZeros64(k.lo^o.lo))
}

// less orders keys as addresses.
func (k key) less(o key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

// slot returns the stride bits of k that follow the first pos.
func (k key) slot(pos uint8) uint {
	if pos <= 64-stride {
		return uint(k.hi>>(64-stride-pos)) & (1<<stride - 1)
	}
	// The window reaches into lo, or past its end, where bits count as 0.
	at := int(pos) - 64
	if at < 0 {
		return uint(k.hi<<pos>>(64-stride)|k.lo>>(64-stride-at)) & (1<<stride - 1)
	}
	return uint(k.lo << at >> (64 - stride))
}

// child returns the first pos bits of k followed by the stride bits of s.
func (k key) child(pos uint8, s uint) key {
	if pos < 64 {
		k.hi, k.lo = k.hi>>(64-pos)<<(64-pos)|uint64(s)<<(64-stride)>>pos, 0
		if pos > 64-stride {
			k.lo = uint64(s) << (128 - stride - pos)
		}
		return k
	}
	k.lo = k.lo>>(128-pos)<<(128-pos) | uint64(s)<<(64-stride)>>(pos-64)
	return k
}

// cut returns the first plen bits of k.
func (k key) cut(plen uint8) key {
	if plen <= 64 {
		return key{hi: k.hi >> (64 - plen) << (64 - plen)}
	}
	return key{k.hi, k.lo >> (128 - plen) << (128 - plen)}
}
