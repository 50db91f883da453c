package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ThreadTime returns the CPU time of the calling thread.
func ThreadTime() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// ProcessTime returns the CPU time of the process, the collector's included.
func ProcessTime() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// A Computer is where figures were taken.
type Computer struct {
	CPU    string
	Cores  int
	Kernel string
	Go     string

	start      time.Time
	busy, ours time.Duration
}

// ThisComputer describes it, and starts to watch what others do on it.
func ThisComputer() *Computer {
	c := &Computer{CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version(), start: time.Now(), busy: busyTime(), ours: ProcessTime()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		c.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return c
}

// String says it in a line.
func (c *Computer) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s", c.CPU, c.Cores, c.Kernel, c.Go)
}

// Foreign returns how many CPUs others have kept busy since ThisComputer, and
// the kernel on nobody's account; figures taken at more than a few hundredths
// are worth less.
func (c *Computer) Foreign() float64 {
	wall := time.Since(c.start)
	if wall <= 0 {
		return 0
	}
	return max(0, float64(busyTime()-c.busy-(ProcessTime()-c.ours))/float64(wall))
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// busyTime returns for how long all CPUs together have not been idle since boot.
// Linux: man 5 proc, /proc/stat, in hundredths of a second.
func busyTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, wait, irq, soft uint64
	if _, err := fmt.Sscanf(string(b), "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft); err != nil {
		return 0
	}
	return time.Duration(user+nice+system+irq+soft) * 10 * time.Millisecond
}

// ResidentBytes returns how much memory the process has.
func ResidentBytes() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		return 0
	}
	return resident * uint64(os.Getpagesize())
}
