package afpacket

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Watcher tells of interfaces that come, go and change in the network namespace
// of the thread that made it (rtnetlink, RTMGRP_LINK). It is how an interface
// that went away is picked up again: wait for an Event with its name that is
// not Gone, then Open. One goroutine uses it.
type Watcher struct {
	fd  int
	buf []byte
}

// NewWatcher subscribes. It needs no privilege. Look at the interfaces once
// after this: only what happens from now on is told.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("afpacket: netlink socket", err)
	}
	sa := unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}
	if err := unix.Bind(fd, &sa); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("afpacket: netlink bind", err)
	}
	return &Watcher{fd: fd, buf: make([]byte, 1<<16)}, nil
}

// FD is the descriptor to poll for reading.
func (w *Watcher) FD() int { return w.fd }

// Close ends the subscription.
func (w *Watcher) Close() error { return unix.Close(w.fd) }

// Next returns the events that have come, none if none have; it does not wait.
func (w *Watcher) Next() ([]Event, error) {
	var out []Event
	for {
		n, from, err := unix.Recvfrom(w.fd, w.buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return out, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			out = append(out, Event{Lost: true})
			continue
		case err != nil:
			return out, os.NewSyscallError("afpacket: netlink", err)
		}
		if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 { // from the kernel
			out = append(out, linkEvents(w.buf[:n])...)
		}
	}
}

// linkEvents reads RTM_NEWLINK and RTM_DELLINK messages: a struct nlmsghdr, a
// struct ifinfomsg, attributes. What does not parse is left out.
func linkEvents(b []byte) []Event {
	ne := binary.NativeEndian
	var out []Event
	for len(b) >= unix.SizeofNlMsghdr {
		size, typ := int(ne.Uint32(b)), ne.Uint16(b[4:])
		if size < unix.SizeofNlMsghdr || size > len(b) {
			break
		}
		m := b[unix.SizeofNlMsghdr:size]
		b = b[min((size+3)&^3, len(b)):]
		if typ != unix.RTM_NEWLINK && typ != unix.RTM_DELLINK || len(m) < unix.SizeofIfInfomsg {
			continue
		}
		if m[0] != unix.AF_UNSPEC {
			continue // a bridge port's change, AF_BRIDGE
		}
		flags := ne.Uint32(m[8:])
		e := Event{Index: int(int32(ne.Uint32(m[4:]))), Gone: typ == unix.RTM_DELLINK}
		if !e.Gone {
			e.Up, e.Carrier = flags&unix.IFF_UP != 0, flags&unix.IFF_RUNNING != 0
		}
		for a := m[unix.SizeofIfInfomsg:]; len(a) >= 4; {
			n := int(ne.Uint16(a))
			if n < 4 || n > len(a) {
				break
			}
			if ne.Uint16(a[2:]) == unix.IFLA_IFNAME {
				e.Name = unix.ByteSliceToString(a[4:n])
			}
			a = a[min((n+3)&^3, len(a)):]
		}
		out = append(out, e)
	}
	return out
}
