package live

import (
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel"
)

// A socket call that has found a worker asleep rings its bell a moment later.
// If the runner has stopped by then, the bell's number can be somebody's file.
func TestBellAfterStop(t *testing.T) {
	m, err := nsmodel.New(nsmodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Start(m)
	if err != nil {
		t.Fatal(err)
	}
	r.Stop()
	c := r.cpus[0]
	other, err := unix.Eventfd(0, unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if other != c.bell {
		if err := unix.Dup3(other, c.bell, 0); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(c.bell)
	}
	c.asleep.Store(true)
	c.ring()
	var b [8]byte
	if k, err := unix.Read(other, b[:]); err != unix.EAGAIN {
		t.Errorf("a stopped runner wrote into another's file: %d bytes, %v", k, err)
	}
}
