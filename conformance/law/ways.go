package law

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
)

// A crossroads is a Net with a route of several next hops, of whose flows the
// choices are looked at.
type crossroads struct {
	b   *bench
	t   *rapid.T
	six bool
	in  bool // what arrives and is forwarded, else what the Net sends
}

// A flowOf is what the flows of a look differ in.
type flowOf struct{ dst, sport int }

var viaText = regexp.MustCompile(` via (\S+)`)

// waysAreItsNets is law 2 for routes of several next hops. By the policy, the
// fields, the seed and the weights of the Net that routes, and by nothing of
// others, a flow's hop is chosen: what the hash looks at spreads the flows over
// all hops, what it does not look at spreads none, and three Nets with the same
// addresses choose the same until one of them wants otherwise.
func waysAreItsNets(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, oneWorker)
	v.Config.DevconfInheritInitNet = core.DevconfCompiledIn
	x := &crossroads{b: newBench(t, v, eyes{}), t: t, six: rapid.Bool().Draw(t, "IPv6"), in: rapid.Bool().Draw(t, "forwarded")}
	defer x.b.close()
	weights := rapid.SampledFrom([][]int{{1, 1}, {1, 4}, {4, 1}, {1, 1, 1}, {1, 4, 1}}).Draw(t, "weights")
	nets := []string{"a", "c", initName}
	for _, n := range nets {
		x.furnish(n, weights)
	}
	i := rapid.IntRange(0, len(nets)-1).Draw(t, "observer")
	me, others := nets[i], slices.Delete(slices.Clone(nets), i, i+1)

	x.set(me, "policy", 0)
	x.spread(me, weights, ports, 1)
	x.set(me, "policy", 1)
	x.spread(me, weights, ports, len(weights))
	x.set(me, "policy", 3)
	x.set(me, "fields", 1<<4) // the source port
	x.spread(me, weights, places, 1)
	x.spread(me, weights, ports, len(weights))
	x.set(me, "fields", 1<<1) // the destination
	x.spread(me, weights, ports, 1)
	had := x.spread(me, weights, places, len(weights))

	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		x.change(others[rapid.IntRange(0, len(others)-1).Draw(t, "other")])
	}
	x.equal("what "+me+" chooses when others change", had, x.look(me, places))
	for _, n := range others { // the same by the same
		x.route(n, weights)
		x.set(n, "policy", 3)
		x.set(n, "fields", 1<<1)
		x.set(n, "seed", 0)
		x.equal("what "+n+" chooses as "+me+" does", had, x.look(n, places))
	}
	x.set(me, "seed", 1+rapid.IntRange(0, 1000).Draw(t, "seed"))
	if len(weights) > 2 && slices.Equal(had, x.look(me, places)) {
		t.Fatalf("a seed of its own changes no choice of %s under %q", me, v.Name)
	}
}

func (x *crossroads) do(net, format string, a ...any) string {
	return x.b.do(x.t, inNet(net, fmt.Sprintf(format, a...)))
}

// address is one below what the model's labs use, of the family.
func (x *crossroads) address(net, host int) string {
	if x.six {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", net, host)).String()
	}
	return fmt.Sprintf("10.%d.0.%d", net, host)
}

// furnish makes a Net with a link on either side, and the route.
func (x *crossroads) furnish(net string, weights []int) {
	if net != initName {
		x.b.do(x.t, "ip netns add "+net)
	}
	x.do(net, "E sysctl -w net.ipv6.conf.all.disable_ipv6=0")
	x.do(net, "E sysctl -w net.ipv6.conf.default.disable_ipv6=0")
	x.do(net, "E sysctl -w net.ipv4.ip_forward=1")
	x.do(net, "E sysctl -w net.ipv6.conf.all.forwarding=1")
	for i, v := range []string{"v", "w"} {
		x.do(net, "X link add %s0 type veth peer name %s1", v, v)
		x.do(net, "X link set %s0 up", v)
		x.do(net, "X link set %s1 up", v)
		if x.six {
			x.do(net, "X addr add %s/64 dev %s0 nodad", x.address(i, 1), v)
		} else {
			x.do(net, "X addr add %s/24 dev %s0", x.address(i, 1), v)
		}
	}
	x.route(net, weights)
}

