package ipv4

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A piece is a fragment as tests name it: offset and end of the payload in
// units of 8 bytes, and whether more follow.
type piece struct {
	off, end int
	more     bool
}

func (c piece) packet(payload []byte) wire.IPv4 {
	return packet("10.1.0.2", "10.1.0.1", 200, payload[c.off*8:c.end*8], func(f *wire.IPv4Fields) { f.FragOffset, f.MF = c.off*8, c.more })
}

// collector takes protocol 200 in place of a transport.
func collect(m *machine) *[][]byte {
	var got [][]byte
	m.in.protos[200] = &protocol{Protocol{Number: 200, Receive: func(w *core.Worker, p *core.Packet, ip wire.IPv4) {
		got = append(got, append([]byte(nil), p.Bytes()...))
		w.Deliver(p)
	}}, new(netns.Gate)}
	return &got
}

func TestReassembly(t *testing.T) {
	payload := make([]byte, 80)
	for i := range payload {
		payload[i] = byte(i)
	}
	for _, c := range []struct {
		name   string
		pieces []piece
		whole  int // datagrams that come out
		held   int // fragments that wait
	}{
		{"in order", []piece{{0, 4, true}, {4, 10, false}}, 1, 0},
		{"backwards", []piece{{8, 10, false}, {4, 8, true}, {0, 4, true}}, 1, 0},
		{"duplicate", []piece{{0, 4, true}, {0, 4, true}, {4, 10, false}}, 1, 0},
		{"duplicate within", []piece{{0, 4, true}, {1, 3, true}, {4, 10, false}}, 1, 0},
		{"duplicate last", []piece{{4, 10, false}, {4, 10, false}, {0, 4, true}}, 1, 0},
		{"overlap kills", []piece{{0, 4, true}, {3, 6, true}, {6, 10, false}}, 0, 1},
		{"overlap over two runs kills", []piece{{0, 2, true}, {4, 6, true}, {2, 4, true}, {0, 4, true}, {6, 10, false}}, 0, 1},
		{"overlap in front kills", []piece{{4, 8, true}, {2, 5, true}}, 0, 0},
		{"two ends", []piece{{4, 10, false}, {4, 8, false}}, 0, 0},
		{"beyond the end", []piece{{4, 8, false}, {8, 10, true}}, 0, 0},
		{"end before what is here", []piece{{6, 10, true}, {4, 8, false}}, 0, 0},
		{"empty", []piece{{2, 2, true}}, 0, 0},
		{"waits", []piece{{0, 2, true}, {4, 6, true}}, 0, 2},
		{"after the whole a new one starts", []piece{{0, 4, true}, {4, 10, false}, {4, 10, false}}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				got := collect(m)
				for _, f := range c.pieces {
					s.inject(s.in, f.packet(payload))
				}
				if len(*got) != c.whole || c.whole > 0 && !bytes.Equal((*got)[0], payload) {
					t.Errorf("got %x", *got)
				}
				if held := m.core.Ledger(s.n).Held; held != int64(c.held) {
					t.Errorf("%d held, want %d", held, c.held)
				}
				m.balance()
				m.sleep(31 * time.Second)
				if b := m.core.Ledger(s.n); b.Held != 0 || m.in.path.frags.Len(s.n) != 0 || m.in.path.nets.Of(s.n).fragMem.Load() != 0 {
					t.Errorf("after the timeout: %v, %d queues, %d bytes", b, m.in.path.frags.Len(s.n), m.in.path.nets.Of(s.n).fragMem.Load())
				}
			})
		})
	}
}

