package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"nsmodel/core/netlink"
)

// session runs a lab on m and returns its transcript.
func session(t *testing.T, m Machine, text string) string {
	t.Helper()
	var b strings.Builder
	if err := New(m).RunLab("t.lab", text, func(r Result) { b.WriteString(r.String()) }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s\n%s", got, want, firstDifference(got, want))
	}
}

func oneLink() *toy {
	return &toy{names: []string{"red"}, nets: map[string]*toyNet{
		"":    {msgs: []netlink.Message{&netlink.Link{Index: 2, Name: "v0"}}},
		"red": {msgs: []netlink.Message{&netlink.Link{Index: 5, Name: "w0"}, &netlink.Link{Index: 6, Name: "br0"}}},
	}}
}

func TestKernelErrors(t *testing.T) {
	for _, tc := range []struct {
		text string
		err  error
		want string
		exit int
	}{
		{"ip addr add 10.0.0.1/24 dev v0", syscall.EEXIST, "RTNETLINK answers: File exists\n", 2},
		{"ip addr add 10.0.0.1/24 dev v0", fmt.Errorf("ipv4: add: %w", syscall.EOPNOTSUPP), "RTNETLINK answers: Operation not supported\n", 2},
		{"ip route add 1.2.3.4 via 5.6.7.8", netlink.Extack(syscall.EINVAL, "Nexthop has invalid gateway"), "Error: Nexthop has invalid gateway.\n", 2},
		{"ip route del 1.2.3.4", syscall.ESRCH, "RTNETLINK answers: No such process\n", 2},
		{"bridge fdb add 02:00:00:00:00:01 dev v0", syscall.EEXIST, "RTNETLINK answers: File exists\n", 255},
		{"ip netns set red 6", netlink.Extack(syscall.EEXIST, "Peer netns already has a nsid assigned"), "Error: Peer netns already has a nsid assigned.\n", 2},
		{"ip route get 9.9.9.9", nil, "RTNETLINK answers: Network is unreachable\n", 2},
	} {
		m := oneLink()
		m.err = tc.err
		lines, _ := Lex("t.lab", "\n"+tc.text)
		r, err := New(m).Run(lines[0])
		if err != nil || r.Stdout != "" || r.Stderr != tc.want || r.Exit != tc.exit {
			t.Errorf("%s: %+v, %v", tc.text, r, err)
		}
		same(t, r.Complaint(), "t.lab:2: "+tc.want)
	}
}

// TestResolve sees that names become the right indexes, in the right Net.
func TestResolve(t *testing.T) {
	m := oneLink()
	got := session(t, m, `ip -n red link set w0 master br0
ip -n red route add 10.0.0.0/8 nexthop dev br0 nexthop dev w0
ip link add c0 link v0 netns red type passthrough
ip link set v0 netns green
ip netns add green
ip link set v0 netns green
ip netns del red
ip -n red link
ip link set v0 netns 1
`)
	if l := m.changes[4].(*netlink.Link); l.NewNet != "" || l.Has != netlink.LinkNewNet {
		t.Errorf("%+v", l)
	}
	same(t, got, `$ ip -n red link set w0 master br0
$ ip -n red route add 10.0.0.0/8 nexthop dev br0 nexthop dev w0
$ ip link add c0 link v0 netns red type passthrough
$ ip link set v0 netns green
Error: argument "green" is wrong: Invalid "netns" value

[exit 255]
$ ip netns add green
$ ip link set v0 netns green
$ ip netns del red
$ ip -n red link
Cannot open network namespace "red": No such file or directory
[exit 255]
$ ip link set v0 netns 1
`)
	if l := m.changes[0].(*netlink.Link); l.Index != 5 || l.Master != 6 {
		t.Errorf("%+v", l)
	}
	if r := m.changes[1].(*netlink.Route); r.Multipath[0].Index != 6 || r.Multipath[1].Index != 5 {
		t.Errorf("%+v", r)
	}
	if l := m.changes[2].(*netlink.Link); l.Link != 2 || l.Parent != "v0" {
		t.Errorf("%+v", l)
	}
}

