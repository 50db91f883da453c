package link

import (
	"slices"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// SetGroups asks the kernel's interface for the frames of the groups that the
// device listens to, on its first socket. The sockets hear all that reaches the
// interface; this is for what stands before it, and for who reads `ip maddr`. An
// interface that is away cannot be asked: Linux, too, has no place for an error.
// Linux: ndo_set_rx_mode.
func (x *nic) SetGroups(*core.Device, []core.HardwareGroup, bool) { x.askGroups() }

// askGroups asks for what the device listens to now.
func (x *nic) askGroups() {
	x.groupMu.Lock()
	defer x.groupMu.Unlock()
	queues := x.queues.Load()
	if queues == nil || len(*queues) == 0 {
		return
	}
	first := (*queues)[0]
	if x.asker != first { // the interface was away, and the old socket took its wishes along
		x.asker, x.asked, x.askedAll = first, nil, false
	}
	all := x.dev.AllMulti() > 0 || x.dev.Flags()&core.FlagPromisc != 0
	var want []wire.MAC
	for _, g := range x.dev.Groups() {
		if g.Addr.IsMulticast() {
			want = append(want, g.Addr)
		}
	}
	for _, a := range x.asked {
		if !slices.Contains(want, a) {
			_ = first.sock.SetGroup(a, false)
		}
	}
	for _, a := range want {
		if !slices.Contains(x.asked, a) {
			_ = first.sock.SetGroup(a, true)
		}
	}
	if all != x.askedAll {
		_ = first.sock.SetAllGroups(all)
	}
	x.asked, x.askedAll = want, all
}
