package scene

import (
	"fmt"
	"syscall"
	"time"

	"nsmodel/conformance/explore/step"
	"nsmodel/netns"
)

// A small is a System with two tables, a cell and a subsystem that watches how Nets
// come and go, and nothing else. It has the Nets red and blue.
type small struct {
	*netns.System
	table     *netns.Table[int, string] // registered before the watch
	cell      *netns.Cell[int]
	red, blue *netns.Net
	seen      map[*netns.Net]*stages
}

// stages are how often a Net was let in and taken out.
type stages struct{ enter, preExit, exit int }

func newSmall(place netns.Placement, c netns.Config) *small {
	c.Seed = 1
	s := &small{System: netns.New(c), seen: map[*netns.Net]*stages{}}
	sum := func(k int) uint64 { return uint64(k) }
	s.table = netns.NewTable[int, string](s.System, "table", place, sum)
	s.cell = netns.NewCell(s.System, "cell", place, func(*netns.Net) *int { return new(int) })
	netns.Attend(s.System, "watch", s.enter, s.preExit, s.exit)
	ok(s.Boot())
	s.red, s.blue = s.add("red"), s.add("blue")
	ok(s.table.Add(s.red, 1, "one"))
	ok(s.table.Add(s.blue, 1, "one"))
	return s
}

func (s *small) enter(n *netns.Net) error {
	s.seen[n] = new(stages)
	if n.Name() == "bad" {
		return syscall.EPERM
	}
	s.seen[n].enter++
	return nil
}

func (s *small) preExit(n *netns.Net) {
	s.seen[n].preExit++
	s.intact(n, "pre-exit")
}

func (s *small) exit(n *netns.Net) {
	st := s.seen[n]
	st.exit++
	want(st.preExit > 0, "%s: exit without a pre-exit", n.Name())
	s.intact(n, "exit")
}

// intact fails the scene if n has lost what a subsystem below holds for it: exit goes
// in the reverse order of registration, so all of that is there still.
func (s *small) intact(n *netns.Net, when string) {
	_, found := s.table.Get(n, 1)
	want(found, "%s: its %s finds its entry of a lower table gone already", n.Name(), when)
}

func (s *small) add(name string) *netns.Net {
	s.Lock()
	defer s.Unlock()
	return must(s.NewNet(name))
}

// del deletes a Net by name and reaps.
func (s *small) del(name string) {
	s.Lock()
	defer s.Unlock()
	ok(s.Delete(name))
	s.Reap()
}

// reap reaps.
func (s *small) reap() {
	s.Lock()
	defer s.Unlock()
	s.Reap()
}

// over deletes and reaps what is left, and complains of what does not go.
func (s *small) over() error {
	s.Lock()
	defer s.Unlock()
	for n := range s.Nets() {
		if n.Named() {
			ok(s.Delete(n.Name()))
		}
	}
	s.Reap()
	if c := s.Census(); c != (netns.Census{Living: 1, Memory: 1}) {
		return fmt.Errorf("references are left: %d living, %d dying and %d Nets in memory, where 1, 0 and 1 are wanted", c.Living, c.Dying, c.Memory)
	}
	delete(s.seen, s.Init())
	for n, st := range s.seen {
		if st.preExit != st.enter || st.exit != st.enter {
			return fmt.Errorf("%s entered %d times, and has had %d pre-exits and %d exits", n.Name(), st.enter, st.preExit, st.exit)
		}
	}
	for _, sub := range s.Subsystems() {
		if sub.Entries != 0 {
			return fmt.Errorf("%d entries of dead Nets are left in the shared home of %s", sub.Entries, sub.Name)
		}
	}
	return nil
}

// use does with a Net that is held what its holder may.
func (s *small) use(n *netns.Net) {
	want(n.Alive(), "resurrection: %s is dying, and was found and is held all the same", n.Name())
	err := s.table.Set(n, 2, "two")
	want(err != syscall.ESRCH, "use after exit: %s is held, and has exited", n.Name())
	ok(err)
	v, found := s.table.Get(n, 2)
	want(found && v == "two", "%s is held, and has lost what was just put into its table", n.Name())
}

// pair is a scene of two tasks on a small System.
func pair(name, tells string, bound int, place netns.Placement, c netns.Config, tasks func(s *small) []step.Task) Scene {
	return Scene{name, tells, bound, func() ([]step.Task, func() error) {
		s := newSmall(place, c)
		return tasks(s), s.over
	}}
}

