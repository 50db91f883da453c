package wire

// FindChecksum returns where the transport's checksum of a frame is, for
// FinishPartial: start is the offset of the transport's header in the frame,
// offset that of the checksum in the header, and end is where the packet ends
// and padding begins. It is for frames that are known to be unfinished, but
// come without these numbers, as from a packet socket. It looks behind tags,
// and finds TCP and UDP in whole IPv4 datagrams, and in IPv6 without extension
// headers. ok is false for all else.
//
// Linux: TP_STATUS_CSUMNOTREADY, Documentation/networking/packet_mmap.rst.
func FindChecksum(e Ethernet) (start, offset, end int, ok bool) {
	t, at := e.Type(), EthernetLen
	for IsVLANType(t) {
		v, ok := ParseVLAN(e[at:])
		if !ok {
			return 0, 0, 0, false
		}
		t, at = v.Type(), at+VLANLen
	}
	var proto uint8
	switch t {
	case EtherTypeIPv4:
		ip, ok := ParseIPv4(e[at:])
		if !ok || ip.IsFragment() {
			return 0, 0, 0, false
		}
		proto, start, end = ip.Proto(), at+ip.HeaderLen(), at+len(ip)
	case EtherTypeIPv6:
		const header = 40 // RFC 8200 section 3
		b := e[at:]
		if len(b) < header || b[0]>>4 != 6 {
			return 0, 0, 0, false
		}
		proto, start, end = b[6], at+header, at+header+int(get16(b[4:6]))
	}
	switch proto {
	case ProtoTCP:
		offset = TCPChecksumOffset
	case ProtoUDP:
		offset = UDPChecksumOffset
	default:
		return 0, 0, 0, false
	}
	if end > len(e) || start+offset+2 > end {
		return 0, 0, 0, false
	}
	return start, offset, end, true
}