// route gives a Net the route by next hops of some weights.
func (x *crossroads) route(net string, weights []int) {
	text := "X route replace 10.9.0.0/16"
	if x.six {
		x.do(net, "X -6 route flush root 2001:db8:9::/48") // replace would leave the other hops
		text = "X -6 route add 2001:db8:9::/48"
	}
	for i, w := range weights {
		text += fmt.Sprintf(" nexthop via %s weight %d", x.address(0, 4+i), w)
	}
	if said := x.do(net, "%s", text); strings.Contains(said, "Error") || strings.Contains(said, "RTNETLINK") {
		x.t.Fatalf("%s", said)
	}
}

// set makes one of the hash's tunables a number. The seed is IPv4's for both.
func (x *crossroads) set(net, what string, value int) {
	family := "ipv4"
	if x.six && what != "seed" {
		family = "ipv6"
	}
	x.do(net, "E sysctl -w net.%s.fib_multipath_hash_%s=%d", family, what, value)
}

// change makes another Net choose otherwise.
func (x *crossroads) change(net string) {
	switch rapid.IntRange(0, 3).Draw(x.t, "what") {
	case 0:
		x.set(net, "policy", rapid.IntRange(0, 3).Draw(x.t, "policy"))
	case 1:
		x.set(net, "fields", rapid.IntRange(1, 63).Draw(x.t, "fields"))
	case 2:
		x.set(net, "seed", rapid.IntRange(1, 1000).Draw(x.t, "number"))
	case 3:
		x.route(net, []int{3, 1, 2, 2})
	}
}

// ports are flows that differ in their source port alone, places those that
// differ in their destination alone: each so many that a hop which the hash
// leaves out by chance is not to be expected in the age of the world.
func ports(i int) flowOf  { return flowOf{1, 1 + i} }
func places(i int) flowOf { return flowOf{1 + i, 7} }

const flowsLooked = 64

// look returns by which hop each flow goes.
func (x *crossroads) look(net string, of func(int) flowOf) (hops []string) {
	for i := range flowsLooked {
		f := of(i)
		text := fmt.Sprintf("X route get %s ipproto udp sport %d dport 9", x.address(9, f.dst), f.sport)
		if x.in {
			text += fmt.Sprintf(" from %s iif w0", x.address(1, 9))
		}
		m := viaText.FindStringSubmatch(x.b.ask(inNet(net, text)))
		if m == nil {
			x.t.Fatalf("no way: %s", x.b.ask(inNet(net, text)))
		}
		hops = append(hops, m[1])
	}
	return hops
}

// spread looks at flows, which must go by so many hops, and of two hops by the
// one of far more weight more often.
func (x *crossroads) spread(net string, weights []int, of func(int) flowOf, want int) []string {
	hops := x.look(net, of)
	count := map[string]int{}
	for _, h := range hops {
		count[h]++
	}
	if len(count) != want {
		x.t.Fatalf("flows of %s go by %d of %d hops, want %d: %v", net, len(count), len(weights), want, count)
	}
	for i, w := range weights {
		for j, o := range weights {
			if want > 1 && w >= 4*o && count[x.address(0, 4+i)] <= count[x.address(0, 4+j)] {
				x.t.Fatalf("flows of %s by hops of weights %v: %v", net, weights, count)
			}
		}
	}
	return hops
}

func (x *crossroads) equal(what string, had, got []string) {
	for i := range had {
		if had[i] != got[i] {
			x.t.Fatalf("%s: flow %d goes by %s, not %s", what, i, got[i], had[i])
		}
	}
}
