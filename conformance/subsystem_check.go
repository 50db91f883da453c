package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/netns"
)

// theNets are those of a case, the initial one last.
var theNets = []string{"a", "b", "c", "d", initial}

// plain is the machine that a placement is looked at on unless a check wants more.
func plain(place netns.Placement) shape { return shape{Variant: Variants()[0], place: place} }

// anyPlace draws a plain machine.
func anyPlace(t *rapid.T) shape {
	return plain(rapid.SampledFrom([]netns.Placement{netns.Tagged, netns.Replicated}).Draw(t, "place"))
}

// placement: law 1. The same steps say the same on machines that differ in where
// the state stands, and in all else that nobody may notice.
func (b *battery[H]) placement(t *rapid.T) {
	shapes := []shape{plain(netns.Replicated), plain(netns.Tagged)}
	for range 2 {
		sh := anyPlace(t)
		sh.Variant = rapid.SampledFrom(Variants()).Draw(t, "variant")
		shapes = append(shapes, sh)
	}
	steps := b.draw(t, "steps", theNets, 20, sleep, sleep, move, life)
	var worlds []*world[H]
	for _, sh := range shapes {
		worlds = append(worlds, b.open(t, sh.String(), sh, theNets...))
	}
	for _, s := range steps {
		b.together(t, s, worlds, s.net)
	}
	for _, net := range theNets {
		b.same(t, "in the end, what "+net+" sees and is given differs", worlds, func(w *world[H]) string { return w.see(net) + w.numbers(net) })
	}
}

// strangers: law 2, in its strong form. One machine has a whole history, the
// other only the part of it that is about the observers and whom they are linked
// with; the same time passes on both.
func (b *battery[H]) strangers(t *rapid.T) {
	observers := rapid.SampledFrom([][]string{{"a", "b"}, {"c", "d"}, {initial}}).Draw(t, "observers")
	sh := anyPlace(t)
	sh.Variant = rapid.SampledFrom(Variants()).Draw(t, "variant")
	sh.Schedule = 0 // its draws are the battery's, not the machine's
	steps := b.draw(t, "steps", theNets, 24, sleep, move, life, filling)
	among := b.open(t, "among strangers", sh, theNets...)
	alone := b.open(t, "without them", sh, observers...)
	both := []*world[H]{among, alone}
	b.trail = append(b.trail, fmt.Sprintf("(%v; in the other run only what is done in %s)", sh, strings.Join(observers, " and ")))
	for _, s := range steps {
		if s.verb == sleep || slices.Contains(observers, s.net) {
			b.together(t, s, both, observers...)
			continue
		}
		done := b.note(s.String())
		done(among.do(s))
		alone.m.AdvanceTo(among.m.Sys.Now(), nil)
		for _, net := range observers {
			b.same(t, "the dump of "+net+" differs", both, func(w *world[H]) string { return w.see(net) })
		}
	}
	for _, net := range observers {
		b.same(t, "in the end, what "+net+" is given differs", both, func(w *world[H]) string { return w.numbers(net) })
		if b.Fill != nil {
			b.same(t, "in the end, how much "+net+" may do differs", both, func(w *world[H]) string {
				count, err := w.fill(net, 0, 1)
				return say(fmt.Sprint(count), err)
			})
		}
	}
}

// dump: a Net that has done nothing sees nothing, whatever others do; asking
// twice says the same; and what is new stands behind what was there.
func (b *battery[H]) dump(t *rapid.T) {
	sh := anyPlace(t)
	steps := b.draw(t, "steps", []string{"a", initial}, 20)
	w := b.open(t, sh.String(), sh, "a", "c", "d", initial)
	idle := w.see("c")
	for _, s := range steps {
		before := w.see(s.net)
		done := b.note(s.String())
		done(w.do(s))
		after := w.see(s.net)
		if now := w.see("c"); now != idle {
			b.differ(t, "the dump of c changes, who does nothing and is linked with nobody here", "before", idle, "now ("+w.name+")", now)
		}
		if twice := w.see(s.net); twice != after {
			b.differ(t, "a second dump of "+s.net+" differs from the first ("+w.name+")", "first", after, "second", twice)
		}
		if b.Sorted == "" && misplaced(before, after) {
			b.differ(t, "something new stands before what was there, and the subsystem does not say that its dumps are Sorted ("+w.name+")", "before", before, "now", after)
		}
	}
}

