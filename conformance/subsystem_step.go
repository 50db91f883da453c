package conformance

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/netns"
)

// A verb is what one step of a case does.
type verb uint8

const (
	operate verb = iota // an operation in a Net
	sleep               // time passes
	move                // the Net's nic0 goes to its partner
	die                 // the Net dies
	live                // the Net is born
	life                // it dies if it lives, and is born if not; resolved when drawn
	filling             // the Net does all it may
)

// A step is one thing that happens in a world.
type step[H any] struct {
	verb verb
	net  string
	op   Op[H]
	wait time.Duration
}

// String tells the step in a story.
func (s step[H]) String() string {
	switch s.verb {
	case sleep:
		return fmt.Sprintf("%v pass", s.wait)
	case move:
		return fmt.Sprintf("nic0 moves from %s to %s", s.net, partners[s.net])
	case die:
		return s.net + " dies"
	case live:
		return s.net + " is born"
	case filling:
		return s.net + ": as much as it may"
	}
	return s.net + ": " + s.op.Text
}

// draw draws steps in the given Nets: operations, and now and then one of also.
func (b *battery[H]) draw(t *rapid.T, label string, nets []string, count int, also ...verb) []step[H] {
	one := rapid.Custom(func(t *rapid.T) step[H] {
		s := step[H]{net: rapid.SampledFrom(nets).Draw(t, "net")}
		if len(also) > 0 && rapid.IntRange(0, 4).Draw(t, "what") == 4 {
			s.verb = rapid.SampledFrom(also).Draw(t, "verb")
		}
		switch {
		case s.verb == sleep:
			s.wait = rapid.SampledFrom([]time.Duration{10 * time.Millisecond, time.Second, 7 * time.Second, time.Minute}).Draw(t, "how long")
		case s.net == initial && s.verb != filling || s.verb == filling && b.Fill == nil:
			s.verb = operate // it neither dies nor has a partner
		}
		if s.verb == operate {
			s.op = b.Op(t)
		}
		return s
	})
	steps := rapid.SliceOfN(one, 1, count).Draw(t, label)
	dead := map[string]bool{}
	for i := range steps {
		if s := &steps[i]; s.verb == life {
			s.verb = die
			if dead[s.net] {
				s.verb = live
			}
			dead[s.net] = !dead[s.net]
		}
	}
	return steps
}

// do carries out a step and returns what was said.
func (w *world[H]) do(s step[H]) string {
	said := w.act(s)
	w.settle()
	return said
}

// act is do without letting the machine work afterwards.
func (w *world[H]) act(s step[H]) string {
	switch s.verb {
	case sleep:
		w.m.AdvanceTo(w.m.Sys.Now()+s.wait, w.pick)
		return ""
	case move:
		return w.moveNIC(s.net, w.m.Core.Move)
	case die:
		return w.kill(s.net)
	case live:
		return w.birth(s.net)
	case filling:
		count, err := w.fill(s.net, 0, 1)
		return say(fmt.Sprint(count), err)
	}
	n := w.net(s.net)
	if n == nil {
		return "no such namespace"
	}
	defer n.Put()
	return say(s.op.Do(w.call(n)))
}

// moveNIC takes a Net's nic0 to the partner, in the way that how does it.
func (w *world[H]) moveNIC(from string, how func(*core.Device, *netns.Net, string) error) string {
	n := w.net(from)
	if n == nil {
		return "no such namespace"
	}
	defer n.Put()
	to := w.net(partners[from])
	if to == nil {
		return "no such namespace"
	}
	defer to.Put()
	w.m.Sys.Lock()
	defer w.m.Sys.Unlock()
	d := w.m.Core.Device(n, "nic0")
	if d == nil {
		return "no such device"
	}
	return say("", how(d, to, ""))
}

// A battery is a subsystem in a check's hands.
type battery[H any] struct {
	*Subsystem[H]
	trail    trail  // what was done so far in the case that runs
	story    string // of the last case that failed
	failed   bool   // the last case did, in a way that the battery looks for
	worlds   []*world[H]
	patience time.Duration // for goroutines that ought to end
}

// close ends the worlds of a case that went well. Where one failed, somebody may
// hold a lock.
func (b *battery[H]) close() {
	for _, w := range b.worlds {
		_ = w.m.Close() // what it could not end is no matter of this case any more
	}
}

// A trail is what a story tells of the way to its end, a step a line.
type trail []string

func (tr trail) String() string {
	var s strings.Builder
	for i, line := range tr {
		fmt.Fprintf(&s, "%4d  %s\n", i+1, line)
	}
	return s.String()
}