func task(name string, do func()) step.Task { return step.Task{Name: name, Do: do} }

func lifeScenes() []Scene {
	var none netns.Config
	return []Scene{
		pair("name-delete", "a lookup by name meets delete and reap", 3, netns.Tagged, none, func(s *small) []step.Task {
			return []step.Task{task("finder", s.findByName), task("deleter", func() { s.del("red") })}
		}),
		pair("name-put", "a lookup by name meets the Put of the name's own reference, and a reap", 3, netns.Tagged, none, func(s *small) []step.Task {
			return []step.Task{task("finder", s.findByName), task("holder", s.red.Put), task("reaper", s.reap)}
		}),
		pair("id-delete", "a lookup by ID meets delete and reap", 3, netns.Tagged, none, func(s *small) []step.Task {
			return []step.Task{task("finder", func() {
				if n, err := s.ByID(s.red.ID()); err == nil {
					s.use(n)
					n.Put()
				}
			}), task("deleter", func() { s.del("red") })}
		}),
		pair("hold-delete", "a Hold of a Net that is known meets delete and reap", 3, netns.Replicated, none, func(s *small) []step.Task {
			return []step.Task{task("holder", func() {
				if s.red.Hold() {
					s.use(s.red)
					s.red.Put()
				}
			}), task("deleter", func() { s.del("red") })}
		}),
		pair("walk-delete", "a walk over all Nets meets delete and reap of the one before", 3, netns.Tagged, none, func(s *small) []step.Task {
			return []step.Task{task("walker", func() {
				found := false
				for n := range s.Nets() {
					found = found || n == s.blue
				}
				want(found, "a walk over all Nets missed blue, which lives")
			}), task("deleter", func() { s.del("red") })}
		}),
		pair("rename-reuse", "a Net of the same name is made while the old one dies", 3, netns.Tagged, none, func(s *small) []step.Task {
			return []step.Task{task("holder", func() {
				if s.red.Hold() {
					s.use(s.red)
					s.red.Put()
				}
			}), task("renewer", func() {
				s.Lock()
				defer s.Unlock()
				ok(s.Delete("red"))
				n := must(s.NewNet("red"))
				s.Reap()
				want(n.Alive() && n.Named(), "the new red is gone with the old one")
				ok(s.table.Add(n, 1, "one"))
			}), task("finder", func() {
				if n, err := s.ByName("red"); err == nil {
					s.use(n)
					n.Put()
				}
			})}
		}),
		pair("two-exits", "two Nets die, one of them while a third is refused by its constructor", 2, netns.Tagged, none, func(s *small) []step.Task {
			return []step.Task{task("deleter", func() { s.del("red") }), task("creator", func() {
				s.Lock()
				defer s.Unlock()
				_, err := s.NewNet("bad")
				want(err != nil, "the constructor's refusal is lost")
			}), task("holder", s.blue.Put)}
		}),
		pair("two-reaps", "two tasks delete a Net each and reap", 2, netns.Replicated, none, func(s *small) []step.Task {
			return []step.Task{task("first", func() { s.del("red") }), task("second", func() { s.del("blue") })}
		}),
		pair("memory-delete", "a straggler that looks at a Net meets its end", 3, netns.Tagged, none, func(s *small) []step.Task {
			s.red.HoldMemory()
			return []step.Task{task("straggler", func() {
				s.table.Get(s.red, 1)
				_ = s.table.Set(s.red, 3, "three")
				*s.cell.Own(s.red)++
				s.red.PutMemory()
			}), task("deleter", func() { s.del("red") })}
		}),
	}
}

func (s *small) findByName() {
	if n, err := s.ByName("red"); err == nil {
		s.use(n)
		n.Put()
	}
}

// readerDelete has a reader that looks at a Net which may be dying.
func readerDelete(s *small) []step.Task {
	r := s.NewReader()
	return []step.Task{task("reader", func() {
		r.Enter()
		if n, err := s.ByName("red"); err == nil {
			n.Put() // the section is enough
			_, found := s.table.Get(n, 1)
			want(found, "use after exit: a reader found red, and its entries went before the end of the reader's section")
			step.Uses(n, "a lookup of a reader")
		}
		r.Exit()
	}), task("deleter", func() { s.del("red") })}
}

