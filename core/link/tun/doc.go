// Package tun opens a tap of the real kernel (/dev/net/tun): an interface whose wire
// ends in this process, which reads what the kernel sends by it and writes what it
// receives. Linux: drivers/net/tun.c, Documentation/networking/tuntap.rst.
//
//tagvet:outdoors it talks to the kernel that the process runs on
package tun
