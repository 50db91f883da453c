package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel/core"
)

// death: law 4. After every prefix of the steps, with all pending that they left
// pending, Nets die, in one batch or several and in any order; who is not linked
// with them notices nothing, who still looks at them brings nothing back, and when
// all are dead nothing is left.
func (b *battery[H]) death(t *rapid.T) {
	sh := anyPlace(t)
	sh.Variant = rapid.SampledFrom(Variants()).Draw(t, "variant")
	nets := []string{"a", "b", "c"}
	steps := b.draw(t, "steps", nets, 7, sleep, move)
	victims := rapid.SampledFrom([][]string{{"a", "b"}, {"b", "a"}, {"a"}, {"b"}}).Draw(t, "victims")
	batch := rapid.Bool().Draw(t, "in one batch")
	late := b.draw(t, "stragglers", victims, 2)
	for k := 1; k <= len(steps); k++ {
		b.trail = nil
		w := b.open(t, sh.String(), sh, nets...)
		for i, s := range steps[:k] {
			done := b.note(s.String())
			done(w.act(s))
			if i < k-1 {
				w.settle()
			}
		}
		b.dieUnderWay(t, w, victims, batch, late)
		b.end(t, w, k == len(steps))
	}
}

// dieUnderWay lets the victims die and looks at who survives.
func (b *battery[H]) dieUnderWay(t *rapid.T, w *world[H], victims []string, batch bool, late []step[H]) {
	others := []string{"c", initial}
	var before []string
	for _, net := range others {
		before = append(before, w.see(net))
	}
	dead := map[string]Call[H]{}
	for _, net := range victims {
		n := w.net(net)
		n.HoldMemory()
		n.Put()
		dead[net] = w.call(n)
	}
	b.note("the end of " + strings.Join(victims, ", then ") + " (" + w.name + ")")
	if batch {
		w.kill(victims...)
	} else {
		for _, net := range victims {
			w.kill(net)
		}
	}
	for i, net := range others {
		if now := w.see(net); now != before[i] {
			b.differ(t, "the dump of "+net+" changes, who lives and is not linked with the dead", "before", before[i], "now", now)
		}
	}
	for _, s := range late {
		done := b.note(s.String() + ", after its death, by who still looks at it")
		done(say(s.op.Do(dead[s.net])))
		b.Dump(dead[s.net])
	}
	w.settle()
	if bad := w.books(); bad != "" {
		b.fail(t, "here the books are out of balance: %s", bad)
	}
	for _, c := range dead {
		c.N.PutMemory()
	}
}

// books says what is wrong with the ledgers, "" if nothing.
func (w *world[H]) books() string {
	held := int64(0)
	for n := range w.m.Sys.Nets() {
		l := w.m.Core.Ledger(n)
		if !l.Balanced() {
			return fmt.Sprintf("%s: %v", n.Name(), l)
		}
		held += l.Held
	}
	if l := w.m.Core.DeadLedger(); !l.Balanced() || l.Held != 0 {
		return fmt.Sprintf("the dead: %v", l)
	}
	if out := w.m.Core.Outstanding(); out != held {
		return fmt.Sprintf("%d packets are out of the pools, queues hold %d", out, held)
	}
	return ""
}

// end lets all Nets of a world die, and looks for what is left of them.
func (b *battery[H]) end(t *rapid.T, w *world[H], deep bool) {
	var names []string
	for n := range w.m.Sys.Nets() {
		if n.Named() {
			names = append(names, n.Name())
		}
	}
	b.note("all Nets but the initial one die")
	if said := w.kill(names...); said != "ok" {
		b.fail(t, "here a Net cannot be deleted: %s", said)
	}
	w.settle()
	if now := w.figures(); now != w.base {
		b.differ(t, "the shared tables and the Nets (living, dying, in memory) are not what they were", "at the start", w.base, "now ("+w.name+")", now)
	}
	if at, ok := w.m.Sys.NextTimer(); ok {
		b.fail(t, "here a timer is left, that is due at %v, of a Net that lives: the initial one's (%s)", at, w.name)
	}
	if bad := w.books(); bad != "" {
		b.fail(t, "here the books are out of balance (%s): %s", w.name, bad)
	}
	if k := w.readers.gone(b.patience); k > 0 {
		b.fail(t, "here %d readers still wait for something in a Net that is gone (%s)", k, w.name)
	}
	if !deep {
		return
	}
	collect()
	for _, p := range w.born {
		if n := p.Value(); n != nil {
			b.fail(t, "here something still holds the memory of %q (%s): look for a map, a list, a closure or a value that leads to the Net, a device or a packet of it", n.Name(), w.name)
		}
	}
	runtime.KeepAlive(w)
}

