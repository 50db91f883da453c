package ipv6

import (
	"syscall"

	"nsmodel/core/wire"
)

// Errno returns the errno by which a socket hears of an error, and whether it is
// hard: of a soft one those only are told who asked for errors.
// Linux: icmpv6_err_convert.
func (e ICMPError) Errno() (errno syscall.Errno, hard bool) {
	switch e.Type {
	case wire.ICMP6DestUnreach:
		unreach := [...]struct {
			errno syscall.Errno
			hard  bool
		}{{syscall.ENETUNREACH, false}, {syscall.EACCES, true}, {syscall.EHOSTUNREACH, false}, {syscall.EHOSTUNREACH, false},
			{syscall.ECONNREFUSED, true}, {syscall.EACCES, true}, {syscall.EACCES, true}}
		if int(e.Code) < len(unreach) {
			return unreach[e.Code].errno, unreach[e.Code].hard
		}
		return syscall.EPROTO, false
	case wire.ICMP6PacketTooBig:
		return syscall.EMSGSIZE, false
	case wire.ICMP6ParamProblem:
		return syscall.EPROTO, true
	case wire.ICMP6TimeExceeded:
		return syscall.EHOSTUNREACH, false
	}
	return syscall.EPROTO, false
}