func TestReassemblyTimeout(t *testing.T) {
	payload := make([]byte, 80)
	for _, c := range []struct {
		name string
		piece
		sent string
	}{
		{"first came", piece{0, 4, true}, "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 11/1 0x0"},
		{"first missing", piece{4, 8, true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				collect(m)
				s.inject(s.in, c.packet(payload))
				m.sleep(29 * time.Second)
				if got := s.sent(); got != "" {
					t.Errorf("too early: %s", got)
				}
				m.sleep(2 * time.Second)
				if got := s.sent(); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
				if got := s.drops(s.n, core.FragmentTimeout); got != 1 {
					t.Errorf("%d timed out", got)
				}
			})
		})
	}
}

// TestReassemblyLimits: memory is counted per Net, and a Net that floods takes
// nothing from another.
func TestReassemblyLimits(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		other := m.net("other")
		d := m.device(other, "in", &tapDriver{}, 1, "10.1.0.1/24")
		got := collect(m)
		m.sysctl(s.n, "net.ipv4.ipfrag_low_thresh", "50000")
		m.sysctl(s.n, "net.ipv4.ipfrag_high_thresh", "100000")
		for id := range 200 {
			s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 200, make([]byte, 16), func(f *wire.IPv4Fields) { f.ID, f.MF = uint16(id), true }))
		}
		mem := m.in.path.nets.Of(s.n).fragMem.Load()
		if mem < 90000 || mem > 103000 || s.drops(s.n, core.FragmentMemory) == 0 {
			t.Errorf("%d bytes, %v", mem, m.core.Ledger(s.n))
		}
		for _, c := range []piece{{0, 1, true}, {1, 2, false}} {
			s.inject(d, c.packet(make([]byte, 16)))
		}
		if len(*got) != 1 {
			t.Errorf("the other Net got %d datagrams", len(*got))
		}
	})
}

// TestReassemblyHostLimits: where the limit is the host's, one Net's fragments
// leave another none, until they time out.
func TestReassemblyHostLimits(t *testing.T) {
	for _, place := range placements {
		t.Run("place="+place.String(), func(t *testing.T) {
			m := newMachineWith(t, place, Config{HostLimits: true})
			s := newSite(m)
			other := m.net("other")
			d := m.device(other, "in", &tapDriver{}, 1, "10.1.0.1/24")
			got := collect(m)
			m.sysctl(s.n, "net.ipv4.ipfrag_high_thresh", "5000000")
			for id := range 8000 {
				s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 200, make([]byte, 16), func(f *wire.IPv4Fields) { f.ID, f.MF = uint16(id), true }))
			}
			whole := func() int {
				for _, c := range []piece{{0, 1, true}, {1, 2, false}} {
					s.inject(d, c.packet(make([]byte, 16)))
				}
				return len(*got)
			}
			if k := whole(); k != 0 || s.drops(other, core.FragmentMemory) != 2 {
				t.Errorf("beside a full one: %d datagrams, %v", k, m.core.Ledger(other))
			}
			m.sleep(31 * time.Second)
			if k, mem := whole(), m.in.path.hostFragMem.Load(); k != 1 || mem != 0 {
				t.Errorf("when they have timed out: %d datagrams, %d bytes", k, mem)
			}
			m.balance()
		})
	}
}

// TestReassemblyDistance: an identification that a busy source has used up is
// not mixed with the old one. Linux: ipfrag_max_dist.
func TestReassemblyDistance(t *testing.T) {
	for _, between := range []int{10, 100} {
		t.Run(fmt.Sprint(between), func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				got := collect(m)
				old, new := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16)
				s.inject(s.in, piece{0, 1, true}.packet(old))
				for id := range between {
					s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 200, old, func(f *wire.IPv4Fields) { f.ID, f.MF = uint16(1000+id), true }))
				}
				s.inject(s.in, piece{1, 2, false}.packet(new))
				if want := map[int]int{10: 1, 100: 0}[between]; len(*got) != want {
					t.Errorf("%d datagrams, want %d", len(*got), want)
				}
			})
		})
	}
}

