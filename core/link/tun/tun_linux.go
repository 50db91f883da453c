package tun

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Device is the file that makes taps.
const Device = "/dev/net/tun"

// A Tap is the process's end of one. Its methods may be called from anywhere.
type Tap struct {
	fd  int // the frames
	ask int // a socket of the same namespace, for questions
	ifr string
}

// Open makes the interface name in the calling thread's network namespace, or takes
// the end of a persistent one that nobody has. It has no carrier before SetCarrier.
// Errors wrap ENOENT (no Device), EPERM, EBUSY (somebody has the end), EINVAL (the
// name is another kind of interface's, or none).
func Open(name string) (*Tap, error) {
	r, err := unix.NewIfreq(name)
	if err != nil || name == "" {
		return nil, fmt.Errorf("tap: interface %q: %w", name, unix.EINVAL)
	}
	fd, err := unix.Open(Device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("tap: %s: %w", Device, err)
	}
	r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("tap: interface %s: %w", name, err)
	}
	ask, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("tap: socket: %w", err)
	}
	t := &Tap{fd: fd, ask: ask, ifr: r.Name()}
	t.SetCarrier(false)
	return t, nil
}

// Name returns the interface's name when it was opened.
func (t *Tap) Name() string { return t.ifr }

// FD is readable when there is a frame to Read.
func (t *Tap) FD() int { return t.fd }

// Read takes a frame that the kernel has sent into b and returns its length; 0 if
// there is none. What does not fit is cut off.
func (t *Tap) Read(b []byte) int {
	for {
		n, err := unix.Read(t.fd, b)
		if err == nil {
			return n
		}
		if !errors.Is(err, unix.EINTR) {
			return 0
		}
	}
}

// Write lets the kernel receive a frame. Errors: EIO if its interface is down.
func (t *Tap) Write(frame []byte) error {
	for {
		if _, err := unix.Write(t.fd, frame); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// SetCarrier says whether the kernel's interface has one. Kernels before 5.0 know
// only that it has.
func (t *Tap) SetCarrier(on bool) {
	v := 0
	if on {
		v = 1
	}
	_ = unix.IoctlSetPointerInt(t.fd, unix.TUNSETCARRIER, v)
}

// Facts returns the MTU of the kernel's interface in bytes and whether it is up;
// an error if it has been renamed or is gone.
func (t *Tap) Facts() (mtu int, up bool, err error) {
	r, err := unix.NewIfreq(t.ifr)
	if err != nil {
		return 0, false, err
	}
	if err := unix.IoctlIfreq(t.ask, unix.SIOCGIFMTU, r); err != nil {
		return 0, false, fmt.Errorf("tap: interface %s: %w", t.ifr, err)
	}
	mtu = int(r.Uint32())
	if err := unix.IoctlIfreq(t.ask, unix.SIOCGIFFLAGS, r); err != nil {
		return 0, false, fmt.Errorf("tap: interface %s: %w", t.ifr, err)
	}
	return mtu, r.Uint16()&unix.IFF_UP != 0, nil
}

// Close lets the end go; an interface that is not persistent is gone then.
func (t *Tap) Close() {
	unix.Close(t.fd)
	unix.Close(t.ask)
}
