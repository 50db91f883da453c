package link_test

import (
	"fmt"
	"runtime"
	"testing"

	"nsmodel/netns"
)

// heap returns the live bytes after a collection.
func heap() uint64 {
	var ms runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc
}

// TestIdleNet holds a Net with its loopback device, down, below 2 KiB.
func TestIdleNet(t *testing.T) {
	const nets, limit = 10000, 2048
	for _, place := range placements {
		m := newMachine(t, place)
		before := heap()
		for range nets {
			m.net("")
		}
		each := (heap() - before) / nets
		t.Logf("place=%v: %d bytes an idle Net", place, each)
		if each > limit {
			t.Errorf("place=%v: %d bytes, want at most %d", place, each, limit)
		}
		runtime.KeepAlive(m)
		m.sys.Unlock()
		m.sys.Lock()
	}
}

// BenchmarkNetCreateDestroy makes and takes down Nets in batches of 64, with
// core and link alone.
func BenchmarkNetCreateDestroy(b *testing.B) {
	for _, place := range placements {
		b.Run(fmt.Sprintf("place=%v", place), func(b *testing.B) {
			m := newMachine(b, place)
			b.ReportAllocs()
			batch := make([]*netns.Net, 0, 64)
			for i := 0; i < b.N; i++ {
				batch = append(batch, m.net(""))
				if len(batch) == cap(batch) {
					for _, n := range batch {
						n.Put()
					}
					m.sys.Reap()
					batch = batch[:0]
				}
			}
		})
	}
}