// tableScenes meet on one table.
func tableScenes() []Scene {
	var list []Scene
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		var none netns.Config
		suffix := "-" + place.String()
		list = append(list,
			pair("reader-delete"+suffix, "a reader between Enter and Exit meets delete and reap", 3, place, none, readerDelete),
			pair("add-sweep"+suffix, "an Add of somebody who was late meets the exit's sweep", 3, place, none, func(s *small) []step.Task {
				return []step.Task{task("late", func() {
					err := s.table.Add(s.red, 5, "late")
					_, found := s.table.Get(s.red, 5)
					want(err == nil || !found, "an Add that was refused is there")
				}), task("deleter", func() { s.del("red") })}
			}),
			pair("get-grow"+suffix, "lookups meet growth and removal of the neighbours in the chain", 3, place, netns.Config{Buckets: 1}, func(s *small) []step.Task {
				ok(s.table.Add(s.red, 2, "two"))
				return []step.Task{task("reader", func() {
					v, found := s.table.Get(s.red, 1)
					want(found && v == "one", "an entry that nobody touched is not found")
				}), task("writer", func() {
					s.table.Delete(s.red, 2)
					ok(s.table.Add(s.red, 3, "three"))
					ok(s.table.Set(s.red, 3, "drei"))
				})}
			}),
			pair("grow"+suffix, "lookups meet a table that grows", 3, place, none, func(s *small) []step.Task {
				for k := range 61 { // a shared home grows at 64
					ok(s.table.Add(s.blue, 100+k, "full"))
				}
				return []step.Task{task("reader", func() {
					v, found := s.table.Get(s.red, 1)
					want(found && v == "one", "an entry that nobody touched is not found")
				}), task("writer", func() {
					for k := 2; k < 5; k++ {
						ok(s.table.Add(s.red, k, "more"))
					}
				})}
			}),
			pair("cap"+suffix, "two tasks take the last place below a cap", 3, place, none, func(s *small) []step.Task {
				s.table.SetCap(s.red, 2)
				add := func(k int) func() { return func() { _ = s.table.Add(s.red, k, "x") } }
				return []step.Task{task("first", add(7)), task("second", add(8)), task("counter", func() {
					want(s.table.Len(s.red) <= 2, "the cap of 2 entries holds %d", s.table.Len(s.red))
				})}
			}),
			pair("cell-exit"+suffix, "the first use of a cell meets the exit of its Net", 3, place, none, func(s *small) []step.Task {
				return []step.Task{task("late", func() { *s.cell.Own(s.red)++ }), task("deleter", func() { s.del("red") })}
			}),
			pair("cell-once"+suffix, "two first uses of a cell", 3, place, none, func(s *small) []step.Task {
				var got [2]*int
				own := func(i int) func() {
					return func() {
						got[i] = s.cell.Own(s.red)
						if i == 1 && got[0] != nil {
							want(got[0] == got[1], "two tasks have two of what a Net has one of")
						}
					}
				}
				return []step.Task{task("first", own(0)), task("second", own(1))}
			}),
		)
	}
	return list
}

// timerScenes meet at timers.
func timerScenes() []Scene {
	var none netns.Config
	arm := func(s *small) (t *netns.Timer, fired *int) {
		t, fired = new(netns.Timer), new(int)
		t.Init(s.red, func(time.Duration) {
			*fired++
			_, found := s.table.Get(s.red, 1)
			want(found, "use after exit: a timer of red fires, whose entries are gone")
		})
		t.Reset(time.Second)
		return t, fired
	}
	return []Scene{
		pair("timer-exit", "a timer that is due meets the exit of its Net", 3, netns.Tagged, none, func(s *small) []step.Task {
			arm(s)
			return []step.Task{task("clock", func() { s.Expire(time.Second, -1) }), task("deleter", func() { s.del("red") })}
		}),
		pair("timer-reset", "a Reset of a timer meets the exit of its Net, and then the clock", 2, netns.Tagged, none, func(s *small) []step.Task {
			t, _ := arm(s)
			return []step.Task{task("setter", func() { t.Reset(time.Second / 2) }), task("deleter", func() { s.del("red") }),
				task("clock", func() { s.Expire(time.Second, -1) })}
		}),
		pair("timer-stop", "a Stop meets the clock: a timer that was stopped in time does not fire", 3, netns.Tagged, none, func(s *small) []step.Task {
			t, fired := arm(s)
			return []step.Task{task("stopper", func() {
				pending := t.Stop()
				want(!pending || *fired == 0, "a timer fired, and was stopped before it did")
			}), task("clock", func() { s.Expire(time.Second, -1) })}
		}),
	}
}
