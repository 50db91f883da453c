package fib

import "testing"

// rules is a script of its own, as it also moves devices' names.
const rules = start + `$ add default via 10.0.0.1
$ add 10.5.0.0/16 dev d3 table 100
$ add default via 10.1.0.1 table 100
$ add throw 10.6.0.0/16 table 100
$ add prohibit 10.7.0.0/16 table 100
$ rule add from 10.0.0.5 table 100
$ get 8.8.8.8
default via 10.0.0.1 dev d1
$ get 8.8.8.8 from 10.0.0.5
default via 10.1.0.1 dev d2 table 100
$ get 10.6.0.1 from 10.0.0.5
default via 10.0.0.1 dev d1
$ get 10.7.0.1 from 10.0.0.5
RTNETLINK answers: Permission denied
$ rule del from 10.0.0.5
$ rule add pref 10 to 8.8.0.0/16 prohibit
$ rule add pref 11 to 9.9.0.0/16 unreachable
$ rule add pref 12 to 7.7.0.0/16 blackhole
$ get 8.8.8.8
RTNETLINK answers: Permission denied
$ get 9.9.9.9
RTNETLINK answers: Network is unreachable
$ get 7.7.7.7
RTNETLINK answers: Invalid argument
$ rule add pref 20 fwmark 0x10/0xf0 table 100
$ get 1.1.1.1 mark 0x1f
default via 10.1.0.1 dev d2 table 100
$ get 1.1.1.1 mark 0x2f
default via 10.0.0.1 dev d1
$ rule add pref 21 fwmark 0x5 table 100
$ rule add pref 30 table 100 suppress_prefixlength 0
$ get 10.5.0.1
10.5.0.0/16 dev d3 table 100 scope link
$ get 1.1.1.1
default via 10.0.0.1 dev d1
$ rule add pref 40 not to 4.0.0.0/8 goto 50
$ rule add pref 45 prohibit
$ rule add pref 50 nop
$ get 4.4.4.4
RTNETLINK answers: Permission denied
$ get 5.5.5.5
default via 10.0.0.1 dev d1
$ rule del pref 50
$ get 5.5.5.5
RTNETLINK answers: Permission denied
$ rule add pref 50 nop
$ rule add pref 50 table 100
$ rule add pref 3 ipproto 17 dport 53-60 table 100
$ get 3.3.3.3 proto 17 dport 55
default via 10.1.0.1 dev d2 table 100
$ get 4.3.3.3 proto 17 dport 61
RTNETLINK answers: Permission denied
$ rule add pref 4 ipproto 6 tos 0x10 table 100
$ rule add pref 2 iif d9 prohibit
$ rule add pref 1 oif d3 unreachable
$ get 10.5.0.1 oif d3
RTNETLINK answers: Network is unreachable
$ get 10.5.0.1 iif d3
10.5.0.0/16 dev d3 table 100 scope link
$ rename d3 d9
$ get 10.5.0.1 iif d9
RTNETLINK answers: Permission denied
$ get 10.5.0.1 oif d9
10.5.0.0/16 dev d9 table 100 scope link
$ rule show
0: from all lookup 255
1: from all oif d3 [detached] unreachable
2: from all iif d9 prohibit
3: from all lookup 100
4: from all tos 0x10 lookup 100
10: from all to 8.8.0.0/16 prohibit
11: from all to 9.9.0.0/16 unreachable
12: from all to 7.7.0.0/16 blackhole
20: from all fwmark 0x10/0xf0 lookup 100
21: from all fwmark 0x5 lookup 100
30: from all lookup 100 suppress_prefixlength 0
40: not from all to 4.0.0.0/8 goto 50
45: from all prohibit
50: from all nop
50: from all lookup 100
32766: from all lookup 254
32767: from all lookup 253
$ rule del pref 999
RTNETLINK answers: No such file or directory
$ rule del from 1.1.1.1
RTNETLINK answers: No such file or directory
$ rule del table 100
$ rule del fwmark 5
$ rule add pref 60 goto 0
Error: Backward goto not supported.
$ rule add pref 60 goto 60
Error: Backward goto not supported.
$ rule add pref 60 tos 1
Error: Invalid dsfield (tos): ECN bits must be 0.
$ rule add pref 60 table 0
$ rule add pref 45 not prohibit
RTNETLINK answers: File exists
$ rule add pref 45 goto 47
$ rule add pref 45 goto 48
RTNETLINK answers: File exists
$ rule del pref 1
$ rule del pref 2
$ rule del pref 10
$ rule del pref 11
$ rule del pref 12
$ rule del pref 20
$ rule show
0: from all lookup 255
4: from all tos 0x10 lookup 100
30: from all lookup 100 suppress_prefixlength 0
40: not from all to 4.0.0.0/8 goto 50
45: from all prohibit
45: from all goto 47 [unresolved]
50: from all nop
50: from all lookup 100
60: from all lookup 1
32766: from all lookup 254
32767: from all lookup 253
$ rule add from 1.2.3.4/24 table 100
$ rule add from 1.2.3.4/24 table 100
$ rule del pref 4
$ rule del pref 0
$ rule del pref 30
$ rule del pref 40
$ rule del pref 45
$ rule del pref 45
$ rule del pref 50
$ rule del pref 50
$ rule del pref 60
$ rule show
2: from 1.2.3.4/24 lookup 100
3: from 1.2.3.4/24 lookup 100
32766: from all lookup 254
32767: from all lookup 253
$ get 1.1.1.1 from 1.2.3.99
default via 10.1.0.1 dev d2 table 100
$ get 10.0.0.5
10.0.0.0/24 dev d1 scope link src 10.0.0.5
$ rule add pref 55 to 99.0.0.0/8 goto 57
$ rule add pref 56 to 99.0.0.0/8 unreachable
$ rule add pref 57 to 99.0.0.0/8 prohibit
$ get 99.1.1.1
RTNETLINK answers: Permission denied
`

// TestRulesLikeLinux is TestLikeLinux for rules.
func TestRulesLikeLinux(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		n, other := b.net("n"), b.net("other")
		b.script(other, "$ rule add pref 1 prohibit")
		b.script(n, rules)
	})
}
