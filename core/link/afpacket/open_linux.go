package afpacket

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fanoutIgnoreOutgoing keeps sent frames out of a fanout group: the group has a
// hook of its own, to which the member's PACKET_IGNORE_OUTGOING does not apply.
const fanoutIgnoreOutgoing = unix.PACKET_FANOUT_FLAG_IGNORE_OUTGOING

const (
	defaultBlockSize     = 128 << 10 // holds a 64 KiB GSO frame with its headers
	defaultBlocksV2      = 16
	defaultBlocksV3      = 8
	defaultSendBuffer    = 1 << 20
	defaultReceiveBuffer = 4 << 20
	vnetHdrLen           = 10
)

// Socket is an AF_PACKET socket with a mapped receive ring, bound to one
// Ethernet interface. Read and Release belong to one goroutine, Write to one
// (another, if wished); the other methods may be called from anywhere.
type Socket struct {
	// fixed
	fd    int
	index int
	vnet  bool
	ring  ring
	mem   []byte

	bypass  bool // frames go past the queueing discipline
	gathers bool // whether it pays to wait for more frames before reading

	handed int // frames since the reader last slept; the reader's
	epoll  int // for WriteFD; 0 until asked for
	tx     sender
	st     counters
}

// ring is a mapped receive ring of either layout.
type ring interface {
	// read fills frames from the ring and returns how many; they stay the
	// reader's until release.
	read(frames []Frame) int
	// release gives the frames of the last read back to the kernel.
	release()
	// pending reports whether the next read would find n frames, n at most
	// gatherWant; a ring whose blocks hold batches looks for one only.
	pending(n int) bool
}

// Open opens the interface of the calling thread's network namespace. When the
// interface is down that is no error: State reports it and the socket wakes up
// with the interface. Errors wrap ENODEV (no such interface), EPERM (no
// CAP_NET_RAW), EMEDIUMTYPE (not Ethernet), EINVAL (the sizes in c).
func Open(c Config) (*Socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("afpacket: a raw socket needs CAP_NET_RAW in this network namespace: %w", err)
		}
		return nil, os.NewSyscallError("afpacket: socket", err)
	}
	s := &Socket{fd: fd, vnet: !c.NoVnetHdr, bypass: !c.Qdisc}
	if err := s.setup(c); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// setup does everything in the order that lets no foreign frame in: the socket
// has protocol 0, hence receives nothing, until bind names both the interface
// and ETH_P_ALL (man 7 packet).
func (s *Socket) setup(c Config) error {
	facts, err := lookup(s.fd, c.Interface)
	if err != nil {
		return err
	}
	s.index = facts.Index
	if err := s.options(c); err != nil {
		return err
	}
	if err := s.mapRing(c, facts.MTU); err != nil {
		return err
	}
	s.tx.init(s)
	if c.Promisc {
		m := unix.PacketMreq{Ifindex: int32(s.index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
			return fmt.Errorf("afpacket: %s: promiscuous membership: %w", c.Interface, err)
		}
	}
	if c.Fanout != 0 {
		return s.joinFanout(c)
	}
	return s.bind(c.Interface)
}

func (s *Socket) bind(name string) error {
	sa := unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: s.index}
	if err := unix.Bind(s.fd, &sa); err != nil {
		return fmt.Errorf("afpacket: bind to %s: %w", name, err)
	}
	return nil
}

// joinFanout binds and joins. Between the two the socket would receive what the
// group's other members receive as well, so a filter that takes nothing stands
// in front until it is a member.
func (s *Socket) joinFanout(c Config) error {
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	prog := unix.SockFprog{Len: 1, Filter: &nothing[0]}
	if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("afpacket: %s: filter: %w", c.Interface, err)
	}
	if err := s.bind(c.Interface); err != nil {
		return err
	}
	arg := int(c.Fanout) | (unix.PACKET_FANOUT_HASH|fanoutIgnoreOutgoing)<<16
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, arg); err != nil {
		return fmt.Errorf("afpacket: %s: join fanout group %d: %w", c.Interface, c.Fanout, err)
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
		return fmt.Errorf("afpacket: %s: filter: %w", c.Interface, err)
	}
	return nil
}

