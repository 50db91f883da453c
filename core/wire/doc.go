// Package wire gives names to the octets of a packet: header views on []byte
// for Ethernet, IEEE 802.1Q, ARP, IPv4, ICMP and UDP, and the Internet checksum.
//
// A view is the packet's own octets under a named type. Parse makes one after
// checking it, Put makes one by writing a header, and both answer ok=false
// where the octets do not fit. What a view's methods read lies within the
// octets that were checked, so they cannot go out of range; methods that
// follow a length found in the packet bound it again, so that even a packet
// overwritten after its check makes nonsense and not a panic. A view converted
// by hand from an unchecked slice has no such promise.
//
// Nothing here allocates, except what returns a string, an error or text.
// Nothing here keeps state, and nothing is safe for two writers at once.
// Addresses come in two forms, netip.Addr (Src) and the bare four octets
// (Src4): the first for tables, the second for arithmetic.
//
// The package has more exported names than the house aims at. Most of them are
// protocol numbers, and they are kept together so that a number is looked for
// in one place.
package wire

import "encoding/binary"

func get16(b []byte) uint16    { return binary.BigEndian.Uint16(b) }
func get32(b []byte) uint32    { return binary.BigEndian.Uint32(b) }
func put16(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v) }
func put32(b []byte, v uint32) { binary.BigEndian.PutUint32(b, v) }
