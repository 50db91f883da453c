package netfilter

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/netns"
)

// boot is a machine with hooks; the gate of IPv6's is closed.
func boot(t *testing.T, place netns.Placement) (*core.Stack, *Hooks, *netns.Net) {
	t.Helper()
	sys := netns.New(netns.Config{})
	s := core.New(sys, core.Config{Gates: []core.GateRow{{Layer: core.LayerNetfilter, Entry: "ipv6", Why: "test"}}})
	h := New(s, place)
	if err := sys.Boot(); err != nil {
		t.Fatal(err)
	}
	s.NewWorker()
	sys.Lock()
	t.Cleanup(sys.Unlock)
	n, err := sys.NewNet("n")
	if err != nil {
		t.Fatal(err)
	}
	return s, h, n
}

func TestHooks(t *testing.T) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		s, h, n := boot(t, place)
		w := s.Enter()
		var log []string
		verdict := map[string]Verdict{}
		remove := map[string]func(){}
		add := func(in *netns.Net, name string, hook Hook, prio int) {
			r, err := h.Register(in, Entry{Family: core.AFInet, Hook: hook, Priority: prio, Func: func(w *core.Worker, p *core.Packet, st *State) Verdict {
				log = append(log, name)
				v, special := verdict[name]
				if !special {
					return Accept
				}
				if v == Repeat {
					delete(verdict, name)
				}
				if v == Stolen {
					w.Deliver(p)
				}
				return v
			}})
			if err != nil {
				t.Fatal(err)
			}
			remove[name] = r
		}
		run := func(in *netns.Net, hook Hook) string {
			log = nil
			p := w.NewPacket(in, 20)
			if h.Run(w, p, hook, core.AFInet, nil, nil) {
				w.Deliver(p)
				log = append(log, "on")
			}
			return fmt.Sprint(log)
		}
		want := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%v: %s, want %s", place, got, want)
			}
		}
		want(run(n, LocalIn), "[on]")
		add(n, "late", LocalIn, 100)
		add(n, "early", LocalIn, -100)
		add(n, "late2", LocalIn, 100)
		add(s.Sys.Init(), "init's", LocalIn, 0)
		want(run(n, LocalIn), "[early late late2 on]")
		want(run(n, Forward), "[on]")
		want(run(s.Sys.Init(), LocalIn), "[init's on]")
		verdict["late"] = Repeat
		want(run(n, LocalIn), "[early late late late2 on]")
		verdict["late"] = Stolen
		want(run(n, LocalIn), "[early late]")
		verdict["late"] = Drop
		want(run(n, LocalIn), "[early late]")
		delete(verdict, "late")
		remove["late"]()
		remove["late"]() // twice is no harm
		want(run(n, LocalIn), "[early late2 on]")
		remove["early"]()
		remove["late2"]()
		want(run(n, LocalIn), "[on]")
		want(run(s.Sys.Init(), LocalIn), "[init's on]")
		w.Leave()
		if b := s.Ledger(n); b.Reasons[core.NetfilterDrop.String()] != 1 || !b.Balanced() || s.Outstanding() != 0 {
			t.Errorf("%v", b)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	s, h, n := boot(t, netns.Default)
	ok := func(*core.Worker, *core.Packet, *State) Verdict { return Accept }
	for _, test := range []struct {
		net  *netns.Net
		e    Entry
		want error
	}{
		{n, Entry{Family: core.AFInet, Hook: numHooks, Func: ok}, syscall.EINVAL},
		{n, Entry{Family: core.AFInet, Hook: Forward}, syscall.EINVAL},
		{n, Entry{Family: 7, Hook: Forward, Func: ok}, syscall.EOPNOTSUPP},
		{n, Entry{Family: core.AFInet6, Hook: Forward, Func: ok}, syscall.EOPNOTSUPP},
		{s.Sys.Init(), Entry{Family: core.AFInet6, Hook: Forward, Func: ok}, nil},
		{n, Entry{Family: core.AFInet, Hook: Forward, Func: ok}, nil},
	} {
		if _, err := h.Register(test.net, test.e); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, want %v", test.e, err, test.want)
		}
	}
}

// A Net's end takes its functions away: nobody else goes on paying for them, who
// has their removal at hand does no harm, and a dead Net gets no new ones.
func TestHooksEndWithTheirNet(t *testing.T) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		s, h, n := boot(t, place)
		e := Entry{Family: core.AFInet, Hook: LocalIn, Func: func(*core.Worker, *core.Packet, *State) Verdict { return Accept }}
		remove, err := h.Register(n, e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Register(s.Sys.Init(), e); err != nil {
			t.Fatal(err)
		}
		n.HoldMemory()
		if err := s.Sys.Delete("n"); err != nil {
			t.Fatal(err)
		}
		s.Sys.Reap()
		if used := h.used[0][LocalIn].Load(); used != 1 {
			t.Errorf("%v: after the end of one of two Nets with a function, %d are in use", place, used)
		}
		remove()
		if _, err := h.Register(n, e); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%v: a dead Net gets a function: %v", place, err)
		}
		if used := h.used[0][LocalIn].Load(); used != 1 {
			t.Errorf("%v: the dead changed the count to %d", place, used)
		}
		n.PutMemory()
	}
}
