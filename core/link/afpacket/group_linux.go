package afpacket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SetGroup makes the interface receive frames for a group address, or takes
// that back; Close takes all of them back. A promiscuous socket hears them
// anyway: it is for the switches and virtual functions behind the interface
// that go by what was asked for. Linux: PACKET_MR_MULTICAST.
func (s *Socket) SetGroup(a [6]byte, on bool) error {
	m := unix.PacketMreq{Ifindex: int32(s.index), Type: unix.PACKET_MR_MULTICAST, Alen: 6}
	copy(m.Address[:], a[:])
	return s.member(&m, on)
}

// SetAllGroups does so for every group address. Linux: PACKET_MR_ALLMULTI.
func (s *Socket) SetAllGroups(on bool) error {
	return s.member(&unix.PacketMreq{Ifindex: int32(s.index), Type: unix.PACKET_MR_ALLMULTI}, on)
}

func (s *Socket) member(m *unix.PacketMreq, on bool) error {
	op := unix.PACKET_ADD_MEMBERSHIP
	if !on {
		op = unix.PACKET_DROP_MEMBERSHIP
	}
	if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, op, m); err != nil {
		return fmt.Errorf("afpacket: group membership: %w", err)
	}
	return nil
}
