package lockstep

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// A world is what the generator believes of the lab that it is writing: enough
// for most commands to make sense. It may be wrong; then a command fails, and
// both sides must say so alike.
type world struct {
	t     *rapid.T
	lines []string
	nets  []string // "" is the initial one
	devs  []*device
	socks []sock
	route []entry
	six   []addr6
}

// A device is one that the lab has made.
type device struct {
	name, net string
	kind      string // veth, bridge, lo
	peer      *device
	up        bool
	master    string
	addrs     []string // with the prefix length
}

// A sock is a listening probe, an entry a route, rule or neighbour that was
// added: where, and what comes after the verb.
type sock struct{ net, local, verb string }
type entry struct{ net, what, text string }

// Small pools, so that things meet.
var (
	netNames    = []string{"a", "b", "c"}
	vethNames   = []string{"v0", "v1", "v2", "v3"}
	bridgeNames = []string{"br0", "br1"}
	subnets     = []int{0, 1, 2}
)

// do adds a command.
func (w *world) do(format string, a ...any) { w.lines = append(w.lines, fmt.Sprintf(format, a...)) }

// below draws a number under n, each as often as the others: rapid's own ranges
// and samples favour the first ones, for the sake of its shrinking, which is
// not used here.
func (w *world) below(n int) int {
	if n < 1 {
		return 0
	}
	v := 0
	for range 16 {
		v *= 2
		if coin.Draw(w.t, "coin") {
			v++
		}
	}
	return v % n
}

var coin = rapid.Bool()

// one draws one of a list.
func one[T any](w *world, list ...T) T { return list[w.below(len(list))] }

// chance is true in n of 100 draws.
func (w *world) chance(n int) bool { return w.below(100) < n }

// upTo draws a number from 0 to n.
func (w *world) upTo(n int) int { return w.below(n + 1) }

// net draws a Net: mostly one that there is.
func (w *world) net() string {
	if w.chance(3) {
		return one(w, append(netNames, "nowhere")...)
	}
	if d := w.dev(func(d *device) bool { return d.kind != "lo" }); d != nil && w.chance(80) {
		return d.net // where there is something to do
	}
	return one(w, w.nets...)
}

// dev draws a device, mostly one that there is; nil if there is none.
func (w *world) dev(fit func(*device) bool) *device {
	var list []*device
	for _, d := range w.devs {
		if fit == nil || fit(d) {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return one(w, list...)
}

// some draws a device of a Net, or a name that is perhaps none there.
func (w *world) some(net string) string {
	if d := w.dev(func(d *device) bool { return d.net == net }); d != nil && !w.chance(8) {
		return d.name
	}
	return one(w, "v0", "w1", "br0", "lo", "lo", "nodev")
}

// wire is some, but not lo.
func (w *world) wire(net string) string {
	if name := w.some(net); name != "lo" {
		return name
	}
	return "v0"
}

func (w *world) find(net, name string) *device {
	for _, d := range w.devs {
		if d.net == net && d.name == name {
			return d
		}
	}
	return nil
}

func (w *world) forget(d *device) {
	w.devs = slices.DeleteFunc(w.devs, func(e *device) bool { return e == d || d.peer != nil && e == d.peer })
	for _, e := range w.devs {
		if e.net == d.net && e.master == d.name {
			e.master = ""
		}
	}
}

// host draws an address of the labs' subnets.
func (w *world) host() string {
	if w.chance(55) { // one that somebody has
		var list []string
		for _, d := range w.devs {
			for _, a := range d.addrs {
				list = append(list, bare(a))
			}
		}
		if len(list) > 0 {
			return one(w, list...)
		}
	}
	if w.chance(8) {
		return one(w, "127.0.0.1", "10.0.0.255", "10.0.0.0", "255.255.255.255", "224.0.0.1", "0.0.0.0", "192.0.2.1", "127.1.2.3")
	}
	return fmt.Sprintf("10.0.%d.%d", one(w, subnets...), 1+w.upTo(4))
}

func bare(prefix string) string {
	for i := range prefix {
		if prefix[i] == '/' {
			return prefix[:i]
		}
	}
	return prefix
}

// prefix draws an address with a length, as for a device.
func (w *world) prefix() string {
	return fmt.Sprintf("10.0.%d.%d/%d", one(w, subnets...), 1+w.upTo(4), one(w, 24, 24, 24, 24, 24, 16, 32, 25, 30, 31))
}

// target draws a route's destination.
func (w *world) target() string {
	return one(w, "10.9.0.0/16", "10.9.1.0/24", "default", "10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/16", "10.0.1.2", "192.0.2.0/24", "10.9.1.7", "0.0.0.0/1")
}

// ip begins an ip command in a Net.
func ip(net string) string {
	if net == "" {
		return "ip"
	}
	return "ip -n " + net
}

// in begins any command in a Net.
func in(net string) string {
	if net == "" {
		return ""
	}
	return "ip netns exec " + net + " "
}

// mac is a device's address: by its name, so that a device made again in
// another Net is a twin.
func mac(name string) string {
	kind := map[byte]string{'v': "0", 'w': "1", 'b': "b"}[name[0]]
	if kind == "" {
		kind = "f"
	}
	return "02:00:00:00:00:" + kind + name[len(name)-1:]
}
