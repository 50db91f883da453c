package lockstep

import (
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Longest is how many commands a drawn lab has at most, behind its setup.
const Longest = 24

// Draw returns the lab of a seed, about IPv6 or not: always the same one.
func Draw(seed uint64, six bool) string {
	themes := themes
	if six {
		themes = themes6
	}
	lines := rapid.Custom(func(t *rapid.T) []string { return drawLab(t, themes) }).Example(int(seed))
	return strings.Join(lines, "\n") + "\n"
}

// drawLab draws a lab: a setup, then commands by the weights of a theme.
func drawLab(t *rapid.T, themes []theme) []string {
	w := &world{t: t, nets: []string{""}}
	w.devs = append(w.devs, &device{name: "lo", kind: "lo"})
	theme := one(w, themes...)
	theme.setup(w)
	bag := theme.bag()
	for range 3 + w.upTo(Longest-3) {
		w.step(bag)
	}
	return w.lines
}

// step adds a command, or a few that belong together.
func (w *world) step(bag []func(*world)) {
	before := len(w.lines)
	for range 5 { // some need what there is not
		one(w, bag...)(w)
		if len(w.lines) > before {
			return
		}
	}
}

// A theme makes a lab dwell on a few things, so that it comes deep.
type theme struct {
	name  string
	setup func(*world)
	also  []string // groups drawn more often, see groups
}

// bag returns the kinds of command, each as often as its weight says.
func (th theme) bag() (bag []func(*world)) {
	all := groups
	if slices.Contains(th.also, "six") {
		all = append(slices.Clip(groups), groups6...)
	}
	for _, g := range all {
		times := 1
		if slices.Contains(th.also, g.name) {
			times = 4
		}
		for _, k := range g.kinds {
			for range k.weight * times {
				bag = append(bag, k.do)
			}
		}
	}
	return bag
}

// A group is kinds of command that are about one thing.
type group struct {
	name  string
	kinds []kind
}

type kind struct {
	weight int
	do     func(*world)
}

var groups = []group{
	{"nets", []kind{{1, addNet}, {1, delNet}}},
	{"links", []kind{{2, addVeth}, {1, addBridge}, {3, upDown}, {1, delLink}, {1, setLink}}},
	{"moves", []kind{{2, moveLink}, {1, rename}}},
	{"bridges", []kind{{2, enslave}}},
	{"addresses", []kind{{3, addAddr}, {2, delAddr}}},
	{"routes", []kind{{3, addRoute}, {1, delRoute}, {1, getRoute}}},
	{"rules", []kind{{1, addRule}, {1, delRule}}},
	{"neighbours", []kind{{1, setNeigh}, {1, delNeigh}}},
	{"sysctls", []kind{{2, setSysctl}}},
	{"sockets", []kind{{1, listen}, {1, closeSock}, {2, sendUDP}, {1, showSock}}},
	{"pings", []kind{{4, ping}}},
	{"frames", []kind{{1, rawFrame}}},
	{"errors", []kind{{1, mistake}}},
}
