package udp

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// The ring is a queue: whatever is pushed and popped in whatever order comes
// out once, in order, with its bytes.
func TestQueueIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var want [][]byte
		used := 0
		for i := range rapid.IntRange(1, 200).Draw(t, "ops") {
			if len(want) > 0 && rapid.Bool().Draw(t, "pop") {
				d, b := q.pop()
				if !bytes.Equal(b, want[0]) || d.dev != len(want[0]) {
					t.Fatalf("step %d: popped %d bytes (%x...), want %d", i, len(b), b[:min(4, len(b))], len(want[0]))
				}
				used -= cost(len(want[0]))
				want = want[1:]
				continue
			}
			k := rapid.SampledFrom([]int{0, 1, 7, 100, 511, 1400}).Draw(t, "len")
			b := bytes.Repeat([]byte{byte(i)}, k)
			q.push(datagram{dev: k}, b)
			used += cost(k)
			want = append(want, b)
		}
		if q.n != len(want) || q.used != used {
			t.Fatalf("%d datagrams charged %d, want %d charged %d", q.n, q.used, len(want), used)
		}
	})
}

// So many datagrams does Linux 6.18 let into the default receive buffer.
func TestCostOfDatagram(t *testing.T) {
	for k, want := range map[int]int{1: 256, 193: 256, 200: 166, 645: 166, 646: 92, 1472: 92} {
		if got := 212992 / cost(k); got != want {
			t.Errorf("%d datagrams of %d bytes fit, want %d", got, k, want)
		}
	}
}
