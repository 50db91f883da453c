// Package link has the kinds of device that a machine can have: the loopback
// device of every Net, veth pairs, bridges, devices that stand on another (VLAN,
// macvlan, passthrough), in-memory wires, the driver that puts a kernel interface
// under a model device, and the one at the other end of a kernel tap.
//
// [Register] makes them known to a [core.Stack]. A device of a kind is made by
// [core.Kind.New], as `ip link add type` asks for it, under rtnl.
//
// Not modelled: STP, VLAN filtering, IGMP snooping, hairpin and isolation of
// bridge ports; VLAN devices' priority maps and flags other than REORDER_HDR;
// macvlan's mode source, its flags and its filter of groups; promiscuity that a
// device hands down because a user asked for it; veth's XDP and queues; cutting
// of GSO packets in software, which is left to the kernel under a NIC; the RDMA
// door.
//
// Linux: drivers/net/loopback.c, drivers/net/veth.c, net/bridge, net/8021q,
// drivers/net/macvlan.c, drivers/net/tun.c.
package link
