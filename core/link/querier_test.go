package link

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// asker is snoopWorld with what its bridge's two peers hear of questions.
type asker struct {
	t     *testing.T
	s     *core.Stack
	n     *netns.Net
	br    *core.Device
	b     *bridge
	peers [2]*core.Device
	heard [2][]string
	start time.Duration
}

func newAsker(t *testing.T, attrs ...string) *asker {
	s, n, br, peers := snoopWorld(t)
	x := &asker{t: t, s: s, n: n, br: br, b: br.Driver().(*bridge), peers: peers, start: s.Sys.Now()}
	for i, d := range peers {
		d.SetClaim(func(w *core.Worker, _ *core.Device, p *core.Packet) bool {
			if said := questionOf(p.Bytes()); said != "" {
				x.heard[i] = append(x.heard[i], fmt.Sprintf("%v %s", (w.Now()-x.start).Round(time.Millisecond), said))
			}
			w.Drop(p, core.NoProtocol)
			return true
		})
	}
	x.set(attrs...)
	return x
}

// questionOf says what a query asks, or nothing of another frame.
func questionOf(frame []byte) string {
	eth := wire.Ethernet(frame)
	if eth.Type() == wire.EtherTypeIPv4 {
		ip, ok := wire.ParseIPv4(frame[wire.EthernetLen:])
		if !ok || ip.Proto() != wire.ProtoIGMP {
			return ""
		}
		if m, ok := wire.ParseIGMP(ip[ip.HeaderLen():]); ok && m.Type() == wire.IGMPQuery && m.ChecksumOK() {
			return fmt.Sprintf("%v %v", ip.Src(), netip.AddrFrom4(m.Group()))
		}
	}
	if eth.Type() == wire.EtherTypeIPv6 {
		ip := wire.IPv6(frame[wire.EthernetLen:])
		if m, ok := wire.ParseMLD(ip[wire.IPv6Len+wire.MLDAlertLen:]); ok && m.Type() == wire.ICMP6MLDQuery {
			return fmt.Sprintf("%v %v", ip.Src(), netip.AddrFrom16(m.Group()))
		}
	}
	return ""
}

func (x *asker) set(attrs ...string) {
	x.t.Helper()
	a := map[string]string{}
	for _, kv := range attrs {
		k, v, _ := strings.Cut(kv, "=")
		a[k] = v
	}
	x.s.Sys.Lock()
	defer x.s.Sys.Unlock()
	if err := changeBridge(x.br, a); err != nil {
		x.t.Fatal(err)
	}
	x.start = x.s.Sys.Now()
}

// wait lets so much time pass, and says what peer i has heard in it.
func (x *asker) wait(i int, d time.Duration) string {
	end := x.s.Sys.Now() + d
	for {
		at, ok := x.s.Sys.NextTimer()
		if !ok || at > end {
			at = end
		}
		x.s.Sys.Expire(at, -1)
		for x.s.Workers()[0].Poll(at, 64) > 0 {
		}
		if next, ok := x.s.Sys.NextTimer(); at == end && (!ok || next > end) {
			break
		}
	}
	said := strings.Join(x.heard[i], ", ")
	x.heard = [2][]string{}
	return said
}

// send lets peer i send an IGMP message.
func (x *asker) send(i int, src, dst [4]byte, m []byte) {
	frame := snoopFrame(wire.EtherTypeIPv4, wire.ProtoIGMP, m)
	wire.PutIPv4(frame[wire.EthernetLen:], wire.IPv4Fields{TTL: 1, Proto: wire.ProtoIGMP, Src: src, Dst: dst})
	w := x.s.Enter()
	p := w.NewPacket(x.n, len(frame))
	copy(p.Bytes(), frame)
	x.peers[i].Xmit(w, p)
	w.Leave()
	for x.s.Workers()[0].Poll(x.s.Sys.Now(), 64) > 0 {
	}
}

func (x *asker) is(what, got, want string) {
	x.t.Helper()
	if got != want {
		x.t.Errorf("%s: heard %q, want %q", what, got, want)
	}
}

// A bridge asks as often as it was told at the start, one startup interval apart, and
// then at the query interval; one that was not told to does not ask.
func TestStartupQueries(t *testing.T) {
	for _, c := range []struct {
		count, want string
	}{
		{"0", "0s 0.0.0.0 0.0.0.0, 5s 0.0.0.0 0.0.0.0"},
		{"1", "0s 0.0.0.0 0.0.0.0, 5s 0.0.0.0 0.0.0.0"},
		{"3", "0s 0.0.0.0 0.0.0.0, 1s 0.0.0.0 0.0.0.0, 2s 0.0.0.0 0.0.0.0, 7s 0.0.0.0 0.0.0.0"},
	} {
		x := newAsker(t)
		x.is("silent", x.wait(0, time.Minute), "")
		x.set("mcast_startup_query_count="+c.count, "mcast_startup_query_interval=100", "mcast_query_interval=500", "mcast_querier=1")
		x.is(c.count, x.wait(1, 8*time.Second), c.want)
	}
}

