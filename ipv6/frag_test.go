package ipv6

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

const us = "2001:db8:1::1"

// A piece is a fragment as tests name it: its offset and end in octets, and
// whether more follow.
type piece struct {
	off, end int
	more     bool
}

func (c piece) packet(id uint32, payload []byte) []byte {
	h := make([]byte, fragHeader)
	wire.PutFrag6(h, 200, c.off, c.more, id)
	return datagram(host, us, 9, wire.ProtoFragment, h, payload[c.off:c.end])
}

// collect takes protocol 200 in place of a transport.
func collect(m *machine) *[][]byte {
	var got [][]byte
	m.in.protos[200] = &protocol{Protocol{Number: 200, Receive: func(w *core.Worker, p *core.Packet, ip wire.IPv6) {
		got = append(got, append([]byte(nil), p.Bytes()...))
		w.Deliver(p)
	}}, new(netns.Gate)}
	return &got
}

// counted returns 0, 1, 2, ... in n octets.
func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestReassembly(t *testing.T) {
	payload := counted(80)
	for _, c := range []struct {
		name   string
		pieces []piece
		whole  int // datagrams that come out
		held   int // fragments that wait
	}{
		{"in order", []piece{{0, 32, true}, {32, 79, false}}, 1, 0},
		{"backwards", []piece{{64, 80, false}, {32, 64, true}, {0, 32, true}}, 1, 0},
		{"duplicate", []piece{{0, 32, true}, {0, 32, true}, {32, 80, false}}, 1, 0},
		{"duplicate within", []piece{{0, 32, true}, {8, 24, true}, {32, 80, false}}, 1, 0},
		{"overlap kills", []piece{{0, 32, true}, {24, 48, true}, {48, 80, false}}, 0, 1},
		{"overlap over two runs kills", []piece{{0, 16, true}, {32, 48, true}, {16, 32, true}, {0, 32, true}, {48, 80, false}}, 0, 1},
		{"two ends", []piece{{32, 80, false}, {32, 64, false}}, 0, 0},
		{"beyond the end", []piece{{32, 64, false}, {64, 80, true}}, 0, 0},
		{"end before what is here", []piece{{48, 80, true}, {32, 64, false}}, 0, 0},
		{"empty", []piece{{16, 16, true}}, 0, 0},
		{"no multiple of eight", []piece{{0, 31, true}, {32, 80, false}}, 0, 1},
		{"waits", []piece{{0, 16, true}, {32, 48, true}}, 0, 2},
		{"whole at once", []piece{{0, 16, true}, {0, 80, false}}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				n, in, _, _ := m.router("r")
				got := collect(m)
				for _, f := range c.pieces {
					m.receive(in, f.packet(1, payload))
				}
				if len(*got) != c.whole || c.whole > 0 && !bytes.Equal((*got)[0], payload[:len((*got)[0])]) {
					t.Errorf("got %x", *got)
				}
				if held := m.core.Ledger(n).Held; held != int64(c.held) {
					t.Errorf("%d held, want %d", held, c.held)
				}
				m.advance(61 * time.Second)
				if b := m.core.Ledger(n); !b.Balanced() || b.Held != 0 || m.in.path.frags.Len(n) != 0 || m.in.path.nets.Of(n).fragMem.Load() != 0 {
					t.Errorf("after the timeout: %v, %d queues, %d bytes", b, m.in.path.frags.Len(n), m.in.path.nets.Of(n).fragMem.Load())
				}
			})
		})
	}
}

