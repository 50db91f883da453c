package lab

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// TestDetails covers what -d shows of the model's own kinds.
func TestDetails(t *testing.T) {
	m := &toy{nets: map[string]*toyNet{"": {msgs: []netlink.Message{
		&netlink.Link{Index: 3, Name: "br0", Type: unix.ARPHRD_ETHER, Info: "bridge", MinMTU: 68, MaxMTU: 65535, TxQueues: 1, RxQueues: 1,
			Has: netlink.LinkMTU, MTU: 1500, BridgeInfo: &netlink.Bridge{Has: netlink.BridgeAgeingTime | netlink.BridgeVLANFiltering, AgeingTime: time.Minute, VLANFiltering: true}},
		&netlink.Link{Index: 4, Name: "p0", Type: unix.ARPHRD_NONE, Info: "passthrough", PortInfo: "bridge", Has: netlink.LinkLink | netlink.LinkBroadcast, Flags: unix.IFF_POINTOPOINT | 1<<28},
	}}}}
	same(t, session(t, m, "ip -d link\nip -d -j link show p0\n"), "$ ip -d link\n"+
		"3: br0: <> mtu 1500 mode DEFAULT \n    link/ether  promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535 \n    bridge ageing_time 6000 vlan_filtering 1 numtxqueues 1 numrxqueues 1 \n"+
		"4: p0@NONE: <POINTOPOINT,10000000> mode DEFAULT \n    link/none  peer 00:00:00:00:00:00 promiscuity 0  allmulti 0 minmtu 0 maxmtu 0 \n    passthrough \n    bridge_slave numtxqueues 0 numrxqueues 0 \n"+
		"$ ip -d -j link show p0\n"+
		`[{"ifindex":4,"link":null,"ifname":"p0","flags":["POINTOPOINT","10000000"],"linkmode":"DEFAULT","link_type":"none","link_pointtopoint":true,"broadcast":"00:00:00:00:00:00","promiscuity":0,"allmulti":0,"min_mtu":0,"max_mtu":0,"linkinfo":{"info_kind":"passthrough","info_slave_kind":"bridge"},"num_tx_queues":0,"num_rx_queues":0}]`+"\n")
}
