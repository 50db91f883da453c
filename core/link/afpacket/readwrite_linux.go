package afpacket

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch is the most frames one system call sends.
const Batch = 64

// Read hands out up to len(frames) received frames straight from the ring and
// returns how many; 0 when there are none. It makes no system call (but one a
// frame for those too large for a TPACKET_V2 slot) and no allocation. The
// frames of the Read before go back to the kernel.
func (s *Socket) Read(frames []Frame) int {
	n := s.ring.read(frames)
	s.handed += n
	return n
}

// Release gives the frames of the last Read back to the kernel. A reader that
// stops reading for long calls it; otherwise the next Read does.
func (s *Socket) Release() { s.ring.release() }

// mmsghdr is struct mmsghdr, man 2 sendmmsg.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// sender holds the arrays that sendmmsg reads, made once.
type sender struct {
	msgs [Batch]mmsghdr
	iovs [2 * Batch]unix.Iovec
	vnet [Batch]VnetHdr
}

func (t *sender) init(s *Socket) {
	for i := range t.msgs {
		h := &t.msgs[i].hdr
		if s.vnet {
			v := &t.iovs[2*i]
			v.Base = (*byte)(unsafe.Pointer(&t.vnet[i]))
			v.SetLen(vnetHdrLen)
			h.Iov = v
			h.SetIovlen(2)
		} else {
			h.Iov = &t.iovs[2*i+1]
			h.SetIovlen(1)
		}
	}
}

// Write sends frames in order and returns how many it has disposed of: each of
// these has Err nil if the kernel took it, or the errno why it never will
// (EMSGSIZE, EINVAL). If that is not all of them, err is why it stopped:
//
//	EAGAIN    the socket's send buffer is full: go on at POLLOUT
//	ENOBUFS   the interface's queue is full: go on a little later
//	ENETDOWN  the interface is down
//	ENXIO     the interface is gone
//
// The frames from the returned number on are untouched and still the caller's.
func (s *Socket) Write(frames []Out) (int, error) {
	done := 0
	for done < len(frames) {
		n := min(len(frames)-done, Batch)
		sent, errno := s.send(frames[done : done+n])
		for i := range sent {
			frames[done+i].Err = nil
		}
		done += sent
		atomic.AddUint64(&s.st.sent, uint64(sent))
		if errno == unix.ENOBUFS && s.bypass && frames[done].Vnet.GSOType != GSONone {
			errno = s.sendSegmented(frames[done : done+1])
			if errno == 0 {
				frames[done].Err = nil
				done++
				atomic.AddUint64(&s.st.sent, 1)
			}
		}
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.ENETDOWN, unix.ENXIO, unix.ENODEV, unix.EBADF:
			return done, errno
		default: // the fault of this frame alone
			frames[done].Err = errno
			done++
			atomic.AddUint64(&s.st.failed, 1)
		}
	}
	return done, nil
}

// sendSegmented sends one frame through the queueing discipline. Past it the
// kernel does not segment: where the interface cannot do it either, such a
// frame fails with ENOBUFS for ever (__dev_direct_xmit in net/core/dev.c).
func (s *Socket) sendSegmented(one []Out) syscall.Errno {
	unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 0)
	_, errno := s.send(one)
	unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	return errno
}

// send makes one sendmmsg call for at most Batch frames.
func (s *Socket) send(frames []Out) (int, syscall.Errno) {
	t := &s.tx
	for i := range frames {
		v := &t.iovs[2*i+1]
		v.Base = unsafe.SliceData(frames[i].Data)
		v.SetLen(len(frames[i].Data))
		if s.vnet {
			t.vnet[i] = frames[i].Vnet
		}
	}
	n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
		uintptr(unsafe.Pointer(&t.msgs[0])), uintptr(len(frames)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
