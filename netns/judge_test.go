package netns

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	s := boot(t, New(Config{}))
	a, b := add(t, s, "a"), add(t, s, "b")
	timers := make([]Timer, 3)
	for i := range timers {
		timers[i].Init(a, func(time.Duration) {})
		timers[i].Reset(time.Duration(3-i) * time.Second)
	}
	timers[1].Stop()
	if got, want := s.Deadlines(a), []time.Duration{time.Second, 3 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("a's deadlines are %v, want %v", got, want)
	}
	timers[1].Init(b, func(time.Duration) {})
	timers[1].Reset(2 * time.Second)
	if got := s.Deadlines(nil); len(got) != 3 || !slices.IsSorted(got) {
		t.Errorf("all deadlines are %v", got)
	}
	timers[1].Stop()
	if got := s.Deadlines(b); len(got) != 0 {
		t.Errorf("b, which has no timer, has deadlines %v", got)
	}
}

func TestWrapEnterAndSwapExits(t *testing.T) {
	s := New(Config{})
	var log []string
	for _, name := range []string{"one", "two", "three"} {
		Attend(s, name, func(*Net) error { log = append(log, "+"+name); return nil },
			func(*Net) { log = append(log, "~"+name) }, func(*Net) { log = append(log, "-"+name) })
	}
	boot(t, s)
	log = nil
	s.SwapExits(0, 2)
	add(t, s, "a")
	kill(t, s, "a")
	if want := []string{"+one", "+two", "+three", "~one", "~two", "~three", "-one", "-two", "-three"}; !slices.Equal(log, want) {
		t.Errorf("with the first and the last exit swapped: %v, want %v", log, want)
	}
	s.SwapExits(0, 2)
	log = nil
	refused := errors.New("refused")
	s.WrapEnter(1, func(enter func(*Net) error) func(*Net) error {
		return func(n *Net) error {
			if err := enter(n); err != nil {
				return err
			}
			return refused
		}
	})
	s.Lock()
	defer s.Unlock()
	if _, err := s.NewNet("b"); !errors.Is(err, refused) {
		t.Errorf("the wrapped subsystem's error is %v", err)
	}
	if want := []string{"+one", "+two", "~one", "-one"}; !slices.Equal(log, want) {
		t.Errorf("unwound %v, want %v", log, want)
	}
}

func TestEntriesOf(t *testing.T) {
	s := New(Config{})
	shared := NewTable[int, int](s, "shared", Tagged, func(int) uint64 { return 0 })
	NewTable[int, int](s, "own", Replicated, func(int) uint64 { return 0 })
	boot(t, s)
	a, b := add(t, s, "a"), add(t, s, "b")
	for i := range 3 {
		if err := shared.Add(a, i, i); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.EntriesOf(0, a); got != 3 {
		t.Errorf("a has %d of the shared entries, want 3", got)
	}
	if got := s.EntriesOf(0, b) + s.EntriesOf(1, a); got != 0 {
		t.Errorf("of b, or in a table of its own: %d, want 0", got)
	}
}
