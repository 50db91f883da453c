package law

import (
	"fmt"
	"strings"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/netns"
)

// birthFails is law 4 for Nets that never live: the constructor of each
// subsystem fails in its turn, before or after it has done its work, on a
// machine that is full of life. The caller is told the error; no Net is there,
// nothing in any table, no timer, nobody sees a difference, and the Net that
// was begun cannot be reached. Then the same name is given to a Net that lives.
func birthFails(t *rapid.T, vs []conformance.Variant) {
	w := world{links: true}
	v := drawVariant(t, vs, oneWorker)
	in := attend(&v)
	b := newBench(t, v, drawEyes(t))
	defer b.close()
	cs := w.lab(t, 10)
	for _, c := range cs {
		b.do(t, c.text)
	}
	b.do(t, "ip netns del h")
	look := func() string {
		var s strings.Builder
		for _, nets := range groups {
			for _, n := range nets {
				s.WriteString(b.view(n))
			}
		}
		return s.String()
	}
	before, census := look(), b.m.Sys.Census()
	g := &grip{}
	late := rapid.Bool().Draw(t, "late")
	for i, sub := range b.m.Sys.Subsystems() {
		failing := true
		b.m.Sys.Lock()
		b.m.Sys.WrapEnter(i, func(enter func(*netns.Net) error) func(*netns.Net) error {
			return func(n *netns.Net) error {
				if failing && n.Name() == "h" {
					if late && enter != nil {
						if err := enter(n); err != nil {
							return err
						}
						// What entered is the subsystem's own to undo, and it can do
						// so by its exit alone: so we fail in the place of the next.
					}
					holdWeakly(g, n, "the Net in which "+sub.Name+" failed")
					if !late || enter == nil {
						return syscall.ENOMEM
					}
				}
				if enter != nil && !(failing && n.Name() == "h") {
					return enter(n)
				}
				return nil
			}
		})
		b.m.Sys.Unlock()
		said := b.do(t, "ip netns add h")
		failing = false
		if late && !strings.Contains(said, "[exit") {
			b.do(t, "ip netns del h") // it has entered, and leaves as a whole
		} else if !strings.Contains(said, "Cannot allocate memory") {
			t.Fatalf("%s failed, and the caller hears: %s", sub.Name, said)
		}
		if c := b.m.Sys.Census(); c != census {
			t.Fatalf("under %q, after %s failed: %+v, before %+v\n%s", v.Name, sub.Name, c, census, story(cs))
		}
	}
	if in.bad != "" {
		t.Fatalf("under %q, %s\n%s", v.Name, in.bad, story(cs))
	}
	if after := look(); after != before {
		t.Fatalf("under %q, failed births are seen:\n%s%s", v.Name, difference("before", before, "after", after), story(cs))
	}
	if bad := remains(b, g); bad != "" {
		t.Fatalf("under %q, of Nets that never lived: %s\n%s", v.Name, bad, story(cs))
	}
	for _, text := range []string{"ip netns add h", "ip -n h link set lo up"} {
		if said := b.do(t, text); strings.Contains(said, "[exit") {
			t.Fatalf("under %q, after the failures: %s\n%s", v.Name, said, story(cs))
		}
	}
	if said := b.do(t, "ip netns exec h ping -c 1 -W 0.1 127.0.0.1"); !strings.Contains(said, "1 received") {
		t.Fatalf("under %q, after the failures: %s\n%s", v.Name, said, story(cs))
	}
}

// An attendance is a subsystem's, the last that registers: who leaves it has
// entered it, and leaves once.
type attendance struct {
	in  map[netns.ID]int
	bad string
}

// attend has v's machines keep one.
func attend(v *conformance.Variant) *attendance {
	a := &attendance{in: map[netns.ID]int{}}
	pass := func(what string, from, to int) func(*netns.Net) {
		return func(n *netns.Net) {
			if a.in[n.ID()] != from && a.bad == "" {
				a.bad = fmt.Sprintf("a subsystem's %s is called for a Net which is at stage %d there, not %d", what, a.in[n.ID()], from)
			}
			a.in[n.ID()] = to
		}
	}
	v.Config.Extend = func(m *nsmodel.Machine) error {
		enter := pass("enter", 0, 1)
		netns.Attend(m.Sys, "attendance", func(n *netns.Net) error { enter(n); return nil }, pass("pre-exit", 1, 2), pass("exit", 2, 0))
		return nil
	}
	return a
}

// exitOrder is law 4 for the order in which subsystems leave: where no
// subsystem needs another, swapping two of them shows nowhere. Nets die at
// random on a machine that swaps and on one that does not.
func exitOrder(t *rapid.T, vs []conformance.Variant) {
	cs := world{links: true}.lab(t, 20)
	cs = append(cs, genCommand{0, "ip netns del b"}, genCommand{1, "ip netns del c"}, genCommand{2, "ip netns del g"})
	v := drawVariant(t, vs, oneWorker)
	plain, swapped := newBench(t, v, eyes{}), newBench(t, v, eyes{})
	defer closeAll(plain, swapped)
	subs := swapped.m.Sys.Subsystems()
	i := rapid.IntRange(0, len(subs)-2).Draw(t, "subsystem")
	if why := needs[subs[i].Name+" "+subs[i+1].Name]; why != "" {
		return
	}
	swapped.m.Sys.Lock()
	swapped.m.Sys.SwapExits(i, i+1)
	swapped.m.Sys.Unlock()
	pair := fmt.Sprintf("%s and %s", subs[i].Name, subs[i+1].Name)
	var g *grip
	for _, c := range cs {
		if g == nil && strings.HasPrefix(c.text, "ip netns del") {
			g = grasp(swapped)
		}
		want := plain.do(t, c.text)
		if got := swapped.do(t, c.text); got != want {
			t.Fatalf("under %q, with %s swapped, %s:\n%s%s", v.Name, pair, c.text, difference("in order", want, "swapped", got), story(cs))
		}
	}
	for _, nets := range groups {
		for _, n := range nets {
			if got, want := swapped.view(n), plain.view(n); got != want {
				t.Fatalf("under %q, with %s swapped, %s sees:\n%s%s", v.Name, pair, n, difference("in order", want, "swapped", got), story(cs))
			}
		}
	}
	killAll(swapped)
	if bad := remains(swapped, g); bad != "" {
		t.Fatalf("under %q, with %s swapped: %s\n%s", v.Name, pair, bad, story(cs))
	}
}

// needs says which neighbours in the order of registration may not change
// places in the order of death, and why.
var needs = map[string]string{
	"nsid nsid-exit": "whoever knows the dead Net by a number forgets it while the numbers are there to be read",
}
