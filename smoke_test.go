package nsmodel_test

import (
	"net/netip"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

func TestSmoke(t *testing.T) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		m, err := nsmodel.New(nsmodel.Config{Place: nsmodel.AllPlaces(place)})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := m.AddNet("a")
		b, _ := m.AddNet("b")
		m.Sys.Lock()
		k := m.Core.Kind("veth")
		d, err := k.New(a, core.LinkSpec{Name: "v0", Peer: &core.LinkSpec{Name: "v1"}, PeerNet: b})
		if err != nil {
			t.Fatal(err)
		}
		e := m.Core.Device(b, "v1")
		_ = ipv4.ProtoUDP
		if err := m.IPv4.AddAddr(d, ipv4.Addr{Local: netip.MustParseAddr("10.0.0.1"), Prefix: netip.MustParsePrefix("10.0.0.1/24")}); err != nil {
			t.Fatal(err)
		}
		if err := m.IPv4.AddAddr(e, ipv4.Addr{Local: netip.MustParseAddr("10.0.0.2"), Prefix: netip.MustParsePrefix("10.0.0.2/24")}); err != nil {
			t.Fatal(err)
		}
		if err := m.Core.SetUp(d); err != nil {
			t.Fatal(err)
		}
		if err := m.Core.SetUp(e); err != nil {
			t.Fatal(err)
		}
		m.Sys.Unlock()
		srv, err := m.UDP.Listen(b, netip.MustParseAddrPort("0.0.0.0:7"), udp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := m.UDP.Dial(a, netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:7"), udp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		m.Advance(time.Millisecond)
		buf := make([]byte, 100)
		n, from, err := srv.TryReadFrom(buf)
		t.Logf("%s: %q from %v err %v", place, buf[:n], from, err)
		t.Log(m.Core.Ledger(a))
		t.Log(m.Core.Ledger(b))
	}
}
