package ipv4

import (
	"syscall"

	"nsmodel/core/wire"
)

// Errno returns the errno by which a socket hears of an error, and whether it is
// hard: of a soft one those only are told who asked for errors. It is 0 for what
// is no error to a socket. What was too large is hard to who discovers path MTUs.
// Linux: icmp_err_convert and its users, RFC 1122 section 4.1.3.3.
func (e ICMPError) Errno(discovers bool) (errno syscall.Errno, hard bool) {
	switch e.Type {
	case wire.ICMPTimeExceeded:
		return syscall.EHOSTUNREACH, false
	case wire.ICMPParamProblem:
		return syscall.EPROTO, true
	case wire.ICMPSourceQuench, wire.ICMPRedirect:
		return 0, false
	case wire.ICMPDestUnreach:
		if e.Code == wire.ICMPFragNeeded {
			return syscall.EMSGSIZE, discovers
		}
		if int(e.Code) < len(unreach) {
			return unreach[e.Code].errno, unreach[e.Code].hard
		}
	}
	return syscall.EHOSTUNREACH, false
}

// unreach are the errnos of destination unreachable, by code.
var unreach = [...]struct {
	errno syscall.Errno
	hard  bool
}{
	{syscall.ENETUNREACH, false}, {syscall.EHOSTUNREACH, false}, {syscall.ENOPROTOOPT, true}, {syscall.ECONNREFUSED, true},
	{syscall.EMSGSIZE, false}, {syscall.EOPNOTSUPP, false}, {syscall.ENETUNREACH, true}, {syscall.EHOSTDOWN, true},
	{syscall.ENONET, true}, {syscall.ENETUNREACH, true}, {syscall.EHOSTUNREACH, true}, {syscall.ENETUNREACH, false},
	{syscall.EHOSTUNREACH, false}, {syscall.EHOSTUNREACH, true}, {syscall.EHOSTUNREACH, true}, {syscall.EHOSTUNREACH, true},
}
