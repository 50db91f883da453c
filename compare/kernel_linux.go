package compare

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/internal/rtnl"
)

// A kernelBox is a set of kernel namespaces that an experiment made. Sockets in
// it hold their namespaces.
type kernelBox struct {
	spaces []*rtnl.Namespace
	fds    []int

	holders []holder
}

// newBox says why not if the kernel cannot be asked here.
func (r *Run) newBox() (*kernelBox, error) {
	if !r.Boxed {
		why := r.Why
		if why == nil {
			why = errors.New("no sandbox")
		}
		return nil, fmt.Errorf("%w: %w", ErrNotHere, why)
	}
	return new(kernelBox), nil
}

// space makes a namespace with its loopback up.
func (b *kernelBox) space() (*rtnl.Namespace, error) {
	if err := b.bare(1); err != nil {
		return nil, err
	}
	ns := b.spaces[len(b.spaces)-1]
	return ns, loUp(ns)
}

// bare makes n namespaces as the kernel leaves them.
func (b *kernelBox) bare(n int) error {
	for range n {
		ns, err := rtnl.NewNamespace()
		if err != nil {
			return err
		}
		b.spaces = append(b.spaces, ns)
	}
	return nil
}

// up brings the loopbacks of all of them up.
func (b *kernelBox) up() error {
	for _, ns := range b.spaces {
		if err := loUp(ns); err != nil {
			return err
		}
	}
	return nil
}

func loUp(ns *rtnl.Namespace) error {
	c, err := ns.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.SetUp("lo")
}

// socket opens a UDP socket in ns, bound to port on every address.
func (b *kernelBox) socket(ns *rtnl.Namespace, port uint16) (fd int, err error) {
	err = ns.Do(func() (err error) {
		fd, err = b.socketHere(port)
		return err
	})
	return fd, err
}

// socketHere opens one in the calling thread's namespace.
func (b *kernelBox) socketHere(port uint16) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	b.fds = append(b.fds, fd)
	return fd, unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)})
}

// Close lets go of all of it: the kernel takes the namespaces down on its own.
func (b *kernelBox) Close() error {
	var errs []error
	for _, fd := range b.fds {
		errs = append(errs, unix.Close(fd))
	}
	for _, ns := range b.spaces {
		errs = append(errs, ns.Close())
	}
	for _, h := range b.holders {
		errs = append(errs, h.close())
	}
	b.fds, b.spaces, b.holders = nil, nil, nil
	return errors.Join(errs...)
}

// withSysctl runs f with a sysctl of the present namespace set to value, and
// sets it back.
func withSysctl(key, value string, f func() error) error {
	path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	err = f()
	return errors.Join(err, os.WriteFile(path, old, 0))
}

// readSysctl returns a number.
func readSysctl(key string) (int, error) {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// A kernelReceiver is a namespace in which datagrams go over the loopback to
// sockets and are read, all by one thread: with loopback the receiving softirq
// runs on the sender's account.
type kernelReceiver struct {
	from  int
	to    []int
	addrs []unix.SockaddrInet4
	buf   []byte
}

// receiver makes one with a socket on each of ports.
func (b *kernelBox) receiver(ports ...uint16) (*kernelReceiver, error) {
	ns, err := b.space()
	if err != nil {
		return nil, err
	}
	k := &kernelReceiver{buf: make([]byte, 64)}
	if k.from, err = b.socket(ns, 0); err != nil {
		return nil, err
	}
	for _, port := range ports {
		fd, err := b.socket(ns, port)
		if err != nil {
			return nil, err
		}
		k.to = append(k.to, fd)
		k.addrs = append(k.addrs, unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	}
	return k, nil
}

// receive sends and reads n datagrams, in turns of 64, each on the next port.
func (k *kernelReceiver) receive(n int) error {
	at := 0
	for left := n; left > 0; left -= 64 {
		now := min(left, 64)
		for range now {
			if err := unix.Sendto(k.from, k.buf[:18], 0, &k.addrs[at]); err != nil {
				return os.NewSyscallError("sendto", err)
			}
		}
		for range now {
			if _, _, err := unix.Recvfrom(k.to[at], k.buf, unix.MSG_DONTWAIT); err != nil {
				return os.NewSyscallError("recvfrom", err)
			}
		}
		at = (at + 1) % len(k.to)
	}
	return nil
}
