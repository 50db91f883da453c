//go:build linux

package rtnl

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is an open kernel network namespace. It has no name anywhere: when
// it is closed and nothing else is in it, the kernel removes it.
type Namespace struct{ f *os.File }

// NewNamespace makes an empty network namespace. It needs CAP_SYS_ADMIN (EPERM).
func NewNamespace() (*Namespace, error) {
	var ns *Namespace
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("rtnl: new network namespace: %w", err)
		}
		var err error
		ns, err = CurrentNamespace()
		return err
	})
	return ns, err
}

// CurrentNamespace opens the network namespace of the calling thread.
func CurrentNamespace() (*Namespace, error) { return open("/proc/thread-self/ns/net") }

// NamespaceOf opens the network namespace of a process.
func NamespaceOf(pid int) (*Namespace, error) { return open(fmt.Sprintf("/proc/%d/ns/net", pid)) }

// OpenNamespace opens the namespace that is bound to a path, as `ip netns add`
// does below /run/netns.
func OpenNamespace(path string) (*Namespace, error) { return open(path) }

func open(path string) (*Namespace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rtnl: %w", err)
	}
	return &Namespace{f}, nil
}

// FD is the file descriptor that setns and IFLA_NET_NS_FD take.
func (ns *Namespace) FD() int { return int(ns.f.Fd()) }

// Close gives the namespace up. Interfaces, sockets and processes in it keep it alive.
func (ns *Namespace) Close() error { return ns.f.Close() }

// Do calls f on a thread inside the namespace and waits for it. What f opens
// (sockets, netlink) stays in the namespace. Goroutines that f starts do not.
func (ns *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(ns.FD(), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("rtnl: enter network namespace: %w", err)
		}
		return f()
	})
}

// Dial opens a Conn to the namespace.
func (ns *Namespace) Dial() (c *Conn, err error) {
	err = ns.Do(func() error {
		var err error
		c, err = Dial()
		return err
	})
	return c, err
}

// onThread runs f on a thread of its own, which f may move to another network
// namespace; afterwards the thread goes back, or dies if it cannot.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := CurrentNamespace()
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer home.Close()
		err = f()
		if unix.Setns(home.FD(), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		} // else the goroutine ends locked, and the thread with it
		done <- err
	}()
	return <-done
}
