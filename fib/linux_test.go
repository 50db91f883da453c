package fib

import (
	"strings"
	"testing"
)

// What these tables say was read off Linux 6.18 with iproute2 6.1, in a
// namespace with d1 10.0.0.5/24 and d2 10.1.0.5/24 on veths.
const start = `
$ add local 127.0.0.1 dev lo proto 2 src 127.0.0.1
$ add local 127.0.0.0/8 dev lo proto 2 src 127.0.0.1
$ add broadcast 127.255.255.255 dev lo proto 2 src 127.0.0.1
$ add local 10.0.0.5 dev d1 proto 2 src 10.0.0.5
$ add 10.0.0.0/24 dev d1 proto 2 src 10.0.0.5
$ add broadcast 10.0.0.255 dev d1 proto 2 src 10.0.0.5
$ add local 10.1.0.5 dev d2 proto 2 src 10.1.0.5
$ add 10.1.0.0/24 dev d2 proto 2 src 10.1.0.5
$ add broadcast 10.1.0.255 dev d2 proto 2 src 10.1.0.5
`

var scripts = map[string]string{
	"one trie until the rules change": `
$ add local 10.9.0.0/24 dev lo
$ add 10.9.0.5/32 dev d1
$ get 10.9.0.5
10.9.0.5 dev d1 scope link
$ get 10.9.0.6
local 10.9.0.0/24 dev lo table local scope host
$ rule add from 1.2.3.4 table 100
$ get 10.9.0.5
local 10.9.0.0/24 dev lo table local scope host
$ rule del from 1.2.3.4 table 100
$ get 10.9.0.5
local 10.9.0.0/24 dev lo table local scope host
`,
	"order": `
$ add 10.0.0.0/8 dev d1
$ add 10.0.0.0/16 dev d1
$ add 10.0.0.0/8 dev d1 metric 5
$ add default via 10.0.0.1
$ add 0.0.0.0/1 dev d1
$ append 10.0.0.0/8 dev d2
$ prepend 10.0.0.0/8 via 10.0.0.9
$ add 9.0.0.0/8 dev d1 table 1000
$ add 9.0.0.0/8 dev d1 table 100
$ add 9.0.0.0/8 dev d1 table 232
$ add 9.0.0.0/8 dev d1 table 256
$ show 0
9.0.0.0/8 dev d1 table 256 scope link
9.0.0.0/8 dev d1 table 100 scope link
9.0.0.0/8 dev d1 table 232 scope link
9.0.0.0/8 dev d1 table 1000 scope link
0.0.0.0/1 dev d1 scope link
default via 10.0.0.1 dev d1
10.0.0.0/24 dev d1 scope link src 10.0.0.5
10.0.0.0/16 dev d1 scope link
10.0.0.0/8 via 10.0.0.9 dev d1
10.0.0.0/8 dev d1 scope link
10.0.0.0/8 dev d2 scope link
10.0.0.0/8 dev d1 scope link metric 5
10.1.0.0/24 dev d2 scope link src 10.1.0.5
local 10.0.0.5 dev d1 table local scope host src 10.0.0.5
broadcast 10.0.0.255 dev d1 table local scope link src 10.0.0.5
local 10.1.0.5 dev d2 table local scope host src 10.1.0.5
broadcast 10.1.0.255 dev d2 table local scope link src 10.1.0.5
local 127.0.0.0/8 dev lo table local scope host src 127.0.0.1
local 127.0.0.1 dev lo table local scope host src 127.0.0.1
broadcast 127.255.255.255 dev lo table local scope link src 127.0.0.1
`,
	"flags": `
$ add 10.0.0.0/8 dev d1
$ append 10.0.0.0/8 dev d2
$ prepend 10.0.0.0/8 via 10.0.0.9
$ add 10.0.0.0/8 dev d2
RTNETLINK answers: File exists
$ replace 10.0.0.0/8 dev d2
RTNETLINK answers: File exists
$ replace 10.0.0.0/8 via 10.0.0.9
$ replace 10.0.0.0/8 via 10.0.0.7
$ change 10.0.0.0/8 via 10.0.0.8
$ change 10.77.0.0/16 via 10.0.0.8
RTNETLINK answers: No such file or directory
$ append 10.0.0.0/8 via 10.0.0.8
RTNETLINK answers: File exists
$ append 10.0.0.0/8 via 10.0.0.8 proto 77
$ show main
10.0.0.0/24 dev d1 scope link src 10.0.0.5
10.0.0.0/8 via 10.0.0.8 dev d1
10.0.0.0/8 dev d1 scope link
10.0.0.0/8 dev d2 scope link
10.0.0.0/8 via 10.0.0.8 dev d1
10.1.0.0/24 dev d2 scope link src 10.1.0.5
`,
	"delete": `
$ add 10.0.0.0/8 via 10.0.0.8
$ append 10.0.0.0/8 dev d2
$ add 10.0.0.0/8 dev d1 metric 5
$ del 10.0.0.0/8 proto 99
RTNETLINK answers: No such process
$ del 10.0.0.0/8 metric 9
RTNETLINK answers: No such process
$ del 10.0.0.0/8 scope host
RTNETLINK answers: No such process
$ del 10.0.0.0/8 via 1.1.1.1
RTNETLINK answers: No such process
$ del 10.0.0.0/8 dev d3
RTNETLINK answers: No such process
$ del 10.0.0.0/8 src 1.1.1.1
RTNETLINK answers: No such process
$ del blackhole 10.0.0.0/8
RTNETLINK answers: No such process
$ del 10.0.0.0/9
RTNETLINK answers: No such process
$ del 10.0.0.0/8 table 999
Error: FIB table does not exist.
$ del 10.0.0.1/8
Error: Invalid prefix for given prefix length.
$ del 10.0.0.0/8 dev d2
$ del 10.0.0.0/8
$ del 10.0.0.0/8 metric 5
$ del 10.0.0.0/8
RTNETLINK answers: No such process
`,
	"validation": `
$ add 10.50.0.0/8 dev d1
Error: Invalid prefix for given prefix length.
$ add 10.51.0.0/16 via 99.0.0.1
Error: Nexthop has invalid gateway.
$ add 10.51.0.0/16 via 99.0.0.1 dev d1
Error: Nexthop has invalid gateway.
$ add 10.51.0.0/16 via 10.0.0.255
Error: Nexthop has invalid gateway.
$ add 10.51.0.0/16 via 99.0.0.1 dev d1 onlink
$ add 10.52.0.0/16 via 224.0.0.1 dev d1 onlink
Error: Nexthop has invalid gateway.
$ add 10.52.0.0/16 via 10.0.0.5 dev d1 onlink
Error: Nexthop has invalid gateway.
$ add 10.53.0.0/16 via 10.0.0.1 scope link
Error: Nexthop has invalid gateway.
$ add 10.53.0.0/16 via 10.0.0.1 scope host
Error: Route with host scope can not have a gateway.
$ add 10.53.0.0/16 dev d1 scope host
$ add 10.53.1.0/24 dev d1 scope nowhere
Error: Invalid scope.
$ add 10.54.0.0/16 dev d1 src 10.7.7.7
Error: Invalid prefsrc address.
$ add local 10.54.0.0/16 dev d1 scope link
Error: Invalid scope.
$ add blackhole 10.55.0.0/16 dev d1
Error: Gateway, device and multipath can not be specified for this route type.
$ add 10.56.0.0/16
RTNETLINK answers: No such device
$ add 10.57.0.0/16 dev d1 onlink
Error: Invalid flags for nexthop - PERVASIVE and ONLINK can not be set.
$ add broadcast 10.62.0.0/16 dev d1 scope global
Error: Invalid scope.
$ add nat 10.63.0.0/16 dev d1
Error: Invalid scope.
$ add broadcast 10.62.0.0/16 dev d1
$ add multicast 225.0.0.0/8 dev d1
$ add anycast 10.64.0.0/16 dev d1
`,
	"types": `
$ add default via 10.0.0.1
$ add blackhole 10.20.0.0/16
$ add throw 10.58.0.0/16
$ add unreachable 10.59.0.0/16
$ add prohibit 10.60.0.0/16
$ get 10.20.0.1
RTNETLINK answers: Invalid argument
$ get 10.58.0.1
RTNETLINK answers: Network is unreachable
$ get 10.59.0.1
RTNETLINK answers: No route to host
$ get 10.60.0.1
RTNETLINK answers: Permission denied
$ get 10.0.0.255
broadcast 10.0.0.255 dev d1 table local scope link src 10.0.0.5
$ get 8.8.8.8
default via 10.0.0.1 dev d1
$ get 10.0.0.77 oif d1
10.0.0.0/24 dev d1 scope link src 10.0.0.5
`,
	"table default after main": `
$ add blackhole 10.20.0.0/16
$ add 10.20.1.0/24 dev d1 table default
$ get 10.20.1.1
RTNETLINK answers: Invalid argument
$ add default dev d2 table default
$ get 10.20.2.1
RTNETLINK answers: Invalid argument
$ get 10.21.2.1
default dev d2 table default scope link
$ add throw 10.21.0.0/16
$ get 10.21.2.1
default dev d2 table default scope link
`,
	"tos": `
$ add 10.7.0.0/16 dev d1
$ add 10.7.0.0/16 dev d2 tos 0x10
$ add 10.7.0.0/16 dev d2 tos 0x11
Error: Invalid dsfield (tos): ECN bits must be 0.
$ get 10.7.0.1
10.7.0.0/16 dev d1 scope link
$ get 10.7.0.1 tos 0x10
10.7.0.0/16 tos 0x10 dev d2 scope link
$ del 10.7.0.0/16 dev d2
RTNETLINK answers: No such process
$ show main
10.0.0.0/24 dev d1 scope link src 10.0.0.5
10.1.0.0/24 dev d2 scope link src 10.1.0.5
10.7.0.0/16 tos 0x10 dev d2 scope link
10.7.0.0/16 dev d1 scope link
`,
	"device down": `
$ add 10.7.0.0/16 via 10.0.0.1
$ add 10.8.0.0/16 nexthop via 10.0.0.1 nexthop via 10.1.0.1 weight 3
$ add 10.9.0.0/16 dev d1 scope host
$ carrier d1 off
$ show main
10.0.0.0/24 dev d1 linkdown scope link src 10.0.0.5
10.1.0.0/24 dev d2 scope link src 10.1.0.5
10.7.0.0/16 via 10.0.0.1 dev d1 linkdown
10.8.0.0/16 nexthop via 10.0.0.1 dev d1 linkdown weight 1 nexthop via 10.1.0.1 dev d2 weight 3
10.9.0.0/16 dev d1 scope host
$ add 10.10.0.0/16 dev d1
$ get 10.10.0.1
10.10.0.0/16 dev d1 linkdown scope link
$ carrier d1 on
$ get 10.10.0.1
10.10.0.0/16 dev d1 scope link
$ down d1
$ add 10.66.0.0/16 dev d1
Error: Device for nexthop is not up.
$ add 10.66.0.0/16 via 10.0.0.1 dev d1
Error: Nexthop has invalid gateway.
$ add 10.66.0.0/16 via 10.0.0.1 dev d1 onlink
Error: Nexthop device is not up.
$ show main
10.1.0.0/24 dev d2 scope link src 10.1.0.5
10.8.0.0/16 nexthop via 10.0.0.1 dev d1 dead linkdown weight 1 nexthop via 10.1.0.1 dev d2 weight 3
10.9.0.0/16 dev d1 scope host
$ get 10.8.0.1 hash 0
10.8.0.0/16 via 10.1.0.1 dev d2
$ up d1
$ get 10.8.0.1 hash 0
10.8.0.0/16 via 10.0.0.1 dev d1
$ gone d1
$ show main
10.1.0.0/24 dev d2 scope link src 10.1.0.5
`,
	"address gone": `
$ add 10.7.0.0/16 dev d2 src 10.0.0.5
$ add 10.7.0.0/16 dev d2 src 10.0.0.5 table 100
$ addrgone 10.0.0.5
$ show main
10.1.0.0/24 dev d2 scope link src 10.1.0.5
$ show 100
10.7.0.0/16 dev d2 table 100 scope link src 10.0.0.5
`,
}

// TestLikeLinux replays each script under either placement; a second Net holds
// something else under the same prefixes and must not show.
func TestLikeLinux(t *testing.T) {
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench) {
				n, other := b.net("n"), b.net("other")
				b.script(other, "\n$ add 0.0.0.0/1 dev d3\n$ add blackhole 10.20.0.0/16\n$ add 10.0.0.0/8 dev d3\n$ add throw 10.7.0.0/16\n$ add 10.0.0.0/24 dev d3 table local")
				b.script(n, start+strings.TrimPrefix(script, "\n"))
			})
		})
	}
}
