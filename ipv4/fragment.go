package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// fragment cuts p, which is larger than mtu, and sends the pieces. Each carries
// the options that RFC 791 section 3.1 wants copied; in the place of the others
// later pieces have no-ops. A transport checksum that was left to the device is
// finished first. Linux: ip_do_fragment.
func (s *Inet) fragment(w *core.Worker, p *core.Packet, ip wire.IPv4, d *core.Device, gw netip.Addr, mtu int) {
	hdr := ip.HeaderLen()
	if most := int(p.Opts[optMaxFrag]); most > 0 {
		mtu = min(mtu, most)
	}
	room := wire.FragPayload(mtu, hdr)
	if room == 0 || !p.CompleteChecksum() {
		w.Drop(p, core.TooBig)
		return
	}
	data, base, last := ip.Payload(), ip.FragOffset(), !ip.MF()
	for off := 0; off < len(data); off += room {
		size := min(room, len(data)-off)
		q := w.NewPacket(p.Net(), hdr+size)
		b := q.Bytes()
		copy(b, ip[:hdr])
		copy(b[hdr:], data[off:off+size])
		piece := wire.IPv4(b)
		if off > 0 {
			blankOptions(piece.Options())
		}
		end := last && off+size == len(data)
		if !piece.SetTotalLen(hdr+size) || !piece.SetFrag(ip.DF(), !end, base+off) {
			w.Drop(q, core.FragmentBad) // it would end beyond 65535
			continue
		}
		piece.FillChecksum()
		q.SetL3(0)
		q.SetL4(hdr)
		q.Dev, q.Protocol, q.Type, q.Mark, q.Priority = d, p.Protocol, p.Type, p.Mark, p.Priority
		q.InIndex, q.Opts, q.Hash = p.InIndex, p.Opts, p.Hash
		s.toLink(w, q, d, gw)
	}
	w.Deliver(p)
}

// blankOptions turns the options that only the first fragment carries into
// no-ops. Linux: ip_options_fragment.
func blankOptions(options []byte) {
	for it := wire.EachOption(options); it.Next(); {
		if it.Kind()&wire.OptCopied == 0 {
			o := it.Bytes()
			for i := range o {
				o[i] = wire.OptNOP
			}
		}
	}
}
