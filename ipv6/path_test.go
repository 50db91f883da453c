package ipv6

import (
	"net/netip"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

const host, far = "2001:db8:1::2", "2001:db8:9::9"

func TestForwardAllocatesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n, in, _, tap := m.router("r")
		tap.keep = false
		// Of the way to another host something was learnt, so that all packets look.
		m.in.UpdatePMTU(n, &fib.Flow{Dst: netip.MustParseAddr("2001:db8:9::77")}, 1400)
		if m.in.path.exceptions.Len(n) != 1 {
			t.Fatal("nothing was learnt")
		}
		b := datagram(host, far, 64, wire.ProtoUDP, udp(host, far))
		frame := make([]byte, wire.EthernetLen+len(b))
		wire.PutEthernet(frame, in.Addr(), wire.MAC{2, 0, 0, 0, 1, 1}, wire.EtherTypeIPv6)
		copy(frame[wire.EthernetLen:], b)
		w := m.core.Enter()
		defer w.Leave()
		before := m.core.Ledger(n)
		step := func() {
			p := w.NewFrame(len(frame))
			copy(p.Bytes(), frame)
			in.Receive(w, p)
		}
		step()
		if k := testing.AllocsPerRun(1000, step); k != 0 {
			t.Errorf("%v allocations a packet", k)
		}
		if b := m.core.Ledger(n); b.Sent-before.Sent != b.In-before.In || b.In-before.In < 1000 {
			t.Errorf("not all was forwarded: %v", b)
		}
	})
}

// What is passed on loses a hop and nothing else; what cannot be is told of.
func TestForward(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		_, in, back, tap := m.router("r")
		good := datagram(host, far, 64, wire.ProtoUDP, udp(host, far))
		m.receive(in, good)
		if len(tap.sent) != 1 || tap.sent[0][7] != 63 || string(tap.sent[0][8:]) != string(good[8:]) {
			t.Fatalf("sent %x", tap.sent)
		}
		big := make([]byte, 1501-wire.IPv6Len)
		for name, c := range map[string]struct {
			b          []byte
			typ, code  uint8 // 0: nothing is said
			info       uint32
			sayNothing bool
		}{
			"no hops left":         {b: datagram(host, far, 1, wire.ProtoUDP, udp(host, far)), typ: wire.ICMP6TimeExceeded},
			"too big":              {b: datagram(host, far, 9, wire.ProtoUDP, big), typ: wire.ICMP6PacketTooBig, info: 1500},
			"no route":             {b: datagram(host, "3001::1", 9, wire.ProtoUDP, udp(host, far)), typ: wire.ICMP6DestUnreach, code: wire.ICMP6NoRoute},
			"a link's source":      {b: datagram("fe80::2", far, 9, wire.ProtoUDP, udp(host, far)), typ: wire.ICMP6DestUnreach, code: wire.ICMP6BeyondScope},
			"from nobody":          {b: datagram("::", far, 9, wire.ProtoUDP, udp(host, far)), sayNothing: true},
			"from a group":         {b: datagram("ff02::1", far, 9, wire.ProtoUDP, udp(host, far)), sayNothing: true},
			"from loopback":        {b: datagram("::1", far, 9, wire.ProtoUDP, udp(host, far)), sayNothing: true},
			"an error about error": {b: datagram(host, far, 1, wire.ProtoICMPv6, []byte{1, 0, 0, 0, 0, 0, 0, 0}), sayNothing: true},
		} {
			m.advance(20 * time.Second) // the rates let one more through
			back.sent, tap.sent = nil, nil
			m.neighbour(in, "fe80::2", 7)
			m.receive(in, c.b)
			if len(tap.sent) != 0 {
				t.Errorf("%s: went on", name)
			}
			switch {
			case c.sayNothing:
				if len(back.sent) != 0 {
					t.Errorf("%s: answered %x", name, back.sent)
				}
			case len(back.sent) != 1:
				t.Errorf("%s: %d answers", name, len(back.sent))
			default:
				ip := wire.IPv6(back.sent[0])
				e := wire.ICMPv6(ip.Payload())
				if e.Type() != c.typ || e.Code() != c.code || e.Rest() != c.info || !e.ChecksumOK(ip.Src16(), ip.Dst16()) || len(ip) > wire.IPv6MinMTU {
					t.Errorf("%s: answer %d %d %d of %d octets", name, e.Type(), e.Code(), e.Rest(), len(ip))
				}
				if string(e.Payload()) != string(c.b[:len(e.Payload())]) {
					t.Errorf("%s: quotes %x", name, e.Payload())
				}
			}
		}
	})
}

