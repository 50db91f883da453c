package law

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
)

// A tree is Nets joined by links, each to one before it. Its addresses are the
// same whatever its Nets are called.
type tree struct {
	nets   []string
	parent []int
	kinds  []int
}

// The kinds of link.
const (
	plainPair = iota
	onBridge  // the parent's end is a bridge's port
	standsOn  // the child's device stands on the parent's
	movedPair // made elsewhere, and moved to both places
	numKinds
)

func (x *tree) loopback(i int) string { return fmt.Sprintf("10.200.%d.1", i) }

// build returns the commands that make a tree and configure it rightly.
func (x *tree) build() (cs []string) {
	add := func(i int, text string) { cs = append(cs, inNet(x.nets[i], text)) }
	for i, n := range x.nets {
		if n != initName {
			cs = append(cs, "ip netns add "+n)
		}
		add(i, "X link set lo up")
		add(i, "X addr add "+x.loopback(i)+"/32 dev lo")
		add(i, "E sysctl -w net.ipv4.ip_forward=1")
		add(i, "E probe udp echo "+x.loopback(i)+":7")
	}
	for i := 1; i < len(x.nets); i++ {
		p := x.parent[i]
		far := x.nets[i]
		if far == initName {
			far = `""`
		}
		near := x.nets[p]
		if near == initName {
			near = `""`
		}
		up, down := fmt.Sprintf("d%d", i), "up0"
		switch x.kinds[i] {
		case onBridge:
			add(p, fmt.Sprintf("X link add %s type bridge", up))
			add(p, fmt.Sprintf("X link add p%d type veth peer name up0 netns %s", i, far))
			add(p, fmt.Sprintf("X link set p%d master %s up", i, up))
		case standsOn:
			add(p, fmt.Sprintf("X link add %s type veth peer name x%d", up, i))
			add(p, fmt.Sprintf("X link set x%d up", i))
			add(p, fmt.Sprintf("X link set %s up", up))
			add(p, fmt.Sprintf("X link add up0 link %s netns %s type passthrough", up, far))
		case movedPair:
			add(i, fmt.Sprintf("X link add %s type veth peer name tmp%d", up, i))
			add(i, fmt.Sprintf("X link set tmp%d name up0", i))
			add(i, fmt.Sprintf("X link set %s up", up))
			add(i, fmt.Sprintf("X link set %s netns %s", up, near))
		default:
			add(p, fmt.Sprintf("X link add %s type veth peer name up0 netns %s", up, far))
		}
		add(p, fmt.Sprintf("X addr add 10.%d.0.1/24 dev %s", i, up))
		add(i, fmt.Sprintf("X addr add 10.%d.0.2/24 dev %s", i, down))
		add(p, fmt.Sprintf("X link set %s up", up))
		add(i, fmt.Sprintf("X link set %s up", down))
		add(i, fmt.Sprintf("X route add default via 10.%d.0.1", i))
		for j := i; j != 0; j = x.parent[j] { // every ancestor knows the way down
			add(x.parent[j], fmt.Sprintf("X route add %s/32 via 10.%d.0.2", x.loopback(i), j))
			if j != i {
				add(x.parent[j], fmt.Sprintf("X route add 10.%d.0.0/24 via 10.%d.0.2", i, j))
			}
		}
	}
	return cs
}

// relink takes the link of net i away and makes it anew, by moving the child's
// end to another Net and back where it can be moved.
func (x *tree) relink(i int, by string) (cs []string) {
	add := func(n, text string) { cs = append(cs, inNet(n, text)) }
	home := x.nets[i]
	back := home
	if back == initName {
		back = `""`
	}
	add(home, "X link set up0 netns "+by+" name visitor")
	add(by, "X link set visitor up")
	add(by, "X link set visitor netns "+back+" name up0")
	add(home, fmt.Sprintf("X addr add 10.%d.0.2/24 dev up0", i))
	add(home, "X link set up0 up")
	add(home, fmt.Sprintf("X route add default via 10.%d.0.1", i))
	for j := range x.nets { // what was reached through it from above
		for k := j; k != 0; k = x.parent[k] {
			if x.parent[k] == i {
				add(home, fmt.Sprintf("X route replace %s/32 via 10.%d.0.2", x.loopback(j), k))
			}
		}
	}
	return cs
}

