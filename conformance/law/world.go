package law

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"nsmodel/conformance"
)

// initName is what generated commands call the initial Net.
const initName = "init"

// groups are the Nets that may be linked with each other; no command joins two
// groups. The initial Net is one of the third: it is as little to be seen by
// strangers, and to see of them, as anybody.
var groups = [][]string{{"a", "b", "e"}, {"c", "d", "f"}, {initName, "g"}}

// A genCommand is one that was drawn: a tool's, or one of ours (see bench.op).
type genCommand struct {
	group int // of groups; -1 is everybody's
	text  string
}

// A gen draws commands about one Net, x, and another of its group, y. The pools
// are small, so that names and addresses collide, and things are used again
// after they are gone. All groups draw from the same pools.
type gen struct {
	t *rapid.T
	w world
	g int
	x string
	y string
}

// A world says what commands may be drawn.
type world struct {
	// links says that commands may join the groups: then none is a stranger.
	links bool
	// narrow leaves out what makes races: where several stations answer, or
	// frames go round, the order of packets may be seen, and so may the
	// scheduler.
	narrow bool
	// still leaves out what depends on random draws.
	still bool
}

func (g *gen) pick(label string, list ...string) string {
	return rapid.SampledFrom(list).Draw(g.t, label)
}

func (g *gen) upTo(label string, k int) int { return rapid.IntRange(0, k).Draw(g.t, label) }

// expand fills in a command's placeholders:
//
//	X, B, E  ip, bridge and other tools in Net x
//	$X, $Y   the Nets' names
//	$D, $P   a device, a bridge's port
//	$A, $N   an address of a link, a prefix
//	$F       where to: an address near, far or nobody's
//	$p, $M   a port, a hardware address
//	$S       a socket's name
//	$K       a tunable and a value
//	$m       a mode of macvlan
//	$1 to $3 IPv6's $A, $N and $F
func (g *gen) expand(s string) string {
	s = inNet(g.x, s)
	y := g.y
	if y == initName && !strings.HasPrefix(s, "law ") {
		y = `""`
	}
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			return s
		}
		var v string
		switch s[i+1] {
		case 'X':
			v = g.x
		case 'Y':
			v = y
		case 'D':
			v = g.device("v0", "w0", "v1", "w1", "br0", "lo", "m0", "q0", "u0", "m1")
		case 'P':
			v = g.device("v0", "w0", "v1", "w1", "q0")
		case 'A':
			v = g.address()
		case 'N':
			v = g.address() + g.pick("len", "/24", "/24", "/24", "/32", "/16")
		case 'F':
			v = g.pick("far", "10.0.0.1", "10.0.0.2", "10.0.1.2", "10.0.1.3", "10.0.0.4", "10.0.0.5", "10.9.0.1", "10.9.1.1", "127.0.0.1")
		case 'p':
			v = g.pick("port", "7", "7", "8", "9")
		case 'M':
			v = "02:00:00:00:00:0" + g.pick("mac", "1", "2", "3")
		case 'S':
			v = "s" + g.pick("sock", "0", "1", "2")
		case 'm':
			v = g.pick("mode", "bridge", "bridge", "vepa", "private", "passthru")
		case '1', '2', '3':
			v = g.six(s[i+1])
		case 'K':
			v = g.tunable()
		default:
			panic("no placeholder: " + s)
		}
		s = s[:i] + v + s[i+2:]
	}
}

// inNet turns what a command begins with into a tool of a Net: X is ip, B is
// bridge, E stands before any other.
func inNet(name, s string) string {
	if len(s) < 2 || s[1] != ' ' {
		return s
	}
	tool := map[byte]string{'X': "ip", 'B': "bridge", 'E': ""}
	word, ok := tool[s[0]]
	switch {
	case !ok:
		return s
	case name == initName:
		return strings.TrimPrefix(word+s[1:], " ")
	case word == "":
		return "ip netns exec " + name + s[1:]
	}
	return word + " -n " + name + s[1:]
}

// device draws one that x may have, more often one that it has to begin with.
func (g *gen) device(list ...string) string {
	own := map[string][]string{"b": {"w0", "v1"}, "d": {"w0", "v1"}, "e": {"w1"}, "f": {"w1"}, "g": {"w0"}}[g.x]
	if own == nil {
		own = []string{"v0"}
	}
	if g.upTo("own", 2) > 0 {
		return g.pick("dev", own...)
	}
	return g.pick("dev", list...)
}

