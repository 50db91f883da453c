package law

import (
	"fmt"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
)

// beforeMove are commands about a NIC and what can hang on it.
var beforeMove = []string{
	"ip -n a link set nic0 up", "ip -n a link set nic0 up", "ip -n a addr add 10.0.0.1/24 dev nic0", "ip -n a addr add 10.0.0.1/24 dev nic0", "ip -n a addr add 10.0.0.2/24 dev nic0",
	"ip -n a route add 10.9.0.0/16 dev nic0", "ip -n a route add 10.9.0.0/16 via 10.0.0.4", "ip -n a route add 10.8.0.0/16 nexthop dev nic0 nexthop dev br0", "ip -n a neigh add 10.0.0.4 lladdr 02:00:00:00:00:04 dev nic0",
	"ip -n a neigh add proxy 10.0.0.5 dev nic0", "ip -n a link set br0 up", "ip -n a link set nic0 master br0", "ip -n a link set nic0 master br0", "ip -n a addr add 10.0.1.1/24 dev br0",
	"ip -n a rule add iif nic0 table 7 pref 100", "ip -n a link add m0 link nic0 type passthrough", "ip -n a link set m0 up", "ip -n a addr add 10.0.2.1/24 dev m0",
	"ip netns exec a sysctl -w net.ipv4.conf.nic0.forwarding=1", "ip netns exec a ping -c 1 -W 0.1 10.0.0.4", "ip netns exec a probe udp send 10.0.0.7:7 x", "ip netns exec a probe udp listen 10.0.0.1:7",
	"ip netns exec a probe capture start nic0 a.pcapng", "ip netns exec a probe capture start nic0 a.pcapng",
}

// sight is a Net's view without its log: in which order what stands on a device
// goes with it is not the same in a move and in a deletion.
func (b *bench) sight(name string) string {
	n := b.net(name)
	defer n.Put()
	s := inside(b.h, n)
	for _, d := range dumps {
		s += b.ask(inNet(name, d))
	}
	for _, f := range flows {
		s += b.ask(inNet(name, "X route get "+f))
	}
	return s
}

// moveLeavesNothing: to the Net that it leaves a device that moves is a device
// that is deleted. Whatever hung on it, the Net's whole view is the same in the one
// case and the other, at once and later. Linux: __dev_change_net_namespace does
// what unregister_netdevice_many does.
func moveLeavesNothing(t *rapid.T, vs []conformance.Variant) {
	v := vs[rapid.IntRange(0, len(vs)-1).Draw(t, "variant")]
	v.Schedule = 0
	cs := rapid.SliceOfN(rapid.SampledFrom(beforeMove), 1, 12).Draw(t, "commands")
	var seen [2]string
	for i := range seen {
		b := newBench(t, v, eyes{})
		defer b.close()
		for _, text := range []string{"ip netns add a", "ip netns add b", "ip -n a netns set b 7", "ip -n a link add br0 type bridge"} {
			b.do(t, text)
		}
		n := b.net("a")
		b.m.Sys.Lock()
		wire, err := b.m.Links.NewWire(n, core.LinkSpec{Name: "nic0"}, nil)
		b.m.Sys.Unlock()
		n.Put()
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, text := range cs {
			b.do(t, text)
		}
		to := b.net("b")
		b.m.Sys.Lock()
		if i == 0 {
			err = b.m.Core.Move(wire.Device(), to, "")
		} else {
			err = b.m.Core.Unregister(wire.Device())
		}
		b.m.Sys.Unlock()
		to.Put()
		if err != nil {
			t.Fatalf("%v", err)
		}
		b.settle()
		if bad := idle(b, "a"); bad != "" {
			t.Fatalf("without nic0: %s\n--- commands\n%v", bad, cs)
		}
		seen[i] = b.sight("a")
		b.do(t, "probe sleep 40s")
		if i == 0 { // what it does in its new Net is nobody else's
			b.do(t, "ip -n b link set nic0 up")
			b.do(t, "ip -n b addr add 10.0.0.3/24 dev nic0")
			b.do(t, "ip netns exec b ping -c 1 -W 0.1 10.0.0.4")
		} else {
			b.do(t, "probe sleep 100ms")
		}
		seen[i] += b.sight("a") + b.do(t, "ip netns exec a probe capture stop nic0")
		if f := b.files["a.pcapng"]; f != nil {
			seen[i] += fmt.Sprintf("captured %x\n", f.Bytes())
		}
	}
	if seen[0] != seen[1] {
		t.Fatalf("a Net sees otherwise after nic0 was moved to another than after it was deleted\n--- commands\n%v\n--- moved\n%s\n--- deleted\n%s", cs, seen[0], seen[1])
	}
}

// idle says what a Net waits for though no device of its is up, so that nothing can
// happen to it; but for one look through its neighbours, which is begun when the first
// comes and ends by itself.
func idle(b *bench, name string) string {
	n := b.net(name)
	defer n.Put()
	for _, d := range b.devices(n) {
		if d.Up() {
			return ""
		}
	}
	if waits := b.m.Sys.Deadlines(n); len(waits) > 1 {
		return fmt.Sprintf("no device is up, and timers wait for %v", waits)
	}
	if k := len(b.m.Core.Neighbours(n)); k > 0 {
		return fmt.Sprintf("no device is up, and there are %d neighbours", k)
	}
	return ""
}
