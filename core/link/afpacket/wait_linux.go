package afpacket

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Gathering. A TPACKET_V2 ring wakes its reader at every frame, which under
// load costs more than the frame itself, and a reader that keeps up gets its
// frames one by one, each with the price of a batch. So a reader that was busy
// lately waits a moment, awake, until a good part of a batch is there. One that
// got a frame or two, as from a ping, does not: it sleeps, and wakes at once.
// This is for user space what interrupt moderation is for a NIC.
const (
	gatherTime = 20 * time.Microsecond
	gatherWant = 16 // frames worth waiting for
	busyWhen   = 4  // frames since the last sleep that make a reader busy
)

// gather reports whether one of the sockets has a frame, after waiting at most
// gatherTime for gatherWant of them if any socket was busy.
func gather(socks []*Socket) bool {
	busy := false
	for _, s := range socks {
		busy = busy || s.gathers && s.handed >= busyWhen
	}
	if busy && runtime.GOMAXPROCS(0) > 1 {
		for start := time.Now(); time.Since(start) < gatherTime; {
			for _, s := range socks {
				if s.ring.pending(gatherWant) {
					return true
				}
			}
		}
	}
	any := false
	for _, s := range socks {
		any = any || s.ring.pending(1)
	}
	if !any {
		for _, s := range socks {
			s.handed = 0 // it sleeps now
		}
	}
	return any
}

// Gather is for a reader with a loop of its own that found no frame and is about
// to sleep: if it was busy lately, it waits awake for a moment, so that the next
// Read gets more than one. It reports whether there is a frame.
func (s *Socket) Gather() bool {
	one := [1]*Socket{s}
	return gather(one[:])
}

// Wait waits until there are frames to read, at most millis milliseconds (-1:
// for ever), and reports whether there are. An error is the pending one, taken:
// ENETDOWN when the interface went down or away.
func (s *Socket) Wait(millis int) (bool, error) {
	one := [1]*Socket{s}
	if gather(one[:]) {
		return true, nil
	}
	p := [1]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p[:], millis)
	if n <= 0 {
		if err == unix.EINTR {
			err = nil
		}
		return false, err
	}
	if p[0].Revents&unix.POLLERR != 0 {
		err = s.TakeError()
	}
	return p[0].Revents&unix.POLLIN != 0, err
}

// Waiter lets one goroutine, which reads all the sockets, wait for any of them
// or for a word from another goroutine.
type Waiter struct {
	socks []*Socket
	fds   []unix.PollFd // of the sockets, then the eventfd
	wake  int
}

// NewWaiter makes a Waiter for the sockets, which it does not own.
func NewWaiter(socks ...*Socket) (*Waiter, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("afpacket: eventfd", err)
	}
	w := &Waiter{socks: socks, wake: fd}
	for _, s := range socks {
		w.fds = append(w.fds, unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN})
	}
	w.fds = append(w.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	return w, nil
}

// WantWrite says whether Wait also returns when socket i can take frames again
// after EAGAIN.
func (w *Waiter) WantWrite(i int, on bool) {
	w.fds[i].Events = unix.POLLIN
	if on {
		w.fds[i].Events |= unix.POLLOUT
	}
}

// Wait returns when there is something to read, to write or to do, and after
// millis milliseconds at the latest (-1: never on its own). If a socket had an
// error pending, that is taken and returned with the socket: ENETDOWN when its
// interface went down or away, which Socket.State tells apart.
func (w *Waiter) Wait(millis int) (*Socket, error) {
	if gather(w.socks) {
		millis = 0 // still look for errors and words
	}
	n, err := unix.Poll(w.fds, millis)
	if n <= 0 {
		if err == unix.EINTR {
			err = nil
		}
		return nil, err
	}
	if last := len(w.fds) - 1; w.fds[last].Revents&unix.POLLIN != 0 {
		var b [8]byte
		unix.Read(w.wake, b[:])
	}
	for i, s := range w.socks {
		switch r := w.fds[i].Revents; {
		case r&unix.POLLNVAL != 0:
			return s, fmt.Errorf("afpacket: wait: socket is closed: %w", unix.EBADF)
		case r&unix.POLLERR != 0:
			if err := s.TakeError(); err != nil {
				return s, err
			}
		}
	}
	return nil, nil
}

// Wake makes the present or the next Wait return. Any goroutine may call it.
func (w *Waiter) Wake() {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], 1)
	unix.Write(w.wake, b[:])
}

// Close closes the Waiter, not the sockets.
func (w *Waiter) Close() error { return unix.Close(w.wake) }

// WriteFD is a descriptor that polls readable when there are frames, when Write
// can go on after EAGAIN, or when TakeError has something to say, for loops that
// ask for POLLIN alone. It lives as long as the socket. FD wakes up less often.
func (s *Socket) WriteFD() (int, error) {
	s.st.mu.Lock()
	defer s.st.mu.Unlock()
	if s.epoll != 0 {
		return s.epoll, nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("afpacket: epoll", err)
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(s.fd)}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, s.fd, &e); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("afpacket: epoll", err)
	}
	s.epoll = fd
	return fd, nil
}
