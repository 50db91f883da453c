package ipv4

import (
	"fmt"
	"strconv"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// protocol is a transport and the gate before it.
type protocol struct {
	Protocol
	gate *netns.Gate
}

// Handle gives the datagrams of a protocol number to a transport, before the
// machine boots: ENOENT without a row in the table of gates, EEXIST if the
// number is taken. Linux: inet_add_protocol.
func (s *Inet) Handle(t Protocol) error {
	g, err := s.Core.Gate(core.LayerTransport, strconv.Itoa(int(t.Number)))
	if err != nil {
		return err
	}
	if s.protos[t.Number] != nil {
		return fmt.Errorf("ipv4: protocol %d: %w", t.Number, syscall.EEXIST)
	}
	s.protos[t.Number] = &protocol{t, g}
	return nil
}

// Receive takes a packet that arrived at a device, its data at the IP header.
// Linux: ip_rcv.
func (s *Inet) Receive(w *core.Worker, p *core.Packet) { w.Drop(p, core.NoProtocol) }

func (s *Inet) routeLocalnet(n *netns.Net, d *device) bool { return false }
func (s *Inet) pathMTU(n *netns.Net, rt *Route) int        { return rt.Dev.MTU() }

// SendICMP sends an ICMP error about a packet, which it does not take. info is
// the second word of the ICMP header. Linux: icmp_send.
func (s *Inet) SendICMP(w *core.Worker, about *core.Packet, typ, code uint8, info uint32) {}

// WantDF reports whether n's sockets set Don't Fragment by default: unless
// net.ipv4.ip_no_pmtu_disc says otherwise.
func (s *Inet) WantDF(n *netns.Net) bool { return s.conf.Of(n).IPNoPMTUDisc.Load() == 0 }
