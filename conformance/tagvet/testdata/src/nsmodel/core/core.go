// Package core stands for the real one.
package core

import "nsmodel/netns"

// Stack is the networking of a machine.
type Stack struct {
	Sys     *netns.System
	devices *netns.Table[string, *Device]
}

// Device finds a device by name.
func (s *Stack) Device(n *netns.Net, name string) *Device { return nil }

// DeviceByIndex finds a device by index.
func (s *Stack) DeviceByIndex(n *netns.Net, index int) *Device { return nil }

// Device is an interface.
type Device struct{ net *netns.Net }

// Net returns the device's Net.
func (d *Device) Net() *netns.Net { return d.net }

// Name returns the name.
func (d *Device) Name() string { return "" }

// Index returns the index.
func (d *Device) Index() int { return 0 }

// Packet is a packet.
type Packet struct {
	net     *netns.Net
	Dev     *Device
	InIndex int
}

// Net returns the packet's Net.
func (p *Packet) Net() *netns.Net { return p.net }

// Worker moves packets.
type Worker struct{ Stack *Stack }
