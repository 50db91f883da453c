package live_test

import (
	"fmt"
	"os"
	"testing"

	"nsmodel/internal/linux"
)

// noKernel says why there are no real NICs for the tests; nil if there are.
var noKernel error

// TestMain runs the tests in a sandbox of the kernel's, so that no interface of
// the machine is ever in reach, and ip netns keeps its names there.
func TestMain(m *testing.M) {
	linux.Probe()
	if !linux.Inside() {
		if noKernel = linux.Why(); noKernel == nil {
			status, err := linux.Enter()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				status = 1
			}
			os.Exit(status)
		}
	}
	if linux.Inside() {
		if err := linux.Settle(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
