package lab

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

func parseText(text string) (*Command, error) {
	lines, err := Lex("t.lab", text)
	if err != nil {
		return nil, err
	}
	return Parse(lines[0])
}

const (
	add     = netlink.Create | netlink.Excl
	replace = netlink.Create | netlink.Replace
	app     = netlink.Create | netlink.Append
)

var (
	ip4    = netip.MustParseAddr
	net4   = netip.MustParsePrefix
	mac1   = netlink.MAC{2, 0, 0, 0, 0, 1}
	noDevs []Dev
)

// TestParseChange lists a command line, and the request it must become.
func TestParseChange(t *testing.T) {
	type c struct {
		text  string
		op    netlink.Op
		flags netlink.Flags
		msg   netlink.Message
		devs  []Dev
	}
	boot := func(r netlink.Route) *netlink.Route {
		r.Family, r.Proto = unix.AF_INET, unix.RTPROT_BOOT
		if r.Type == 0 {
			r.Type = unix.RTN_UNICAST
		}
		if r.Table == 0 {
			r.Table = unix.RT_TABLE_MAIN
		}
		return &r
	}
	for _, tc := range []c{
		// links
		{"ip link add v0 type veth peer name v1 netns red", netlink.New, add,
			&netlink.Link{Name: "v0", Info: "veth", Peer: &netlink.Link{Name: "v1", NewNet: "red", Has: netlink.LinkNewNet}}, noDevs},
		{"ip l a name v0 mtu 1400 address 2:0:0:0:0:1 netns blue type veth peer v1 mtu 1400 up", netlink.New, add,
			&netlink.Link{Name: "v0", Info: "veth", MTU: 1400, Addr: mac1, NewNet: "blue", Has: netlink.LinkMTU | netlink.LinkAddr | netlink.LinkNewNet,
				Peer: &netlink.Link{Name: "v1", MTU: 1400, Has: netlink.LinkMTU, Flags: unix.IFF_UP, Change: unix.IFF_UP}}, noDevs},
		{"ip link add type veth", netlink.New, add, &netlink.Link{Info: "veth"}, noDevs},
		{"ip link add br0 type bridge ageing_time 6000 stp_state 0", netlink.New, add, &netlink.Link{Name: "br0", Info: "bridge",
			BridgeInfo: &netlink.Bridge{Has: netlink.BridgeAgeingTime | netlink.BridgeSTPState, AgeingTime: time.Minute}}, noDevs},
		{"ip link add link eth0 name c0 netns child type passthrough", netlink.New, add, &netlink.Link{Name: "c0", Info: "passthrough", Parent: "eth0",
			NewNet: "child", Has: netlink.LinkLink | netlink.LinkNewNet}, []Dev{{Name: "eth0", To: DevUnder}}},
		{"ip link add eth0 type nic dev enp1s0", netlink.New, add, &netlink.Link{Name: "eth0", Info: "nic", Parent: "enp1s0"}, noDevs},
		{"ip link set v0 up", netlink.New, 0, &netlink.Link{Flags: unix.IFF_UP, Change: unix.IFF_UP}, []Dev{{Name: "v0"}}},
		{"ip link set dev v0 down name w0 txqueuelen 0", netlink.New, 0, &netlink.Link{Change: unix.IFF_UP, Name: "w0", Has: netlink.LinkTxQLen}, []Dev{{Name: "v0"}}},
		{"ip link set v0 netns red", netlink.New, 0, &netlink.Link{NewNet: "red", Has: netlink.LinkNewNet}, []Dev{{Name: "v0"}}},
		{"ip link set v0 master br0", netlink.New, 0, &netlink.Link{Has: netlink.LinkMaster}, []Dev{{Name: "br0", To: DevMaster}, {Name: "v0"}}},
		{"ip link set v0 nomaster promisc on arp off", netlink.New, 0, &netlink.Link{Has: netlink.LinkMaster,
			Flags: unix.IFF_PROMISC | unix.IFF_NOARP, Change: unix.IFF_PROMISC | unix.IFF_NOARP}, []Dev{{Name: "v0"}}},
		{"ip link del v0", netlink.Del, 0, &netlink.Link{}, []Dev{{Name: "v0"}}},

		// addresses
		{"ip addr add 10.0.0.1/24 dev v0", netlink.New, add, &netlink.Addr{Family: unix.AF_INET, Local: ip4("10.0.0.1"), Prefix: 24}, []Dev{{Name: "v0"}}},
		{"ip a a 10.0.0.1/24 brd + dev v0 label v0:1", netlink.New, add, &netlink.Addr{Family: unix.AF_INET, Local: ip4("10.0.0.1"), Prefix: 24,
			Broadcast: ip4("10.0.0.255"), Label: "v0:1"}, []Dev{{Name: "v0"}}},
		{"ip addr add 127.0.0.2/8 dev lo", netlink.New, add, &netlink.Addr{Family: unix.AF_INET, Local: ip4("127.0.0.2"), Prefix: 8, Scope: unix.RT_SCOPE_HOST}, []Dev{{Name: "lo"}}},
		{"ip addr add 10.1.0.1 peer 10.1.0.2/31 dev v0 scope link", netlink.New, add, &netlink.Addr{Family: unix.AF_INET, Local: ip4("10.1.0.1"),
			Peer: ip4("10.1.0.2"), Prefix: 31, Scope: unix.RT_SCOPE_LINK}, []Dev{{Name: "v0"}}},
		{"ip addr replace 10.0.0.1/24 dev v0 valid_lft 60 preferred_lft 30", netlink.New, replace, &netlink.Addr{Family: unix.AF_INET, Local: ip4("10.0.0.1"), Prefix: 24,
			Has: netlink.AddrCacheInfo, Valid: time.Minute, Preferred: 30 * time.Second}, []Dev{{Name: "v0"}}},
		{"ip addr del 10.0.0.1/24 dev v0", netlink.Del, 0, &netlink.Addr{Family: unix.AF_INET, Local: ip4("10.0.0.1"), Prefix: 24}, []Dev{{Name: "v0"}}},
		{"ip addr add fd00::1/64 dev v0", netlink.New, add, &netlink.Addr{Family: unix.AF_INET6, Local: ip4("fd00::1"), Prefix: 64}, []Dev{{Name: "v0"}}},

		// routes
		{"ip route add default via 10.0.0.9", netlink.New, add, boot(netlink.Route{Gateway: ip4("10.0.0.9")}), noDevs},
		{"ip r a 10/8 dev v0", netlink.New, add, boot(netlink.Route{Dst: net4("10.0.0.0/8"), Scope: unix.RT_SCOPE_LINK}), []Dev{{Name: "v0"}}},
		{"ip ro add 10.0.0.0/8 via 10.0.0.9 dev v0 onlink metric 5 src 10.0.0.1 proto static table 100 mtu lock 1400", netlink.New, add, &netlink.Route{
			Family: unix.AF_INET, Dst: net4("10.0.0.0/8"), Gateway: ip4("10.0.0.9"), Flags: unix.RTNH_F_ONLINK, Priority: 5, PrefSrc: ip4("10.0.0.1"),
			Proto: unix.RTPROT_STATIC, Table: 100, Type: unix.RTN_UNICAST, MTU: 1400, Locked: 1 << unix.RTAX_MTU}, []Dev{{Name: "v0"}}},
		{"ip route replace blackhole 10.0.0.0/8", netlink.New, replace, boot(netlink.Route{Dst: net4("10.0.0.0/8"), Type: unix.RTN_BLACKHOLE}), noDevs},
		{"ip route append local 10.0.0.7 dev lo", netlink.New, app, boot(netlink.Route{Dst: net4("10.0.0.7/32"), Type: unix.RTN_LOCAL,
			Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST}), []Dev{{Name: "lo"}}},
		{"ip route prepend 10.0.0.0/8 dev v0", netlink.New, netlink.Create, boot(netlink.Route{Dst: net4("10.0.0.0/8"), Scope: unix.RT_SCOPE_LINK}), []Dev{{Name: "v0"}}},
		{"ip route change 10.0.0.0/8 dev v0 scope host", netlink.New, netlink.Replace, boot(netlink.Route{Dst: net4("10.0.0.0/8"), Scope: unix.RT_SCOPE_HOST}), []Dev{{Name: "v0"}}},
		{"ip route add 10.0.0.0/8 nexthop via 10.0.0.9 weight 3 nexthop dev v1 onlink", netlink.New, add, boot(netlink.Route{Dst: net4("10.0.0.0/8"),
			Multipath: []netlink.NextHop{{Gateway: ip4("10.0.0.9"), Weight: 3}, {Weight: 1, Flags: unix.RTNH_F_ONLINK}}}), []Dev{{"v1", DevHop, 1}}},
		{"ip route del 10.0.0.0/8", netlink.Del, 0, &netlink.Route{Family: unix.AF_INET, Dst: net4("10.0.0.0/8"), Table: unix.RT_TABLE_MAIN, Scope: unix.RT_SCOPE_NOWHERE}, noDevs},

		// rules
		{"ip rule add from 10.0.0.0/8 table 100 pref 7", netlink.New, add, &netlink.Rule{Family: unix.AF_INET, From: net4("10.0.0.0/8"), Table: 100, Priority: 7,
			Has: netlink.RulePriority | netlink.RuleTable, Action: unix.FR_ACT_TO_TBL}, noDevs},
		{"ip ru a not fwmark 0x10/0xff iif v0 oif v1 prohibit", netlink.New, add, &netlink.Rule{Family: unix.AF_INET, Flags: unix.FIB_RULE_INVERT, Mark: 16, MarkMask: 255,
			Has: netlink.RuleMark | netlink.RuleMask, IIF: "v0", OIF: "v1", Action: unix.FR_ACT_PROHIBIT}, noDevs},
		{"ip rule add ipproto udp sport 1-9 dport 53 tos 10 goto 99", netlink.New, add, &netlink.Rule{Family: unix.AF_INET, IPProto: 17, TOS: 0x10, SPort: netlink.PortRange{First: 1, Last: 9},
			DPort: netlink.PortRange{First: 53, Last: 53}, Action: unix.FR_ACT_GOTO, Goto: 99}, noDevs},
		{"ip rule add lookup main suppress_prefixlength 0", netlink.New, add, &netlink.Rule{Family: unix.AF_INET, Table: unix.RT_TABLE_MAIN, Action: unix.FR_ACT_TO_TBL,
			Has: netlink.RuleTable | netlink.RuleSuppressPrefix}, noDevs},
		{"ip rule del pref 7", netlink.Del, 0, &netlink.Rule{Family: unix.AF_INET, Priority: 7, Has: netlink.RulePriority}, noDevs},

		// neighbours and forwarding entries
		{"ip neigh add 10.0.0.7 lladdr 02:00:00:00:00:01 dev v0", netlink.New, add, &netlink.Neigh{Family: unix.AF_INET, Dst: ip4("10.0.0.7"), LLAddr: mac1,
			Has: netlink.NeighLLAddr, State: unix.NUD_PERMANENT}, []Dev{{Name: "v0"}}},
		{"ip n replace 10.0.0.7 lladdr 2:0:0:0:0:1 nud stale router dev v0", netlink.New, replace, &netlink.Neigh{Family: unix.AF_INET, Dst: ip4("10.0.0.7"), LLAddr: mac1,
			Has: netlink.NeighLLAddr, State: unix.NUD_STALE, Flags: unix.NTF_ROUTER}, []Dev{{Name: "v0"}}},
		{"ip neigh change 10.0.0.7 nud failed dev v0", netlink.New, netlink.Replace, &netlink.Neigh{Family: unix.AF_INET, Dst: ip4("10.0.0.7"), State: unix.NUD_FAILED}, []Dev{{Name: "v0"}}},
		{"ip neigh del proxy 10.0.0.7 dev v0", netlink.Del, 0, &netlink.Neigh{Family: unix.AF_INET, Dst: ip4("10.0.0.7"), State: unix.NUD_PERMANENT, Flags: unix.NTF_PROXY}, []Dev{{Name: "v0"}}},
		{"bridge fdb add 02:00:00:00:00:01 dev p0 master static vlan 7", netlink.New, add, &netlink.Neigh{Family: unix.AF_BRIDGE, LLAddr: mac1, Has: netlink.NeighLLAddr,
			Flags: unix.NTF_MASTER, State: unix.NUD_NOARP | unix.NUD_REACHABLE, VLAN: 7}, []Dev{{Name: "p0"}}},
		{"bridge fdb del 02:00:00:00:00:01 dev p0", netlink.Del, 0, &netlink.Neigh{Family: unix.AF_BRIDGE, LLAddr: mac1, Has: netlink.NeighLLAddr,
			Flags: unix.NTF_SELF, State: unix.NUD_PERMANENT}, []Dev{{Name: "p0"}}},
	} {
		t.Run(tc.text, func(t *testing.T) {
			c, err := parseText(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			want := &Change{Req: netlink.Request{Op: tc.op, Flags: tc.flags, Msg: tc.msg}, Devs: tc.devs}
			if !reflect.DeepEqual(c.Do, want) {
				got := c.Do.(*Change)
				t.Errorf("got  %v %+v %v\nwant %v %+v %v", got.Req.String(), got.Req.Msg, got.Devs, want.Req.String(), want.Req.Msg, want.Devs)
			}
		})
	}
}

// TestParseAction lists the command lines that are no single request.
func TestParseAction(t *testing.T) {
	udp := netip.MustParseAddrPort
	for _, tc := range []struct {
		text string
		net  string
		opts Options
		do   Action
	}{
		{"ip netns add red", "", Options{}, &Netns{Verb: "add", Name: "red"}},
		{"ip netns", "", Options{}, &Netns{Verb: "list"}},
		{"ip net del red", "", Options{}, &Netns{Verb: "delete", Name: "red"}},
		{"ip netns set red auto", "", Options{}, &Netns{Verb: "set", Name: "red", ID: netlink.NSIDNone}},
		{"ip -n red -j -p -s -s -d -o -br -4 link sh v0", "red", Options{Family: unix.AF_INET, JSON: true, Pretty: true, Stats: 2, Details: true, Oneline: true, Brief: true},
			&LinkShow{AddrFilter{Dev: "v0", Family: unix.AF_PACKET}}},
		{"ip netns exec red ip -j a s up", "red", Options{JSON: true}, &AddrShow{AddrFilter{Up: true}}},
		{"ip netns exec red ip netns exec blue ip a", "blue", Options{}, &AddrShow{}},
		{"ip -all netns exec ip a", "", Options{All: true}, &ExecAll{&Command{Tool: "ip", Do: &AddrShow{}}}},
		{"ip addr flush dev v0 scope global", "", Options{}, &AddrFlush{AddrFilter{Dev: "v0", Scoped: true}}},
		{"ip route get 10.0.0.1 from 10.0.0.2 mark 1", "", Options{}, &RouteGet{Req: netlink.Request{Op: netlink.Get,
			Msg: &netlink.Route{Family: unix.AF_INET, Dst: net4("10.0.0.1/32"), Src: net4("10.0.0.2/32"), Mark: 1, Flags: unix.RTM_F_LOOKUP_TABLE}}}},
		{"ip rule show", "", Options{}, &RuleShow{RuleFilter{Family: unix.AF_INET, Table: -1, Priority: -1}}},
		{"ip neigh show dev v0", "", Options{}, &NeighShow{NeighFilter{Dev: "v0", States: 0xff &^ unix.NUD_NOARP}}},
		{"ip neigh flush all", "", Options{}, &NeighFlush{NeighFilter{States: 0xff &^ (unix.NUD_PERMANENT | unix.NUD_NOARP)}}},
		{"ip -b - <<E\nlink\nE", "", Options{Batch: true}, &Batch{Input: "link\n"}},
		{"bridge -j fdb show br br0", "", Options{JSON: true}, &FDBShow{Bridge: "br0", State: -1}},
		{"bridge link", "", Options{}, &BridgeLink{}},
		{"sysctl -qw a.b=1 c.d=2", "", Options{}, &Sysctls{Quiet: true, Write: true, Args: []string{"a.b=1", "c.d=2"}}},
		{"ip netns exec red sysctl -n a.b", "red", Options{}, &Sysctls{ValuesOnly: true, Args: []string{"a.b"}}},
		{"ping -c1 -i 0.2 -W 2 -s 100 -t 3 -M do -q -b -I v0 -n 10.0.0.1", "", Options{}, &Ping{Host: "10.0.0.1", Dst: ip4("10.0.0.1"), Count: 1, Interval: 200 * time.Millisecond,
			Timeout: 2 * time.Second, Size: 100, TTL: 3, PMTU: "do", Quiet: true, Broadcast: true, Dev: "v0"}},
		{"ping -nqc 2 -w5 -I 10.0.0.2 10.0.0.1", "", Options{}, &Ping{Host: "10.0.0.1", Dst: ip4("10.0.0.1"), Count: 2, Interval: time.Second, Timeout: 10 * time.Second,
			Deadline: 5 * time.Second, Size: 56, Quiet: true, Source: ip4("10.0.0.2")}},
		{"probe udp echo 7", "", Options{}, &Probe{Verb: UDPEcho, Local: udp("0.0.0.0:7")}},
		{"probe udp listen 10.0.0.1:7", "", Options{}, &Probe{Verb: UDPListen, Local: udp("10.0.0.1:7")}},
		{"probe udp listen 7 reuse joined dev v0 as a", "", Options{},
			&Probe{Verb: UDPListen, Local: udp("0.0.0.0:7"), Reuse: true, OnlyJoined: true, Dev: "v0", Name: "a"}},
		{"probe udp join 7 239.1.1.1 source 10.0.0.1 dev v0", "", Options{},
			&Probe{Verb: UDPJoin, Local: udp("0.0.0.0:7"), Group: netip.MustParseAddr("239.1.1.1"), Source: netip.MustParseAddr("10.0.0.1"), Dev: "v0"}},
		{"probe udp leave 7 239.1.1.1 via 10.0.0.1 as a", "", Options{},
			&Probe{Verb: UDPLeave, Local: udp("0.0.0.0:7"), Group: netip.MustParseAddr("239.1.1.1"), Via: netip.MustParseAddr("10.0.0.1"), Name: "a"}},
		{"probe udp block 7 239.1.1.1 source 10.0.0.1", "", Options{},
			&Probe{Verb: UDPBlock, Local: udp("0.0.0.0:7"), Group: netip.MustParseAddr("239.1.1.1"), Source: netip.MustParseAddr("10.0.0.1")}},
		{"probe udp send 239.1.1.1:7 x dev v0 ttl 0 noloop nobroadcast", "", Options{},
			&Probe{Verb: UDPSend, Remote: udp("239.1.1.1:7"), Data: "x", Dev: "v0", HasTTL: true, NoLoop: true, NoBroadcast: true}},
		{"ip maddr add 01:00:5e:00:00:01 dev v0", "", Options{},
			&MaddrChange{Op: netlink.New, Dev: "v0", Addr: netlink.MAC{1, 0, 0x5e, 0, 0, 1}}},
		{"ip maddr show dev v0", "", Options{}, &MaddrShow{Dev: "v0"}},
		{"probe udp show [fd00::1]:7", "", Options{}, &Probe{Verb: UDPShow, Local: udp("[fd00::1]:7")}},
		{"probe udp send 10.0.0.1:7 'a b' from 4000 wait 1.5", "", Options{}, &Probe{Verb: UDPSend, Remote: udp("10.0.0.1:7"), Data: "a b", Local: udp("0.0.0.0:4000"), Wait: 1500 * time.Millisecond}},
		{"probe udp send 10.0.0.1:7 - <<E\nx\nE", "", Options{}, &Probe{Verb: UDPSend, Remote: udp("10.0.0.1:7"), Data: "x\n"}},
		{"probe raw send v0 ffffffffffff 02:00:00:00:00:01 0806", "", Options{}, &Probe{Verb: RawSend, Dev: "v0", Data: "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06"}},
		{"probe capture start v0 out.pcapng", "", Options{}, &Probe{Verb: CaptureStart, Dev: "v0", File: "out.pcapng"}},
		{"probe capture stop v0", "", Options{}, &Probe{Verb: CaptureStop, Dev: "v0"}},
		{"probe sleep 300ms", "", Options{}, &Probe{Verb: Sleep, Wait: 300 * time.Millisecond}},
		{"probe ledger", "", Options{}, &Probe{Verb: Ledger}},
	} {
		t.Run(tc.text, func(t *testing.T) {
			c, err := parseText(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if c.Net != tc.net || c.Opts != tc.opts || !reflect.DeepEqual(c.Do, tc.do) {
				t.Errorf("got  %q %+v %T %+v\nwant %q %+v %T %+v", c.Net, c.Opts, c.Do, c.Do, tc.net, tc.opts, tc.do, tc.do)
			}
		})
	}
}

// TestRefuse lists what is ours to refuse.
func TestRefuse(t *testing.T) {
	for _, text := range []string{
		"ip", "ip link help", "ip addr help", "ip route help", "ip rule help", "ip neigh help", "ip netns help", "ip help", "ip -h", "bridge", "bridge help",
		"ip tunnel show", "ip monitor", "ip -c link", "ip -b file", "ip netns pids red", "ip netns exec red sh", "ip rule add nat 1.2.3.4", "ip route get 1.1.1.1 vrf x",
		"bridge vlan", "sysctl", "sysctl -p", "sysctl -Z x", "ping 10.0.0.1", "ping -c1 a b", "ping -c1 host", "ping -Z x", "ping -c", "ping -c1 -i x 1.2.3.4",
		"probe", "probe foo", "probe udp", "probe udp foo 7", "probe udp echo 70000", "probe udp echo x:7", "probe udp echo fd00::1:7", "probe udp send 7 x",
		"probe udp send 1.2.3.4:7 x until 1s", "probe udp send 1.2.3.4:7 x wait -1s", "probe udp echo 7 8", "probe raw recv v0", "probe raw send v0 zz",
		"probe raw send v0 00", "probe capture", "probe capture start v0", "probe sleep 25h", "probe sleep x", "ip rule add sport 9-1", "ip rule add uidrange 5",
		"ip rule add fwmark 1/x", "ip addr add 10.0.0.1/24 dev v0 valid_lft 5", "ip link add x0 type nic", "ip link add x0 type nic foo", "ip link add x0 type bridge foo 1",
		"ip link add x0 type passthrough foo", "ip route add 10.0.0.0/8 tos zz", "ip neigh show unused", "ip -n lga", "bridge fdb flush",
	} {
		c, err := parseText(text)
		var u *UsageError
		if !errors.As(err, &u) || u.Exit == 0 || u.Error() == "" {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}

func TestLoad(t *testing.T) {
	for text, want := range map[string]string{
		"ip link\nfoo bar\n":                "t.lab:2: unknown command \"foo\"",
		"# all\n\nip link | cat":            "t.lab:3: '|' means nothing in a lab",
		"ip link 'x":                        "t.lab:1: ' is not closed",
		"ip link \"x":                       "t.lab:1: \" is not closed",
		"ip link \"$x\"":                    "t.lab:1: '$' means nothing in a lab",
		"ip link \\":                        "t.lab:1: a command is one line",
		"ip -b - <<E\nlink\n":               "t.lab:1: no line \"E\"",
		"ip -b - <<E <<F\nE\nF\n":           "t.lab:1: two here-documents",
		"ip -b - <<":                        "t.lab:1: << without a word",
		"<<E\nE\n":                          "t.lab:1: a here-document without a command",
		"ip link <<E\nE\n":                  "t.lab:1: \"ip\" takes no here-document",
		"ip -b - <<E\nlink\nE\nip \x01":     "t.lab:4: control character",
		"ip -b - <<E\na\nb\nE\nsysctl a; b": "t.lab:5: ';' means nothing",
	} {
		_, err := Load("t.lab", text)
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if lines, err := Load("t.lab", "ip link foo # a tool's own refusal is for later\n"); err != nil || len(lines) != 1 {
		t.Error(lines, err)
	}
}

func TestLex(t *testing.T) {
	lines, err := Lex("t.lab", "# c\n  ip 'a b'\\ c\"d\\\"e\\\\\" f#g '' # end\r\nx <<'E O'\none\n# two\nE O\ny\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Line{
		{"t.lab", 2, `ip 'a b'\ c"d\"e\\" f#g ''`, []string{"ip", `a b cd"e\`, "f#g", ""}, "", false},
		{"t.lab", 3, `x <<'E O'`, []string{"x"}, "one\n# two\n", true},
		{"t.lab", 7, "y", []string{"y"}, "", false},
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got  %+v\nwant %+v", lines, want)
	}
}
