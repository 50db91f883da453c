package link

import (
	"nsmodel/core"
	"nsmodel/netns"
)

// Loopback's fixed facts, as Linux has them.
const (
	loopbackName  = "lo"
	loopbackIndex = 1     // LOOPBACK_IFINDEX
	loopbackMTU   = 65536 // 64 * 1024
	loopbackType  = 772   // ARPHRD_LOOPBACK
)

// loopback is the driver of every Net's device lo; it has no state.
// Linux: loopback_ops, drivers/net/loopback.c.
type loopback struct{}

// Xmit queues p at the device that sends it. Linux: loopback_xmit.
func (loopback) Xmit(w *core.Worker, d *core.Device, p *core.Packet) { d.Queue(w, p) }

// registerLoopback makes the device in every new Net: down, index 1, neither to
// be deleted nor moved. It goes with its Net, by core's own hand. Linux:
// loopback_net_ops.
func registerLoopback(s *core.Stack) {
	drv := loopback{}
	netns.Attend(s.Sys, "loopback", func(n *netns.Net) error {
		_, err := s.Register(n, core.DeviceSpec{
			Name: loopbackName, Index: loopbackIndex, Driver: drv, MTU: loopbackMTU, Hardware: loopbackType,
			Flags: core.FlagLoopback, TxQLen: 1000, Carrier: true, NetLocal: true,
		})
		return err
	}, nil, nil)
}
