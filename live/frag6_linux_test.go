package live_test

import (
	"fmt"
	"net/netip"
	"testing"

	"nsmodel"
)

// six gives the far end an IPv6 address, 2001:db8:K::2, and a way to the others.
func (c *cable) six() {
	c.w.t.Helper()
	c.w.ok(c.fc.AddAddr(c.far, netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::2/64", c.k))))
	c.w.ok(c.fc.AddRoute(netip.MustParsePrefix("2001:db8::/32"), netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::1", c.k)), c.far))
}

// TestLiveNICFragments6 has the kernel cut datagrams that the model joins, and
// join what the model cuts; a router of the model's passes the pieces on.
func TestLiveNICFragments6(t *testing.T) {
	if noKernel != nil {
		t.Skip(noKernel)
	}
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			w := newWorld(t, nsmodel.Config{Workers: workers, IPv6: true})
			x, y := w.cable(1), w.cable(2)
			x.six()
			y.six()
			w.sh(fmt.Sprintf(`
ip netns add r
ip -n r link set lo up
ip -n r link add eth1 type nic dev %s
ip -n r link add eth2 type nic dev %s
ip -n r link set eth1 up
ip -n r link set eth2 up
ip -n r addr add 2001:db8:1::1/64 dev eth1 nodad
ip -n r addr add 2001:db8:2::1/64 dev eth2 nodad
ip netns exec r sysctl -w net.ipv6.conf.all.forwarding=1
ip netns exec r probe udp echo [::]:7`, x.near, y.near))
			y.echoesAt(netip.MustParseAddrPort("[::]:9"))
			for _, size := range []int{10, 1452, 1453, 2896, 5000, 20000, 65507} {
				x.answers("[2001:db8:1::1]:7", size)
				x.answers("[2001:db8:2::2]:9", size)
			}
			n := w.net("r")
			if b := w.Core.Ledger(n); b.Held != 0 {
				t.Errorf("fragments are left: %v", b)
			}
			n.Put()
			w.end()
		})
	}
}
