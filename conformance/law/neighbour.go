package law

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
)

// How the others' history stands to ours.
const (
	among  = iota // their commands between ours
	before        // all of it before ours, and they live on
	died          // all of it before ours, and they are gone by then
	numHow
)

// Law 2: a neighbour without a link is invisible. A group's Nets are run with
// the whole history of all other groups, and once more on a machine on which
// those Nets were never made and the same time passes. Every answer is the
// same, to the byte, and so is the whole view of each Net of the group at the
// end: dumps, counters, notifications, frames, timers; and what it would hand
// out and allow next.
func neighbourIsInvisible(t *rapid.T, vs []conformance.Variant) {
	cs := append(world{}.lab(t, 40), takers()...)
	mine := rapid.IntRange(0, len(groups)-1).Draw(t, "observer")
	how := rapid.IntRange(0, numHow-1).Draw(t, "how")
	v := drawVariant(t, vs, oneWorker)
	v.Config.DevconfInheritInitNet = core.DevconfCompiledIn // else the initial Net is seen at birth, as in Linux
	eyes := drawEyes(t)
	full, alone := newBench(t, v, eyes), newBench(t, v, eyes)
	defer closeAll(full, alone)
	cs = arrange(cs, mine, how)
	for k, c := range cs {
		got := full.do(t, c.text)
		if c.group != mine && c.group >= 0 {
			for _, b := range []*bench{full, alone} { // in both, since what is due now runs only as time is looked at
				b.h.M.AdvanceTo(full.m.Sys.Now(), nil)
				b.settle() // lets services answer
			}
			continue
		}
		if want := alone.do(t, c.text); got != want {
			t.Fatalf("command %d (%s) under %q:\n%s%s", k, c.text, v.Name, difference("among neighbours", got, "alone", want), story(cs[:k+1]))
		}
	}
	for _, net := range groups[mine] {
		got, want := full.view(net), alone.view(net)
		if got != want {
			t.Fatalf("what %s sees under %q:\n%s%s", net, v.Name, difference("among neighbours", got, "alone", want), story(cs))
		}
	}
	for _, net := range groups[mine] {
		got, want := full.lastWill(t, net), alone.lastWill(t, net)
		if got != want {
			t.Fatalf("what %s would do next under %q:\n%s%s", net, v.Name, difference("among neighbours", got, "alone", want), story(cs))
		}
	}
}

// arrange puts the others' commands where how says.
func arrange(cs []genCommand, mine, how int) (out []genCommand) {
	if how == among {
		return cs
	}
	var ours []genCommand
	for _, c := range cs {
		if c.group == mine {
			ours = append(ours, c)
		} else {
			out = append(out, c)
		}
	}
	if how == died {
		for g, nets := range groups {
			for _, n := range nets {
				if g != mine && n != initName {
					out = append(out, genCommand{g, "law " + n + " put h" + n}, genCommand{g, "ip netns del " + n})
				}
			}
		}
	}
	return append(out, ours...)
}

// tunableIsItsNets is law 2 for tunables, one by one: whatever a Net writes, to
// whichever name it can see, sensible or wild, nobody else's view changes by a
// byte, be he linked or not, be he the initial Net; and what was written is read
// back, or was refused and has changed nothing.
func tunableIsItsNets(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, oneWorker)
	v.Config.DevconfInheritInitNet = core.DevconfCompiledIn
	b := newBench(t, v, eyes{})
	defer b.close()
	var cs []genCommand
	for g := range groups {
		cs = append(cs, furniture(g, false)...)
	}
	for _, c := range cs {
		b.do(t, c.text)
	}
	var all []string
	for _, nets := range groups {
		all = append(all, nets...)
	}
	writer := rapid.SampledFrom(all).Draw(t, "writer")
	others := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == writer })
	look := func() (views []string) {
		for _, n := range others {
			views = append(views, b.view(n))
		}
		return views
	}
	had := look()
	for range rapid.IntRange(1, 12).Draw(t, "writes") {
		g := &gen{t: t, x: writer, y: writer}
		text := g.expand("E sysctl -w " + g.tunable())
		cs = append(cs, genCommand{0, text})
		written(t, b, writer, text, cs)
	}
	for i, n := range others {
		if got := b.view(n); got != had[i] {
			t.Fatalf("under %q %s wrote, and %s sees:\n%s%s", v.Name, writer, n, difference("before", had[i], "after", got), story(cs))
		}
	}
}

// written does one write, and checks that it is read back or changed nothing.
func written(t *rapid.T, b *bench, net, text string, cs []genCommand) {
	all := inNet(net, "E sysctl -a")
	words := strings.SplitN(text[strings.Index(text, "-w ")+3:], "=", 2)
	read := inNet(net, "E sysctl -n "+words[0])
	was := b.do(t, all)
	if said := b.do(t, text); strings.Contains(said, "\nsysctl: ") {
		if is := b.do(t, all); is != was {
			t.Fatalf("%s was refused, but changed:\n%s%s", text, difference("before", was, "after", is), story(cs))
		}
		return
	}
	value := strings.Fields(strings.Trim(words[1], `"`))[0]
	if got := b.do(t, read); !strings.Contains(got, "\n"+value) && !normalised(words[0]) {
		t.Fatalf("%s is read back as:\n%s%s", text, got, story(cs))
	}
}

// normalised names tunables that keep something else than what was written: in
// another unit or, of a range that ends before it begins, the empty one.
func normalised(name string) bool {
	return strings.HasSuffix(name, "unres_qlen") || strings.HasSuffix(name, "ping_group_range")
}