// linkedIsSeen is law 2's converse: what is linked rightly works. On two trees
// of Nets with the same addresses, of links of every kind, the initial Net among
// them, every Net reaches every other of its tree, by echo and by datagram, and
// none of the other; and so it stays while time passes, links are taken away
// and made anew, devices visit other Nets, and the other tree dies.
func linkedIsSeen(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, everyVariant)
	b := newBench(t, v, drawEyes(t))
	defer b.close()
	var cs []genCommand
	do := func(text string) string {
		cs = append(cs, genCommand{0, text})
		return b.do(t, text)
	}
	must := func(text, want string) {
		if said := do(text); !strings.Contains(said, want) {
			t.Fatalf("under %q: %s, which should say %q\n%s", v.Name, said, want, story(cs))
		}
	}
	kin, rest := drawTree(t, []string{"a", "b", initName, "e", "f"}), drawTree(t, []string{"c", "d", "g", "h"})
	for _, x := range []*tree{kin, rest} {
		for _, text := range x.build() {
			if said := do(text); strings.Contains(said, "[exit") {
				t.Fatalf("under %q: %s\n%s", v.Name, said, story(cs))
			}
		}
	}
	do("ip netns add guest")
	all := func(x *tree) {
		for i, from := range x.nets {
			for j := range x.nets {
				must(inNet(from, "E ping -c 1 -W 5 "+x.loopback(j)), "1 received")
				must(inNet(from, "E probe udp send "+x.loopback(j)+":7 "+x.nets[j]+" from "+x.loopback(i)+":900 wait 5s"), "reply from "+x.loopback(j)+":7 \""+x.nets[j])
			}
		}
	}
	all(kin)
	all(rest)
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		i := rapid.IntRange(1, len(kin.nets)-1).Draw(t, "whose")
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			do("probe sleep " + rapid.SampledFrom([]string{"1s", "40s", "11m", "3h"}).Draw(t, "sleep"))
		case 1:
			for _, text := range kin.relink(i, "guest") {
				if said := do(text); strings.Contains(said, "[exit") {
					t.Fatalf("under %q: %s\n%s", v.Name, said, story(cs))
				}
			}
		case 2:
			do(inNet(kin.nets[i], "X link set up0 down"))
			do(inNet(kin.nets[i], "X link set up0 up"))
			do(inNet(kin.nets[i], fmt.Sprintf("X route add default via 10.%d.0.1", i)))
			for _, text := range kin.relink(i, "guest")[6:] {
				do(text)
			}
		case 3:
			for _, n := range rest.nets {
				do("ip netns del " + n)
			}
		case 4:
			news(t, b, kin, i)
		}
	}
	all(kin)
}

// drawTree draws links between Nets of that order.
func drawTree(t *rapid.T, nets []string) *tree {
	nets = nets[:rapid.IntRange(2, min(4, len(nets))).Draw(t, "nets")]
	x := &tree{nets: slices.Clone(nets), parent: make([]int, len(nets)), kinds: make([]int, len(nets))}
	for i := 1; i < len(nets); i++ {
		x.parent[i] = rapid.IntRange(0, i-1).Draw(t, "parent")
		x.kinds[i] = rapid.IntRange(0, numKinds-1).Draw(t, "kind")
	}
	return x
}

// news checks that what changes in a Net is told there, and there alone.
func news(t *rapid.T, b *bench, x *tree, i int) {
	if !b.watch.eyes.mail || b.watch.eyes.small {
		return
	}
	net := x.nets[i]
	count := func() map[string]int {
		k := map[string]int{}
		for name := range b.watch.subs {
			b.watch.read(name)
			k[name] = len(b.watch.named(name).mail)
		}
		return k
	}
	for _, text := range []string{
		"X addr add 10.250.0.1/32 dev lo", "X addr del 10.250.0.1/32 dev lo", "X route add blackhole 10.251.0.0/16", "X route del blackhole 10.251.0.0/16",
		"X rule add pref 5 fwmark 99 table 9", "X rule del pref 5", "X neigh add 10.252.0.1 lladdr 02:00:00:00:00:99 dev up0", "X neigh del 10.252.0.1 dev up0",
		"X link add news0 type bridge", "X link set news0 up", "X link set news0 name news1", "X link del news1",
	} {
		before := count()
		said := b.do(t, inNet(net, text))
		for name, k := range count() {
			if (k > before[name]) != (name == net) {
				t.Fatalf("%s: %s hears of it %d times\n%s", inNet(net, text), name, k-before[name], said)
			}
		}
	}
}

