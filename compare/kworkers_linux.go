package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// kernelRest waits until the kernel's workers have rested for a while and
// returns the CPU time that they have used since boot. What a namespace's end
// costs is done by one of them, after the fact.
//
// Linux: cleanup_net on the workqueue netns; man 5 proc, /proc/pid/schedstat.
func kernelRest() (time.Duration, error) {
	const pause, still, patience = 5 * time.Millisecond, 8, 4000
	last, quiet := time.Duration(-1), 0
	for range patience {
		now, err := kworkerTime()
		if err != nil {
			return 0, err
		}
		// A worker that only looks at its watch is resting.
		if now-last < 20*time.Microsecond {
			quiet++
		} else {
			quiet = 0
		}
		if quiet >= still {
			return now, nil
		}
		last = now
		time.Sleep(pause)
	}
	return 0, fmt.Errorf("%w: the kernel's workers never rest", ErrNotHere)
}

// kernelWorked is kernelRest after something that the workers are to do: on a busy
// computer they may rest for a while before they begin.
func kernelWorked(before time.Duration) (after time.Duration, err error) {
	const least, times = 100 * time.Microsecond, 20 // no namespace ends in less
	for range times {
		if after, err = kernelRest(); err != nil || after-before >= least {
			break
		}
	}
	return after, err
}

// kworkerTime adds up what all kernel workers have used.
func kworkerTime() (total time.Duration, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || !strings.HasPrefix(string(comm), "kworker/") {
			continue // it ended meanwhile, or it is none
		}
		b, err := os.ReadFile(filepath.Join(dir, "schedstat"))
		if err != nil {
			continue
		}
		var ns int64
		if _, err := fmt.Sscan(string(b), &ns); err != nil {
			return 0, fmt.Errorf("%s/schedstat: %w", dir, err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}