// The querier with the lower address asks alone, for as long as it was heard of within
// the querier interval; then the bridge begins anew.
func TestElection(t *testing.T) {
	x := newAsker(t, "mcast_startup_query_count=1", "mcast_query_interval=200", "mcast_querier_interval=500", "mcast_query_use_ifaddr=1")
	own := netip.MustParseAddr("10.0.0.5")
	x.b.l.SetSources(Sources{IPv4: func(*core.Device) netip.Addr { return own }, IPv6: func(*core.Device) netip.Addr { return netip.Addr{} }})
	query := wire.AppendIGMP(nil, wire.IGMPQuery, 1, [4]byte{})
	all := [4]byte{224, 0, 0, 1}
	x.set("mcast_querier=1")
	x.is("alone", x.wait(1, 3*time.Second), "0s 10.0.0.5 0.0.0.0, 2s 10.0.0.5 0.0.0.0")
	x.send(0, [4]byte{10, 0, 0, 6}, all, query)
	x.is("higher", x.wait(1, 2*time.Second), "3s 10.0.0.6 0.0.0.0, 4s 10.0.0.5 0.0.0.0")
	x.send(0, [4]byte{10, 0, 0, 4}, all, query)
	x.is("lower", x.wait(1, 4*time.Second), "5s 10.0.0.4 0.0.0.0")
	x.send(0, [4]byte{10, 0, 0, 4}, all, query)
	x.is("again", x.wait(1, 4*time.Second), "9s 10.0.0.4 0.0.0.0")
	x.is("gone", x.wait(1, 4*time.Second), "14s 10.0.0.5 0.0.0.0, 16s 10.0.0.5 0.0.0.0")
}

// After a leave the bridge asks about the group on that port alone, and the membership
// ends with the last member time unless it is renewed.
func TestLastMember(t *testing.T) {
	g := [4]byte{239, 1, 1, 1}
	for _, renewed := range []bool{false, true} {
		x := newAsker(t, "mcast_startup_query_count=1", "mcast_last_member_count=3", "mcast_last_member_interval=50", "mcast_querier=1")
		x.wait(0, time.Second)
		for i := range x.peers {
			x.send(i, [4]byte{10, 0, 0, byte(i + 1)}, g, wire.AppendIGMP(nil, wire.IGMPv2Report, 0, g))
		}
		x.wait(0, time.Second)
		members := func() int { return len(x.b.findGroup(four, groupOf(g)).view.Load().ports) }
		x.send(0, [4]byte{10, 0, 0, 1}, [4]byte{224, 0, 0, 2}, wire.AppendIGMP(nil, wire.IGMPLeave, 0, g))
		if len(x.heard[1]) != 0 {
			t.Errorf("asked on the other port: %v", x.heard[1])
		}
		x.is("of the group", x.wait(0, 1400*time.Millisecond), "2s 0.0.0.0 239.1.1.1")
		if members() != 2 {
			t.Errorf("%d members within the last member time", members())
		}
		if renewed {
			x.send(0, [4]byte{10, 0, 0, 1}, g, wire.AppendIGMP(nil, wire.IGMPv2Report, 0, g))
		}
		x.is("of all, when it is over", x.wait(0, time.Second), "3.5s 0.0.0.0 0.0.0.0")
		if want := map[bool]int{false: 1, true: 2}[renewed]; members() != want {
			t.Errorf("renewed %v: %d members", renewed, members())
		}
	}
}

// A bridge that stops, a port that goes and a bridge that is deleted leave no timer.
func TestQueriesEnd(t *testing.T) {
	x := newAsker(t)
	none := func(what string) {
		t.Helper()
		if at, ok := x.s.Sys.NextTimer(); ok {
			t.Errorf("%s: a timer at %v", what, at)
		}
	}
	none("before")
	x.set("mcast_querier=1")
	x.wait(0, time.Second)
	x.s.Sys.Lock()
	x.s.SetDown(x.br)
	x.s.Sys.Unlock()
	none("down")
	x.s.Sys.Lock()
	_ = x.s.SetUp(x.br)
	x.s.Sys.Unlock()
	if said := x.wait(0, time.Second); said == "" {
		t.Error("up again it does not ask")
	}
	x.s.Sys.Lock()
	_ = x.s.SetMaster(x.s.Device(x.n, "p0"), nil)
	x.s.Sys.Unlock()
	x.is("no port", x.wait(0, time.Hour), "")
	x.s.Sys.Lock()
	err := x.s.Unregister(x.br)
	x.s.Sys.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	none("deleted")
}