// equalRights is the other half: what the initial Net can do, any other can. A
// lab about a Net x and its partner y says the same where x is the initial Net,
// but for what only that has (a stated list) and what was drawn at random.
func equalRights(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, oneWorker)
	v.Config.DevconfInheritInitNet = core.DevconfCompiledIn
	child, first := newBench(t, v, eyes{}), newBench(t, v, eyes{})
	defer closeAll(child, first)
	for b, nets := range map[*bench][]string{child: {"y", "x"}, first: {"y"}} {
		for _, n := range nets {
			b.do(t, "ip netns add "+n)
		}
	}
	for _, text := range quietSix {
		for _, n := range []string{"x", "y"} {
			child.do(t, inNet(n, text))
			first.do(t, asInit(inNet(n, text)))
		}
	}
	cs := []string{"ip -n x link add v0 type veth peer name w0 netns y", "ip -n x addr add 10.0.0.1/24 dev v0", "ip -n y addr add 10.0.0.2/24 dev w0",
		"ip -n x link set v0 up", "ip -n y link set w0 up", "ip -n x link set lo up", "ip -n y link set lo up", "ip -n y addr add 10.9.0.1/24 dev lo", "ip -n x route add 10.9.0.0/16 via 10.0.0.2"}
	th := world{still: true}.theme(t)
	for _, pair := range [][2]string{{"x", "y"}, {"y", "x"}} {
		for _, text := range th.setup {
			cs = append(cs, (&gen{x: pair[0], y: pair[1]}).expand(text))
		}
	}
	for range rapid.IntRange(1, 25).Draw(t, "commands") {
		g := &gen{t: t, x: "x", y: "y"}
		if rapid.IntRange(0, 2).Draw(t, "other") == 0 {
			g.x, g.y = "y", "x"
		}
		verbs := allVerbs
		if len(th.verbs) > 0 && rapid.Bool().Draw(t, "on theme") {
			verbs = th.verbs
		}
		cs = append(cs, g.command(rapid.SampledFrom(verbs).Draw(t, "verb")))
	}
	for _, n := range []string{"x", "y"} {
		for _, d := range []string{"X -s link", "X addr", "X route show table all", "X rule", "X neigh", "E sysctl -a"} {
			cs = append(cs, inNet(n, d))
		}
	}
	for k, text := range cs {
		if unequalVerb(text) {
			continue
		}
		want, got := equalText(child.do(t, text)), equalInit(first.do(t, asInit(text)))
		if child.m.Sys.Now() > 14e9 {
			return // from here on the time at which a neighbour is stale is drawn
		}
		if want != got {
			t.Fatalf("under %q %s says another thing in the initial Net:\n%s%s\n", v.Name, text, difference("in a child", want, "in the initial Net", got), strings.Join(cs[:k+1], "\n"))
		}
	}
}

// unequalVerb says what is not compared: the initial Net neither comes nor goes
// nor has a name; a view has what was drawn all through it.
func unequalVerb(text string) bool {
	if strings.HasPrefix(text, "ip netns ") && !strings.HasPrefix(text, "ip netns exec ") {
		return true
	}
	for _, part := range []string{" hold ", " put ", " view", "netns list-id", "netns set", " wild ", "neigh.default", "netdev_max_backlog", "gc_thresh", "net.ipv6.mld_"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return drawnVerb.MatchString(text)
}

// asInit turns a command about x into the same about the initial Net.
func asInit(text string) string {
	return strings.TrimPrefix(strings.NewReplacer("ip -n x ", "ip ", "bridge -n x ", "bridge ", "ip netns exec x ", "", "netns x", `netns ""`, "law x ", "law init ").Replace(text), " ")
}
