package core

import (
	"testing"

	"nsmodel/core/wire"
)

// marked is a packet of d's Net with every field set that a door has to judge,
// its data an Ethernet frame.
func marked(w *Worker, d *Device) *Packet {
	b := frame(testType, "x")
	p := w.NewPacket(d.Net(), len(b))
	copy(p.Bytes(), b)
	p.Priority, p.Stamp, p.InIndex, p.Conntrack, p.Mark, p.Hash = 1, 2, 3, d, 4, 5
	p.Opts, p.past = [4]uint16{6, 6, 6, 6}, true
	p.Checksum, p.GSOType, p.GSOSize = ChecksumVerified, 7, 8
	p.VLANProto, p.VLAN = wire.EtherTypeVLAN, 0
	p.Type = ToOther
	return p
}

// What crosses a door, by the relation of the Net before to the Net behind it.
// Linux: skb_scrub_packet, ____dev_forward_skb; loopback_xmit has none of it.
func TestScrub(t *testing.T) {
	fields := []struct {
		name              string
		kept              func(p *Packet) bool
		loop, wire, cross bool // kept there?
		why               string
	}{
		{"Mark", func(p *Packet) bool { return p.Mark == 4 }, true, true, false, "policy routing by mark goes on within one Net, and is private to it"},
		{"Priority", func(p *Packet) bool { return p.Priority == 1 }, true, false, false, "a class of the sender's qdiscs"},
		{"Conntrack", func(p *Packet) bool { return p.Conntrack != nil }, true, false, false, "a flow is tracked once where it does not leave"},
		{"Stamp", func(p *Packet) bool { return p.Stamp != 0 }, false, false, false, "the receiver's clock"},
		{"InIndex", func(p *Packet) bool { return p.InIndex == 3 }, false, false, false, "the interface it came by is this one"},
		{"past", func(p *Packet) bool { return p.past }, true, false, false, "said of another device"},
		{"Opts", func(p *Packet) bool { return p.Opts[3] != 0 }, true, false, false, "the sender's scratch"},
		{"Hash", func(p *Packet) bool { return p.Hash == 5 }, true, true, true, "a function of the bytes"},
		{"Checksum", func(p *Packet) bool { return p.Checksum == ChecksumVerified }, true, true, true, "what is known of the bytes"},
		{"GSO", func(p *Packet) bool { return p.GSOSize == 8 && p.GSOType == 7 }, true, true, true, "what the bytes stand for"},
		{"Type", func(p *Packet) bool { return p.Type == ToOther }, false, false, false, "told anew from the frame"},
	}
	each(t, func(m *machine) {
		x, y := m.net("x"), m.net("y")
		a, _ := m.pair(x, "a", x, "b")
		c, _ := m.pair(x, "c", y, "d")
		loop := m.add(x, DeviceSpec{Name: "l", Driver: loopDriver{}, Carrier: true, Flags: FlagLoopback})
		m.ok(m.s.SetUp(loop))
		var got Packet
		m.handle = func(w *Worker, p *Packet) {
			got = *p
			w.Deliver(p)
		}
		for i, d := range []*Device{loop, a, c} {
			w := m.s.Enter()
			p := marked(w, d)
			d.Xmit(w, p)
			w.Leave()
			m.run()
			for _, f := range fields {
				if want := [3]bool{f.loop, f.wire, f.cross}[i]; f.name != "past" && f.kept(&got) != want {
					m.Errorf("by %s: %s kept is %v, want %v: %s", d.Name(), f.name, !want, want, f.why)
				}
			}
			if n := map[int]string{0: "x", 1: "x", 2: "y"}[i]; got.Net().Name() != n || got.Dev.Net() != got.Net() || got.InIndex != got.Dev.Index() {
				m.Errorf("by %s: tag %q at %s of %q, came in by %d", d.Name(), got.Net().Name(), got.Dev.Name(), got.Dev.Net().Name(), got.InIndex)
			}
			if got.VLANProto != 0 {
				m.Error("a tag for VLAN 0 outlived the link header")
			}
		}
	})
}

type loopDriver struct{}

func (loopDriver) Xmit(w *Worker, d *Device, p *Packet) { d.Queue(w, p) }

// A frame that a NIC read has no Net until it arrives, and is nobody's loss then.
func TestFrameWithoutNet(t *testing.T) {
	each(t, func(m *machine) {
		w := m.s.Enter()
		p := w.NewFrame(60)
		if p.Net() != nil {
			m.Error("a frame is born with a Net")
		}
		c := w.Clone(p)
		w.Drop(p, LinkHeader)
		w.Deliver(c)
		w.Leave()
		if b := m.s.TotalLedger(); b.Made+b.In+b.Dropped+b.Delivered != 0 {
			m.Errorf("counted: %v", b)
		}
	})
}

func TestArriveRefuses(t *testing.T) {
	each(t, func(m *machine) {
		n := m.net("n")
		d := m.add(n, DeviceSpec{Name: "d", Carrier: true})
		m.arrives(d, frame(testType, "down"))
		m.wantDrops(n, DeviceDown, 1)
		m.ok(m.s.SetUp(d))
		m.arrives(d, frame(testType, "up"))
		m.arrives(d, []byte("short"))
		if m.drops(n, HeaderTooShort) != 1 {
			m.Error("a frame without a header passed")
		}
		m.arrives(d, frame(wire.EtherTypeVLAN, "t"))
		if m.drops(n, LinkHeader) != 1 {
			m.Error("a frame with half a tag passed")
		}
		m.arrives(d, frame(wire.EtherTypeVLAN, "\x00\x05\x88\xb5other VLAN"))
		if m.drops(n, NoVLAN) != 1 {
			m.Error("a frame of an unknown VLAN passed")
		}
		m.arrives(d, frame(wire.EtherTypeVLAN, "\xe0\x00\x88\xb5priority"))
		m.arrives(d, frame(0x9999, "nobody's"))
		if m.drops(n, NoProtocol) != 1 {
			m.Error("a frame of an unknown protocol passed")
		}
		m.want(m.run(), "n/d up", "n/d priority")
		if s := d.Stats(); s.RxDropped != 2 || s.RxErrors != 2 || s.RxPackets != 6 {
			m.Errorf("stats %+v", s)
		}
		n.Hold()
		m.ok(m.sys.Delete("n"))
		n.Put()
		m.arrives(d, frame(testType, "dying"))
		if m.drops(n, NetDying) != 1 {
			m.Error("a frame reached a dying Net")
		}
		m.sys.Reap()
	})
}

func TestClassify(t *testing.T) {
	m := newMachine(t, setup{})
	d := m.add(m.sys.Init(), DeviceSpec{Name: "d", Addr: wire.MAC{2, 1, 2, 3, 4, 5}})
	for dst, want := range map[wire.MAC]PacketType{
		{2, 1, 2, 3, 4, 5}:                   ToHost,
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}: ToBroadcast,
		{1, 0, 0x5e, 0, 0, 1}:                ToMulticast,
		{2, 1, 2, 3, 4, 6}:                   ToOther,
	} {
		if got := d.classify(dst); got != want {
			t.Errorf("%v: %v, want %v", dst, got, want)
		}
	}
}
