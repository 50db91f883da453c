// Package netns is the ground floor of nsmodel: network namespaces, where their
// state lives, and how they come and go.
//
// A [System] is one machine. It has one initial [Net] and any number of others.
// A subsystem registers once for the whole System, with [Register], [NewTable]
// or [NewCell], and gets a handle through which it reaches the state it keeps
// for a given Net. Whether that state is one shared home in which every entry
// carries its Net's tag, or a home for each Net, is its [Placement]: one word
// where the subsystem registers, and nothing anywhere else.
//
// # Locks
//
// Configuration holds the System's own lock ([System.Lock], Linux's RTNL); the
// methods that need it say "rtnl". Lookups take no lock: what they can reach is
// never changed in place, only replaced (Linux: RCU). Below RTNL come, in this
// order, a table home's lock and a Net's lock; both are leaves to every other
// package, for no function given by a caller runs under them except Ops.Make.
//
// # Death
//
// A Net is counted twice. The alive count says whether it can be found; the
// memory count says how long its struct may be looked at. When the alive count
// falls to zero the Net is dying: no lookup returns it any more. [System.Reap]
// then takes all dying Nets down as one batch: pre-exit, timers, one grace
// period for all of them, exit, and the last of their entries.
//
// # Time and chance
//
// The package reads no clock and starts no goroutine. [System.Expire] tells the
// time and fires [Timer]s in the order (time, number). [Net.Uint64] draws from a
// stream that is the Net's own, so what one Net draws never shifts another's.
//
// Linux: net/core/net_namespace.c, include/net/net_namespace.h,
// include/net/netns/generic.h.
package netns