// What the sender of a fragment is told, at once or when the rest has not come.
func TestReassemblyErrors(t *testing.T) {
	payload := counted(80)
	u := udp(host, us)
	h := func(next uint8, off int, more bool) []byte {
		b := make([]byte, fragHeader)
		wire.PutFrag6(b, next, off, more, 1)
		return b
	}
	eachPlace(t, func(t *testing.T, m *machine) {
		_, in, back, _ := m.router("r")
		collect(m)
		for _, c := range []struct {
			name      string
			b         []byte
			typ, code uint8
			info      uint32
			late      bool
		}{
			{"the first, alone", piece{0, 32, true}.packet(1, payload), wire.ICMP6TimeExceeded, wire.ICMP6FragTime, 0, true},
			{"a later one, alone", piece{32, 48, true}.packet(1, payload), 0, 0, 0, true},
			{"no multiple of eight", piece{0, 31, true}.packet(2, payload), wire.ICMP6ParamProblem, wire.ICMP6BadHeader, 4, false},
			{"too long", datagram(host, us, 9, wire.ProtoFragment, h(17, 65528, false), payload[:16]), wire.ICMP6ParamProblem, wire.ICMP6BadHeader, 42, false},
			{"no header of UDP", datagram(host, us, 9, wire.ProtoFragment, h(17, 0, true), u[:0]), wire.ICMP6ParamProblem, wire.ICMP6FirstFragment, 0, false},
			{"no header of TCP", datagram(host, us, 9, wire.ProtoFragment, h(6, 0, true), payload[:16]), wire.ICMP6ParamProblem, wire.ICMP6FirstFragment, 0, false},
			{"options and no more", datagram(host, us, 9, wire.ProtoFragment, h(60, 0, true), []byte{17, 0, 1, 4, 0, 0, 0, 0}), wire.ICMP6ParamProblem, wire.ICMP6FirstFragment, 0, false},
			{"options that are cut", datagram(host, us, 9, wire.ProtoFragment, h(60, 0, true), []byte{17, 2, 1, 4, 0, 0, 0, 0}), wire.ICMP6ParamProblem, wire.ICMP6FirstFragment, 0, false},
			{"a fragment of a fragment", datagram(host, us, 9, wire.ProtoFragment, h(44, 0, false), h(17, 0, false), u), wire.ICMP6ParamProblem, wire.ICMP6BadHeader, 48, false},
			{"half a header", datagram(host, us, 9, wire.ProtoFragment, []byte{17, 0, 0, 0}), wire.ICMP6ParamProblem, wire.ICMP6BadHeader, 40, false},
		} {
			m.advance(61 * time.Second)
			back.sent = nil
			m.receive(in, c.b)
			if c.late && len(back.sent) != 0 {
				t.Errorf("%s: answered at once", c.name)
			}
			m.advance(61 * time.Second)
			var all []wire.ICMPv6
			for _, b := range back.sent {
				if e := wire.ICMPv6(wire.IPv6(b).Payload()); e.IsError() {
					all = append(all, e)
				}
			}
			switch {
			case c.typ == 0:
				if len(all) != 0 {
					t.Errorf("%s: answered %x", c.name, all)
				}
			case len(all) != 1:
				t.Errorf("%s: %d answers", c.name, len(all))
			case all[0].Type() != c.typ || all[0].Code() != c.code || all[0].Rest() != c.info || !bytes.Equal(all[0].Payload(), c.b):
				t.Errorf("%s: answer %d %d %d about %x", c.name, all[0].Type(), all[0].Code(), all[0].Rest(), all[0].Payload())
			}
		}
	})
}

// Memory is counted per Net, and a Net that floods takes nothing from another;
// where the limit is the host's, it does.
func TestReassemblyLimits(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
			m := newMachineWith(t, place, Config{HostLimits: shared})
			n, in, _, _ := m.router("r")
			other := m.net("other")
			d := m.device(other, "in", &tapDriver{}, 1, us+"/64")
			got := collect(m)
			if !shared {
				m.sysctl(n, "net.ipv6.ip6frag_low_thresh", "50000")
				m.sysctl(n, "net.ipv6.ip6frag_high_thresh", "100000")
			} else {
				m.sysctl(n, "net.ipv6.ip6frag_high_thresh", "5000000")
			}
			for id := range 8000 {
				m.receive(in, piece{0, 8, true}.packet(uint32(id), counted(16)))
			}
			if mem := m.in.path.nets.Of(n).fragMem.Load(); !shared && (mem < 90000 || mem > 103000) {
				t.Errorf("%d bytes, %v", mem, m.core.Ledger(n))
			}
			for _, c := range []piece{{0, 8, true}, {8, 16, false}} {
				m.receive(d, c.packet(1, counted(16)))
			}
			if want := map[bool]int{false: 1}[shared]; len(*got) != want {
				t.Errorf("host's limit %v: the other Net got %d datagrams", shared, len(*got))
			}
			m.advance(61 * time.Second)
			if b := m.core.Ledger(n); !b.Balanced() || b.Held != 0 || m.in.path.hostFragMem.Load() != 0 {
				t.Errorf("after the timeout: %v, %d bytes", b, m.in.path.hostFragMem.Load())
			}
		}
	}
}

