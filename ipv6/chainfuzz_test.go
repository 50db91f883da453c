package ipv6

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A fate is what becomes of a datagram: it is given to its transport from at on, or
// its sender is told of an octet, or it goes without a word.
type fate struct {
	given, told bool
	at          int
	code        byte
}

func (f fate) String() string {
	switch {
	case f.given:
		return fmt.Sprintf("given from %d on", f.at)
	case f.told:
		return fmt.Sprintf("told: code %d at %d", f.code, f.at)
	}
	return "dropped"
}

// The codes of a parameter problem (RFC 4443 section 3.4).
const (
	badField = iota
	badNext
	badOption
)

// walkChain is the naive reader of RFC 8200 section 4 as Linux reads it: octet by
// octet, by nothing that the stack uses itself. given is the transport that
// somebody has.
func walkChain(b []byte, given byte) fate {
	next, at, said, whole := b[6], 40, 6, true
	for {
		left := len(b) - at
		if (next == 0 && at > 40) || next == 51 { // nobody takes it, whole or not
			return fate{told: true, code: badNext, at: said}
		}
		switch next {
		case 0, 60, 43:
			if left < 8 || left < 8*(1+int(b[at+1])) {
				return fate{}
			}
			size := 8 * (1 + int(b[at+1]))
			if next == 43 {
				switch {
				case b[at+2] == 3 || b[at+2] == 4:
					return fate{}
				case b[at+3] != 0:
					return fate{told: true, code: badField, at: at + 2}
				}
			} else if f := walkOptions(b, at+2, at+size, next == 0); f != nil {
				return *f
			}
			said, next = at, b[at]
			at += size
		case 44:
			if !whole || left < 8 {
				return fate{told: true, code: badField, at: at}
			}
			whole = false
			said, next = at, b[at]
			at += 8
		case given:
			return fate{given: true, at: at}
		case 59:
			return fate{}
		default:
			return fate{told: true, code: badNext, at: said}
		}
	}
}

// walkOptions reads options from at to end; nil if nothing is wrong with them.
func walkOptions(b []byte, at, end int, hops bool) *fate {
	padding, count := 0, 0
	for at < end {
		size := 1
		if b[at] != 0 {
			if at+1 >= end {
				return &fate{}
			}
			if size = 2 + int(b[at+1]); at+size > end {
				return &fate{}
			}
		}
		if b[at] < 2 {
			padding += size
			for i := at + 2; i < at+size; i++ {
				if b[i] != 0 {
					return &fate{}
				}
			}
			if padding > 7 {
				return &fate{}
			}
			at += size
			continue
		}
		padding = 0
		if count++; count > 8 {
			return &fate{}
		}
		switch {
		case hops && b[at] == 5:
			if size != 4 {
				return &fate{}
			}
		case hops && b[at] == 0xc2:
			switch {
			case size != 6 || at%4 != 2:
				return &fate{}
			case binary.BigEndian.Uint32(b[at+2:]) <= 0xffff:
				return &fate{told: true, code: badField, at: at + 2}
			}
			return &fate{told: true, code: badField, at: at}
		case b[at]>>6 == 1:
			return &fate{}
		case b[at]>>6 > 1:
			return &fate{told: true, code: badOption, at: at}
		}
		at += size
	}
	return nil
}