func TestBatch(t *testing.T) {
	m := oneLink()
	same(t, session(t, m, "ip -b - <<E\nlink set v0 up\n# two\nlink set nope up\nlink set v0 down\nE\n"), `$ ip -b - <<E
> link set v0 up
> # two
> link set nope up
> link set v0 down
Cannot find device "nope"
Command failed -:3
[exit 1]
`)
	same(t, session(t, m, "ip -force -b - <<E\nlink set nope up\nlink set v0 down\nE\n"), `$ ip -force -b - <<E
> link set nope up
> link set v0 down
Cannot find device "nope"
Command failed -:1
[exit 1]
`)
	same(t, session(t, m, "ip -b - <<E\nlink set v0 up\nfoo\nE\n"), "$ ip -b - <<E\n> link set v0 up\n> foo\nObject \"foo\" is unknown, try \"ip help\".\n[exit 1]\n")
	if len(m.changes) != 2 {
		t.Errorf("%d changes, want 2: what does not parse has no effect", len(m.changes))
	}
}

func TestFlush(t *testing.T) {
	m := load(t, readState(t))
	for text, n := range map[string]int{
		"ip -n lga -s addr flush dev v0":       2,
		"ip -n lga -s route flush table 100":   2,
		"ip -n lga -s neigh flush dev v0":      2, // permanent and noarp ones stay
		"ip -n lga rule flush":                 9, // all but the one of priority 0
		"ip -n lga -s addr flush dev d0":       0,
		"ip -n lga -s route flush root 99.0/8": 0,
	} {
		m.changes = nil
		out := session(t, m, text)
		if len(m.changes) != n {
			t.Errorf("%s: %d deleted, want %d\n%s", text, len(m.changes), n, out)
		}
	}
	m.err = syscall.EPERM
	same(t, session(t, m, "ip -n lga addr flush dev v0"), "$ ip -n lga addr flush dev v0\nRTNETLINK answers: Operation not permitted\n[exit 2]\n")
	m.err = syscall.EADDRNOTAVAIL // a secondary has gone with its primary
	same(t, session(t, m, "ip -n lga addr flush dev v0"), "$ ip -n lga addr flush dev v0\n")
}

func TestSysctl(t *testing.T) {
	m := &toy{sysctls: []Sysctl{{"net.ipv4.ip_forward", "0"}, {"net.ipv4.ip_local_port_range", "32768\t60999"}, {"net.ipv4.conf.a/1.forwarding", "1"}}}
	same(t, session(t, m, `sysctl net.ipv4.ip_forward
sysctl -n net/ipv4/ip_forward
sysctl -w net.ipv4.ip_forward=1
sysctl -qw net.ipv4.ip_forward=0
sysctl net.ipv4.ip_forward=zz
sysctl net.ipv4
sysctl -N net.ipv4.ip_forward
sysctl net/ipv4/conf/a.1/forwarding
sysctl -a
sysctl =
sysctl net.bogus net.ipv4.ip_forward
`), `$ sysctl net.ipv4.ip_forward
net.ipv4.ip_forward = 0
$ sysctl -n net/ipv4/ip_forward
0
$ sysctl -w net.ipv4.ip_forward=1
net.ipv4.ip_forward = 1
$ sysctl -qw net.ipv4.ip_forward=0
$ sysctl net.ipv4.ip_forward=zz
sysctl: setting key "net.ipv4.ip_forward": Invalid argument
[exit 1]
$ sysctl net.ipv4
net.ipv4.ip_forward = 0
net.ipv4.ip_local_port_range = 32768	60999
net.ipv4.conf.a/1.forwarding = 1
$ sysctl -N net.ipv4.ip_forward
net.ipv4.ip_forward
$ sysctl net/ipv4/conf/a.1/forwarding
net.ipv4.conf.a/1.forwarding = 1
$ sysctl -a
net.ipv4.ip_forward = 0
net.ipv4.ip_local_port_range = 32768	60999
net.ipv4.conf.a/1.forwarding = 1
$ sysctl =
[exit 1]
$ sysctl net.bogus net.ipv4.ip_forward
net.ipv4.ip_forward = 0
sysctl: cannot stat /proc/sys/net/bogus: No such file or directory
[exit 1]
`)
}