// Two Nets' fragments with one key are two datagrams, and what one waits with
// ends with it.
func TestReassemblyOfTwoNets(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		da := m.device(m.net("a"), "in", &tapDriver{}, 1, us+"/64")
		db := m.device(m.net("b"), "in", &tapDriver{}, 1, us+"/64")
		got := collect(m)
		m.receive(da, piece{0, 8, true}.packet(1, counted(16)))
		m.receive(db, piece{8, 16, false}.packet(1, counted(16)))
		if len(*got) != 0 {
			t.Fatal("fragments of two Nets were joined")
		}
		m.sys.Lock()
		m.check(m.sys.Delete("b"))
		m.sys.Reap()
		m.sys.Unlock()
		if dead := m.core.DeadLedger(); !dead.Balanced() || dead.Held != 0 || dead.Reasons[core.NetDying.String()] != 1 {
			t.Errorf("the dead: %v", dead)
		}
		m.receive(da, piece{8, 16, false}.packet(1, counted(16)))
		if len(*got) != 1 {
			t.Error("a lost its half")
		}
	})
}

// send sends protocol 200 to far's Net with size octets behind ext's headers.
func (m *machine) send(n *netns.Net, dst string, size int, o SendOptions) error {
	w := m.core.Enter()
	defer w.Leave()
	rt, err := m.in.Route(n, &fib.Flow{Dst: netip.MustParseAddr(dst)})
	m.check(err)
	p := w.NewPacket(n, size)
	copy(p.Bytes(), counted(size))
	o.Proto = 200
	return m.in.Send(w, p, &rt, &o)
}

// What one Net cuts another joins, at any MTU; and each piece is as RFC 8200
// wants it.
func TestFragmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, rapid.SampledFrom([]netns.Placement{netns.Tagged, netns.Replicated}).Draw(t, "place"))
		n, _, back, _ := m.router("r")
		mtu := rapid.IntRange(1280, 1500).Draw(t, "mtu")
		m.sysctl(n, "net.ipv6.conf.in.mtu", itoa(mtu))
		size := rapid.OneOf(rapid.IntRange(1, 5000), rapid.SampledFrom([]int{1231, 1232, 1233, 65535})).Draw(t, "size")
		m.check(m.send(n, host, size, SendOptions{}))
		far := m.device(m.net("dst"), "in", &tapDriver{}, 1, host+"/64")
		got := collect(m)
		ids := map[uint32]bool{}
		for i, b := range back.sent {
			ip := wire.IPv6(b)
			if len(b) > mtu || len(back.sent) == 1 != (size+wire.IPv6Len <= mtu) {
				t.Fatalf("piece %d of %d has %d octets at MTU %d", i, len(back.sent), len(b), mtu)
			}
			if ip.Next() == wire.ProtoFragment {
				ids[wire.Frag6(b[wire.IPv6Len:]).ID()] = true
			}
			m.receive(far, b)
		}
		if len(*got) != 1 || !bytes.Equal((*got)[0], counted(size)) || len(ids) > 1 || ids[0] {
			t.Fatalf("%d pieces gave %d datagrams, identifications %v", len(back.sent), len(*got), ids)
		}
	})
}

// perHop's headers are repeated, the others are cut with the rest.
func TestPerHop(t *testing.T) {
	hbh, rth, dst := wire.ProtoHopByHop, wire.ProtoRouting, wire.ProtoDestOpts
	h := func(next int) []byte { return []byte{byte(next), 0, 1, 4, 0, 0, 0, 0} }
	for _, c := range []struct {
		b           []byte
		size, nhoff int
	}{
		{datagram(host, us, 9, 17, make([]byte, 20)), 40, 6},
		{datagram(host, us, 9, uint8(hbh), h(17), make([]byte, 20)), 48, 40},
		{datagram(host, us, 9, uint8(hbh), h(dst), h(rth), h(dst), h(17)), 64, 56},
		{datagram(host, us, 9, uint8(rth), h(dst), h(17)), 48, 40},
	} {
		if size, nhoff := perHop(c.b); size != c.size || nhoff != c.nhoff {
			t.Errorf("%x: %d octets, %d; want %d, %d", c.b, size, nhoff, c.size, c.nhoff)
		}
	}
}

// Identifications are drawn from the Net's own stream: what another Net sends
// does not shift them.
func TestFragmentIDs(t *testing.T) {
	ids := func(place netns.Placement, busy bool) (all []uint32) {
		m := newMachine(t, place)
		n, _, back, _ := m.router("r")
		other, _, _, _ := m.router("other")
		for range 5 {
			if busy {
				m.check(m.send(other, host, 3000, SendOptions{}))
			}
			back.sent = nil
			m.check(m.send(n, host, 3000, SendOptions{}))
			all = append(all, wire.Frag6(back.sent[0][wire.IPv6Len:]).ID())
		}
		return all
	}
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		alone, beside := ids(place, false), ids(place, true)
		for i := range alone {
			if alone[i] != beside[i] || i > 0 && alone[i] == alone[i-1] {
				t.Errorf("alone %x, beside a busy Net %x", alone, beside)
				break
			}
		}
	}
}
