package law

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"weak"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// Law 4: nothing outlives its namespace. Whatever was pending, once every Net is
// gone the shared tables are as they were, no packet is out, no timer waits, and
// not even the garbage collector can reach a dead Net or what was in it.
func nothingOutlives(t *rapid.T, vs []conformance.Variant) {
	cs := append(world{links: true}.lab(t, 40), inVain()...)
	v := drawVariant(t, vs, everyVariant)
	b := newBench(t, v, drawEyes(t))
	defer b.close()
	for _, c := range cs {
		b.do(t, c.text)
	}
	g := grasp(b)
	killAll(b)
	bad := remains(b, g)
	if k := b.m.Sys.Census().Living; bad == "" && k != 1 {
		bad = fmt.Sprintf("%d Nets live, whom nobody holds", k-1)
	}
	if bad != "" {
		t.Fatalf("under %q, after the end of every Net: %s\n%s", v.Name, bad, story(cs))
	}
}

// inVain are commands that name another Net and are refused.
func inVain() (cs []genCommand) {
	for g, nets := range groups {
		for i, net := range nets {
			gen := &gen{x: net, y: nets[(i+1)%len(nets)]}
			for _, text := range []string{"X link add stays type bridge", "X link set lo netns $Y", "X link set stays netns $Y", "X link add lo type veth peer name lo netns $Y",
				"X link add b7 link none7 netns $Y type passthrough", "X netns set $Y 0", "X netns set $Y 0",
				// and what runs or is open when the Net ends
				"law $X raw late 1", "E sysctl -w net.ipv6.conf.lo.disable_ipv6=0", "X addr add 2001:db8::99/64 dev lo nodad valid_lft 50 preferred_lft 20"} {
				cs = append(cs, genCommand{g, gen.expand(text)})
			}
		}
	}
	return cs
}

// A grip holds weakly what must go.
type grip struct {
	what  []string
	there []func() bool
}

// holdWeakly adds p, which goes by name.
func holdWeakly[T interface{}](g *grip, p *T, name string) {
	w := weak.Make(p)
	g.what = append(g.what, name)
	g.there = append(g.there, func() bool { return w.Value() != nil })
}

// grasp holds weakly every Net but the initial one, its devices, neighbours and
// sockets.
func grasp(b *bench) *grip {
	g := &grip{}
	for n := range b.m.Sys.Nets() {
		if !n.IsInit() {
			g.add(b.m, n)
		}
	}
	return g
}

func (g *grip) add(m *nsmodel.Machine, n *netns.Net) {
	of := " of " + n.Name()
	holdWeakly(g, n, "the Net"+of)
	for _, d := range m.Core.Devices(n) {
		if d.Real() {
			continue
		}
		w := weak.Make(d)
		g.what = append(g.what, "device "+d.Name()+of)
		g.there = append(g.there, func() bool { // unless it has gone to somebody who lives
			d := w.Value()
			return d != nil && !d.Listed()
		})
	}
	for _, nb := range m.Core.Neighbours(n) {
		holdWeakly[core.Neighbour](g, nb, "neighbour "+nb.String()+of)
	}
	for _, c := range m.UDP.Sockets(n) {
		holdWeakly[udp.Conn](g, c, fmt.Sprintf("socket %v%s", c.LocalAddr(), of))
	}
}

// left returns what the garbage collector can still reach.
func (g *grip) left() (names []string) {
	for range 3 {
		if names = nil; len(g.there) == 0 {
			return nil
		}
		runtime.GC()
		for i, there := range g.there {
			if there() {
				names = append(names, g.what[i])
			}
		}
		if names == nil {
			return nil
		}
	}
	return names
}

// killAll ends every Net but the initial one, as one batch.
func killAll(b *bench) {
	for h, n := range b.held {
		delete(b.held, h)
		n.Put()
	}
	b.m.Sys.Lock()
	for _, n := range slices.Collect(b.m.Sys.Nets()) {
		if n.Named() {
			if err := b.m.Sys.Delete(n.Name()); err != nil {
				panic(err)
			}
		}
	}
	b.m.Sys.Reap()
	b.m.Sys.Unlock()
	b.settle()
}

// remains says what is left of Nets that are gone, "" if nothing.
func remains(b *bench, g *grip) string {
	living := slices.Collect(b.m.Sys.Nets())
	if c := b.m.Sys.Census(); c != (netns.Census{Living: len(living), Memory: len(living)}) {
		return fmt.Sprintf("%d Nets live, but %+v", len(living), c)
	}
	if left := entries(b.m, living); left != "" {
		return "in shared tables: " + left
	}
	own := 0
	for _, n := range living {
		own += len(b.m.Sys.Deadlines(n))
	}
	if all := b.m.Sys.Deadlines(nil); len(all) != own {
		return fmt.Sprintf("timers wait for %v, of which %d are the living's", all, own)
	}
	if bad := imbalance(b.m); bad != "" {
		return bad
	}
	for key, s := range b.socks {
		if !s.n.Alive() {
			if !s.conn.Closed() {
				return "socket " + key + " is open"
			}
			delete(b.socks, key)
		}
	}
	for key, s := range b.raws {
		if !s.n.Alive() {
			if s.open() {
				return "raw socket " + key + " is open"
			}
			delete(b.raws, key)
		}
	}
	for name := range b.hooks {
		if n := b.net(name); n != nil {
			n.Put()
			continue
		}
		delete(b.hooks, name)
	}
	for name, l := range b.watch.subs {
		if ended := b.watch.read(name); ended == l.n.Alive() {
			return fmt.Sprintf("the listener of %s was told of the end: %v", name, ended)
		}
	}
	b.watch.forget()
	b.h.Forget()
	if left := g.left(); left != nil {
		return "still in reach: " + strings.Join(left, ", ")
	}
	runtime.KeepAlive(b)
	return ""
}

// entries says which shared tables hold what is not the living's.
func entries(m *nsmodel.Machine, living []*netns.Net) string {
	var s strings.Builder
	for i, sub := range m.Sys.Subsystems() {
		k := sub.Entries
		for _, n := range living {
			k -= m.Sys.EntriesOf(i, n)
		}
		if k != 0 {
			fmt.Fprintf(&s, "%s=%d ", sub.Name, k)
		}
	}
	return s.String()
}
