package live_test

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"nsmodel"
	"nsmodel/internal/rtnl"
)

// open returns the namespace of one of the street's ends.
func (s *street) open(end string) *rtnl.Namespace {
	s.t.Helper()
	ns, err := rtnl.OpenNamespace("/run/netns/" + s.name + end)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ns.Close() })
	return ns
}

// member joins groups at an end's eth0 and returns what comes there for a port.
func (s *street) member(end string, port int, groups ...string) (c *net.UDPConn) {
	s.t.Helper()
	err := s.open(end).Do(func() error {
		dev, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		for i, g := range groups {
			to := &net.UDPAddr{IP: net.ParseIP(g), Port: port}
			switch {
			case i == 0 && to.IP.To4() != nil:
				c, err = net.ListenMulticastUDP("udp4", dev, to)
			case i == 0:
				c, err = net.ListenMulticastUDP("udp6", dev, to)
			case to.IP.To4() != nil:
				err = ipv4.NewPacketConn(c).JoinGroup(dev, to)
			default:
				err = ipv6.NewPacketConn(c).JoinGroup(dev, to)
			}
			if err != nil {
				return fmt.Errorf("join %s: %w", g, err)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// shout sends text from an end's eth0 to a group, to go eight hops at most.
func (s *street) shout(end, text string, to netip.AddrPort) {
	s.t.Helper()
	err := s.open(end).Do(func() error {
		dev, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		network := "udp4"
		if to.Addr().Is6() {
			network = "udp6"
		}
		c, err := net.ListenUDP(network, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		if to.Addr().Is4() {
			p := ipv4.NewPacketConn(c)
			err = firstError(p.SetMulticastInterface(dev), p.SetMulticastTTL(8))
		} else {
			p := ipv6.NewPacketConn(c)
			err = firstError(p.SetMulticastInterface(dev), p.SetMulticastHopLimit(8))
		}
		if err == nil {
			_, err = c.WriteToUDPAddrPort([]byte(text), to)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// modelStreet is a street that is laid once, in the model.
func modelStreet(t *testing.T, name, plan string, ends ...end) *street {
	t.Helper()
	w := newWorld(t, nsmodel.Config{Workers: 2})
	w.before = math.MaxInt // others run side by side with it
	s := &street{t: t, w: w, name: name}
	s.lay(plan, ends)
	return s
}

// TestLiveGroupsRouted has a router of the model's pass groups from a host of the
// kernel's to another one: those that its static routes name, and no others.
func TestLiveGroupsRouted(t *testing.T) {
	tools(t, "ip", "ping")
	t.Parallel()
	s := modelStreet(t, "mr", `
ip netns add @r
ip -n @r link set eth1 up
ip -n @r link set eth2 up
ip -n @r addr add 10.1.0.1/24 dev eth1
ip -n @r addr add 10.2.0.1/24 dev eth2
ip -n @r addr add 2001:db8:1::1/64 dev eth1 nodad
ip -n @r addr add 2001:db8:2::1/64 dev eth2 nodad
ip netns exec @r sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip netns exec @r probe mroute init
ip netns exec @r probe mroute vif add eth1
ip netns exec @r probe mroute vif add eth2
ip netns exec @r probe mroute add 10.1.0.2 239.1.1.1 iif eth1 oif eth2
ip netns exec @r probe mroute6 init
ip netns exec @r probe mroute6 vif add eth1
ip netns exec @r probe mroute6 vif add eth2
ip netns exec @r probe mroute6 add 2001:db8:1::2 ff0e::1:1 iif eth1 oif eth2
`, end{"x", "r/eth1", farEnd(1)}, end{"y", "r/eth2", farEnd(2)})
	s.reaches("x", "10.2.0.2")
	s.reaches("x", "2001:db8:2::2")
	for _, groups := range [][2]string{{"239.1.1.1", "239.1.1.2"}, {"ff0e::1:1", "ff0e::1:2"}} {
		c := s.member("y", 5000, groups[0], groups[1])
		for i, g := range []string{groups[1], groups[0]} { // first what nobody routes
			s.shout("x", fmt.Sprint(i, g), netip.AddrPortFrom(netip.MustParseAddr(g), 5000))
		}
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 100)
		k, from, err := c.ReadFrom(b)
		if want := "1" + groups[0]; err != nil || string(b[:k]) != want {
			t.Errorf("y hears %q of %v (%v), want %q", b[:k], from, err, want)
		}
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if k, from, err := c.ReadFrom(b); err == nil {
			t.Errorf("and then %q of %v", b[:k], from)
		}
	}
	for _, line := range []string{"ip -n @r mroute", "ip -n @r -6 mroute"} {
		if out := s.says(line); !strings.Contains(out, "Iif: eth1") || !strings.Contains(out, "eth2") {
			t.Errorf("%s: %s", line, out)
		}
	}
	s.w.end()
}

// TestLiveGroupsSnooped has a bridge of the model's hear of the kernel's groups,
// and a bridge of the kernel's of the model's.
func TestLiveGroupsSnooped(t *testing.T) {
	tools(t, "ip", "bridge")
	t.Parallel()
	s := modelStreet(t, "ms", `
ip netns add @b
ip netns add @h
ip -n @b link add br0 type bridge
ip -n @b link set p1 master br0
ip -n @b link set br0 up
ip -n @b link set p1 up
ip -n @h link set eth1 up
ip -n @h addr add 10.3.0.1/24 dev eth1
ip -n @h addr add 2001:db8:3::1/64 dev eth1 nodad
`, end{"x", "b/p1", farEnd(1)}, end{"y", "h/eth1", `
ip -n @ link add br0 type bridge
ip -n @ link set eth0 master br0
ip -n @ link set br0 up`})
	s.member("x", 5000, "239.7.7.7")
	s.member("x", 5000, "ff0e::7:7")
	s.shows("239.7.7.7", func() string { return s.says("bridge -n @b mdb show") })
	s.shows("ff0e::7:7", func() string { return s.says("bridge -n @b mdb show") })
	s.middle("ip netns exec @h probe udp listen 0.0.0.0:5000")
	s.middle("ip netns exec @h probe udp join 5000 239.8.8.8 dev eth1")
	s.middle("ip netns exec @h probe udp listen [::]:5001")
	s.middle("ip netns exec @h probe udp join [::]:5001 ff0e::8:8 dev eth1")
	s.shows("grp 239.8.8.8", func() string { return s.at("y", "bridge mdb show") })
	s.shows("grp ff0e::8:8", func() string { return s.at("y", "bridge mdb show") })
	s.w.end()
}

// shows waits until what is said has a word in it.
func (s *street) shows(word string, say func() string) {
	s.t.Helper()
	said := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if said = say(); strings.Contains(said, word) {
			s.t.Log(said)
			return
		}
	}
	s.t.Errorf("no %q in\n%s", word, said)
}