// options sets what must be set before the ring exists.
func (s *Socket) options(c Config) error {
	version := unix.TPACKET_V2
	if c.kind() == RingV3 {
		version = unix.TPACKET_V3
	}
	for _, o := range []struct {
		on         bool
		what       string
		opt, value int
	}{
		{true, "PACKET_VERSION", unix.PACKET_VERSION, version},
		{true, "PACKET_IGNORE_OUTGOING", unix.PACKET_IGNORE_OUTGOING, 1},
		{s.vnet, "PACKET_VNET_HDR", unix.PACKET_VNET_HDR, 1},
		{c.kind() == RingV2, "PACKET_COPY_THRESH", unix.PACKET_COPY_THRESH, 1},
		{!c.Qdisc, "PACKET_QDISC_BYPASS", unix.PACKET_QDISC_BYPASS, 1},
	} {
		if !o.on {
			continue
		}
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, o.opt, o.value); err != nil {
			return fmt.Errorf("afpacket: %s: %s: %w", c.Interface, o.what, err)
		}
	}
	// FORCE passes net.core.[rw]mem_max but needs CAP_NET_ADMIN; without it
	// the kernel gives what that limit allows. The kernel doubles the figure.
	for _, b := range []struct{ value, force, opt int }{
		{or(c.SendBuffer, defaultSendBuffer), unix.SO_SNDBUFFORCE, unix.SO_SNDBUF},
		{or(c.ReceiveBuffer, defaultReceiveBuffer), unix.SO_RCVBUFFORCE, unix.SO_RCVBUF},
	} {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, b.force, b.value/2) != nil {
			if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, b.opt, b.value/2); err != nil {
				return fmt.Errorf("afpacket: %s: socket buffer: %w", c.Interface, err)
			}
		}
	}
	return nil
}

// mapRing makes the receive ring and maps it.
func (s *Socket) mapRing(c Config, mtu int) error {
	size, blocks := or(c.BlockSize, defaultBlockSize), or(c.Blocks, defaultBlocksV2)
	if c.kind() == RingV3 {
		blocks = or(c.Blocks, defaultBlocksV3)
	}
	page := os.Getpagesize()
	if size < page || size%page != 0 || blocks < 1 || size > 1<<30/blocks {
		return fmt.Errorf("afpacket: %s: %d blocks of %d bytes: sizes must be multiples of %d, at most 1 GiB together: %w",
			c.Interface, blocks, size, page, unix.EINVAL)
	}
	slot := min(slotFor(mtu), size)
	var err error
	if c.kind() == RingV3 {
		err = unix.SetsockoptTpacketReq3(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
			Block_size: uint32(size), Block_nr: uint32(blocks),
			Frame_size: uint32(slot), Frame_nr: uint32(size / slot * blocks),
			Retire_blk_tov: uint32(or(c.Retire, 1)),
		})
	} else {
		err = unix.SetsockoptTpacketReq(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq{
			Block_size: uint32(size), Block_nr: uint32(blocks),
			Frame_size: uint32(slot), Frame_nr: uint32(size / slot * blocks),
		})
	}
	if err != nil {
		return fmt.Errorf("afpacket: %s: receive ring of %d blocks of %d bytes: %w", c.Interface, blocks, size, err)
	}
	s.mem, err = unix.Mmap(s.fd, 0, size*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("afpacket: %s: map receive ring: %w", c.Interface, err)
	}
	if c.kind() == RingV3 {
		s.ring = &ring3{mem: s.mem, blockSize: size, blocks: blocks, vnet: s.vnet}
	} else {
		s.ring, s.gathers = newRing2(s, size, blocks, slot), true
	}
	return nil
}

// slotFor is the bytes of a TPACKET_V2 slot that holds a full frame of the MTU
// behind the ring's own headers: an odd number of cache lines, so that the
// slots' headers spread over the cache's sets.
func slotFor(mtu int) int {
	need := mtu + 14 + 4 + v2Header + vnetHdrLen + 16
	return ((need+63)/64 | 1) * 64
}

func (c *Config) kind() RingKind {
	if c.Ring == RingDefault {
		return defaultRing
	}
	return c.Ring
}

// FD is the descriptor to poll: POLLIN when there are frames, POLLOUT when
// Write can go on after EAGAIN, POLLERR when TakeError has something to say.
func (s *Socket) FD() int { return s.fd }

// Vnet reports whether frames carry a VnetHdr.
func (s *Socket) Vnet() bool { return s.vnet }

// Close gives the ring back and leaves the interface as it was found: the
// kernel drops the promiscuous and fanout memberships with the socket. The
// frames of the last Read are gone with it, so reader and writer must have
// stopped. A second Close does nothing.
func (s *Socket) Close() error {
	if s.fd < 0 {
		return nil
	}
	if s.mem != nil {
		unix.Munmap(s.mem)
		s.mem, s.ring = nil, noRing{}
	}
	if s.epoll != 0 {
		unix.Close(s.epoll)
		s.epoll = 0
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return err
}

// noRing is the ring of a closed socket.
type noRing struct{}

func (noRing) read([]Frame) int { return 0 }
func (noRing) release()         {}
func (noRing) pending(int) bool { return false }

func htons(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

func or(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}
