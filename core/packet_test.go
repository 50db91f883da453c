package core

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
)

func TestPacketEdges(t *testing.T) {
	m := newMachine(t, setup{})
	w := m.s.Enter()
	defer w.Leave()
	p := w.NewPacket(m.sys.Init(), 10)
	if p.Len() != 10 || p.Headroom() != Headroom {
		t.Fatalf("len %d, headroom %d", p.Len(), p.Headroom())
	}
	copy(p.Bytes(), "0123456789")
	if p.Push(Headroom+1) != nil || p.Push(-1) != nil || p.Len() != 10 {
		t.Error("pushed beyond the headroom")
	}
	if h := p.Push(4); len(h) != 4 || p.Len() != 14 {
		t.Errorf("push 4: %d bytes, len %d", len(h), p.Len())
	}
	if p.Pull(15) || p.Pull(-1) || p.Len() != 14 {
		t.Error("pulled beyond the end")
	}
	if !p.Pull(6) || string(p.Bytes()) != "23456789" {
		t.Errorf("after pull: %q", p.Bytes())
	}
	p.Trim(9)
	p.Trim(-1)
	if p.Trim(3); string(p.Bytes()) != "234" {
		t.Errorf("after trim: %q", p.Bytes())
	}
	room := len(p.buf) - p.end
	if p.Append(room+1) != nil || p.Append(-1) != nil {
		t.Error("appended beyond the buffer")
	}
	if copy(p.Append(2), "xy"); string(p.Bytes()) != "234xy" {
		t.Errorf("after append: %q", p.Bytes())
	}
	p.SetL3(1)
	p.SetL4(3)
	p.Pull(4)
	if string(p.L3()) != "34xy" || string(p.L4()) != "xy" {
		t.Errorf("L3 %q, L4 %q", p.L3(), p.L4())
	}
	if p.RestoreL3(); string(p.Bytes()) != "34xy" {
		t.Errorf("restored: %q", p.Bytes())
	}
	w.Deliver(p)
}

// A packet's bytes behave like a slice with room on both sides.
func TestPacketIsASlice(t *testing.T) {
	m := newMachine(t, setup{})
	rapid.Check(t, func(t *rapid.T) {
		w := m.s.Enter()
		defer w.Leave()
		size := rapid.SampledFrom([]int{0, 1, 60, 1500, smallBuffer - Headroom, smallBuffer - Headroom + 1, 65535}).Draw(t, "size")
		p := w.NewPacket(m.sys.Init(), size)
		defer func() { w.Deliver(p) }()
		clear(p.Bytes())
		want := make([]byte, size)
		for i := range rapid.IntRange(0, 30).Draw(t, "steps") {
			k := rapid.IntRange(0, 200).Draw(t, "k")
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0:
				if b := p.Push(k); b != nil {
					fill(b, byte(i))
					want = append(bytes.Repeat([]byte{byte(i)}, k), want...)
				}
			case 1:
				if p.Pull(k) != (k <= len(want)) {
					t.Fatal("pull and length disagree")
				}
				if k <= len(want) {
					want = want[k:]
				}
			case 2:
				p.Trim(k)
				want = want[:min(k, len(want))]
			case 3:
				if b := p.Append(k); b != nil {
					fill(b, byte(i))
					want = append(bytes.Clone(want), bytes.Repeat([]byte{byte(i)}, k)...)
				}
			case 4:
				c := w.Clone(p)
				fill(p.Bytes(), 0xff) // the clone is its own
				w.Deliver(p)
				p = c
			}
			if !bytes.Equal(p.Bytes(), want) {
				t.Fatalf("step %d: %x, want %x", i, p.Bytes(), want)
			}
		}
	})
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

