package netns

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestNames(t *testing.T) {
	s := boot(t, New(Config{}))
	s.Lock()
	defer s.Unlock()
	long := strings.Repeat("x", 255)
	for _, tc := range []struct {
		do, name string
		want     error
	}{
		{"add", "a", nil},
		{"add", "a", syscall.EEXIST},
		{"add", long, nil},
		{"add", long + "x", syscall.EINVAL},
		{"add", "a/b", syscall.EINVAL},
		{"add", ".", syscall.EINVAL},
		{"add", "..", syscall.EINVAL},
		{"add", "a\x00", syscall.EINVAL},
		{"add", "...", nil},
		{"add", "ä b", nil},
		{"delete", "b", syscall.ENOENT},
		{"delete", "", syscall.ENOENT},
		{"delete", "a", nil},
		{"delete", "a", syscall.ENOENT},
		{"add", "a", nil}, // before Reap: the name is free at once
		{"find", "a", nil},
		{"find", "b", syscall.ENOENT},
		{"find", "", syscall.ENOENT}, // not the initial Net, nor an anonymous one
	} {
		var err error
		switch tc.do {
		case "add":
			_, err = s.NewNet(tc.name)
		case "delete":
			err = s.Delete(tc.name)
		case "find":
			var n *Net
			if n, err = s.ByName(tc.name); err == nil {
				n.Put()
			}
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s %q: %v, want %v", tc.do, tc.name, err, tc.want)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "netns: ") || strings.Contains(err.Error(), "netns: netns")) {
			t.Errorf("%s %q: reads %q", tc.do, tc.name, err)
		}
	}
}

func names(s *System) string {
	var list []string
	for n := range s.Nets() {
		list = append(list, n.Name())
	}
	return strings.Join(list, " ")
}

func TestNetsInOrderOfCreation(t *testing.T) {
	s := boot(t, New(Config{}))
	for _, name := range []string{"d", "b", "c", "a"} {
		add(t, s, name)
	}
	for _, tc := range []struct{ do, want string }{
		{"", " d b c a"},
		{"b", " d c a"},
		{"a", " d c"},
		{"d", " c"},
	} {
		if tc.do != "" {
			kill(t, s, tc.do)
		}
		if got := names(s); got != tc.want {
			t.Errorf("without %q: %q, want %q", tc.do, got, tc.want)
		}
	}
	add(t, s, "b")
	if got := names(s); got != " c b" {
		t.Error(got)
	}
	for range s.Nets() {
		break
	}
}

// A Net that is held outlives its name, and is found by ID only.
func TestHeldOutlivesName(t *testing.T) {
	s := boot(t, New(Config{}))
	n := add(t, s, "n")
	if !n.Named() || !n.Hold() {
		t.Fatal("not alive")
	}
	kill(t, s, "n")
	if !n.Alive() || n.Named() || n.Name() != "n" || names(s) != " n" {
		t.Errorf("alive %t, named %t, %q", n.Alive(), n.Named(), names(s))
	}
	twin := add(t, s, "n")
	if twin == n || twin.ID() == n.ID() {
		t.Error("IDs reused")
	}
	if found, err := s.ByID(n.ID()); err != nil || found != n {
		t.Errorf("%v, %v", found, err)
	} else {
		found.Put()
	}
	n.Put()
	if n.Alive() || n.Hold() {
		t.Error("dying, but held")
	}
	if _, err := s.ByID(n.ID()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("dying, but found: %v", err)
	}
	if got := s.Census(); got != (Census{Living: 2, Dying: 1, Memory: 3}) {
		t.Errorf("%+v", got)
	}
	if found, err := s.ByName("n"); err != nil || found != twin {
		t.Errorf("the dying one took its twin's name: %v", err)
	} else {
		found.Put()
	}
}

// While Nets come and go, no lookup returns a dying one, whichever way it asks.
func TestLookupNeverFindsTheDying(t *testing.T) {
	s := boot(t, New(Config{}))
	var last sync.Map // ID by number, for ByID
	stop := make(chan bool)
	var wg sync.WaitGroup
	check := func(n *Net, err error) {
		if err != nil {
			return
		}
		if !n.Alive() || n.exited.Load() {
			t.Error("found a dying Net")
		}
		n.Put()
	}
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				check(s.ByName("n"))
				if id, ok := last.Load(0); ok {
					check(s.ByID(id.(ID)))
				}
				for n := range s.Nets() {
					if n.Hold() {
						check(n, nil)
					}
				}
			}
		})
	}
	s.Lock()
	reaped := 0
	for range 1000 {
		n, err := s.NewNet("n")
		if err != nil {
			t.Fatal(err)
		}
		last.Store(0, n.ID())
		if err := s.Delete("n"); err != nil {
			t.Fatal(err)
		}
		reaped += s.Reap()
	}
	close(stop)
	wg.Wait()
	reaped += s.Reap() // what a lookup held over its last Reap
	s.Unlock()
	if c := s.Census(); reaped != 1000 || c != (Census{Living: 1, Memory: 1}) {
		t.Errorf("reaped %d, %+v", reaped, c)
	}
}

// Between its last Put and its burial a Net is still in the directory; lookups know
// better.
func TestLookupBeforeBurial(t *testing.T) {
	s := boot(t, New(Config{}))
	n := add(t, s, "n")
	n.alive.Store(0)
	if _, err := s.ByName("n"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("by name: %v", err)
	}
	if _, err := s.ByID(n.ID()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("by ID: %v", err)
	}
	if got := names(s); got != "" { // the initial Net's alone
		t.Errorf("Nets: %q", got)
	}
	if n.alive.Load() != 0 {
		t.Error("counted up again")
	}
	s.dir.bury(n)
}
