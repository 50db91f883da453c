package wire_test

import (
	"encoding/binary"
	"math/bits"
	"testing"

	"nsmodel/core/wire"
)

// hashKey is FlowHash4 of a key of 17 octets.
func hashKey(k [17]byte) uint32 {
	return wire.FlowHash4(binary.BigEndian.Uint32(k[0:]), k[4], [4]byte(k[5:9]), [4]byte(k[9:13]),
		binary.BigEndian.Uint16(k[13:]), binary.BigEndian.Uint16(k[15:]))
}

// keyAt makes keys that differ little, as those of real flows do.
func keyAt(i int) (k [17]byte) {
	copy(k[:], []byte{1, 2, 3, 4, wire.ProtoUDP, 10, 0, 0, 0, 10, 0, 1, 1, 0, 0, 0, 53})
	k[8], k[13], k[14] = byte(i>>4), byte(0x80|i>>8&0x7f), byte(i)
	return k
}

// Each bit of the key changes each bit of the result half of the time.
func TestFlowHash4Avalanche(t *testing.T) {
	const tries = 4000
	for in := range 17 * 8 {
		var flips [32]int
		for i := range tries {
			k := keyAt(i)
			h := hashKey(k)
			k[in/8] ^= 1 << (in % 8)
			for d := h ^ hashKey(k); d != 0; d &= d - 1 {
				flips[bits.TrailingZeros32(d)]++
			}
		}
		for out, n := range flips {
			if n < tries*2/5 || n > tries*3/5 {
				t.Errorf("bit %d of the key flips bit %d of the hash in %d of %d", in, out, n, tries)
			}
		}
	}
}

// Flows spread evenly over next hops, by remainder and by high bits.
func TestFlowHash4Spread(t *testing.T) {
	const flows = 1 << 15
	for _, hops := range []int{2, 3, 7, 16} {
		low, high := make([]int, hops), make([]int, hops)
		for i := range flows {
			h := wire.FlowHash4(9, wire.ProtoUDP, [4]byte{10, 0, byte(i >> 12), byte(i >> 4)}, ipB, uint16(32768+i), 53)
			low[h%uint32(hops)]++
			high[uint64(h)*uint64(hops)>>32]++
		}
		for i := range hops {
			want := flows / hops
			if low[i] < want*9/10 || low[i] > want*11/10 || high[i] < want*9/10 || high[i] > want*11/10 {
				t.Errorf("hop %d of %d: %d and %d flows, want %d", i, hops, low[i], high[i], want)
			}
		}
	}
}

func TestFlowHash4Pinned(t *testing.T) {
	a := wire.FlowHash4(1, wire.ProtoUDP, ipA, ipB, 4000, 5000)
	if a != 0xb1c1baf3 {
		t.Errorf("got %#x: transcripts that were recorded no longer replay", a)
	}
	if a == wire.FlowHash4(1, wire.ProtoUDP, ipB, ipA, 5000, 4000) {
		t.Error("both directions are alike")
	}
}
