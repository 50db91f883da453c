package law

import (
	"fmt"
	"math/rand/v2"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/wire"
)

// Law 3: nothing is lost. After every single step of a worker, under any
// schedule, each Net's ledger is in balance, and no packet is out of the pools
// that no ledger holds. After every command, moreover, each device has counted
// what was seen at it, and what one end of a pair has sent, the other has
// received, dropped, or not looked at yet.
func nothingIsLost(t *rapid.T, vs []conformance.Variant) {
	cs := append(world{links: true}.lab(t, 60), lateFrames()...)
	v := drawVariant(t, vs, everyVariant)
	b := newBench(t, v, eyes{taps: rapid.Bool().Draw(t, "taps")})
	defer b.close()
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "schedule"), 0))
	at, bad := 0, ""
	b.h.Pick = func(k int) int {
		if bad == "" {
			bad = imbalance(b.m)
		}
		return random.IntN(k)
	}
	for k, c := range cs {
		at = k
		b.do(t, c.text)
		if bad == "" {
			bad = imbalance(b.m)
		}
		if bad == "" {
			bad = miscount(b)
		}
		if bad != "" {
			t.Fatalf("under %q, in command %d (%s): %s\n%s", v.Name, at, c.text, bad, story(cs[:k+1]))
		}
	}
}

// lateFrames come to a device of each Net when it is down.
func lateFrames() (cs []genCommand) {
	frame := hexOf(arpFrame(stations[0], stations[1], 1, stations[1], [4]byte{10, 0, 0, 1}, wire.MAC{}, [4]byte{10, 0, 0, 2}))
	for g, nets := range groups {
		for _, net := range nets {
			cs = append(cs, fit(g, net, []string{"X link set $V down", "law $X arrive $V " + frame})...)
		}
	}
	return cs
}

// imbalance says what is wrong with the books, "" if nothing.
func imbalance(m *nsmodel.Machine) string {
	held := int64(0)
	for n := range m.Sys.Nets() {
		b := m.Core.Ledger(n)
		if !b.Balanced() {
			return fmt.Sprintf("%q: %v", n.Name(), b)
		}
		if b.Held < 0 {
			return fmt.Sprintf("%q holds less than nothing: %v", n.Name(), b)
		}
		held += b.Held
	}
	if b := m.Core.DeadLedger(); !b.Balanced() || b.Held != 0 {
		return fmt.Sprintf("gone: %v", b)
	}
	if out := m.Core.Outstanding(); out != held {
		return fmt.Sprintf("%d packets are out of the pools, %d are held", out, held)
	}
	return ""
}

// miscount says which device's counters do not agree with what its tap saw, or
// with its partner's.
func miscount(b *bench) string {
	for n := range b.m.Sys.Nets() {
		for _, d := range b.m.Core.Devices(n) {
			s := d.Stats()
			if c := b.watch.taps[d]; c != nil {
				if in := s.RxPackets - c.base.RxPackets; in != c.in && s.RxErrors == c.base.RxErrors {
					return fmt.Sprintf("%s of %s counts %d in, but %d were seen", d.Name(), nameOf(n), in, c.in)
				}
				if out := s.TxPackets - c.base.TxPackets; out != c.out {
					return fmt.Sprintf("%s of %s counts %d out, but %d were seen", d.Name(), nameOf(n), out, c.out)
				}
			}
			if bad := unequal(d, s); bad != "" {
				return bad
			}
		}
	}
	return ""
}

// unequal compares a veth's sent packets with its peer's received ones; when
// nothing waits.
func unequal(d *core.Device, s core.Stats) string {
	peer := d.LowerDevice()
	if d.Kind() == nil || d.Kind().Name != "veth" || peer == nil {
		return ""
	}
	p := peer.Stats()
	if got := p.RxPackets + p.RxDropped; s.TxPackets > got {
		return fmt.Sprintf("%s of %s has sent %d, its peer %s of %s received %d and dropped %d", d.Name(), nameOf(d.Net()), s.TxPackets, peer.Name(), nameOf(peer.Net()), p.RxPackets, p.RxDropped)
	}
	return ""
}
