// Package rtnl is the little of rtnetlink that a test or a demonstration needs
// to build a wire in private kernel namespaces: make a network namespace, make
// a veth pair, put its ends where they belong, give them addresses and routes.
// It exists so that this works on a machine without iproute2.
//
// Every operation is one request and one acknowledgement on a Conn; errors wrap
// the kernel's errno. Linux only: elsewhere the package is empty.
//
// Sources: man 7 rtnetlink, man 7 netlink, man 7 network_namespaces.
//
//tagvet:outdoors it talks to the kernel that the process runs on
package rtnl