// Extension headers of what is for us (RFC 8200 section 4).
func TestExtensionHeaders(t *testing.T) {
	const us = "2001:db8:1::1"
	opt := func(next uint8, options ...byte) []byte { // one header of eight octets
		return append(append([]byte{next, 0}, options...), make([]byte, 6-len(options))...)
	}
	routing := func(next, typ, left uint8) []byte { return []byte{next, 0, typ, left, 0, 0, 0, 0} }
	u := udp(host, us)
	const hbh, dst, rth, pad = wire.ProtoHopByHop, wire.ProtoDestOpts, wire.ProtoRouting, wire.TLVPadN
	eachPlace(t, func(t *testing.T, m *machine) {
		n, in, back, _ := m.router("r")
		for name, c := range map[string]struct {
			b       []byte
			deliver bool
			code    int // of a parameter problem; -1: nothing is said
			at      uint32
		}{
			"none":                    {b: datagram(host, us, 9, 17, u), deliver: true, code: -1},
			"padding":                 {b: datagram(host, us, 9, hbh, opt(dst, pad, 4), opt(17, pad, 4), u), deliver: true, code: -1},
			"router alert":            {b: datagram(host, us, 9, hbh, opt(17, 5, 2, 0, 0, pad, 0), u), deliver: true, code: -1},
			"padding that speaks":     {b: datagram(host, us, 9, dst, opt(17, pad, 4, 1), u), code: -1},
			"unknown, to be skipped":  {b: datagram(host, us, 9, dst, opt(17, 0x1e, 4), u), deliver: true, code: -1},
			"unknown, to be dropped":  {b: datagram(host, us, 9, dst, opt(17, 0x5e, 4), u), code: -1},
			"unknown, to be told of":  {b: datagram(host, us, 9, dst, opt(17, pad, 0, 0x9e, 2), u), code: wire.ICMP6UnknownOption, at: 44},
			"unknown, hop by hop":     {b: datagram(host, us, 9, hbh, opt(17, 0xde, 4), u), code: wire.ICMP6UnknownOption, at: 42},
			"option beyond the end":   {b: datagram(host, us, 9, dst, opt(17, 0x1e, 9), u), code: -1},
			"hop by hop not first":    {b: datagram(host, us, 9, dst, opt(hbh, pad, 4), opt(17, pad, 4), u), code: wire.ICMP6UnknownNext, at: 40},
			"jumbo that would fit":    {b: datagram(host, us, 9, hbh, opt(17, 0xc2, 4, 0, 0, 0, 9), u), code: wire.ICMP6BadHeader, at: 44},
			"jumbo with a length":     {b: datagram(host, us, 9, hbh, opt(17, 0xc2, 4, 0, 1, 0, 9), u), code: wire.ICMP6BadHeader, at: 42},
			"jumbo for us alone":      {b: datagram(host, us, 9, dst, opt(17, 0xc2, 4, 0, 1, 0, 9), u), code: wire.ICMP6UnknownOption, at: 42},
			"segment routing":         {b: datagram(host, us, 9, rth, routing(17, 4, 0), u), code: -1},
			"routing type 0":          {b: datagram(host, us, 9, rth, routing(17, 0, 1), u), code: wire.ICMP6BadHeader, at: 42},
			"routing at its end":      {b: datagram(host, us, 9, rth, routing(17, 0, 0), u), deliver: true, code: -1},
			"nobody's protocol":       {b: datagram(host, us, 9, 200, u), code: wire.ICMP6UnknownNext, at: 6},
			"nobody's, behind header": {b: datagram(host, us, 9, dst, opt(200, pad, 4), u), code: wire.ICMP6UnknownNext, at: 40},
			"no next header":          {b: datagram(host, us, 9, wire.ProtoNone), deliver: true, code: -1},
			"header beyond the end":   {b: datagram(host, us, 9, dst, []byte{17, 9, 1, 4, 0, 0, 0, 0}), code: -1},
		} {
			m.advance(20 * time.Second)
			back.sent = nil
			before := m.core.Ledger(n).Delivered
			m.receive(in, c.b)
			if got := m.core.Ledger(n).Delivered > before; got != c.deliver {
				t.Errorf("%s: delivered %v", name, got)
			}
			switch {
			case c.code < 0:
				if len(back.sent) != 0 {
					t.Errorf("%s: answered %x", name, back.sent)
				}
			case len(back.sent) != 1:
				t.Errorf("%s: %d answers", name, len(back.sent))
			default:
				e := wire.ICMPv6(wire.IPv6(back.sent[0]).Payload())
				if e.Type() != wire.ICMP6ParamProblem || int(e.Code()) != c.code || e.Rest() != c.at {
					t.Errorf("%s: answer %d %d at %d, want code %d at %d", name, e.Type(), e.Code(), e.Rest(), c.code, c.at)
				}
			}
		}
	})
}

