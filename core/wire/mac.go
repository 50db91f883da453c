package wire

import "errors"

// MAC is an EUI-48 address as it stands on the wire. The zero value is no address.
type MAC [6]byte

// BroadcastMAC is the address of every station on the link.
func BroadcastMAC() MAC { return MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// MulticastMAC returns the group address that carries the IPv4 group g: the
// low 23 bits of g below 01:00:5e (RFC 1112 section 6.4).
//
// Linux: ip_eth_mc_map, include/net/ip.h.
func MulticastMAC(g [4]byte) MAC { return MAC{0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3]} }

// IsMulticast reports whether m is a group address; broadcast is one of them.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// IsBroadcast reports whether m is ff:ff:ff:ff:ff:ff.
func (m MAC) IsBroadcast() bool { return m == BroadcastMAC() }

// IsZero reports whether m is the zero value.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsLocal reports whether m was administered locally instead of by its vendor.
func (m MAC) IsLocal() bool { return m[0]&2 != 0 }

// IsValid reports whether a device may have m: neither a group nor zero.
//
// Linux: is_valid_ether_addr, include/linux/etherdevice.h.
func (m MAC) IsValid() bool { return !m.IsMulticast() && !m.IsZero() }

// String returns m as six lower-case octets with colons, as ip(8) prints it.
func (m MAC) String() string { return string(m.appendTo(make([]byte, 0, 17))) }

// MarshalText is String, for encoding/json.
func (m MAC) MarshalText() ([]byte, error) { return m.appendTo(make([]byte, 0, 17)), nil }

// UnmarshalText is ParseMAC, for encoding/json.
func (m *MAC) UnmarshalText(b []byte) error {
	v, err := ParseMAC(string(b))
	if err == nil {
		*m = v
	}
	return err
}

func (m MAC) appendTo(b []byte) []byte {
	const digits = "0123456789abcdef"
	for i, o := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[o>>4], digits[o&15])
	}
	return b
}

// ErrMAC is returned for text that is no EUI-48 address.
var ErrMAC = errors.New("wire: not a MAC address")

// ParseMAC reads six octets of one or two hexadecimal digits with colons
// between them, the form that ip(8) takes. It returns ErrMAC for all else.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	for i := range m {
		if i > 0 {
			if s == "" || s[0] != ':' {
				return MAC{}, ErrMAC
			}
			s = s[1:]
		}
		digits := 0
		for ; digits < 2 && digits < len(s); digits++ {
			v, ok := unhex(s[digits])
			if !ok {
				break
			}
			m[i] = m[i]<<4 | v
		}
		if digits == 0 {
			return MAC{}, ErrMAC
		}
		s = s[digits:]
	}
	if s != "" {
		return MAC{}, ErrMAC
	}
	return m, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return (c | 0x20) - 'a' + 10, true
	}
	return 0, false
}
