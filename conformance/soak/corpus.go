package soak

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/wire"
)

// A Frame is one that a lab's device saw, the first of its shape.
type Frame struct {
	Lab   string // its name
	Shape string // see [Shape]
	Bytes []byte // from the Ethernet header on, tag in place
}

// Corpus runs the labs that come with the program, each on a machine with a tap
// at every device, and returns the frames that were seen, one of each shape, in
// the order of their coming. An error is a lab's that does not run.
func Corpus() ([]Frame, error) {
	labs, err := conformance.LabsInside()
	if err != nil {
		return nil, err
	}
	var all []Frame
	seen := map[string]bool{}
	for _, l := range labs {
		tap := func(_ *core.Worker, _ *core.Device, p *core.Packet, _ bool) {
			b := onWire(p)
			if shape := Shape(b); !seen[shape] {
				seen[shape] = true
				all = append(all, Frame{l.Name(), shape, b})
			}
		}
		gate := core.GateRow{Layer: core.LayerNotifier, Entry: "corpus", Open: true, Why: "it looks on"}
		c := nsmodel.Config{Gates: []core.GateRow{gate}, Extend: func(m *nsmodel.Machine) error {
			return m.Core.HandleEvents("corpus", func(e core.Event, d *core.Device) {
				if e == core.EventRegister {
					d.AddTap(tap)
				}
			})
		}}
		if _, err := conformance.RunModel(l, conformance.Variant{Name: "corpus", Config: c}); err != nil {
			return nil, fmt.Errorf("%s: %w", l.Path, err)
		}
	}
	return all, nil
}

// onWire returns a copy of the frame as it is on the wire: its checksum finished,
// its tag in place.
func onWire(p *core.Packet) []byte {
	b := slices.Clone(p.Bytes())
	if p.Checksum == core.ChecksumPartial {
		wire.FinishPartial(b, p.ChecksumStart(), int(p.ChecksumOffset))
	}
	if p.VLANProto == 0 || len(b) < 12 {
		return b
	}
	return slices.Insert(b, 12, byte(p.VLANProto>>8), byte(p.VLANProto), byte(p.VLAN>>8), byte(p.VLAN))
}

// Shape names what a frame is as far as code asks: types, flags, options, what
// is wrong with it, and its length to a power of two. Addresses, ports and data
// are left out.
func Shape(b []byte) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d", bits.Len(uint(len(b))))
	e, ok := wire.ParseEthernet(b)
	if !ok {
		return s.String() + " short"
	}
	switch d := e.Dst(); {
	case d.IsBroadcast():
		s.WriteString(" broadcast")
	case d.IsMulticast():
		s.WriteString(" multicast")
	}
	typ, rest := e.Type(), e.Payload()
	if wire.IsVLANType(typ) && len(rest) >= 4 {
		fmt.Fprintf(&s, " %#x tagged", typ)
		typ, rest = uint16(rest[2])<<8|uint16(rest[3]), rest[4:]
	}
	fmt.Fprintf(&s, " %#x", typ)
	switch typ {
	case wire.EtherTypeARP:
		shapeARP(&s, rest)
	case wire.EtherTypeIPv4:
		shapeIPv4(&s, rest)
	case wire.EtherTypeIPv6:
		shapeIPv6(&s, rest)
	}
	return s.String()
}

func shapeARP(s *strings.Builder, b []byte) {
	a, ok := wire.ParseARP(b)
	if !ok {
		s.WriteString(" bad")
		return
	}
	from, to := a.SenderIP4(), a.TargetIP4()
	fmt.Fprintf(s, " op %d probe %v gratuitous %v target %v", a.Op(), from == [4]byte{}, from == to, a.TargetMAC().IsZero())
}

func shapeIPv4(s *strings.Builder, b []byte) {
	ip, ok := wire.ParseIPv4(b)
	if !ok {
		s.WriteString(" bad")
		return
	}
	dst := ip.Dst4()
	fmt.Fprintf(s, " proto %d df %v mf %v offset %v ttl %d sum %v to %d", ip.Proto(), ip.DF(), ip.MF(), ip.FragOffset() > 0,
		min(ip.TTL(), 2), ip.ChecksumOK(), dst[0]>>5)
	if ip.HasOptions() {
		fmt.Fprintf(s, " option %d", ip.Options()[0])
	}
	if ip.FragOffset() > 0 {
		return
	}
	switch ip.Proto() {
	case wire.ProtoICMP:
		if m, ok := wire.ParseICMP(ip.Payload()); ok {
			fmt.Fprintf(s, " icmp %d/%d sum %v", m.Type(), m.Code(), m.ChecksumOK())
		}
	case wire.ProtoUDP:
		if u, ok := wire.ParseUDP(ip.Payload()); ok {
			fmt.Fprintf(s, " udp sum %v", u.Checksum() == 0 || u.ChecksumOK4(ip.Src4(), ip.Dst4()))
		}
	}
}
