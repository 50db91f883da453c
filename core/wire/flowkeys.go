package wire

// FlowKeys are what says to which flow a packet belongs. Linux: struct flow_keys,
// of which it has what multipath routing hashes.
type FlowKeys struct {
	Src, Dst     [16]byte // IPv4's in the first four octets
	Label        uint32   // IPv6's flow label
	SPort, DPort uint16
	Proto        uint8
	V6           bool
	Inside       bool // it is of a packet within the packet
}

// What a mask of fields has for the packet itself; those of a packet within it
// stand FieldsInner bits further up. Linux: FIB_MULTIPATH_HASH_FIELD_*.
const (
	FieldSrc = 1 << iota
	FieldDst
	FieldProto
	FieldLabel
	FieldSPort
	FieldDPort
	FieldsInner = 6
)

// Only returns k with the fields of a mask alone.
func (k FlowKeys) Only(fields uint32) FlowKeys {
	o := FlowKeys{V6: k.V6, Inside: k.Inside}
	if fields&FieldSrc != 0 {
		o.Src = k.Src
	}
	if fields&FieldDst != 0 {
		o.Dst = k.Dst
	}
	if fields&FieldProto != 0 {
		o.Proto = k.Proto
	}
	if fields&FieldLabel != 0 {
		o.Label = k.Label
	}
	if fields&FieldSPort != 0 {
		o.SPort = k.SPort
	}
	if fields&FieldDPort != 0 {
		o.DPort = k.DPort
	}
	return o
}

// Hash is the same both ways of a flow: addresses and ports are sorted first.
// Linux: flow_hash_from_keys, __flow_hash_consistentify.
func (k FlowKeys) Hash(seed uint32) uint32 {
	for i := range k.Src {
		if k.Src[i] != k.Dst[i] {
			if k.Dst[i] < k.Src[i] {
				k.Src, k.Dst = k.Dst, k.Src
			}
			break
		}
	}
	k.SPort, k.DPort = min(k.SPort, k.DPort), max(k.SPort, k.DPort)
	return FlowHash6(seed^k.Label<<8, k.Proto, k.Src, k.Dst, k.SPort, k.DPort)
}

// Dissect reads the keys of the IP packet b, whose header was checked: of the
// packet itself or, if inner, of the innermost within it that it understands
// (IP in IP, GRE). Fragments have no ports, so that all go one way.
// Linux: __skb_flow_dissect, with FLOW_DISSECTOR_F_STOP_AT_ENCAP unless inner.
func Dissect(b []byte, inner bool) FlowKeys {
	k, rest := dissect(b)
	for range 8 { // Linux: MAX_FLOW_DISSECT_HDRS, 15 headers of any kind
		in := payload(k.Proto, rest)
		if !inner || in == nil {
			break
		}
		k, rest = dissect(in)
		k.Inside = true
	}
	return k
}

// dissect reads the keys of one packet, and returns what lies behind its headers,
// nil of a fragment.
func dissect(b []byte) (k FlowKeys, rest []byte) {
	if b[0]>>4 == 4 {
		ip := IPv4(b)
		src, dst := ip.Src4(), ip.Dst4()
		copy(k.Src[:], src[:])
		copy(k.Dst[:], dst[:])
		k.Proto = ip.Proto()
		if !ip.IsFragment() && ip.HeaderLen() <= len(b) {
			rest = b[ip.HeaderLen():]
		}
	} else {
		ip := IPv6(b)
		k.Src, k.Dst, k.Label, k.V6 = ip.Src16(), ip.Dst16(), ip.FlowLabel(), true
		e, whole := ip.EachExt(), true
		for e.Next() {
			whole = whole && e.Kind() != ProtoFragment
		}
		proto, off, ok := e.Rest()
		if k.Proto = proto; ok && whole {
			rest = b[off:]
		}
	}
	switch k.Proto {
	case ProtoTCP, ProtoUDP, 33, 50, 132, 136: // DCCP, ESP, SCTP, UDP-Lite. Linux: proto_ports_offset
		if len(rest) >= 4 {
			k.SPort, k.DPort = get16(rest), get16(rest[2:])
		}
	}
	return k, rest
}

// payload returns the IP packet that a protocol carries in b, nil if none.
func payload(proto uint8, b []byte) []byte {
	v4, v6 := false, false
	switch proto {
	case 4: // RFC 2003
		v4 = true
	case 41: // RFC 2473
		v6 = true
	case 47: // GRE: RFC 2784, with key and number of RFC 2890
		if len(b) < 4 || b[0]&0x40 != 0 || b[1]&7 != 0 {
			return nil
		}
		v4, v6 = get16(b[2:]) == EtherTypeIPv4, get16(b[2:]) == EtherTypeIPv6
		size := 4
		for _, bit := range []byte{0x80, 0x20, 0x10} { // checksum, key, number
			if b[0]&bit != 0 {
				size += 4
			}
		}
		b = b[min(size, len(b)):]
	}
	if v4 && len(b) >= IPv4Len && b[0]>>4 == 4 || v6 && len(b) >= IPv6Len && b[0]>>4 == 6 {
		return b
	}
	return nil
}

// HashBy returns the hash of k, the keys of the packet b, by the policies 1 to 3
// of multipath routing; b is nil for what is not yet a packet, which has nothing
// within. Linux: fib_multipath_hash, rt6_multipath_hash.
func (k FlowKeys) HashBy(policy int32, fields, seed uint32, b []byte) uint32 {
	const outer = 1<<FieldsInner - 1
	switch policy {
	case 1:
		return k.Only(FieldSrc | FieldDst | FieldProto | FieldSPort | FieldDPort).Hash(seed)
	case 2:
		if in := k; b != nil {
			if in = Dissect(b, true); in.V6 && in.Inside {
				return in.Only(FieldSrc | FieldDst | FieldProto | FieldLabel).Hash(seed)
			}
			return in.Only(FieldSrc | FieldDst).Hash(seed)
		}
		return k.Only(FieldSrc | FieldDst).Hash(seed)
	}
	if !k.V6 {
		fields &^= FieldLabel
	}
	h := k.Only(fields & outer).Hash(seed)
	if fields>>FieldsInner != 0 && b != nil {
		if in := Dissect(b, true); in.Inside {
			h = FlowHash4(h, 0, [4]byte{}, [4]byte{}, 0, 0) ^ in.Only(fields>>FieldsInner).Hash(seed)
		}
	}
	return h
}
