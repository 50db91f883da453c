package rtnl_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel/internal/rtnl"
)

// TestWire builds the wire that demonstrations use and sends a datagram over it.
func TestWire(t *testing.T) {
	var ns [2]*rtnl.Namespace
	var c [2]*rtnl.Conn
	for i := range ns {
		var err error
		if ns[i], err = rtnl.NewNamespace(); errors.Is(err, unix.EPERM) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		defer ns[i].Close()
		if c[i], err = ns[i].Dial(); err != nil {
			t.Fatal(err)
		}
		defer c[i].Close()
	}
	far := netip.MustParseAddr("10.8.0.2")
	for i, step := range []error{
		c[0].AddVeth("a", "b", nil),
		c[0].SetNamespace("b", ns[1]),
		c[0].SetMTU("a", 1400),
		c[0].SetMAC("a", net.HardwareAddr{2, 0, 0, 0, 0, 1}),
		c[0].SetUp("a"),
		c[1].SetUp("b"),
		c[0].AddAddr("a", netip.MustParsePrefix("10.8.0.1/24")),
		c[0].AddAddr("a", netip.MustParsePrefix("fd00:8::1/64")),
		c[1].AddAddr("b", netip.PrefixFrom(far, 24)),
		c[0].AddRoute(netip.MustParsePrefix("10.99.0.0/16"), far, "a"),
		c[0].AddRoute(netip.MustParsePrefix("fd00:99::/64"), netip.Addr{}, "a"),
	} {
		if step != nil {
			t.Fatalf("step %d: %v", i, step)
		}
	}
	for _, e := range []struct{ got, want error }{
		{c[0].AddVeth("a", "x", nil), unix.EEXIST},
		{c[0].SetUp("b"), unix.ENODEV},
		{c[0].DelLink("absent"), unix.ENODEV},
		{c[0].Knows("veth"), nil},
		{c[0].Knows("nonsense"), unix.EOPNOTSUPP},
		{c[0].AddAddr("a", netip.MustParsePrefix("10.8.0.1/24")), unix.EEXIST},
		{c[0].AddRoute(netip.MustParsePrefix("10.98.0.0/16"), netip.MustParseAddr("192.0.2.1"), "a"), unix.ENETUNREACH},
	} {
		if !errors.Is(e.got, e.want) {
			t.Errorf("got %v, want %v", e.got, e.want)
		}
	}
	var u *net.UDPConn
	err := ns[1].Do(func() (err error) {
		u, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 99})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	err = ns[0].Do(func() error {
		d, err := net.Dial("udp4", "10.8.0.2:99")
		if err != nil {
			return err
		}
		defer d.Close()
		_, err = d.Write([]byte("hello"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, from, err := u.ReadFromUDPAddrPort(b); err != nil || string(b[:n]) != "hello" || from.Addr().Unmap().String() != "10.8.0.1" {
		t.Errorf("%q from %v: %v", b[:n], from, err)
	}
	if err := c[0].DelLink("a"); err != nil {
		t.Error(err)
	}
	if _, err := c[1].Index("b"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("the peer outlived its twin: %v", err)
	}
}
