package law

import (
	"fmt"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// A passport is what a packet had when a device sent it.
type passport struct {
	dev       *core.Device
	net       *netns.Net
	mark      uint32
	priority  uint32
	hash      uint32
	checksum  core.ChecksumState
	gso       uint16
	vlan      uint16
	conntrack bool
}

// A border watches that packets change their Net at doors alone, and what they
// carry through them.
type border struct {
	b    *bench
	seen map[*core.Packet]passport
	own  map[*netns.Net]bool
	bad  string
}

func (x *border) fail(f string, args ...interface{}) {
	if x.bad == "" {
		x.bad = fmt.Sprintf(f, args...)
	}
}

// frame looks at a packet at a device, on its way out or just arrived.
func (x *border) frame(d *core.Device, p *core.Packet, out bool) {
	if p.Net() != d.Net() {
		x.fail("a packet of %s is at %s of %s", nameOf(p.Net()), d.Name(), nameOf(d.Net()))
		return
	}
	if out {
		x.seen[p] = passport{d, p.Net(), p.Mark, p.Priority, p.Hash, p.Checksum, p.GSOSize, p.VLAN, p.Conntrack != nil}
		return
	}
	from, known := x.seen[p]
	delete(x.seen, p)
	if known && from.dev == d { // a loopback: it has not left
		if p.Mark != from.mark || p.Priority != from.priority || (p.Conntrack != nil) != from.conntrack {
			x.fail("%s of %s took from a packet what its own Net had given it: %+v", d.Name(), nameOf(d.Net()), from)
		}
		return
	}
	if p.Priority != 0 || p.Conntrack != nil || p.Stamp != 0 || p.Opts != [4]uint16{} || p.InIndex != d.Index() {
		x.fail("at %s of %s a packet arrives with priority %d, conntrack %v, stamp %v, scratch %v, index %d",
			d.Name(), nameOf(d.Net()), p.Priority, p.Conntrack, p.Stamp, p.Opts, p.InIndex)
	}
	if lower := d.LowerDevice(); !known || lower != from.dev || d.Kind() == nil || d.Kind().Name != "veth" {
		return
	}
	want := from.mark
	if from.net != d.Net() {
		want = 0
	}
	if p.Mark != want {
		x.fail("a packet with mark %d went from %s to %s and has mark %d there", from.mark, nameOf(from.net), nameOf(d.Net()), p.Mark)
	}
	if p.Hash != from.hash || p.Checksum != from.checksum || p.GSOSize != from.gso || p.VLAN != from.vlan {
		x.fail("what describes the bytes of a packet changed on the way from %s to %s", nameOf(from.net), nameOf(d.Net()))
	}
}

// guard puts functions at every hook of n: they see that it is n's packets
// that they see, and give a packet that is born there all that it may carry.
func (x *border) guard(n *netns.Net) {
	if x.own[n] {
		return
	}
	x.own[n] = true
	for hook := netfilter.PreRouting; hook <= netfilter.PostRouting; hook++ {
		x.b.m.Sys.Lock()
		_, err := x.b.m.Hooks.Register(n, netfilter.Entry{Family: syscall.AF_INET, Hook: hook, Func: func(_ *core.Worker, p *core.Packet, st *netfilter.State) netfilter.Verdict {
			if p.Net() != n {
				x.fail("a hook %v of %s sees a packet of %s", hook, nameOf(n), nameOf(p.Net()))
			}
			for _, d := range []*core.Device{st.In, st.Out} {
				if d != nil && d.Net() != n {
					x.fail("a hook %v of %s is told of %s of %s", hook, nameOf(n), d.Name(), nameOf(d.Net()))
				}
			}
			if hook == netfilter.LocalOut {
				delete(x.seen, p) // whatever it was before, it is born here
				p.Mark, p.Priority, p.Conntrack = 5, 6, x
			}
			return netfilter.Accept
		}})
		x.b.m.Sys.Unlock()
		if err != nil {
			x.fail("%v", err)
		}
	}
}

// Law 6: only core re-tags a packet. Wherever one is looked at, at any device
// and any hook, it is a packet of that place's Net. Through a door into another
// Net it takes what describes its bytes, and nothing that its old owner said of
// it; through one within its Net it keeps its mark.
func onlyCoreTags(t *rapid.T, vs []conformance.Variant) {
	cs := world{links: true}.lab(t, 50)
	v := drawVariant(t, vs, everyVariant)
	b := newBench(t, v, eyes{taps: true})
	defer b.close()
	x := &border{b: b, seen: map[*core.Packet]passport{}, own: map[*netns.Net]bool{}}
	b.watch.onFrame = x.frame
	// A pair within one Net is drawn too seldom.
	cs = append(cs, genCommand{0, "ip netns add a"}, genCommand{0, "ip -n a link add k0 type veth peer name k1"}, genCommand{0, "ip -n a addr add 10.77.0.1/24 dev k0"},
		genCommand{0, "ip -n a link set k0 up"}, genCommand{0, "ip -n a link set k1 up"}, genCommand{0, "ip netns exec a ping -c 1 -W 0.1 10.77.0.2"},
		genCommand{0, "ip -n a neigh replace 10.77.0.3 lladdr 02:00:00:00:00:03 dev k0"}, genCommand{0, "ip netns exec a probe udp send 10.77.0.3:7 x"})
	for k, c := range cs {
		b.do(t, c.text)
		for n := range b.m.Sys.Nets() {
			x.guard(n)
		}
		if x.bad != "" {
			t.Fatalf("under %q, in command %d (%s): %s\n%s", v.Name, k, c.text, x.bad, story(cs[:k+1]))
		}
	}
}
