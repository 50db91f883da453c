package wire_test

import (
	"fmt"
	"testing"

	"nsmodel/core/wire"
)

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{20, 64, 1500, 65535} {
		buf := make([]byte, n)
		for i := range buf {
			buf[i] = byte(i * 7)
		}
		b.Run(fmt.Sprintf("bytes=%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				wire.Sum(buf, 0)
			}
		})
	}
}

func BenchmarkFlowHash4(b *testing.B) {
	src, dst := [4]byte{192, 0, 2, 1}, [4]byte{198, 51, 100, 7}
	sport, sink := uint16(0), uint32(0)
	for b.Loop() {
		sink ^= wire.FlowHash4(sink, wire.ProtoUDP, src, dst, sport, 53)
		sport++
	}
}
