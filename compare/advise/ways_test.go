package advise

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

// Whoever forwards looks for an exception once, in a Net that has any: with those of
// 500 strangers before its own a packet takes several times as long. One that is
// delivered does not look, nor does one of the other family.
func TestForwardedLookForExceptions(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for s, looks := range map[*subsystem]string{exceptions(): PathForward, exceptions6(): PathForward6} {
		var runs []func(int) error
		for _, crowd := range []int{0, 500} {
			town, list, err := probed(s)
			if err != nil {
				t.Fatal(err)
			}
			for i := range crowd {
				if err := errors.Join(town.settle(i), town.furnish(i, 1)); err != nil {
					t.Fatal(err)
				}
			}
			runs = append(runs, list...)
		}
		ns, err := turns(50*time.Microsecond, 15, runs)
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range Paths() {
			if more := ns[len(runs)/2+i] / ns[i]; more > 3 != (path == looks) {
				t.Errorf("%s: %s takes %.1f times as long with 500 strangers", s.word, path, more)
			}
		}
	}
}
