package lockstep

import (
	"encoding/hex"
	"net/netip"

	"nsmodel/core/wire"
)

// ipv4Hex makes an IPv4 packet with eight octets of payload: of UDP to port 7, of
// an ICMP echo request, or of a protocol that nobody has.
func ipv4Hex(src, dst string, ttl, proto, frag int, broken bool) string {
	b := make([]byte, wire.IPv4Len+wire.UDPLen+8)
	b[0] = 0x45
	p := wire.IPv4(b)
	p.SetTotalLen(len(b))
	p.SetID(0x1234)
	b[6], b[7] = byte(frag>>8), byte(frag)
	p[8], p[9] = byte(ttl), byte(proto)
	copy(b[12:], netip.MustParseAddr(src).AsSlice())
	copy(b[16:], netip.MustParseAddr(dst).AsSlice())
	rest := b[wire.IPv4Len:]
	copy(rest[8:], "8 octets")
	switch proto {
	case wire.ProtoUDP:
		rest[0], rest[1] = 0x0f, 0xa0 // from 4000
		rest[3], rest[5] = 7, 16
	case wire.ProtoICMP:
		rest[0] = wire.ICMPEcho
		rest[5], rest[7] = 1, 1
		m := wire.ICMP(rest)
		m.FillChecksum()
	}
	p.FillChecksum()
	if broken {
		b[10] ^= 1
	}
	return hex.EncodeToString(b)
}

// mistakes are command lines that mean nothing, or what cannot be done.
var mistakes = []string{
	"ip link add type veth", "ip link set", "ip link set lo mtu", "ip addr add", "ip addr add 10.0.0.1/33 dev lo", "ip addr add 10.0.0/24 dev lo",
	"ip route add", "ip route add default", "ip route add default via", "ip route add 10.0.0.1/24 dev lo", "ip route add 10.9.0.0/16 via 10.0.0.300",
	"ip route add 10.9.0.0/16 dev lo table 0", "ip route add 10.9.0.0/16 dev lo nonsense", "ip rule add pref x", "ip rule add table 7 goto 3", "ip rule add from 10.0.0.0/40",
	"ip neigh add 10.0.0.1", "ip neigh add dev lo", "ip netns", "ip netns del nowhere", "ip netns exec nowhere ip link",
	"ip link add x0 type nonsense", "ip link del nodev", "ip link set lo up down", "ip link set nodev up", "ip frobnicate",
	"ip link set lo name lo", "ip link set lo master lo", "ip link set lo netns nowhere", "ip addr add 10.0.0.1/24 dev lo dev lo", "ip addr del 10.0.0.1/24",
	"ip route get", "ip route get 10.0.0.300", "ip route del", "ip route change 10.9.0.0/16 dev lo", "ip link add lo type bridge", "ip route show table nonsense",
}

func mistake(w *world) { w.do("%s", one(w, mistakes...)) }
