package law

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"syscall"

	"nsmodel/netns"
	"nsmodel/transport/raw"
)

// Verbs of what takes several packets, or several ways, to be seen.

func init() {
	builders["way"] = way
	builders["hash"] = func(g *gen) string { return "E sysctl -w net.ipv4." + g.hash() }
	builders["way6"] = way6
	builders["hash6"] = func(g *gen) string { return "E sysctl -w net.ipv6." + g.hash() }
	builders["from6"] = from6
	narrowThemes = append(narrowThemes, len(themes), len(themes)+1)
	themes = append(themes,
		theme{ // several ways
			setup: []string{"X route replace 10.9.0.0/16 nexthop via 10.0.0.4 nexthop via 10.0.0.5 weight 3 nexthop via 10.0.0.6"},
			verbs: []string{"way", "way", "way", "way", "hash", "hash", "E sysctl -w net.ipv4.fib_multipath_hash_seed=$p", "E sysctl net.ipv4.fib_multipath_hash_seed", "X route show"},
		},
		theme{ // datagrams in a row
			setup: []string{"law $X open s0 listen 0.0.0.0:7"},
			verbs: []string{"law $X burst s0 3 $F:7", "law $X burst s0 5 $F:7", "law $X burst s0 5 $F:7", "law $X recv s0", "law $X recv s0", "law $X recv s0", "X -s link", "X neigh flush all"},
		},
		theme{ // and to several at once, who answer at once
			setup: []string{"law $X open s0 listen 0.0.0.0:7", "law $X open s1 listen 0.0.0.0:9", "E probe udp echo 8"},
			verbs: []string{"law $X burst s0 4 10.0.0.1:8 10.0.1.2:8", "law $X burst s0 4 10.0.0.1:8 10.0.1.2:8", "law $X burst s0 6 $F:9 $F:8 $F:9", "law $X burst s1 4 10.0.0.1:9 10.0.1.2:9", "law $X recv s0", "law $X recv s0", "law $X recv s1"}},
		theme{six: true, drawn: true, // several ways of IPv6
			setup: []string{"X -6 route replace 2001:db8:9::/48 nexthop via 2001:db8::4 nexthop via 2001:db8::5 weight 3 nexthop via 2001:db8::6"},
			verbs: []string{"way6", "way6", "way6", "hash6", "hash6", "E sysctl -w net.ipv4.fib_multipath_hash_seed=$p", "X -6 route show"},
		},
		theme{ // raw and ping sockets
			setup: []string{`E sysctl -w net.ipv4.ping_group_range="0 0"`, "law $X raw s0 1", "law $X ping s1"},
			verbs: []string{"law $X raw $S 1", "law $X raw $S 17", "law $X ping $S", "law $X ping $S", "law $X heard $S", "law $X heard $S", "E ping -c 1 -W 0.1 $F", "E probe udp send $F:$p x", "ip netns del $Y", "ip netns add $Y"}},
		theme{six: true, drawn: true, // addresses that end
			setup: []string{"X addr add 2001:db8::77/64 dev v0 nodad valid_lft 50 preferred_lft 20", "X addr add 2001:db8::78/64 dev w0 nodad valid_lft 50 preferred_lft 20"},
			verbs: []string{"ip netns del $Y", "ip netns add $Y", "X -6 addr", "X addr replace $2 dev $D nodad valid_lft 5 preferred_lft 2", "X link set $D down", "X link set $D up"}},
		theme{six: true, drawn: true, // routes for some sources
			setup: []string{"X -6 route add 2001:db8:9::/48 from 2001:db8::/64 via 2001:db8::4", "X neigh replace 2001:db8::4 lladdr 02:00:00:00:00:03 dev v0", "X neigh replace 2001:db8::4 lladdr 02:00:00:00:00:03 dev w0"},
			verbs: []string{"from6", "from6", "from6", "E ping -c 1 -W 0.1 2001:db8:9::1", "E ping -c 1 -W 0.1 2001:db8:9::1", "E probe udp send [2001:db8:9::1]:$p x", "X -6 route get 2001:db8:9::1 from $1", "X -6 route get $3", "X -6 route show", "X link set $D down", "X link set $D up", "X addr add $2 dev $D nodad"},
		})
}

// from6 draws a route of IPv6 for some sources.
func from6(g *gen) string {
	return "X -6 route " + g.pick("op", "add", "add", "replace", "append", "del") + " " + g.pick("dst", "2001:db8:9::/48", "2001:db8:9:1::/64", "default") +
		" from " + g.pick("src", "2001:db8::/64", "2001:db8::1", "2001:db8::2", "2001:db8::/48") + " " + g.pick("to", "via 2001:db8::4", "via $1", "dev $D", "dev $D metric 5")
}

// way asks which of several ways a flow goes.
func way(g *gen) string {
	return fmt.Sprintf("X route get 10.9.0.%d ipproto udp sport %d dport %d", g.upTo("dst", 15), 1+g.upTo("sport", 15), 1+g.upTo("dport", 3))
}

func way6(g *gen) string {
	return fmt.Sprintf("X -6 route get 2001:db8:9::%x ipproto udp sport %d dport %d", 1+g.upTo("dst", 14), 1+g.upTo("sport", 15), 1+g.upTo("dport", 3))
}

// hash draws by what a flow chooses.
func (g *gen) hash() string {
	if g.upTo("fields", 2) == 0 {
		return "fib_multipath_hash_fields=" + g.pick("mask", "1", "2", "7", "16", "32", "48", "55")
	}
	return "fib_multipath_hash_policy=" + strconv.Itoa(g.upTo("policy", 3))
}

// A rawSocket is a raw or ping socket that a command has left open.
type rawSocket struct {
	n    *netns.Net
	conn *raw.Conn
}

// open reports whether it can still be read from.
func (s *rawSocket) open() bool {
	_, err := s.conn.TryReceive()
	return err == nil || errors.Is(err, syscall.EAGAIN)
}

// rawOp opens a raw or a ping socket, or reads from one.
func (b *bench) rawOp(n *netns.Net, verb, key string, args []string) string {
	old := b.raws[key]
	if old != nil && !old.n.Alive() { // the name is free
		delete(b.raws, key)
		old = nil
	}
	var c *raw.Conn
	var err error
	switch {
	case verb == "heard" && old == nil:
		return "no socket\n"
	case verb == "heard":
		m, err := old.conn.TryReceive()
		return fmt.Sprintf("%d bytes from %v: %v\n", len(m.Data), m.From, err)
	case old != nil:
		return "open\n"
	case verb == "raw":
		proto, _ := strconv.Atoi(args[0])
		c, err = b.m.Raw.Listen(n, false, uint8(proto), netip.Addr{}, raw.Options{})
	default:
		c, err = b.m.Raw.ListenPing(n, false, netip.Addr{}, 0, raw.Options{})
	}
	if err != nil {
		return err.Error() + "\n"
	}
	b.raws[key] = &rawSocket{n, c}
	return fmt.Sprintf("%v %v %d\n", c.LocalAddr(), c.RemoteAddr(), c.Ident())
}

// takers are commands that take a number in every Net, of which there might be one
// row for all: see lastWill.
func takers() (cs []genCommand) {
	for g, nets := range groups {
		for _, net := range nets {
			one := gen{x: net}
			cs = append(cs, genCommand{g, one.expand(`E sysctl -w net.ipv4.ping_group_range="0 0"`)}, genCommand{g, one.expand("law $X ping taken")})
		}
	}
	return cs
}