// misplaced reports whether lines were added elsewhere than at the end, and none
// taken away.
func misplaced(before, after string) bool {
	split := func(s string) []string {
		return slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return l == "" })
	}
	old, now := split(before), split(after)
	if len(now) <= len(old) || slices.Equal(old, now[:len(old)]) {
		return false
	}
	i := 0
	for _, line := range now {
		if i < len(old) && line == old[i] {
			i++
		}
	}
	return i == len(old)
}

// rebirth: a Net that has the name of a dead one, but nothing else of it.
func (b *battery[H]) rebirth(t *rapid.T) {
	sh := anyPlace(t)
	first := b.draw(t, "first life", []string{"a", "b"}, 10, sleep, move)
	second := b.draw(t, "second life", []string{"a", "b"}, 10, sleep)
	x := b.open(t, "in its second life", sh, "a", "b")
	y := b.open(t, "had it been the first", sh)
	both, nets := []*world[H]{x, y}, []string{"a", "b"}
	for _, s := range first {
		done := b.note(s.String())
		done(x.do(s))
	}
	b.note("a and b die, and are born again (" + sh.String() + ")")
	x.kill("b", "a")
	y.m.AdvanceTo(x.m.Sys.Now(), nil)
	for _, net := range nets {
		x.birth(net)
		y.birth(net)
	}
	for _, net := range nets {
		b.same(t, "at birth, the dump of "+net+" differs", both, func(w *world[H]) string { return w.see(net) })
	}
	for _, s := range second {
		b.together(t, s, both, nets...)
	}
	for _, net := range nets {
		b.same(t, "in the end, what "+net+" is given differs", both, func(w *world[H]) string { return w.numbers(net) })
	}
}

// move: a device that has been used and moves is, for the Net it leaves, a device
// that is unregistered, and for the one it comes to a new one; there and back.
func (b *battery[H]) move(t *rapid.T) {
	sh := anyPlace(t)
	nets := []string{"a", "b"}
	x := b.open(t, "nic0 moved", sh, nets...)
	y := b.open(t, "nic0 was deleted and a new one came", sh, nets...)
	both := []*world[H]{x, y}
	for _, from := range []string{"a", "b", "a"} {
		for _, s := range b.draw(t, "steps", nets, 8, sleep) {
			b.together(t, s, both, nets...)
		}
		done := b.note(step[H]{verb: move, net: from}.String() + " (" + sh.String() + ")")
		said := x.moveNIC(from, x.m.Core.Move)
		done(said)
		x.settle()
		if other := y.moveNIC(from, y.replace); other != said {
			b.differ(t, "the move says something else", x.name, said, y.name, other)
		}
		y.settle()
		if said != "ok" {
			continue
		}
		if seen := x.see(from); named.MatchString(seen) {
			b.fail(t, "here %s still sees something of nic0, which has left it:\n%s", from, indent(seen))
		}
		for _, net := range nets {
			b.same(t, "after the move, the dump of "+net+" differs", both, func(w *world[H]) string { return w.see(net) })
		}
	}
	for _, s := range b.draw(t, "last steps", nets, 8, sleep) {
		b.together(t, s, both, nets...)
	}
}

// named finds the moving device in a dump.
var named = regexp.MustCompile(`\bnic0\b`)

// indent sets a dump off from a story.
func indent(s string) string {
	return "        " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n        ")
}

// replace deletes a device and registers one with the same properties in another
// Net, as [core.Stack.Move] with a device that nobody knows.
func (w *world[H]) replace(d *core.Device, to *netns.Net, _ string) error {
	spec := core.DeviceSpec{Name: d.Name(), Addr: d.Addr(), MTU: d.MTU(), TxQLen: d.TxQLen(), Index: d.Index(), Driver: sink{}, Carrier: true}
	if w.m.Core.DeviceByIndex(to, spec.Index) != nil {
		spec.Index = 0
	}
	if w.m.Core.Device(to, spec.Name) != nil {
		return w.m.Core.Move(d, to, "") // which says why not
	}
	if err := w.m.Core.Unregister(d); err != nil {
		return err
	}
	_, err := w.m.Core.Register(to, spec)
	return err
}