// TestPing repeats runs of iputils 20221126, its times included.
func TestPing(t *testing.T) {
	us := func(n int) time.Duration { return time.Duration(n) * time.Microsecond }
	nine, one := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.1")
	reply := func(seq, rtt int) PingEvent {
		return PingEvent{Kind: PingReply, From: nine, Seq: seq, Size: 64, TTL: 64, RTT: us(rtt)}
	}
	start := PingEvent{Kind: PingStart, From: one}
	icmp := func(seq int, typ, code uint8, info uint32) PingEvent {
		return PingEvent{Kind: PingError, From: one, Seq: seq, Type: typ, Code: code, Info: info}
	}
	dup := reply(1, 12345)
	dup.Dup = true
	bcast := start
	bcast.Broadcast = true
	for _, tc := range []struct {
		name   string
		text   string
		events []PingEvent
		res    PingResult
		err    error
		want   string
	}{
		{"replies", "ping -c 2 -i 0.2 10.0.0.9", []PingEvent{start, reply(1, 188), reply(2, 64)}, PingResult{2, 204 * time.Millisecond, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\n64 bytes from 10.0.0.9: icmp_seq=1 ttl=64 time=0.188 ms\n64 bytes from 10.0.0.9: icmp_seq=2 ttl=64 time=0.064 ms\n\n" +
				"--- 10.0.0.9 ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time 204ms\nrtt min/avg/max/mdev = 0.064/0.126/0.188/0.062 ms\n"},
		{"quiet", "ping -q -c 2 -i 0.2 10.0.0.9", []PingEvent{start, reply(1, 65), reply(2, 38)}, PingResult{2, 202 * time.Millisecond, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\n\n--- 10.0.0.9 ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time 202ms\nrtt min/avg/max/mdev = 0.038/0.051/0.065/0.013 ms\n"},
		{"source", "ping -c1 -I 10.0.0.1 10.0.0.9", []PingEvent{start, reply(1, 267)}, PingResult{1, 0, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) from 10.0.0.1 : 56(84) bytes of data.\n64 bytes from 10.0.0.9: icmp_seq=1 ttl=64 time=0.267 ms\n\n--- 10.0.0.9 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time 0ms\nrtt min/avg/max/mdev = 0.267/0.267/0.267/0.000 ms\n"},
		{"device", "ping -q -c3 -I v0 10.0.0.9", []PingEvent{start, reply(1, 1), dup}, PingResult{3, time.Second, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) from 10.0.0.1 v0: 56(84) bytes of data.\n\n--- 10.0.0.9 ping statistics ---\n3 packets transmitted, 1 received, +1 duplicates, 66.6667% packet loss, time 1000ms\nrtt min/avg/max/mdev = 0.001/6.173/12.345/6.172 ms\nping: Warning: source address might be selected on device other than: v0\n"},
		{"unreachable", "ping -c 2 -i 0.2 10.0.0.222", []PingEvent{start, icmp(1, 3, 1, 0), icmp(2, 3, 1, 0)}, PingResult{2, 202 * time.Millisecond, 2}, nil,
			"PING 10.0.0.222 (10.0.0.222) 56(84) bytes of data.\nFrom 10.0.0.1 icmp_seq=1 Destination Host Unreachable\nFrom 10.0.0.1 icmp_seq=2 Destination Host Unreachable\n\n" +
				"--- 10.0.0.222 ping statistics ---\n2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 202ms\npipe 2\n[exit 1]\n"},
		{"errors", "ping -c 4 10.0.0.9", []PingEvent{start, icmp(1, 11, 0, 0), icmp(2, 3, 4, 1400), icmp(3, 12, 0, 20), icmp(4, 77, 0, 0)}, PingResult{4, time.Second, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\nFrom 10.0.0.1 icmp_seq=1 Time to live exceeded\nFrom 10.0.0.1 icmp_seq=2 Frag needed and DF set (mtu = 1400)\nFrom 10.0.0.1 icmp_seq=3 Parameter problem: pointer = 20\nFrom 10.0.0.1 icmp_seq=4 Bad ICMP type: 77\n\n" +
				"--- 10.0.0.9 ping statistics ---\n4 packets transmitted, 0 received, +4 errors, 100% packet loss, time 1000ms\n\n[exit 1]\n"},
		{"too long", "ping -c 1 -s 3000 -M do 10.0.0.9", []PingEvent{start, {Kind: PingLocal, Err: syscall.EMSGSIZE, Info: 1500}}, PingResult{1, 0, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) 3000(3028) bytes of data.\n\n--- 10.0.0.9 ping statistics ---\n1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n\nping: local error: message too long, mtu=1500\n[exit 1]\n"},
		{"short", "ping -c 1 -s 4 10.0.0.9", []PingEvent{start, {Kind: PingReply, From: nine, Seq: 1, Size: 12, TTL: 64}}, PingResult{1, 0, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) 4(32) bytes of data.\n12 bytes from 10.0.0.9: icmp_seq=1 ttl=64\n\n--- 10.0.0.9 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time 0ms\n\n"},
		{"broadcast", "ping -b -c 1 10.0.0.255", []PingEvent{bcast}, PingResult{1, 0, 1}, nil,
			"PING 10.0.0.255 (10.0.0.255) 56(84) bytes of data.\n\n--- 10.0.0.255 ping statistics ---\n1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\nWARNING: pinging broadcast address\n[exit 1]\n"},
		{"deadline", "ping -q -w 1 -c 2 10.0.0.9", []PingEvent{start, reply(1, 1500)}, PingResult{2, time.Second, 1}, nil,
			"PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\n\n--- 10.0.0.9 ping statistics ---\n2 packets transmitted, 1 received, 50% packet loss, time 1000ms\nrtt min/avg/max/mdev = 1.500/1.500/1.500/0.000 ms\n[exit 1]\n"},
		{"no route", "ping -c1 99.0.0.9", nil, PingResult{}, os.NewSyscallError("connect", syscall.ENETUNREACH), "ping: connect: Network is unreachable\n[exit 2]\n"},
		{"no device", "ping -c1 -I nope 99.0.0.9", nil, PingResult{}, os.NewSyscallError("SO_BINDTODEVICE nope", syscall.ENODEV), "ping: SO_BINDTODEVICE nope: No such device\n[exit 2]\n"},
		{"no -b", "ping -c1 10.0.0.255", nil, PingResult{}, os.NewSyscallError("connect", syscall.EACCES), "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n[exit 2]\n"},
		{"gate", "ping -c1 10.0.0.9", nil, PingResult{}, syscall.EAFNOSUPPORT, "ping: connect: Address family not supported by protocol\n[exit 2]\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := &toy{ping: func(_ *Ping, report func(PingEvent)) (PingResult, error) {
				for _, e := range tc.events {
					report(e)
				}
				return tc.res, tc.err
			}}
			same(t, session(t, m, tc.text), "$ "+tc.text+"\n"+tc.want)
		})
	}
	for d, want := range map[time.Duration]string{us(999): "0.999", us(1234): "1.23", us(1235): "1.24", us(9995): "10.0", us(12345): "12.3", us(99950): "100", us(99949): "99.9", us(100500): "101", us(2000000): "2000"} {
		if got := replyTime(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestProbe(t *testing.T) {
	m := &toy{probe: func(p *Probe) ([]Datagram, error) {
		switch {
		case p.Verb == UDPSend && p.Remote.Port() == 9:
			return nil, fmt.Errorf("udp: %w", syscall.ECONNREFUSED)
		case p.Verb == UDPSend && p.Remote.Port() == 10:
			return nil, ErrNoReply
		case p.Verb == UDPSend || p.Verb == UDPShow:
			return []Datagram{{netip.MustParseAddrPort("10.0.0.1:7"), "h\"\x00\n"}}, nil
		case p.Verb == Ledger && p.Dev == "":
			return nil, nil
		}
		return nil, nil
	}}
	same(t, session(t, m, `probe udp echo 7
probe udp send 10.0.0.1:7 hi wait 1
probe udp send 10.0.0.1:9 hi wait 1
probe udp send 10.0.0.1:10 hi wait 1
probe udp show 7
probe ledger
`), `$ probe udp echo 7
$ probe udp send 10.0.0.1:7 hi wait 1
reply from 10.0.0.1:7 "h\"\x00\n"
$ probe udp send 10.0.0.1:9 hi wait 1
probe: Connection refused
[exit 1]
$ probe udp send 10.0.0.1:10 hi wait 1
probe: no reply
[exit 1]
$ probe udp show 7
from 10.0.0.1:7 "h\"\x00\n"
$ probe ledger
balanced
`)
	m.probe = func(*Probe) ([]Datagram, error) { return nil, errors.New("2 packets lost") }
	same(t, session(t, m, "probe ledger"), "$ probe ledger\nprobe: 2 packets lost\n[exit 1]\n")
}

func TestNormalise(t *testing.T) {
	lab := "ip link set v0 address 02:00:00:00:00:0A"
	got := Normalise(lab, `64 bytes from 10.0.0.9: icmp_seq=1 ttl=64 time=0.188 ms
2 packets transmitted, 2 received, 0% packet loss, time 204ms
rtt min/avg/max/mdev = 0.064/0.126/0.188/0.062 ms, pipe 2
1: v0: <UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
    link/ether 5a:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
10.0.0.1 lladdr 6a:00:00:00:00:01 used 0/60/0probes 0 STALE
10.0.0.2 lladdr 5a:00:00:00:00:01 STALE
       valid_lft 3599sec preferred_lft forever
{"qdisc":"noqueue","txqlen":1000,"valid_life_time":3599,"preferred_life_time":4294967295,"used": 5}
from 10.0.0.1:40000 "x"
from 10.0.0.1:4000 "x"
`)
	same(t, got, `64 bytes from 10.0.0.9: icmp_seq=1 ttl=64 time=T ms
2 packets transmitted, 2 received, 0% packet loss, time T
rtt min/avg/max/mdev = T ms
1: v0: <UP> mtu 1500 state UP group default
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
    link/ether MAC1 brd ff:ff:ff:ff:ff:ff
10.0.0.1 lladdr MAC2 used Tprobes 0 STALE
10.0.0.2 lladdr MAC1 STALE
       valid_lft 3600sec preferred_lft forever
{"qdisc":"","txqlen":0,"valid_life_time":3600,"preferred_life_time":4294967295,"used": 0}
from 10.0.0.1:EPHEMERAL "x"
from 10.0.0.1:4000 "x"
`)
	if again := Normalise(lab, got); again != got {
		t.Error("normalising twice is not normalising once")
	}
}

func ExampleInterp() {
	m := &toy{} // the model, in earnest
	New(m).RunLab("hello.lab", `
ip netns add red           # a comment
ip netns add red
ip netns
ip -n red addr add 10.0.0.1/99 dev lo
`, func(r Result) {
		fmt.Print(r)
		fmt.Print(r.Complaint())
	})
	// Output:
	// $ ip netns add red
	// $ ip netns add red
	// Cannot create namespace file "/run/netns/red": File exists
	// [exit 1]
	// hello.lab:3: Cannot create namespace file "/run/netns/red": File exists
	// $ ip netns
	// red
	// $ ip -n red addr add 10.0.0.1/99 dev lo
	// Error: any valid prefix is expected rather than "10.0.0.1/99".
	// [exit 1]
	// hello.lab:5: Error: any valid prefix is expected rather than "10.0.0.1/99".
}