// note adds a step to the trail, before anything is known of how it ends, and
// the function that it returns adds what was said.
func (b *battery[H]) note(text string) func(said string) {
	b.trail = append(b.trail, text)
	return func(said string) {
		if said != "" {
			b.trail[len(b.trail)-1] = fmt.Sprintf("%-40s -> %s", text, strings.ReplaceAll(strings.TrimSpace(said), "\n", "\n        "))
		}
	}
}

// fail ends a case with what went wrong behind the steps that led there.
func (b *battery[H]) fail(t *rapid.T, format string, a ...any) {
	b.story = b.trail.String() + strings.TrimSuffix(fmt.Sprintf(format, a...), "\n") + "\n"
	b.failed = true
	t.Fatal("the check failed")
}

// same fails the case if worlds say different things; each is asked once.
func (b *battery[H]) same(t *rapid.T, what string, worlds []*world[H], of func(*world[H]) string) {
	first := of(worlds[0])
	for _, w := range worlds[1:] {
		if other := of(w); other != first {
			b.differ(t, what, worlds[0].name, first, w.name, other)
		}
	}
}

// differ fails the case with the lines in which two texts differ.
func (b *battery[H]) differ(t *rapid.T, what, x, sx, y, sy string) {
	var s strings.Builder
	for _, d := range difference(strings.Split(sx, "\n"), strings.Split(sy, "\n")) {
		if d.text != "" {
			fmt.Fprintf(&s, "      %c %s\n", d.mark, d.text)
		}
	}
	b.fail(t, "here %s:\n      --- %s\n      +++ %s\n%s", what, x, y, s.String())
}

// together carries out a step in all worlds and compares what is said, and what
// the given Nets then see.
func (b *battery[H]) together(t *rapid.T, s step[H], worlds []*world[H], nets ...string) {
	done := b.note(s.String())
	said := worlds[0].do(s)
	done(said)
	for _, w := range worlds[1:] {
		if other := w.do(s); other != said {
			b.differ(t, "the same step says something else", worlds[0].name, said, w.name, other)
		}
	}
	for _, net := range nets {
		b.same(t, "the dump of "+net+" differs", worlds, func(w *world[H]) string { return w.see(net) })
	}
}

// examine puts a property before rapid and returns what that says of a failure,
// "" if there was none. Of 100 cases that -rapid.checks asks for it looks at so
// many, the first among them; of a failing one at all that the shrinking wants.
func examine(test string, cases int, prop func(*rapid.T)) string {
	r := &recorder{name: test}
	runs, failing := 0, false
	func() {
		defer func() {
			if e := recover(); e != nil && e != any(r) {
				panic(e)
			}
		}()
		rapid.Check(r, func(t *rapid.T) {
			runs++
			if !failing && (runs-1)*cases%100 >= cases {
				return
			}
			failing = true
			prop(t)
			failing = false
		})
	}()
	return r.text.String()
}

// A recorder is the [rapid.TB] that remembers what rapid says of a failure, so
// that it can be told in another order.
type recorder struct {
	name   string
	failed bool
	text   strings.Builder
}

// Name returns the test's name.
func (r *recorder) Name() string { return r.name }

// Errorf, Error, Fatalf, Fatal, FailNow, Fail and Failed are those of a test.
func (r *recorder) Errorf(f string, a ...any) { r.Error(fmt.Sprintf(f, a...)) }
func (r *recorder) Error(a ...any)            { fmt.Fprintln(&r.text, a...); r.failed = true }
func (r *recorder) Fatalf(f string, a ...any) { r.Fatal(fmt.Sprintf(f, a...)) }
func (r *recorder) Fatal(a ...any)            { r.Error(a...); panic(r) }
func (r *recorder) FailNow()                  { r.failed = true; panic(r) }
func (r *recorder) Fail()                     { r.failed = true }
func (r *recorder) Failed() bool              { return r.failed }

// Skip and its like end the search; Log is for whoever reads along.
func (r *recorder) Skipf(string, ...any) { panic(r) }
func (r *recorder) Skip(...any)          { panic(r) }
func (r *recorder) SkipNow()             { panic(r) }
func (r *recorder) Logf(string, ...any)  {}
func (r *recorder) Log(...any)           {}
func (r *recorder) Helper()              {}

// reproduce finds rapid's advice on how to see the case again.
var reproduce = regexp.MustCompile(`To reproduce, specify .*`)

func again(said string) string {
	if line := reproduce.FindString(said); line != "" {
		return line + "\n"
	}
	return ""
}

// collect runs the collector until what nobody holds is gone: twice, for what has
// a cleanup.
func collect() {
	runtime.GC()
	runtime.GC()
}
