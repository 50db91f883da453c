package soak

import (
	"fmt"
	"strings"

	"nsmodel/lab"
)

// town is a machine with everything that takes frames: hosts a and b at a
// router r and a switch s, of which b and s make a bridge, and k, which lives on
// a passthrough device of a's.
const town = `
ip netns add a
ip netns add r
ip netns add b
ip netns add s
ip netns add k
ip -n a link set lo up
ip -n r link set lo up
ip -n a link add eth0 type veth peer name ra netns r
ip -n b link add eth0 type veth peer name pb netns s
ip -n r link add rs type veth peer name pr netns s
ip -n s link add br0 type bridge ageing_time 1000
ip -n s link set br0 up
ip -n s link set pb master br0
ip -n s link set pr master br0
ip -n s link set pb up
ip -n s link set pr up
ip -n s addr add 10.2.0.3/24 dev br0
ip -n a addr add 10.1.0.2/24 dev eth0
ip -n r addr add 10.1.0.1/24 dev ra
ip -n r addr add 10.2.0.1/24 dev rs
ip -n b addr add 10.2.0.2/24 dev eth0
ip -n a link set eth0 up
ip -n r link set ra up
ip -n r link set rs up
ip -n b link set eth0 up
ip -n a link add kid link eth0 type passthrough
ip -n a link set kid netns k
ip -n k addr add 10.1.0.77/24 dev kid
ip -n k link set kid up
ip netns exec r sysctl -w net.ipv4.ip_forward=1
ip netns exec r sysctl -w net.ipv4.conf.all.proxy_arp=1
ip netns exec s sysctl -w net.ipv4.ip_forward=1
ip -n a route add default via 10.1.0.1
ip -n b route add default via 10.2.0.1
ip netns exec a probe udp echo 7
ip netns exec b probe udp echo 7
ip netns exec r probe udp listen 67
`

// towns are the Nets at which frames are thrown.
var towns = []string{"a", "r", "b", "s", "k"}

// innocents are two Nets, with the town's addresses, that have nothing to do
// with it.
const innocents = `
ip netns add east
ip netns add west
ip -n east link add eth0 type veth peer name eth0 netns west
ip -n east addr add 10.1.0.2/24 dev eth0
ip -n west addr add 10.1.0.1/24 dev eth0
ip -n east link set eth0 up
ip -n west link set eth0 up
ip -n east neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
ip netns exec east probe udp listen 7
`

// view are the commands that show all that can be seen in a Net $N.
const view = `
ip -s -n $N link show
ip -d -n $N link show
ip -n $N addr show
ip -n $N route show table all
ip -n $N rule show
ip -s -n $N neigh show
ip netns exec $N sysctl net
`

// addresses are those that mean something in the town.
var addresses = [][4]byte{
	{10, 1, 0, 1}, {10, 1, 0, 2}, {10, 1, 0, 77}, {10, 2, 0, 1}, {10, 2, 0, 2}, {10, 2, 0, 3},
	{10, 1, 0, 255}, {10, 2, 0, 255}, {255, 255, 255, 255}, {224, 0, 0, 1}, {127, 0, 0, 1}, {0, 0, 0, 0}, {10, 9, 9, 9}, {10, 2, 0, 99},
}

// run carries out commands, a line each, that must not fail, and returns what
// they say.
func run(in *lab.Interp, text string) (string, error) {
	lines, err := lab.Load("soak", text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, l := range lines {
		r, err := in.Run(l)
		if err != nil {
			return "", err
		}
		if r.Exit != 0 {
			return "", fmt.Errorf("%s: %s%s", l.Text, r.Stdout, r.Stderr)
		}
		b.WriteString(r.String())
	}
	return b.String(), nil
}