// Errors are limited by peer, and one Net's do not use up another's.
func TestErrorRates(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		_, in, back, _ := m.router("r")
		_, in2, back2, _ := m.router("other")
		m.advance(time.Minute)
		for range 100 {
			m.receive(in, datagram(host, "3001::1", 9, wire.ProtoUDP, udp(host, far)))
		}
		if k := len(back.sent); k == 0 || k > 40 {
			t.Errorf("%d errors for 100 packets", k)
		}
		m.receive(in2, datagram(host, "3001::1", 9, wire.ProtoUDP, udp(host, far)))
		if len(back2.sent) != 1 {
			t.Errorf("the other Net sent %d errors", len(back2.sent))
		}
	})
}

// Neighbour discovery believes only neighbours (RFC 4861 section 7.1), and
// answers for what is its own at this device.
func TestNeighbourDiscovery(t *testing.T) {
	ns := func(src, dst, target string, hops uint8, opt bool) []byte {
		s, d := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
		b := make([]byte, wire.NDMessageLen(opt))
		wire.PutND(b, wire.ICMP6NeighSolicit, 0, netip.MustParseAddr(target).As16(), wire.NDSourceLL, wire.MAC{2, 0, 0, 0, 1, 5}, s, d)
		return datagram(src, dst, hops, wire.ProtoICMPv6, b)
	}
	const asker = "2001:db8:1::5"
	eachPlace(t, func(t *testing.T, m *machine) {
		n, in, back, _ := m.router("r")
		for name, c := range map[string]struct {
			b       []byte
			answers int
			flags   wire.NAFlags
		}{
			"a question to all":       {ns(asker, "ff02::1:ff00:1", "2001:db8:1::1", 255, true), 1, wire.NAFlags{Router: true, Solicited: true, Override: true}},
			"a question to us":        {ns(asker, "2001:db8:1::1", "2001:db8:1::1", 255, true), 1, wire.NAFlags{Router: true, Solicited: true}},
			"somebody wants it":       {ns("::", "ff02::1:ff00:1", "2001:db8:1::1", 255, false), 1, wire.NAFlags{Router: true, Override: true}},
			"that was forwarded":      {ns(asker, "ff02::1:ff00:1", "2001:db8:1::1", 254, true), 0, wire.NAFlags{}},
			"another device's":        {ns(asker, "ff02::1:ff00:1", "2001:db8:2::1", 255, true), 0, wire.NAFlags{}},
			"nobody's":                {ns(asker, "ff02::1:ff00:1", "2001:db8:1::77", 255, true), 0, wire.NAFlags{}},
			"wanted, with an address": {ns("::", "ff02::1:ff00:1", "2001:db8:1::1", 255, true), 0, wire.NAFlags{}},
			"wanted, not of all":      {ns("::", "2001:db8:1::1", "2001:db8:1::1", 255, false), 0, wire.NAFlags{}},
			"for a group":             {ns(asker, "ff02::1:ff00:1", "ff02::1", 255, true), 0, wire.NAFlags{}},
		} {
			back.sent = nil
			m.receive(in, c.b)
			if len(back.sent) != c.answers {
				t.Errorf("%s: %d answers", name, len(back.sent))
				continue
			}
			if c.answers == 1 {
				if got := wire.ICMPv6(wire.IPv6(back.sent[0]).Payload()).NAFlags(); got != c.flags || back.sent[0][7] != 255 {
					t.Errorf("%s: flags %+v", name, got)
				}
			}
		}
		if nb := m.core.Neighbour(in, netip.MustParseAddr(asker)); nb == nil || nb.Info().State != core.NudDelay || nb.Info().MAC != (wire.MAC{2, 0, 0, 0, 1, 5}) {
			t.Error("the asker was not learnt, or his address was not used")
		}
		_ = n
	})
}
