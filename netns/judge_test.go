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
