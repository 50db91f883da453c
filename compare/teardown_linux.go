package compare

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/bench"
	"nsmodel/internal/rtnl"
)

// A kernelNet is a namespace with its loopback and a veth pair up. Its fds are what
// it has open.
type kernelNet struct {
	*rtnl.Namespace
	index int // of the veth
}

// endSpace makes one; it is the caller's, not the box's.
func endSpace() (k kernelNet, err error) {
	ns, err := rtnl.NewNamespace()
	if err != nil {
		return k, err
	}
	c, err := ns.Dial()
	if err != nil {
		return k, errors.Join(err, ns.Close())
	}
	defer c.Close()
	for _, step := range []func() error{
		func() error { return c.SetUp("lo") }, func() error { return c.AddVeth("v", "p", nil) },
		func() error { return c.SetUp("p") }, func() error { return c.SetUp("v") },
		func() (err error) { k.index, err = c.Index("v"); return err },
	} {
		if err := step(); err != nil {
			return k, errors.Join(err, ns.Close())
		}
	}
	k.Namespace = ns
	return k, nil
}

// kernelStand is stand with the kernel's namespaces. Others' entries are made for
// each sample, since all sizes share the computer's table and are measured in turns.
func (k endKind) kernelStand(r *Run, place string, own, others int) (*Stand, error) {
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	return &Stand{Rounds: Pick(r, 3, 7, 11), Close: b.Close, Sample: func() (took float64, err error) {
		err = withSysctl("net.ipv4.udp_child_hash_entries", ownTable(place), func() error {
			took, err = k.kernelEnd(b, own, others)
			return err
		})
		return took, err
	}}, nil
}

// ownTable is own with room for the entries of this experiment.
func ownTable(place string) string { return own(place, 16*1024) }

// kernelEnd makes the two namespaces and returns what the end of the one takes: of
// this thread to close what it has open, and of the kernel's workers.
func (k endKind) kernelEnd(b *kernelBox, own, others int) (took float64, err error) {
	theirs, err := endSpace()
	if err != nil {
		return 0, err
	}
	letGo, err := k.kernel(b, theirs, others)
	defer func() { err = errors.Join(err, letGo(), theirs.Close()) }()
	if err != nil {
		return 0, err
	}
	mine, err := endSpace()
	if err != nil {
		return 0, err
	}
	closing, err := k.kernel(b, mine, own)
	if err != nil {
		return 0, errors.Join(err, closing(), mine.Close())
	}
	before, err := kernelRest()
	if err != nil {
		return 0, errors.Join(err, closing(), mine.Close())
	}
	start := bench.ThreadTime()
	if err := errors.Join(closing(), mine.Close()); err != nil {
		return 0, err
	}
	here := bench.ThreadTime() - start
	after, err := kernelRest()
	return (here + after - before).Seconds() * 1e6, err
}

func (b *kernelBox) addSockets(k kernelNet, count int) (closing func() error, err error) {
	var fds []int
	closing = func() error {
		var errs []error
		for _, fd := range fds {
			errs = append(errs, unix.Close(fd))
		}
		return errors.Join(errs...)
	}
	return closing, k.Do(func() error {
		for i := range count {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return os.NewSyscallError("socket", err)
			}
			fds = append(fds, fd)
			if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 10_000 + i}); err != nil {
				return os.NewSyscallError("bind", err)
			}
		}
		return nil
	})
}

func (b *kernelBox) addNeighbours(k kernelNet, count int) (closing func() error, err error) {
	c, err := k.Dial()
	if err != nil {
		return nothingToClose, err
	}
	defer c.Close()
	for i := range count {
		a, _ := entryAt(i)
		if err := c.SetNeighbour(k.index, a, []byte{2, 0, 0, 0, 9, 9}, unix.NUD_PERMANENT); err != nil {
			return nothingToClose, err
		}
	}
	return nothingToClose, nil
}

func (b *kernelBox) addFragments(k kernelNet, count int) (closing func() error, err error) {
	local := [4]byte{127, 0, 0, 1}
	first := make([]byte, 20+fragSize)
	first[0], first[6], first[8], first[9] = 0x45, 0x20, 64, unix.IPPROTO_UDP // more fragments
	copy(first[12:], local[:])
	copy(first[16:], local[:])
	return nothingToClose, k.Do(func() error {
		return waitingFragments(unix.AF_INET, "net.ipv4.ipfrag_high_thresh", count, func(fd, i int) error {
			binary.BigEndian.PutUint16(first[4:], uint16(i+1))
			return unix.Sendto(fd, first, 0, &unix.SockaddrInet4{Addr: local})
		})
	})
}

func (b *kernelBox) addFragments6(k kernelNet, count int) (closing func() error, err error) {
	const fragmentHeader, headers = 44, 48
	local := netip.IPv6Loopback().As16()
	first := make([]byte, headers+fragSize)
	first[0], first[6], first[7] = 0x60, fragmentHeader, 64
	binary.BigEndian.PutUint16(first[4:], uint16(len(first)-40))
	copy(first[8:], local[:])
	copy(first[24:], local[:])
	first[40], first[43] = unix.IPPROTO_UDP, 1 // more fragments
	return nothingToClose, k.Do(func() error {
		return waitingFragments(unix.AF_INET6, "net.ipv6.ip6frag_high_thresh", count, func(fd, i int) error {
			binary.BigEndian.PutUint32(first[44:], uint32(i+1))
			return unix.Sendto(fd, first, 0, &unix.SockaddrInet6{Addr: local})
		})
	})
}

// waitingFragments sends first fragments in this thread's namespace, and sees to it
// that the kernel waits for the rest of them.
func waitingFragments(family int, limit string, count int, send func(fd, i int) error) error {
	if count == 0 {
		return nil
	}
	if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(limit, ".", "/"), fmt.Append(nil, fragRoom), 0); err != nil {
		return fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for i := range count {
		if err := send(fd, i); err != nil {
			return os.NewSyscallError("sendto", err)
		}
	}
	file := "/proc/thread-self/net/sockstat"
	if family == unix.AF_INET6 {
		file += "6"
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(b) {
		var waiting int
		if at := bytes.Index(line, []byte(": inuse ")); at >= 0 && bytes.HasPrefix(line, []byte("FRAG")) {
			if _, err := fmt.Sscan(string(line[at+len(": inuse "):]), &waiting); err == nil && waiting == count {
				return nil
			}
		}
	}
	return fmt.Errorf("not all of %d fragments wait: %s", count, b)
}
