// Package bareindex takes interface indexes for identity.
package bareindex

import (
	"cmp"
	"slices"

	"nsmodel/core"
	"nsmodel/netns"
)

type neighKey struct {
	dev  int
	addr [4]byte
}

type netKey struct {
	net netns.ID
	dev int
}

type ports struct {
	stack  *core.Stack
	table  *netns.Table[neighKey, int]
	byDev  map[int]string
	byKey  map[neighKey]string
	byNet  map[netKey]string
	ptr    map[*core.Device]string
	nested map[*netns.Net]map[int]string
	list   []string
}

// perNet is one Net's.
type perNet struct {
	net   *netns.Net
	byDev map[int]string
}

func (p *ports) keys(d *core.Device, pkt *core.Packet, ifindex int, k int) {
	p.byDev[d.Index()] = "x"                    // want `ports.byDev is one for all Nets`
	_ = p.byDev[pkt.InIndex]                    // want `ports.byDev`
	_ = p.byDev[int(int32(d.Index()))]          // want `ports.byDev`
	_ = p.byDev[ifindex]                        // want `ports.byDev`
	_ = p.byKey[neighKey{d.Index(), [4]byte{}}] // want `ports.byKey`
	_ = p.byKey[keyOf(d.Index())]               // want `ports.byKey`
	delete(p.byDev, d.Index())                  // want `ports.byDev`
	_ = p.list[d.Index()]                       // want `ports.list`

	_ = p.byNet[netKey{d.Net().ID(), d.Index()}]
	_ = p.ptr[d]
	_ = p.nested[d.Net()][d.Index()]
	_, _ = p.table.Get(d.Net(), neighKey{d.Index(), [4]byte{}})
	_ = p.list[k]
}

func keyOf(index int) neighKey { return neighKey{dev: index} }

func (h *perNet) own(d *core.Device) { h.byDev[d.Index()] = "x" }

func oneNet(devs []*core.Device) map[int]string {
	m := map[int]string{}
	for _, d := range devs {
		m[d.Index()] = d.Name()
	}
	return m
}

func manyNets(s *netns.System, devs func(*netns.Net) []*core.Device) {
	m := map[int]string{}
	nested := map[*netns.Net]map[int]string{}
	for n := range s.Nets() {
		own := map[int]string{}
		for _, d := range devs(n) {
			m[d.Index()] = d.Name() // want `m gathers from several Nets`
			own[d.Index()] = d.Name()
			nested[n][d.Index()] = d.Name()
		}
	}
}

func same(a, b *core.Device, s *core.Stack, want int) bool {
	if a.Index() == b.Index() { // want `a and b may be in two Nets`
		return true
	}
	if int32(a.Index()) != int32(b.Index()) && a.Name() > b.Name() { // want `a and b may be in two Nets`
		return false
	}
	switch a.Index() {
	case b.Index(): // want `a and b may be in two Nets`
	case want:
	}
	_ = s.DeviceByIndex(a.Net(), b.Index()) // want `the interface index of b, looked for in the Net of a`

	_ = s.DeviceByIndex(a.Net(), a.Index())
	if a == b || a.Index() == want {
		return true
	}
	if a.Net() == b.Net() && a.Index() == b.Index() {
		return true
	}
	if a.Net().ID() == b.Net().ID() {
		return a.Index() == b.Index()
	}
	return a.Index() < b.Index()
}

func guarded(a, b *core.Device) bool {
	if a.Net() != b.Net() {
		return false
	}
	return a.Index() == b.Index()
}

func packets(p, q *core.Packet) bool {
	return p.InIndex == q.InIndex // want `p and q may be in two Nets`
}

func sorted(devs []*core.Device) {
	slices.SortFunc(devs, func(a, b *core.Device) int { return cmp.Compare(a.Index(), b.Index()) })
}
