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
	CPU      string
	Cores    int
	Memory   uint64 // bytes; 0 if unknown
	Kernel   string
	Go       string
	Governor string // of the first CPU's clock, "" where there is none to be seen

	start             time.Time
	busy, steal, ours time.Duration
}

// ThisComputer describes it, and starts to watch what others do on it.
func ThisComputer() *Computer {
	c := &Computer{CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version(), start: time.Now(), ours: ourTime()}
	c.busy, c.steal = busyTime()
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		c.Memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	if b, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"); err == nil {
		c.Governor = strings.TrimSpace(string(b))
	}
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
	busy, _ := busyTime()
	return c.share(busy - c.busy - (ourTime() - c.ours))
}

// Steal returns how many CPUs the host of a virtual machine has kept from it
// since ThisComputer.
func (c *Computer) Steal() float64 {
	_, steal := busyTime()
	return c.share(steal - c.steal)
}

func (c *Computer) share(d time.Duration) float64 {
	wall := time.Since(c.start)
	if wall <= 0 {
		return 0
	}
	return max(0, float64(d)/float64(wall))
}

// LoadAverage returns how many tasks ran or waited over the last minute, 0 if
// that cannot be had. Linux: man 5 proc, /proc/loadavg.
func LoadAverage() (load float64) {
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(b), &load)
	}
	return load
}

// ourTime is what this process and its children that have ended have used.
func ourTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &u) != nil {
		return ProcessTime()
	}
	return ProcessTime() + time.Duration(u.Utime.Nano()+u.Stime.Nano())
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

// busyTime returns for how long all CPUs together have not been idle since boot,
// and for how long the host has kept them from running.
// Linux: man 5 proc, /proc/stat, in hundredths of a second.
func busyTime() (busy, steal time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	var user, nice, system, idle, wait, irq, soft, stolen uint64
	if _, err := fmt.Sscanf(string(b), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft, &stolen); err != nil {
		return 0, 0
	}
	const tick = 10 * time.Millisecond
	return time.Duration(user+nice+system+irq+soft) * tick, time.Duration(stolen) * tick
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