// drawOptions writes options for a header whose first two octets are there.
func drawOptions(t *rapid.T, b []byte) []byte {
	for range rapid.IntRange(0, 4).Draw(t, "options") {
		switch kind := rapid.SampledFrom([]byte{0, 1, 1, 5, 0xc2, 0x1e, 0x1e, 0x5e, 0x9e, 0xde}).Draw(t, "option"); kind {
		case 0:
			b = append(b, make([]byte, rapid.IntRange(1, 9).Draw(t, "pad1"))...)
		case 1:
			n := rapid.IntRange(0, 6).Draw(t, "padn")
			b = append(append(b, 1, byte(n)), make([]byte, n)...)
			if n > 0 && rapid.IntRange(0, 7).Draw(t, "speaks") == 0 {
				b[len(b)-1] = 1
			}
		case 0x1e:
			for range rapid.SampledFrom([]int{1, 1, 2, 8, 9}).Draw(t, "many") {
				b = append(b, kind, 0)
			}
		case 5, 0xc2:
			n := map[byte]int{5: 2, 0xc2: 4}[kind]
			if rapid.IntRange(0, 3).Draw(t, "other length") == 0 {
				n = rapid.IntRange(0, 6).Draw(t, "length")
			}
			b = append(append(b, kind, byte(n)), rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")...)
		default:
			n := rapid.IntRange(0, 4).Draw(t, "length")
			b = append(append(b, kind, byte(n)), make([]byte, n)...)
		}
	}
	return b
}

// drawHeader writes an extension header of a kind.
func drawHeader(t *rapid.T, kind, next byte) []byte {
	switch kind {
	case 44: // whole: what waits for more is FuzzFragments' business
		return []byte{next, byte(rapid.IntRange(0, 255).Draw(t, "reserved")), 0, byte(rapid.SampledFrom([]int{0, 0, 2, 6}).Draw(t, "flags")), 1, 2, 3, 4}
	case 43:
		n := rapid.IntRange(0, 2).Draw(t, "units")
		b := make([]byte, 8+8*n)
		b[0], b[1], b[2] = next, byte(n), rapid.SampledFrom([]byte{0, 1, 3, 4, 253}).Draw(t, "type")
		b[3] = rapid.SampledFrom([]byte{0, 0, 0, 1, 2}).Draw(t, "left")
		return b
	}
	b := drawOptions(t, []byte{next, 0})
	if rest := -len(b) & 7; rapid.Bool().Draw(t, "pad at once") && rest > 1 {
		b = append(append(b, 1, byte(rest-2)), make([]byte, rest-2)...)
	}
	b = append(b, make([]byte, -len(b)&7)...)
	b[1] = byte(len(b)/8 - 1)
	if rapid.IntRange(0, 15).Draw(t, "lies") == 0 {
		b[1] = byte(rapid.IntRange(0, 255).Draw(t, "size"))
	}
	return b
}

// headerChain sends a datagram with extension headers of all kinds, in any order,
// cut anywhere, and looks what becomes of it.
func headerChain(t *rapid.T) {
	const transport, peer = 200, "2001:db8:1::2"
	kinds := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 60, 60, 43, 44, 51}), 0, 6).Draw(t, "kinds")
	last := rapid.SampledFrom([]byte{transport, transport, transport, 59, 253}).Draw(t, "transport")
	b := make([]byte, wire.IPv6Len)
	first := append(kinds, last)[0]
	for i, kind := range kinds {
		b = append(b, drawHeader(t, kind, append(kinds[i+1:len(kinds):len(kinds)], last)[0])...)
	}
	b = append(b, counted(rapid.IntRange(0, 24).Draw(t, "data"))...)
	if len(b) > wire.IPv6Len && rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
		b = b[:rapid.IntRange(wire.IPv6Len, len(b)).Draw(t, "length")]
	}
	wire.PutIPv6(b, wire.IPv6Fields{Next: first, HopLimit: 64, Src: netip.MustParseAddr(peer).As16(), Dst: netip.MustParseAddr("2001:db8:1::1").As16()})

	m := newMachine(t, rapid.SampledFrom([]netns.Placement{netns.Tagged, netns.Replicated}).Draw(t, "place"))
	got := collect(m)
	n, tap := m.net("a"), &tapDriver{}
	d := m.device(n, "in", tap, 1, "2001:db8:1::1/64")
	m.neighbour(d, peer, 8)
	tap.keep = true
	m.receive(d, b)

	was := fate{}
	for _, s := range tap.sent {
		if s[6] == wire.ProtoICMPv6 && s[40] == wire.ICMP6ParamProblem {
			was = fate{told: true, code: s[41], at: int(binary.BigEndian.Uint32(s[44:]))}
		}
	}
	if len(*got) > 0 {
		was = fate{given: true, at: len(b) - len((*got)[0])}
	}
	if want := walkChain(b, transport); was != want || len(*got) > 1 || len(*got)+len(tap.sent) > 1 {
		t.Fatalf("%x: %v, want %v (%d given, %d sent)", b, was, want, len(*got), len(tap.sent))
	}
	if l := m.core.Ledger(n); !l.Balanced() || l.Held != 0 {
		t.Fatalf("%v", l)
	}
}

func TestHeaderChain(t *testing.T) { rapid.Check(t, headerChain) }

func FuzzHeaderChain(f *testing.F) { f.Fuzz(rapid.MakeFuzz(headerChain)) }
