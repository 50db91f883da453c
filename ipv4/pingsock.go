package ipv4

import (
	"fmt"
	"math"
	"strings"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// PingSockets are who may have sent an echo request beside the clients of
// [Inet.OpenPing]. Linux: ping_rcv and ping_err.
type PingSockets struct {
	// Reply shows an echo reply, does not take it, and reports whether a socket
	// of p's Net is for it.
	Reply func(w *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) bool
	// Error tells of an ICMP error about a request with an identifier.
	Error func(w *core.Worker, p *core.Packet, id uint16, e ICMPError)
}

// pingSeam is where ping sockets stand beside ICMP.
type pingSeam struct {
	sock PingSockets // fixed
	gate *netns.Gate
}

// HandlePing lets ping sockets see echo replies, before the machine boots; ENOENT
// without a row "ping" in the table of gates.
func (s *Inet) HandlePing(k PingSockets) error {
	g, err := s.Core.Gate(core.LayerTransport, "ping")
	if err == nil {
		s.pingers = pingSeam{k, g}
	}
	return err
}

// PingAllowed reports whether n may have ping sockets: whether the gate is open.
func (s *Inet) PingAllowed(n *netns.Net) bool {
	return s.pingers.gate != nil && s.pingers.gate.Admit(n)
}

// toPingSocket shows an echo reply to ping sockets.
func (s *Inet) toPingSocket(w *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) bool {
	return s.PingAllowed(p.Net()) && s.pingers.sock.Reply(w, p, ip, m)
}

func (s *Inet) tellPingSocket(w *core.Worker, p *core.Packet, id uint16, e ICMPError) {
	if s.PingAllowed(p.Net()) {
		s.pingers.sock.Error(w, p, id, e)
	}
}

// PingGroup reports whether processes of a group may open ping sockets in n.
// Linux: net.ipv4.ping_group_range, ping_init_sock.
func (s *Inet) PingGroup(n *netns.Net, group uint32) bool {
	v := s.conf.Of(n).pingGroups.Load()
	return uint32(v>>32) <= group && group <= uint32(v)
}

// noGroups is a range in which no group is: Linux's 1 to 0.
const noGroups = 1 << 32

func (s *Inet) getPingGroups(n *netns.Net, _ string) (string, error) {
	v := s.conf.Of(n).pingGroups.Load()
	return fmt.Sprintf("%d\t%d", v>>32, uint32(v)), nil
}

// setPingGroups takes the first and the last group, or the first alone; a range
// that ends before it begins is empty, whatever it says.
// Linux: ipv4_ping_group_range.
func (s *Inet) setPingGroups(n *netns.Net, _, value string) error {
	old := s.conf.Of(n).pingGroups.Load()
	v := [2]int64{int64(old >> 32), int64(uint32(old))}
	for i, word := range strings.Fields(value) {
		if i == len(v) {
			break // what follows is not looked at
		}
		g, err := ParseInt(word, 0, math.MaxUint32-1)
		if err != nil {
			return err
		}
		v[i] = g
	}
	next := uint64(v[0])<<32 | uint64(v[1])
	if v[1] < v[0] {
		next = noGroups
	}
	s.conf.Own(n).pingGroups.Store(next)
	return nil
}