func TestReassemblyOfTwoNets(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		a, b := m.net("a"), m.net("b")
		da := m.device(a, "in", &tapDriver{}, 1, "10.1.0.1/24")
		db := m.device(b, "in", &tapDriver{}, 1, "10.1.0.1/24")
		got := collect(m)
		m.inject(da, piece{0, 1, true}.packet(make([]byte, 16)))
		m.inject(db, piece{1, 2, false}.packet(make([]byte, 16)))
		if len(*got) != 0 {
			t.Fatal("fragments of two Nets were joined")
		}
		m.balance()
		// b ends with its half; a goes on.
		m.sys.Lock()
		m.check(m.sys.Delete("b"))
		m.sys.Reap()
		m.sys.Unlock()
		if dead := m.core.DeadLedger(); !dead.Balanced() || dead.Held != 0 || dead.Reasons[core.NetDying.String()] != 1 {
			t.Errorf("the dead: %v", dead)
		}
		m.inject(da, piece{1, 2, false}.packet(make([]byte, 16)))
		if len(*got) != 1 {
			t.Error("a lost its half")
		}
	})
}

func TestReassemblyECN(t *testing.T) {
	for _, c := range []struct {
		a, b uint8
		want int // ECN of the datagram, -1 if there is none
	}{{0, 0, 0}, {2, 2, 2}, {1, 1, 1}, {2, 3, 3}, {3, 1, 3}, {3, 3, 3}, {0, 3, -1}, {0, 2, -1}, {1, 2, 1}} {
		m := newMachine(t, netns.Replicated)
		s := newSite(m)
		ecn := -1
		m.in.protos[200] = &protocol{Protocol{Receive: func(w *core.Worker, p *core.Packet, ip wire.IPv4) { ecn = int(ip.ECN()); w.Deliver(p) }}, new(netns.Gate)}
		for i, e := range []uint8{c.a, c.b} {
			s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 200, make([]byte, 8), func(f *wire.IPv4Fields) { f.TOS, f.FragOffset, f.MF = e, i*8, i == 0 }))
		}
		if ecn != c.want {
			t.Errorf("%d and %d: %d, want %d", c.a, c.b, ecn, c.want)
		}
		m.balance()
	}
}

// TestReassemblyOracle compares with a map of bytes, for pieces that agree:
// whatever their order and repetition, what comes out is what was sent.
func TestReassemblyOracle(t *testing.T) { rapid.Check(t, reassemblyOracle) }

func reassemblyOracle(t *rapid.T) {
	place := rapid.SampledFrom(placements).Draw(t, "place")
	m := newMachine(t, place)
	s := newSite(m)
	got := collect(m)
	payload := rapid.SliceOfN(rapid.Byte(), 16, 400).Draw(t, "payload")
	payload = payload[:len(payload)/8*8]
	var cuts []piece
	for at := 0; at < len(payload)/8; {
		end := min(at+rapid.IntRange(1, 12).Draw(t, "units"), len(payload)/8)
		cuts = append(cuts, piece{at, end, end < len(payload)/8})
		at = end
	}
	have, want := map[int]bool{}, 0
	order := append(rapid.Permutation(cuts).Draw(t, "order"), rapid.SliceOf(rapid.SampledFrom(cuts)).Draw(t, "again")...)
	order = rapid.Permutation(order).Draw(t, "mixed")
	for _, c := range order {
		s.inject(s.in, c.packet(payload))
		have[c.off] = true
		if len(have) == len(cuts) {
			want++
			clear(have)
		}
	}
	if len(cuts) == 1 {
		want = len(order)
	}
	if len(*got) != want {
		t.Fatalf("%v: %d datagrams, want %d", order, len(*got), want)
	}
	for _, b := range *got {
		if !bytes.Equal(b, payload) {
			t.Fatalf("%v: %x, want %x", order, b, payload)
		}
	}
	m.balance()
}

