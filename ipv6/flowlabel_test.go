package ipv6

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"nsmodel/core/wire"
)

// What label the packets of a Net carry.
func TestFlowLabels(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n, in, back, _ := m.router("r")
		other, _, back2, _ := m.router("other")
		// labels sends an echo request, and returns the labels of what went out.
		echo := func(size int, seq uint16) (all []uint32) {
			back.sent = nil
			g, err := m.in.OpenPing(n, PingOptions{})
			m.check(err)
			defer g.Close()
			_, err = g.Send(netip.MustParseAddr(host), seq, size, 0)
			m.check(err)
			for _, b := range back.sent {
				all = append(all, wire.IPv6(b).FlowLabel())
			}
			return all
		}
		one := echo(10, 1)[0]
		for i, l := range append(echo(10, 2), echo(5000, 3)...) {
			if l != one || l == 0 {
				t.Errorf("packet %d of one flow: label %#x after %#x", i, l, one)
			}
		}
		m.sysctl(n, "net.ipv6.flowlabel_state_ranges", "1")
		if l := echo(10, 1)[0]; l != one|statelessLabels {
			t.Errorf("in the upper half: %#x, want %#x", l, one|statelessLabels)
		}
		for _, c := range []struct {
			auto string
			want bool
		}{{"0", false}, {"2", false}, {"3", true}, {"1", true}} {
			m.sysctl(n, "net.ipv6.auto_flowlabels", c.auto)
			if l := echo(10, 1)[0]; l != 0 != c.want {
				t.Errorf("auto_flowlabels %s: %#x", c.auto, l)
			}
			m.check(m.send(other, host, 10, SendOptions{}))
			if l := wire.IPv6(back2.sent[len(back2.sent)-1]).FlowLabel(); l == 0 {
				t.Errorf("auto_flowlabels %s elsewhere: %#x", c.auto, l)
			}
		}
		// Echo replies have their own, or what the request had.
		b := make([]byte, wire.ICMPLen)
		wire.PutICMPv6(b, wire.ICMP6Echo, 0, 1, netip.MustParseAddr(host).As16(), netip.MustParseAddr(us).As16())
		ask := func() uint32 {
			back.sent = nil
			q := datagram(host, us, 9, wire.ProtoICMPv6, b)
			wire.PutIPv6(q, wire.IPv6Fields{FlowLabel: 0x12345, Next: wire.ProtoICMPv6, HopLimit: 9, Src: netip.MustParseAddr(host).As16(), Dst: netip.MustParseAddr(us).As16()})
			m.receive(in, q)
			return wire.IPv6(back.sent[0]).FlowLabel()
		}
		own := ask()
		m.sysctl(n, "net.ipv6.flowlabel_reflect", "4")
		if got := ask(); own == 0x12345 || own == 0 || got != 0x12345 {
			t.Errorf("reply: %#x, reflected %#x", own, got)
		}
		// Neighbour discovery has none.
		back.sent = nil
		m.check(m.send(n, "2001:db8:1::99", 10, SendOptions{}))
		if q := wire.IPv6(back.sent[0]); q.Next() != wire.ProtoICMPv6 || q.FlowLabel() != 0 {
			t.Errorf("a solicitation has label %#x", q.FlowLabel())
		}
	})
}

// A label is one socket's, in one Net, until a while after it has closed.
func TestFlowLabelLeases(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		a, b := m.net("a"), m.net("b")
		open := func(in bool, label uint32) (*Ping, uint32, error) {
			n := a
			if in {
				n = b
			}
			g, err := m.in.OpenPing(n, PingOptions{})
			m.check(err)
			label, err = g.SetFlowLabel(label)
			return g, label, err
		}
		g, _, err := open(false, 5)
		m.check(err)
		if _, _, err := open(false, 5); err != syscall.EPERM {
			t.Errorf("twice: %v", err)
		}
		if _, _, err := open(true, 5); err != nil {
			t.Errorf("elsewhere: %v", err)
		}
		m.advance(time.Minute)
		if _, _, err := open(false, 5); err != syscall.EPERM {
			t.Errorf("while it is used: %v", err)
		}
		g.Close()
		m.advance(5 * time.Second)
		if _, _, err := open(false, 5); err != syscall.EPERM {
			t.Errorf("a moment later: %v", err)
		}
		m.advance(2 * time.Second)
		if _, _, err := open(false, 5); err != nil {
			t.Errorf("later: %v", err)
		}
		seen := map[uint32]bool{5: true}
		for range maxLabels - 1 {
			_, l, err := open(false, 0)
			m.check(err)
			if seen[l] || l == 0 {
				t.Fatalf("label %#x twice", l)
			}
			seen[l] = true
		}
		if _, _, err := open(false, 0); err != syscall.ENOBUFS {
			t.Errorf("one too many: %v", err)
		}
		if _, _, err := open(true, 0); err != nil {
			t.Errorf("elsewhere, while all are taken: %v", err)
		}
	})
}
