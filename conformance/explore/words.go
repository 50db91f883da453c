package explore

import (
	"fmt"
	"strings"

	"nsmodel/conformance/explore/step"
)

// A phrase says in words what a step in a function does. %v is its value. With a ! in
// front it is a milestone, which is told even if no other task meets that step.
type phrase struct {
	in    string // the function, as Type.Func; or its end, as .Func
	kinds string // how the verb of the kind begins; "" all. A swap that failed "writes no"
	words string
}

// phrases are tried in their order.
var phrases = []phrase{
	{"Net.Hold", "reads", "looks how many references the Net has: %v"},
	{"Net.Hold", "writes no", "finds that the count has changed meanwhile (%v)"},
	{"Net.Hold", "", "takes a reference: now %v"},
	{"Net.Put", "", "!gives a reference back: %v left"},
	{"Net.Alive", "", "asks whether the Net is alive: references %v"},
	{"Net.HoldMemory", "", "keeps the Net in memory: %v passive references"},
	{"Net.PutMemory", "writes", "lets go of the Net's memory: %v passive references left"},
	{"Net.Named", "", "asks whether the name leads to the Net: %v"},
	{"System.ByName", "locks", "looks for the name in the directory"},
	{"System.ByID", "locks", "looks for the ID in the directory"},
	{"System.Lock", "", "takes the configuration lock"},
	{"directory.unname", "locks", "takes the name out of the directory"},
	{"directory.unname", "writes", "notes that the name leads to the Net: %v"},
	{"directory.bury", "locks", "!moves the Net from the living to the dying"},
	{"directory.exhume", "locks", "!takes all that are dying, as one batch"},
	{"directory.publish", "locks", "!makes the new Net findable"},
	{"directory.snapshot", "locks", "lists the living Nets"},
	{"directory.taken", "locks", "asks whether the name is taken"},
	{"System.Census", "locks", "counts the Nets"},
	{"Reader.Enter", "", "begins a section in which it looks things up"},
	{"Reader.Exit", "", "ends its section"},
	{"System.Synchronize", "reads", "grace period: looks at a reader's count, odd if inside: %v"},
	{"System.Synchronize", "spins", "!grace period: waits for that reader"},
	{"System.Synchronize", "adds to", "!grace period: over"},
	{"System.exit", "writes", "!marks the Net as exited"},
	{"timers.take", "locks", "takes the first timer off the heap, if it is due"},
	{"timers.stopAll", "locks", "!stops all timers of the batch"},
	{"Timer.Reset", "locks", "sets the timer"},
	{"Timer.Stop", "locks", "stops the timer"},
	{"Table.put", "locks", "takes the lock of the table's home, to add"},
	{"Table.put", "reads", "asks whether the Net has exited: %v"},
	{"hash.sweep", "locks", "sweeps the Net's entries out of the table"},
	{"Table.Delete", "locks", "takes the lock of the table's home, to delete"},
	{"Table.account", "reads", "looks for the Net's account in this table: %v"},
	{"Table.openAccount", "writes", "opens the Net's account in this table"},
	{"Table.Get", "reads", "walks a chain of the table"},
	{"Slot.Of", "reads", "finds the home of the Net's state"},
	{"Net.bare", "", "!lets go of the Net's own homes"},
	{"hash.unlink", "", "takes an entry out of its chain"},
	{"hash.add", "", "counts the Net's entry"},
	{"push", "writes", "hangs an entry into a chain"},
	{"Stack.down", "writes", "!takes the device down"},
	{"Device.drain", "reads", "asks whether the device is up: %v"},
	{"Device.arrive", "reads", "a packet arrives: looks at the device: %v"},
	{"Device.xmit", "reads", "a packet is sent: looks at the device: %v"},
	{"Worker.Deliver", "", "counts the packet as delivered"},
	{"Worker.Drop", "", "counts the packet as dropped"},
	{"Ledger.add", "reads", "adds the Net's books to those of the dead: %v"},
	{"Stack.list", "", "!gives the device its place in the Net: %v"},
	{"Device.enqueue", "locks", "puts the packet into the device's backlog"},
	{"Device.drain", "locks", "takes packets from the device's backlog, or looks whether more came"},
	{"Device.purge", "locks", "!empties the device's backlog"},
	{"Worker.schedule", "locks", "puts the device on a worker's list"},
	{"Worker.nextReady", "locks", "takes the first device of the worker's list"},
	{"Worker.Pending", "", "asks whether a device waits for the worker: %v"},
	{"Conn.take", "locks", "looks for a datagram, under the socket's lock"},
	{"Conn.take", "waits on", "goes to sleep until the socket is ready"},
	{"Conn.enqueue", "locks", "gives the socket a datagram"},
	{"Conn.enqueue", "signals", "wakes a reader of the socket"},
	{"Conn.shut", "locks", "!closes the socket"},
	{"Conn.shut", "signals", "wakes readers of the socket"},
	{"UDP.track", "locks", "notes the socket among its Net's"},
	{"UDP.preExit", "locks", "looks for the Net's sockets, to close them"},
}

// unseen are functions whose steps are never told.
var unseen = []string{"timers.note", "Net.PutMemory adds to"}

// dull are objects that every task takes from, and whose order changes nothing that a
// story is about.
var dull = []string{"spareMu", "depot", "d.mu"}

// words says what a step does, with a ! in front of a milestone; false if it is not
// worth a line.
func (t *teller) words(e step.Event) (string, bool) {
	if len(e.Stack) == 0 {
		return "", false
	}
	f := e.Stack[0]
	in, verb, on := short(f.Func), e.Op.Kind.String(), t.expression(f, e.Op.Kind)
	if strings.HasPrefix(e.Value, "no: ") {
		verb, e.Value = verb+" no", e.Value[4:]
	}
	for _, p := range phrases {
		if p.in == in && (p.kinds == "" || strings.HasPrefix(verb, p.kinds)) {
			if strings.Contains(p.words, "%v") {
				return fmt.Sprintf(p.words, e.Value), true
			}
			return p.words, true
		}
	}
	if strings.HasPrefix(in, "Worker.") || in == "Stack.Enter" {
		for _, d := range dull {
			if strings.Contains(on, d) {
				return "", false
			}
		}
	}
	for _, u := range unseen {
		if strings.HasPrefix(in+" "+verb, u) {
			return "", false
		}
	}
	if on == "" {
		on = "something"
	}
	text := in + " " + verb + " " + on
	if e.Value != "" {
		text += ": " + e.Value
	}
	return text, true
}