func TestCloneKeepsHeadersAndFields(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.sys.Init()
	w := m.s.Enter()
	defer w.Leave()
	p := w.NewPacket(n, 200)
	for i := range p.Bytes() {
		p.Bytes()[i] = byte(i)
	}
	p.SetL3(14)
	p.SetL4(74)
	p.SetPartial(74, 6)
	p.Mark, p.Priority, p.Hash, p.VLAN, p.VLANProto, p.GSOSize, p.GSOType = 1, 2, 3, 4, wire.EtherTypeVLAN, 5, 6
	p.Protocol, p.Type, p.Stamp, p.InIndex, p.Opts, p.Conntrack = testType, ToOther, 7, 8, [4]uint16{9}, n
	p.Pull(80) // beyond all headers
	c := w.Clone(p)
	if c == p || &c.buf[0] == &p.buf[0] || c.Net() != n || c.books != p.books {
		t.Error("the clone is no packet of its own in the same Net")
	}
	if !bytes.Equal(c.L3(), p.L3()) || !bytes.Equal(c.L4(), p.L4()) || c.ChecksumStart() != p.ChecksumStart() {
		t.Error("the clone lost its headers")
	}
	buf := c.buf
	c.buf = p.buf
	if !reflect.DeepEqual(c, p) {
		t.Errorf("fields differ:\n%+v\n%+v", c, p)
	}
	c.buf = buf
	w.Deliver(p)
	w.Deliver(c)
	if b := m.s.Ledger(n); b.Made != 2 || b.Delivered != 2 {
		t.Errorf("ledger: %v", b)
	}
}

func TestVLANTag(t *testing.T) {
	m := newMachine(t, setup{})
	w := m.s.Enter()
	defer w.Leave()
	plain := frame(testType, "payload")
	p := w.NewPacket(m.sys.Init(), len(plain))
	copy(p.Bytes(), plain)
	p.VLANProto, p.VLAN, p.Protocol = wire.EtherTypeVLAN, 0x6123, testType
	p.SetPartial(wire.EthernetLen, 2)
	if !p.InsertVLAN() || p.VLANProto != 0 || p.VLAN != 0 {
		t.Fatal("tag not put into the frame")
	}
	b := p.Bytes()
	if !bytes.Equal(b[:12], plain[:12]) || !bytes.Equal(b[12:16], []byte{0x81, 0, 0x61, 0x23}) || !bytes.Equal(b[16:], plain[12:]) {
		t.Errorf("tagged frame %x", b)
	}
	if p.ChecksumStart() != wire.EthernetLen+4 {
		t.Errorf("checksum starts at %d", p.ChecksumStart())
	}
	p.Protocol = wire.EtherTypeVLAN
	if !p.untag() || !bytes.Equal(p.Bytes(), plain) || p.VLANProto != wire.EtherTypeVLAN || p.VLAN != 0x6123 || p.Protocol != testType {
		t.Errorf("untagged: %x, tag %#x %#x", p.Bytes(), p.VLANProto, p.VLAN)
	}
	p.Trim(13)
	if p.VLANProto = 0; p.untag() {
		t.Error("untagged what is too short")
	}
	p.VLANProto = wire.EtherTypeVLAN
	p.Push(p.Headroom())
	if p.InsertVLAN() {
		t.Error("tagged without room")
	}
	w.Deliver(p)
}

func TestPartialChecksum(t *testing.T) {
	m := newMachine(t, setup{})
	w := m.s.Enter()
	defer w.Leave()
	p := w.NewPacket(m.sys.Init(), 20)
	clear(p.Bytes())
	copy(p.Bytes()[12:], []byte{0x12, 0x34, 0x56, 0x78})
	p.SetPartial(10, 0) // the field holds a pseudo header's sum of 0
	p.Push(14)          // headers in front do not matter
	if !p.CompleteChecksum() || p.Checksum != ChecksumNone {
		t.Fatal("not completed")
	}
	if got, want := uint16(p.Bytes()[24])<<8|uint16(p.Bytes()[25]), ^uint16(0x1234+0x5678); got != want {
		t.Errorf("sum %#x, want %#x", got, want)
	}
	if !p.CompleteChecksum() {
		t.Error("a finished one is not fine")
	}
	p.SetPartial(30, 6)
	if p.CompleteChecksum() {
		t.Error("completed a field beyond the end")
	}
	p.SetPartial(-1, 6)
	if p.CompleteChecksum() {
		t.Error("completed a sum that starts before the packet")
	}
	w.Deliver(p)
}
