package stage

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"nsmodel/fib"
)

// share of a prefix length among a hundred routes.
type share struct{ bits, percent int }

// lengths are about those of the tables that routers on the Internet hold: IPv4
// is /24 for three fifths, IPv6 /48 for nearly half and /32, /44 and /40 after it.
var lengths = map[fib.Family][]share{
	fib.IPv4: {{24, 60}, {23, 10}, {22, 12}, {21, 5}, {20, 4}, {19, 3}, {18, 2}, {17, 1}, {16, 2}, {32, 1}},
	fib.IPv6: {{48, 46}, {32, 14}, {44, 11}, {40, 9}, {36, 5}, {46, 4}, {47, 3}, {29, 3}, {42, 2}, {33, 1}, {64, 1}, {128, 1}},
}

// blocks are where registries give IPv6 from: 2001::/16, 2400::/12 and so on.
var blocks = []share{{0x2001 << 16, 16}, {0x2400 << 16, 12}, {0x2600 << 16, 12}, {0x2800 << 16, 12}, {0x2a00 << 16, 12}, {0x2c00 << 16, 12}}

// Prefixes returns so many different prefixes, always the same for a count. IPv4's
// lie anywhere below 224.0.0.0; IPv6's lie within allocations of 32 bits, a sixth
// as many as there are routes, as operators announce parts of what they hold.
func Prefixes(family fib.Family, count int) []netip.Prefix {
	rng := rand.New(rand.NewPCG(uint64(count), uint64(family)))
	held := make([]uint32, count/6+1)
	for i := range held {
		b := blocks[rng.IntN(len(blocks))]
		held[i] = uint32(b.bits) | rng.Uint32()>>b.percent
	}
	seen := make(map[netip.Prefix]bool, count)
	out := make([]netip.Prefix, 0, count)
	for len(out) < count {
		var a netip.Addr
		if family == fib.IPv4 {
			a = randomAddr(rng, family)
		} else {
			a = in6(held[rng.IntN(len(held))], rng)
		}
		p, err := a.Prefix(drawBits(rng, family))
		if err == nil && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

func drawBits(rng *rand.Rand, family fib.Family) int {
	at := rng.IntN(100)
	for _, s := range lengths[family] {
		if at -= s.percent; at < 0 {
			return s.bits
		}
	}
	panic("the shares do not make a hundred")
}

func randomAddr(rng *rand.Rand, family fib.Family) netip.Addr {
	if family == fib.IPv6 {
		b := blocks[rng.IntN(len(blocks))]
		return in6(uint32(b.bits)|rng.Uint32()>>b.percent, rng)
	}
	for {
		if v := rng.Uint32(); v>>24 > 0 && v>>24 < 224 {
			return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v)))
		}
	}
}

// in6 returns an address whose first 32 bits are those.
func in6(first uint32, rng *rand.Rand) netip.Addr {
	b := binary.BigEndian.AppendUint32(nil, first)
	b = binary.BigEndian.AppendUint32(b, rng.Uint32())
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, rng.Uint64())))
}

// Hits returns random addresses within random routes.
func Hits(routes []netip.Prefix, count int) []netip.Addr {
	rng := rand.New(rand.NewPCG(7, 8))
	list := make([]netip.Addr, count)
	for i := range list {
		p := routes[rng.IntN(len(routes))]
		b := p.Addr().AsSlice()
		for at := p.Bits(); at < 8*len(b); at++ {
			b[at/8] |= byte(rng.UintN(2)) << (7 - at%8)
		}
		list[i], _ = netip.AddrFromSlice(b)
	}
	return list
}

// Random returns addresses from where routes are, most of them of none.
func Random(family fib.Family, count int) []netip.Addr {
	rng := rand.New(rand.NewPCG(9, 10))
	list := make([]netip.Addr, count)
	for i := range list {
		list[i] = randomAddr(rng, family)
	}
	return list
}
