package soak

import (
	"math/rand/v2"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// Aim turns a frame of another network into one for a device here: mac stands
// as destination, and what is IPv4, ARP or IPv6 in it goes from src to dst, of
// IPv6 from and to what stands for them. Checksums that were right stay right. b is changed in place.
func Aim(b []byte, mac wire.MAC, src, dst [4]byte) {
	e, ok := wire.ParseEthernet(b)
	if !ok {
		return
	}
	if !e.Dst().IsMulticast() {
		e.SetDst(mac)
	}
	switch e.Type() {
	case wire.EtherTypeARP:
		if a, ok := wire.ParseARP(e.Payload()); ok {
			a.SetSender(a.SenderMAC(), src)
			a.SetTarget(a.TargetMAC(), dst)
		}
	case wire.EtherTypeIPv4:
		if ip, ok := wire.ParseIPv4(e.Payload()); ok {
			aimIPv4(ip, src, dst)
		}
	case wire.EtherTypeIPv6:
		if ip, ok := wire.ParseIPv6(e.Payload()); ok {
			aimIPv6(ip, as6(src).As16(), as6(dst).As16())
		}
	}
}

func aimIPv4(ip wire.IPv4, src, dst [4]byte) {
	u, isUDP := wire.ParseUDP(ip.Payload())
	isUDP = isUDP && ip.Proto() == wire.ProtoUDP && !ip.IsFragment()
	right := isUDP && u.Checksum() != 0 && u.ChecksumOK4(ip.Src4(), ip.Dst4())
	ip.SetSrc4(src)
	ip.SetDst4(dst)
	if right {
		u.FillChecksum4(src, dst)
	}
	m, ok := wire.ParseICMP(ip.Payload())
	if !ok || ip.Proto() != wire.ProtoICMP || ip.FragOffset() > 0 || !m.IsError() {
		return
	}
	// An error is about a packet that dst has sent to src, or nobody believes it.
	right = m.ChecksumOK()
	if inner := m.Payload(); len(inner) >= wire.IPv4Len {
		copy(inner[12:], dst[:])
		copy(inner[16:], src[:])
	}
	if right {
		m.FillChecksum()
	}
}

// Offload gives a packet what a NIC's driver would tell of it: an unfinished
// checksum anywhere, segments, a tag taken off; how says which, 0 nothing.
func Offload(p *core.Packet, how byte) {
	b := p.Bytes()
	if how&1 != 0 && len(b) > 2 {
		p.SetPartial(int(b[0])|int(b[1]&7)<<8, uint16(b[2]))
	}
	if how&2 != 0 {
		p.GSOType, p.GSOSize = how>>2&7, uint16(how>>5)*300+1
	}
	if how&4 != 0 && how&2 == 0 {
		p.VLANProto, p.VLAN = 0x8100, uint16(how>>3)
	}
}

// Mutate returns a frame like one of corpus, changed in a few places, or bytes
// of chance. The headers' checksums are made right again every other time, since
// little is asked of a frame whose checksum is wrong.
func Mutate(rng *rand.Rand, corpus []Frame) []byte {
	if rng.IntN(20) == 0 || len(corpus) == 0 {
		b := make([]byte, rng.IntN(1600))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	b := append([]byte(nil), corpus[rng.IntN(len(corpus))].Bytes...)
	for range rng.IntN(4) {
		if len(b) == 0 {
			break
		}
		switch i := rng.IntN(len(b)); rng.IntN(6) {
		case 0:
			b[i] ^= 1 << rng.IntN(8)
		case 1:
			b[i] = byte(rng.Uint32())
		case 2: // in the headers, where it matters
			b[i%min(len(b), 60)] = byte(rng.Uint32())
		case 3:
			b = b[:i]
		case 4:
			b = append(b, make([]byte, rng.IntN(200))...)
		case 5: // the end of another
			o := corpus[rng.IntN(len(corpus))].Bytes
			b = append(b[:i], o[min(i, len(o)):]...)
		}
	}
	if rng.IntN(2) == 0 {
		mend(b)
	}
	return b
}

// mend makes the checksums of an IP packet right.
func mend(b []byte) {
	e, ok := wire.ParseEthernet(b)
	if ok && e.Type() == wire.EtherTypeIPv6 {
		if ip, whole := wire.ParseIPv6(e.Payload()); whole {
			sum6(ip, true)
		}
		return
	}
	if !ok || e.Type() != wire.EtherTypeIPv4 {
		return
	}
	ip, ok := wire.ParseIPv4(e.Payload())
	if !ok {
		return
	}
	ip.FillChecksum()
	switch u, isUDP := wire.ParseUDP(ip.Payload()); {
	case ip.Proto() == wire.ProtoUDP && isUDP:
		u.FillChecksum4(ip.Src4(), ip.Dst4())
	case ip.Proto() == wire.ProtoICMP:
		if m, ok := wire.ParseICMP(ip.Payload()); ok {
			m.FillChecksum()
		}
	}
}
