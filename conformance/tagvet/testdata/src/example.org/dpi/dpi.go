// Package dpi is a stranger's subsystem, built on a fork.
package dpi

import (
	"time"

	"github.com/someone/nsmodel/netns"
)

type engine struct {
	sys   *netns.System
	flows map[string]int
}

func (e *engine) see(n *netns.Net, flow string) (string, time.Time) {
	e.flows[flow]++             // want `engine.flows is one per System`
	name := e.sys.Init().Name() // want `is the initial Net`
	return name, time.Now()     // want `time.Now`
}
