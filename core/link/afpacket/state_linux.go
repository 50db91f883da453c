package afpacket

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// counters accumulates what the kernel clears at each reading.
type counters struct {
	sent, failed uint64 // atomic

	mu                         sync.Mutex
	received, dropped, freezes uint64
}

// Stats returns the counts since Open. The kernel counts a frame that it had to
// drop as received as well; here it is one or the other.
func (s *Socket) Stats() (Stats, error) {
	s.st.mu.Lock()
	defer s.st.mu.Unlock()
	// A TPACKET_V2 socket fills the first two words only.
	k, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return Stats{}, os.NewSyscallError("afpacket: PACKET_STATISTICS", err)
	}
	s.st.received += uint64(k.Packets - k.Drops)
	s.st.dropped += uint64(k.Drops)
	s.st.freezes += uint64(k.Freeze_q_cnt)
	return Stats{
		Received: s.st.received, Dropped: s.st.dropped, Freezes: s.st.freezes,
		Sent: atomic.LoadUint64(&s.st.sent), Failed: atomic.LoadUint64(&s.st.failed),
	}, nil
}

// State looks at what has become of the interface. A socket whose interface was
// unregistered, which is also how it leaves a namespace, has index -1.
func (s *Socket) State() State {
	if s.Cut() {
		return Gone
	}
	f, err := s.Facts()
	switch {
	case err != nil:
		return Gone
	case !f.Up:
		return Down
	}
	return Up
}

// Cut reports whether the interface went away from under the socket, which will
// never hear of it again. It costs one system call, where State makes six.
func (s *Socket) Cut() bool {
	sa, err := unix.Getsockname(s.fd)
	if err != nil {
		return true
	}
	ll, ok := sa.(*unix.SockaddrLinklayer)
	return !ok || ll.Ifindex <= 0
}

// TakeError returns the error pending on the socket and clears it (SO_ERROR):
// ENETDOWN after the interface went down. Until it is taken, poll returns
// POLLERR at once.
func (s *Socket) TakeError() error {
	e, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if e != 0 {
		return syscall.Errno(e)
	}
	return nil
}

// Facts describes the interface under the socket, also after it was renamed.
// ENODEV when it is gone.
func (s *Socket) Facts() (Facts, error) {
	var r ifreq
	*(*int32)(unsafe.Pointer(&r.data)) = int32(s.index)
	if err := r.call(s.fd, unix.SIOCGIFNAME); err != nil {
		return Facts{}, fmt.Errorf("afpacket: interface index %d: %w", s.index, err)
	}
	return lookup(s.fd, unix.ByteSliceToString(r.name[:]))
}

// Lookup describes an interface of the calling thread's network namespace.
// Errors as for Open, but no privilege is needed.
func Lookup(name string) (Facts, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Facts{}, os.NewSyscallError("afpacket: socket", err)
	}
	defer unix.Close(fd)
	return lookup(fd, name)
}

// Addresses returns the addresses that the kernel itself holds on the
// interface, so that the caller can warn: the kernel would answer beside us.
func Addresses(name string) ([]netip.Prefix, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("afpacket: no interface %q in this network namespace: %w", name, unix.ENODEV)
	}
	list, err := i.Addrs()
	if err != nil {
		return nil, fmt.Errorf("afpacket: addresses of %s: %w", name, err)
	}
	var out []netip.Prefix
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p)
		}
	}
	return out, nil
}

// ifreq is struct ifreq, man 7 netdevice.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

func (r *ifreq) call(fd int, req uintptr) error {
	if _, _, e := syscall.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(unsafe.Pointer(r))); e != 0 {
		return e
	}
	return nil
}

func lookup(fd int, name string) (Facts, error) {
	var r ifreq
	if name == "" || len(name) >= len(r.name) {
		return Facts{}, fmt.Errorf("afpacket: no interface %q in this network namespace: %w", name, unix.ENODEV)
	}
	copy(r.name[:], name)
	f := Facts{Name: name}
	for _, q := range []struct {
		req uintptr
		get func()
	}{
		{unix.SIOCGIFINDEX, func() { f.Index = int(*(*int32)(unsafe.Pointer(&r.data))) }},
		{unix.SIOCGIFMTU, func() { f.MTU = int(*(*int32)(unsafe.Pointer(&r.data))) }},
		{unix.SIOCGIFFLAGS, func() { f.Flags = uint32(*(*uint16)(unsafe.Pointer(&r.data))) }},
		{unix.SIOCGIFHWADDR, func() { f.MAC = net.HardwareAddr(append([]byte(nil), r.data[2:8]...)) }},
	} {
		clear(r.data[:])
		if err := r.call(fd, q.req); err != nil {
			return Facts{}, fmt.Errorf("afpacket: no interface %q in this network namespace: %w", name, err)
		}
		q.get()
	}
	f.Up, f.Carrier = f.Flags&unix.IFF_UP != 0, f.Flags&unix.IFF_RUNNING != 0
	if t := *(*uint16)(unsafe.Pointer(&r.data)); t != unix.ARPHRD_ETHER {
		return Facts{}, fmt.Errorf("afpacket: %s is not an Ethernet interface (hardware type %d): %w", name, t, unix.EMEDIUMTYPE)
	}
	return f, nil
}