// TestFragmentRoundTrip: what one Net cuts, another joins, at any MTU and with
// any options; and each piece is as RFC 791 wants it.
func TestFragmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, rapid.SampledFrom(placements).Draw(t, "place"))
		s := newSite(m)
		mtu := rapid.IntRange(68, 1500).Draw(t, "mtu")
		s.mtu(s.in, 4000)
		s.mtu(s.out, mtu)
		payload := make([]byte, rapid.IntRange(1, 3000).Draw(t, "size"))
		for i := range payload {
			payload[i] = byte(i*7 + i>>8)
		}
		options := rapid.SampledFrom([][]byte{nil, {wire.OptNOP}, {0x94, 4, 0, 0}, {7, 7, 8, 1, 2, 3, 4}, {0x94, 4, 0, 0, 7, 7, 8, 1, 2, 3, 4}}).Draw(t, "options")
		ip := packet("10.1.0.2", "10.9.3.4", 200, payload, func(f *wire.IPv4Fields) { f.Options = options })
		s.inject(s.in, ip)
		pieces := s.far.take()
		dst := m.net("dst")
		d := m.device(dst, "in", &tapDriver{}, 1, "10.9.3.4/24")
		got := collect(m)
		for i, c := range pieces {
			if len(c) > mtu || !c.ChecksumOK() || c.TTL() != 63 || c.ID() != ip.ID() {
				t.Fatalf("piece %d: %s of %d bytes at MTU %d", i, show(c), len(c), mtu)
			}
			for it := wire.EachOption(c.Options()); it.Next(); {
				if i > 0 && it.Kind() == 7 {
					t.Fatalf("piece %d has record route", i)
				}
			}
			s.inject(d, c)
		}
		if len(*got) != 1 || !bytes.Equal((*got)[0], payload) {
			t.Fatalf("%d pieces gave %d datagrams", len(pieces), len(*got))
		}
		m.balance()
	})
}

// TestReassemblyDF: the whole has Don't Fragment if its largest fragment had,
// and is then not cut into larger ones. Linux: IPSKB_FRAG_PMTU.
func TestReassemblyDF(t *testing.T) {
	for _, c := range []struct{ first, second, want bool }{{true, true, true}, {true, false, true}, {false, true, false}, {false, false, false}} {
		m := newMachine(t, netns.Replicated)
		s := newSite(m)
		df := !c.want
		m.in.protos[200] = &protocol{Protocol{Receive: func(w *core.Worker, p *core.Packet, ip wire.IPv4) { df = ip.DF(); w.Deliver(p) }}, new(netns.Gate)}
		s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 200, make([]byte, 16), func(f *wire.IPv4Fields) { f.DF, f.MF = c.first, true }))
		s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 200, make([]byte, 8), func(f *wire.IPv4Fields) { f.DF, f.FragOffset = c.second, 16 }))
		if df != c.want {
			t.Errorf("%v and %v: %v", c.first, c.second, df)
		}
	}
}

// A device that leaves while a fragment waits is forgotten: the datagram has come
// by the device of its last fragment, which is in the packet's Net.
func TestReassemblyAfterMove(t *testing.T) {
	payload := make([]byte, 80)
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		m.addr(s.out, "10.1.0.1/32")
		var by []*core.Device
		m.in.protos[200] = &protocol{Protocol{Number: 200, Receive: func(w *core.Worker, p *core.Packet, ip wire.IPv4) {
			by = append(by, p.Dev)
			if p.Dev.Net() != p.Net() {
				t.Errorf("a packet of %q is at a device of %q", p.Net().Name(), p.Dev.Net().Name())
			}
			w.Deliver(p)
		}}, new(netns.Gate)}
		s.inject(s.in, piece{0, 4, true}.packet(payload))
		m.sys.Lock()
		m.check(m.core.Move(s.in, m.sys.Init(), "gone"))
		m.sys.Unlock()
		s.inject(s.out, piece{4, 10, false}.packet(payload))
		if len(by) != 1 || by[0] != s.out {
			t.Errorf("came by %v", by)
		}
	})
}
