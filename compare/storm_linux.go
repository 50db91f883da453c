package compare

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/bench"
	"nsmodel/internal/rtnl"
)

// childTables are the sysctls that give a child tables of its own.
func childTables() []string {
	return []string{"net.ipv4.tcp_child_ehash_entries", "net.ipv4.udp_child_hash_entries"}
}

// withTables runs f with children's tables as series says.
func withTables(series string, f func() error) error {
	for _, key := range childTables() {
		inner := f
		f = func() error { return withSysctl(key, own(series, 1024), inner) }
	}
	return f()
}

// eachSpace calls f in each of k new namespaces, on this thread, which goes home
// in between: tables are those that the parent says.
func eachSpace(k int, f func() error) error {
	home, err := rtnl.CurrentNamespace()
	if err != nil {
		return err
	}
	defer home.Close()
	for range k {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		err := f()
		if err := errors.Join(err, os.NewSyscallError("setns", unix.Setns(home.FD(), unix.CLONE_NEWNET))); err != nil {
			return err
		}
	}
	return nil
}

// spaceBatch makes k namespaces and returns what lets go of them together.
func spaceBatch(k int) (letGo func() error, err error) {
	all := make([]*rtnl.Namespace, 0, k)
	letGo = func() error {
		var errs []error
		for _, ns := range all {
			errs = append(errs, ns.Close())
		}
		return errors.Join(errs...)
	}
	err = eachSpace(k, func() error {
		ns, err := rtnl.CurrentNamespace()
		if err == nil {
			all = append(all, ns)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, letGo())
	}
	return letGo, nil
}

// stormKernelCost samples the CPU time of a namespace, its own process's and the
// kernel workers'.
func stormKernelCost(r *Run, series string, batch int) (*Stand, error) {
	if err := r.canStorm(series); err != nil {
		return nil, err
	}
	// The workers rest for 40 ms before they are believed, so a sample has a few
	// namespaces, or a hundred, in it.
	times := max(1, 2/batch)
	return &Stand{Cold: true, Rounds: Pick(r, 5, 7, 15), Sample: func() (float64, error) {
		var took time.Duration
		err := withTables(series, func() error {
			for range times {
				before, err := kernelRest()
				if err != nil {
					return err
				}
				start := bench.ThreadTime()
				letGo, err := spaceBatch(batch)
				if err != nil {
					return err
				}
				if err := letGo(); err != nil {
					return err
				}
				mine := bench.ThreadTime() - start
				after, err := kernelRest()
				if err != nil {
					return err
				}
				took += mine + after - before
			}
			return nil
		})
		return took.Seconds() * 1e6 / float64(times*batch), err
	}}, nil
}

// canStorm says why not if storms cannot be seen here.
func (r *Run) canStorm(series string) error {
	if _, err := r.newBox(); err != nil {
		return err
	}
	if _, err := slabNets(); err != nil {
		return err
	}
	return withTables(series, func() error { return nil })
}

// stormKernel is stormModel with the kernel's namespaces.
func stormKernel(series string, n int) (values []float64, err error) {
	err = withTables(series, func() error {
		if _, err := kernelRest(); err != nil { // what went before is over
			return err
		}
		base, err := slabNets()
		if err != nil {
			return err
		}
		b, stop, watched, start := new(backlog), make(chan struct{}), make(chan error, 1), time.Now()
		note := func() (left int, err error) {
			now, err := slabNets()
			b.at, b.dead = append(b.at, time.Since(start)), append(b.dead, now-base)
			return now - base, err
		}
		go func() {
			for {
				if _, err := note(); err != nil {
					watched <- err
					return
				}
				select {
				case <-stop:
					watched <- nil
					return
				case <-time.After(2 * time.Millisecond):
				}
			}
		}()
		err = eachSpace(n, func() error { return nil })
		b.ended = time.Since(start)
		close(stop)
		if err := errors.Join(err, <-watched); err != nil {
			return err
		}
		// What is left when the last namespace was let go of, and for as long again
		// as the figure shows.
		last := stormTimes()[len(stormTimes())-1]
		for time.Since(start) < b.ended*time.Duration(last)/100 {
			// The slab is counted to within some objects that processors keep at hand.
			left, err := note()
			if err != nil {
				return err
			}
			if left <= max(7, n/50) {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		values = b.values(n)
		return nil
	})
	return values, err
}

// slabNets returns how many namespaces take the kernel's memory. Linux: man 5
// slabinfo, which root may read.
func slabNets() (int, error) {
	b, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "net_namespace" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("%w: no slab net_namespace", ErrNotHere)
}

// stormEnv tells a process that it is to make and end namespaces in batches, in a
// user namespace of its own.
const stormEnv = "NSMODEL_STORM"

// stormHere does so: for each line of its input as many cycles as it says, or a
// storm for 0, and then tells how long they took, or how long after the storm all
// were gone, in ns.
func stormHere(text string) error {
	var series string
	var batch int
	if _, err := fmt.Sscanf(text, "%s %d", &series, &batch); err != nil {
		return fmt.Errorf("%s=%q: %w", stormEnv, text, err)
	}
	runtime.LockOSThread()
	limit := func(k int) error {
		return os.WriteFile("/proc/sys/user/max_net_namespaces", []byte(strconv.Itoa(k)), 0)
	}
	return withTables(series, func() error {
		if err := limit(2); err != nil { // the process's own, and one
			return err
		}
		letGo, err := spaceBatch(1)
		if err != nil {
			return err
		}
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			cycles, err := strconv.Atoi(in.Text())
			if err != nil {
				return err
			}
			start := time.Now()
			if cycles == 0 {
				if letGo, start, err = stormAlone(limit, batch, letGo); err != nil {
					return err
				}
			}
			for range cycles {
				if letGo, err = stormCycle(limit, batch, letGo); err != nil {
					return err
				}
			}
			fmt.Println(time.Since(start).Nanoseconds())
		}
		return errors.Join(in.Err(), letGo())
	})
}

// stormCycle makes a batch, of which the first is there, lets go of it, and waits
// until all are gone: until then the limit refuses the first of the next batch,
// which it returns.
func stormCycle(limit func(int) error, batch int, first func() error) (next func() error, err error) {
	if err := limit(1 + batch); err != nil {
		return nil, err
	}
	rest, err := spaceBatch(batch - 1)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(limit(2), first(), rest()); err != nil {
		return nil, err
	}
	return stormOver()
}

// stormOver waits until there is room for a namespace under the limit, and
// returns that.
func stormOver() (next func() error, err error) {
	for {
		if next, err = spaceBatch(1); !errors.Is(err, unix.ENOSPC) {
			return next, err
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// stormAlone makes n namespaces and lets go of each at once, and waits until all
// are gone; it returns when the last was let go of.
func stormAlone(limit func(int) error, n int, first func() error) (next func() error, ended time.Time, err error) {
	if err := errors.Join(first(), limit(2+n)); err != nil {
		return nil, ended, err
	}
	if err := eachSpace(n, func() error { return nil }); err != nil {
		return nil, ended, err
	}
	ended = time.Now()
	if err := limit(2); err != nil {
		return nil, ended, err
	}
	next, err = stormOver()
	return next, ended, err
}

// stormKernelRate samples how many namespaces come and go in a second.
func stormKernelRate(r *Run, series string, batch int) (*Stand, error) {
	cycles := max(1, 2/batch)
	st, ask, err := r.stormer(series, batch)
	if err != nil {
		return nil, err
	}
	st.Rounds = Pick(r, 5, 7, 15)
	st.Sample = func() (float64, error) {
		ns, err := ask(cycles)
		return float64(cycles*batch) / (ns / 1e9), err
	}
	return st, nil
}

// stormKernelBack samples how long after a storm of n the last is gone, in ms.
func stormKernelBack(r *Run, series string, n int) (*Stand, error) {
	st, ask, err := r.stormer(series, n)
	if err != nil {
		return nil, err
	}
	st.Rounds, st.Cold = Pick(r, 3, 7, 11), true
	st.Sample = func() (float64, error) {
		ns, err := ask(0)
		return ns / 1e6, err
	}
	return st, nil
}

// stormer starts a process for stormHere, and returns what ends it and what asks
// it.
func (r *Run) stormer(series string, batch int) (st *Stand, ask func(cycles int) (ns float64, err error), err error) {
	if err := r.canStorm(series); err != nil {
		return nil, nil, err
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", stormEnv, series, batch))
	c.Stderr = os.Stderr
	root := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, UidMappings: root, GidMappings: root}
	stdin, err := c.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.Start(); err != nil {
		return nil, nil, fmt.Errorf("%w: a user namespace: %w", ErrNotHere, err)
	}
	answers := bufio.NewReader(stdout)
	ask = func(cycles int) (float64, error) {
		if _, err := io.WriteString(stdin, strconv.Itoa(cycles)+"\n"); err != nil {
			return 0, err
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(strings.TrimSpace(line), 64)
	}
	return &Stand{Close: func() error { return errors.Join(stdin.Close(), c.Wait()) }}, ask, nil
}