func (g *gen) address() string {
	return g.pick("addr", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.2", "10.0.1.3", "10.9.0.1")
}

// command draws one command of a group.
func (w world) command(t *rapid.T, group int, th *theme) genCommand {
	g := &gen{t: t, w: w, g: group}
	nets := groups[group]
	i := rapid.IntRange(0, len(nets)-1).Draw(t, "net")
	g.x = nets[i]
	if w.links && rapid.IntRange(0, 3).Draw(t, "anywhere") == 0 {
		nets = groups[rapid.IntRange(0, len(groups)-1).Draw(t, "other group")]
	}
	g.y = nets[(i+1+rapid.IntRange(0, len(nets)-2).Draw(t, "other"))%len(nets)]
	if g.y == g.x {
		g.y = nets[(i+1)%len(nets)]
	}
	if len(th.verbs) > 0 && rapid.IntRange(0, 2).Draw(t, "on theme") > 0 {
		return genCommand{group, g.command(rapid.SampledFrom(th.verbs).Draw(t, "verb"))}
	}
	verbs := allVerbs
	if w.narrow {
		verbs = narrowVerbs
	}
	return genCommand{group, g.command(rapid.SampledFrom(verbs).Draw(t, "verb"))}
}

// command fills in a form, or draws what a builder builds.
func (g *gen) command(text string) string {
	if f := builders[text]; f != nil {
		return g.expand(f(g))
	}
	if strings.HasPrefix(text, "ip netns") && (g.x == initName && strings.Contains(text, "$X") || g.y == initName && strings.Contains(text, "$Y")) {
		text = "X addr" // the initial Net neither comes nor goes
	}
	return g.expand(text)
}

// furniture is what each group has to begin with, since a lab of errors alone
// shows little: a working pair, and in the first two a third Net behind the
// second, which is a router.
func furniture(g int, narrow bool) (cs []genCommand) {
	nets := groups[g]
	add := func(net, text string) {
		gen := gen{x: net}
		cs = append(cs, genCommand{g, gen.expand(text)})
	}
	for _, n := range nets {
		if n != initName {
			cs = append(cs, genCommand{g, "ip netns add " + n})
		}
	}
	pair := func(x, y, v, w, net string) {
		add(x, fmt.Sprintf("X link add %s type veth peer name %s netns %s", v, w, y))
		add(x, "X addr add 10.0."+net+".1/24 dev "+v)
		add(y, "X addr add 10.0."+net+".2/24 dev "+w)
		add(x, "X link set "+v+" up")
		add(y, "X link set "+w+" up")
	}
	pair(nets[0], nets[1], "v0", "w0", "0")
	if len(nets) > 2 && !narrow {
		pair(nets[1], nets[2], "v1", "w1", "1")
		add(nets[1], "E sysctl -w net.ipv4.ip_forward=1")
		add(nets[0], "X route add 10.0.1.0/24 via 10.0.0.2")
		add(nets[2], "X route add default via 10.0.1.1")
	}
	for _, n := range nets {
		add(n, "X link set lo up")
	}
	return cs
}

// lab draws a lab of up to max commands behind the furniture.
func (w world) lab(t *rapid.T, max int) (cs []genCommand) {
	th := w.theme(t)
	for g := range groups {
		if rapid.IntRange(0, 15).Draw(t, "furnished") == 0 { // what fails small is to be shown small
			continue
		}
		cs = append(cs, furniture(g, w.narrow)...)
		cs = append(cs, th.prepare(g)...)
	}
	return append(cs, w.commands(t, th, max)...)
}

// commands draws the commands of a lab.
func (w world) commands(t *rapid.T, th *theme, max int) (cs []genCommand) {
	for range rapid.IntRange(1, max).Draw(t, "commands") {
		if rapid.IntRange(0, 15).Draw(t, "time") == 0 {
			cs = append(cs, genCommand{-1, "probe sleep " + rapid.SampledFrom([]string{"10ms", "1s", "7s", "40s", "11m"}).Draw(t, "sleep")})
			continue
		}
		cs = append(cs, w.command(t, rapid.IntRange(0, len(groups)-1).Draw(t, "group"), th))
	}
	return cs
}

// drawEyes draws what is watched.
func drawEyes(t *rapid.T) eyes {
	return eyes{taps: rapid.IntRange(0, 3).Draw(t, "taps") > 0, mail: rapid.IntRange(0, 3).Draw(t, "mail") > 0, small: rapid.IntRange(0, 3).Draw(t, "small") == 3}
}

// drawVariant draws one of those that keep accepts.
func drawVariant(t *rapid.T, vs []conformance.Variant, keep func(conformance.Variant) bool) conformance.Variant {
	var some []conformance.Variant
	for _, v := range vs {
		if keep(v) {
			some = append(some, v)
		}
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(t, "variant")]
}

// oneWorker is for laws that compare orders: which worker takes whose packet is
// the scheduler's choice, and no law is about that.
func oneWorker(v conformance.Variant) bool { return v.Config.Workers < 2 && v.Schedule == 0 }

// inOrder is for the law that compares orders over ways of several hops: who
// takes 64 packets of one device before the next one's has them arrive before
// what was sent earlier on a longer way, as Linux's budget does.
func inOrder(v conformance.Variant) bool { return oneWorker(v) && v.Config.Budget <= 1 }

func everyVariant(conformance.Variant) bool { return true }
