package wire_test

import (
	"testing"

	"nsmodel/core/wire"
)

// Nothing on the way of a packet allocates.
func TestNoAllocation(t *testing.T) {
	udp, arp, rr, icmp := frame(t, "udp"), frame(t, "arp request"), datagram(t, "echo rr"), message(t, "echo")
	buf := make([]byte, 2048)
	options := rr.Options()
	for name, f := range map[string]func(){
		"ethernet": func() {
			e, _ := wire.ParseEthernet(udp)
			e.SetDst(e.Dst())
			wire.PutEthernet(buf, e.Dst(), e.Src(), e.Type())
		},
		"vlan": func() {
			start, _ := wire.PushVLAN(buf, 4, wire.EtherTypeVLAN, 7)
			wire.PopVLAN(buf, start)
		},
		"arp": func() {
			a, _ := wire.ParseARP(arp.Payload())
			wire.PutARP(buf, wire.ARPFields{Op: a.Op(), SenderIP: a.SenderIP().As4(), TargetIP: a.TargetIP4()})
		},
		"ipv4": func() {
			ip, _ := wire.ParseIPv4(udp.Payload())
			ip.DecTTL()
			ip.SetTTL(64)
			ip.ChecksumOK()
			wire.PutIPv4(buf[:100], wire.IPv4Fields{Src: ip.Src().As4(), Dst: ip.Dst4(), Options: options})
		},
		"options": func() {
			rr.CheckOptions()
			for it := wire.EachOption(rr.Options()); it.Next(); {
				_ = it.Kind()
			}
		},
		"icmp": func() {
			m, _ := wire.ParseICMP(icmp)
			wire.PutICMPEcho(buf[:64], m.Type(), m.ID(), m.Seq())
		},
		"udp": func() {
			u, _ := wire.PutUDP(buf[:512], 1, 2, ipA, ipB)
			u.ChecksumOK4(ipA, ipB)
			u.FillPartial4(ipA, ipB)
			wire.FinishPartial(u, 0, wire.UDPChecksumOffset)
		},
		"checksum":  func() { used = wire.Update32(wire.Fold(wire.Combine(wire.Sum(buf, 1), 2, 3)), 4, 5) },
		"find":      func() { wire.FindChecksum(udp) },
		"flow hash": func() { wire.FlowHash4(1, 2, ipA, ipB, 3, 4) },
		"parse MAC": func() { wire.ParseMAC("02:00:00:00:00:0a") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// used keeps the compiler from leaving out what is measured.
var used uint16
