// Package netlink is the model's rtnetlink: typed messages go in, typed
// messages and notifications come out, one set of groups per [netns.Net].
//
// Nothing here has a binary form. A message is a Go struct whose fields carry
// Linux's numbers, named by the constants of golang.org/x/sys/unix
// (unix.RTN_LOCAL, unix.NUD_STALE, unix.IFF_UP, ...), so that a printer can
// say what iproute2 says. Where a kernel message may leave an attribute out
// and zero is a value of its own, the struct has a field Has that tells which
// ones are there; elsewhere the zero value means "not given".
//
// A subsystem registers a [Handler] for each operation it understands while
// the machine is wired. A request finds it by operation, kind and family; if
// there is none, or if the gate on its row keeps the Net out, the answer is
// EOPNOTSUPP, as rtnetlink_rcv_msg gives it.
package netlink
