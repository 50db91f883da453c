package link

import (
	"errors"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
)

// Maintain looks after the kernel interfaces of s's devices: one that went down or
// away takes its device's carrier along, one that is back is opened again, and a
// new address or MTU is taken over. The run loop calls it every now and then,
// under rtnl. Linux: the link interrupt of a NIC, and netif_carrier_on and off.
func Maintain(s *core.Stack) {
	l := Of(s)
	for _, x := range l.nics {
		x.maintain()
	}
	for _, x := range l.taps {
		x.maintain()
	}
}

func (x *nic) maintain() {
	if !x.open {
		return
	}
	list := x.queues.Load()
	if list == nil {
		x.attach() // it may be back; if not, the next turn asks again
		return
	}
	gone := false
	for _, q := range *list {
		q.account()
		gone = gone || q.sock.Cut()
	}
	facts, err := (*list)[0].sock.Facts()
	if gone || err != nil {
		x.detach()
		x.dev.Stack().SetCarrier(x.dev, false)
		return
	}
	x.adopt(facts)
}

// adopt takes over what the interface is: carrier, and address and MTU where the
// device had the interface's before.
func (x *nic) adopt(now afpacket.Facts) {
	s, d, old := x.dev.Stack(), x.dev, x.facts
	x.facts = now
	if a := macOf(now); a != macOf(old) && d.Addr() == macOf(old) && a.IsValid() {
		s.AdjustAddr(d, a)
	}
	if now.MTU != old.MTU && now.MTU >= core.MinMTU && (d.MTU() == old.MTU || d.MTU() > now.MTU) {
		s.AdjustMTU(d, now.MTU)
	}
	s.SetCarrier(d, now.Up && now.Carrier)
}

// account adds the kernel's drops to the device's counters; under rtnl.
func (q *nicQueue) account() {
	st, err := q.sock.Stats()
	if err != nil {
		return
	}
	q.nic.dev.CountRxMissed(st.Dropped - q.told)
	q.told = st.Dropped
}

// errnoOf returns the errno in err.
func errnoOf(err error) (syscall.Errno, bool) {
	var e syscall.Errno
	ok := errors.As(err, &e)
	return e, ok
}