// birth: the constructor of each subsystem in turn fails, this one's among them;
// the Net that was to be leaves no trace, while others live, are dying, or work.
func (b *battery[H]) birth(t *rapid.T) {
	sh := anyPlace(t)
	steps := b.draw(t, "steps", []string{"a", "b", "c"}, 8, sleep)
	dying := rapid.Bool().Draw(t, "c is dying")
	w := b.open(t, sh.String(), sh, "a", "b", "c")
	for _, s := range steps {
		done := b.note(s.String())
		done(w.do(s))
	}
	if dying {
		b.note("c begins to die")
		w.m.Sys.Lock()
		_ = w.m.Sys.Delete("c") // it is there
		w.m.Sys.Unlock()
	}
	for k, sub := range w.m.Sys.Subsystems() {
		before, seen := w.figures(), w.see("a")
		w.m.Sys.Lock()
		w.m.Sys.FailEnter(k, syscall.ENOMEM)
		_, err := w.m.Sys.NewNet("e")
		w.m.Sys.FailEnter(k, nil)
		w.m.Sys.Unlock()
		done := b.note("e is to be born, but " + sub.Name + " refuses it")
		done(say("", err))
		if now := w.figures(); now != before || !errors.Is(err, syscall.ENOMEM) {
			b.differ(t, "the shared tables and the Nets (living, dying, in memory) are not what they were", "before", before, "now ("+w.name+")", now)
		}
		if now := w.see("a"); now != seen {
			b.differ(t, "the dump of a changes ("+w.name+")", "before", seen, "now", now)
		}
		b.trail = b.trail[:len(b.trail)-1]
	}
	b.note("the births of e were refused by each subsystem in turn; now e is born")
	fresh := b.open(t, "had nobody refused it", sh)
	fresh.m.AdvanceTo(w.m.Sys.Now(), nil)
	for _, x := range []*world[H]{w, fresh} {
		if said := x.birth("e"); said != "ok" {
			b.fail(t, "%s: %s", x.name, said)
		}
	}
	b.same(t, "the dump of e differs", []*world[H]{w, fresh}, func(w *world[H]) string { return w.see("e") })
	b.end(t, w, true)
}

// errnos are what the layers say to whom their gate is closed.
var errnos = map[core.Layer]syscall.Errno{
	core.LayerFamily: syscall.EAFNOSUPPORT, core.LayerNetlink: syscall.EOPNOTSUPP,
	core.LayerSysctl: syscall.ENOENT, core.LayerNetfilter: syscall.EOPNOTSUPP,
}

// refusals returns the errnos of the subsystem's rows; none if its layers refuse
// in silence, as those of packets and events.
func (b *battery[H]) refusals() (list []syscall.Errno) {
	for _, row := range b.Gates {
		if e, ok := errnos[row.Layer]; ok {
			list = append(list, e)
		}
	}
	return list
}

// refused reports whether an operation was refused by a gate.
func refused(list []syscall.Errno, said string) bool {
	return slices.ContainsFunc(list, func(e syscall.Errno) bool {
		return strings.Contains(strings.ToLower(said), e.Error())
	})
}

// gate: with its gates closed the subsystem works in the initial Net as ever, and
// is not there for the others, who are refused in their layer's way and leave no
// state; with the gates open no gate is left over.
func (b *battery[H]) gate(t *rapid.T) {
	sh := anyPlace(t)
	steps := b.draw(t, "steps", []string{initial, "a", "c"}, 12, sleep)
	shut := sh
	shut.closed = true
	x := b.open(t, "gates closed", shut, theNets...)
	y := b.open(t, "gates open, init only", sh, theNets...)
	list := b.refusals()
	before := map[string]string{"a": x.see("a"), "c": x.see("c")}
	for _, s := range steps {
		if s.net == initial || s.verb == sleep {
			b.together(t, s, []*world[H]{x, y}, initial)
			continue
		}
		figures := x.figures()
		done := b.note(s.String() + " (gates closed)")
		said := x.do(s)
		done(said)
		if len(list) > 0 && !s.op.Free && !refused(list, said) {
			b.fail(t, "here the gate is closed to %s, and yet it is not refused with %v: an entry point does not ask the gate", s.net, list)
		}
		y.m.AdvanceTo(x.m.Sys.Now(), nil)
		if now := x.see(s.net); now != before[s.net] {
			b.differ(t, "state appears in "+s.net+", to whom the gate is closed", "before", before[s.net], "now", now)
		}
		if now := x.figures(); now != figures && !s.op.Free {
			b.differ(t, "state appears in the shared tables, though the gate is closed to "+s.net, "before", figures, "now", now)
		}
	}
	if len(list) == 0 {
		return
	}
	p, q := b.open(t, "init", sh, theNets...), b.open(t, "a", sh, theNets...)
	b.trail = nil
	for _, s := range steps {
		if s.verb == operate {
			inside := s
			s.net, inside.net = initial, "a"
			done := b.note(inside.String() + " (gates open)")
			in, said := p.do(s), q.do(inside)
			done(said)
			if refused(list, said) && !refused(list, in) {
				b.fail(t, "here the gate is open, and yet a is refused what init is not (%s): a check of the initial Net was left over", in)
			}
		}
	}
}

// limit: a Net's limit is reached at the same count alone, beside one that is at
// its own, and among fifty that have used some of theirs.
func (b *battery[H]) limit(t *rapid.T) {
	sh := anyPlace(t)
	alone := b.open(t, "alone", sh, "a", "b", "c", "d")
	count := func(w *world[H], net string) string {
		k, err := w.fill(net, 0, 1)
		if err == nil {
			b.fail(t, "%s: Fill found no limit within %d", net, most)
		}
		said := say(fmt.Sprintf("%d", k), err)
		b.note(fmt.Sprintf("%s, %s: as much as it may (%s)", w.name, net, sh))(said)
		return said
	}
	want := count(alone, "a")
	check := func(w *world[H], net, how string) {
		if got := count(w, net); got != want {
			b.differ(t, "a limit that is each Net's own depends on others", "a, alone", want, net+", "+how, got)
		}
	}
	check(alone, "c", "while a is at its limit")
	many := b.open(t, "among fifty", sh, "a", "b")
	for i := range 50 {
		name := fmt.Sprint("e", i)
		many.birth(name)
		n := many.net(name)
		for j := range 3 {
			_ = b.Fill(many.call(n), j) // a limit below three is no error here
		}
		n.Put()
	}
	check(many, "a", "among fifty that have used some of theirs")
	alone.kill("a", "b")
	alone.birth("a")
	alone.birth("b")
	check(alone, "a", "in its second life")
	b.end(t, alone, false)
	b.end(t, many, false)
}
