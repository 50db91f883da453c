package ipv6

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// fragment cuts p, which is larger than mtu, and sends the pieces: each carries
// the headers for every hop, and a fragment header behind them (RFC 8200 section
// 4.5). A transport checksum that was left to the device is finished first.
// Linux: ip6_fragment.
func (s *Inet) fragment(w *core.Worker, p *core.Packet, ip wire.IPv6, d *core.Device, gw netip.Addr, mtu int) {
	n := p.Net()
	hdr, nhoff := perHop(ip)
	room := wire.FragPayload(mtu, hdr+fragHeader)
	if room == 0 || !p.CompleteChecksum() {
		w.Drop(p, core.TooBig)
		return
	}
	id := fragID(n)
	data := ip[hdr:]
	for off := 0; off < len(data); off += room {
		size := min(room, len(data)-off)
		q := w.NewPacket(n, hdr+fragHeader+size)
		b := q.Bytes()
		copy(b, ip[:hdr])
		b[nhoff] = wire.ProtoFragment
		wire.PutFrag6(b[hdr:], ip[nhoff], off, off+size < len(data), id)
		copy(b[hdr+fragHeader:], data[off:off+size])
		wire.IPv6(b).SetPayloadLen(len(b) - wire.IPv6Len)
		q.SetL3(0)
		q.SetL4(hdr)
		q.Dev, q.Protocol, q.Type, q.Mark, q.Priority = d, p.Protocol, p.Type, p.Mark, p.Priority
		q.InIndex, q.Opts, q.Hash = p.InIndex, p.Opts, p.Hash
		s.toLink(w, q, d, gw)
	}
	w.Deliver(p)
}

// perHop returns how long the headers are that every fragment repeats, and where
// it stands what follows them: those up to a routing header, or the one for every
// hop. Linux: ip6_find_1stfragopt.
func perHop(ip wire.IPv6) (size, nhoff int) {
	size, nhoff = wire.IPv6Len, nextAt
	found := false
	for e := ip.EachExt(); e.Next(); {
		switch e.Kind() {
		case wire.ProtoHopByHop:
		case wire.ProtoRouting:
			found = true
		case wire.ProtoDestOpts:
			if found {
				return size, nhoff
			}
		default:
			return size, nhoff
		}
		nhoff = e.Offset()
		size = nhoff + len(e.Bytes())
	}
	return size, nhoff
}

// nextAt is where the header says what follows it.
const nextAt = 6

// fragID draws an identification, never 0, from the Net's own stream: who sees
// one Net's learns nothing of another's. Linux: __ipv6_select_ident.
func fragID(n *netns.Net) uint32 { return 1 + uint32(n.Uint64N(1<<32-1)) }
