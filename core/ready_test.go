package core

import (
	"testing"

	"nsmodel/netns"
)

// A worker whose list never runs empty keeps no device that it is done with.
func TestReadyListForgets(t *testing.T) {
	s := New(netns.New(netns.Config{}), Config{})
	w := s.NewWorker()
	w.schedule(new(Device))
	for range 5000 {
		w.schedule(new(Device))
		w.nextReady()
	}
	kept := 0
	for _, d := range w.ready[:cap(w.ready)] {
		if d != nil {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d devices are kept, 1 is ready", kept)
	}
}
