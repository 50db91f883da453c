package netlink

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Op says what is to be done, or what has been done.
type Op uint8

// The operations. Linux: RTM_NEW*, RTM_DEL*, RTM_GET*.
const (
	New Op = iota // add, or change; in a notification: there is now
	Del           // remove; in a notification: there was
	Get           // one, or with Dump all
	opEnd
)

// String returns NEW, DEL or GET.
func (o Op) String() string {
	if o < opEnd {
		return [...]string{"NEW", "DEL", "GET"}[o]
	}
	return fmt.Sprintf("OP%d", uint8(o))
}

// Flags modify a request. Linux: NLM_F_*.
type Flags uint8

// Request flags. A New without Create changes what is there (ip link set).
//
//	ip route add       Create|Excl
//	ip route append    Create|Append
//	ip route prepend   Create
//	ip route replace   Create|Replace
//	ip route change    Replace
const (
	Create  Flags = 1 << iota // NLM_F_CREATE: make it if it is not there
	Excl                      // NLM_F_EXCL: EEXIST if it is there
	Replace                   // NLM_F_REPLACE
	Append                    // NLM_F_APPEND: after its equals
	Dump                      // NLM_F_DUMP: all of them, the message is a filter
)

// String returns the flags as CREATE|EXCL.
func (f Flags) String() string {
	var s []string
	for i, name := range [...]string{"CREATE", "EXCL", "REPLACE", "APPEND", "DUMP"} {
		if f&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	return strings.Join(s, "|")
}

// A Request is what a user asks of one Net.
type Request struct {
	Op    Op
	Flags Flags
	Msg   Message // its kind and family choose the handler
}

// String returns the request's name, as RTM_NEWROUTE CREATE|EXCL.
func (r *Request) String() string {
	s := "RTM_" + r.Op.String()
	if r.Msg != nil {
		s += r.Msg.Kind().String()
	}
	if f := r.Flags.String(); f != "" {
		s += " " + f
	}
	return s
}

// An Error is an errno with the sentence Linux sends along with it (extended
// ack). Without the sentence a plain errno, or one wrapped with %w, will do.
type Error struct {
	Errno syscall.Errno
	Msg   string // as in "Error: Nexthop has invalid gateway."; without the dot
}

// Extack returns an Error with a formatted sentence. Linux: NL_SET_ERR_MSG.
func Extack(errno syscall.Errno, format string, a ...any) *Error {
	return &Error{errno, fmt.Sprintf(format, a...)}
}

// Error returns the sentence and the errno's text.
func (e *Error) Error() string { return e.Msg + ": " + e.Errno.Error() }

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Split returns err's errno (EINVAL if there is none in it) and the extended
// ack's sentence, "" if there is none.
func Split(err error) (syscall.Errno, string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Errno, e.Msg
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno, ""
	}
	return syscall.EINVAL, ""
}
