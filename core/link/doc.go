// Package link has the kinds of device that a machine can have: the loopback
// device of every Net, veth pairs, bridges, passthrough devices, in-memory wires,
// and the driver that puts a kernel interface under a model device.
//
// [Register] makes them known to a [core.Stack]. A device of a kind is made by
// [core.Kind.New], as `ip link add type` asks for it, under rtnl.
//
// Not modelled: STP, VLAN filtering, IGMP snooping, hairpin and isolation of
// bridge ports; macvlan's modes other than bridge; veth's XDP and queues; cutting
// of GSO packets in software, which is left to the kernel under a NIC; the RDMA
// door.
//
// Linux: drivers/net/loopback.c, drivers/net/veth.c, net/bridge,
// drivers/net/macvlan.c (bridge mode) for passthrough.
package link
