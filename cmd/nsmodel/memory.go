package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/internal/linux"
	"nsmodel/lab"
	"nsmodel/transport/udp"
)

// A memoryWorld is the demo's other side where no raw socket is to be had: a
// second machine of the model, joined to the first by wires in memory.
type memoryWorld struct {
	far *shell
}

// newMemoryWorld makes it.
func newMemoryWorld() (world, error) {
	far, err := newShell(nsmodel.Config{Seed: 2})
	if err != nil {
		return nil, err
	}
	return &memoryWorld{far}, nil
}

// nic joins a wire of the near machine, in net, to one of the far machine.
func (k *memoryWorld) nic(h *shell, side, net, name string) error {
	fmt.Printf("   (a wire in memory joins %s to %s in Net %s)\n", side, name, net)
	if _, err := k.far.m.AddNet(side); err != nil {
		return err
	}
	var near, far *link.Wire
	// What one machine sends is injected into the other as from its interrupt.
	to := func(m *nsmodel.Machine, w **link.Wire) link.Sink {
		return func(_ *core.Worker, frame []byte) {
			c := m.Core.Enter()
			(*w).Inject(c, frame)
			c.Leave()
		}
	}
	make := func(s *shell, net, name string, sink link.Sink) (w *link.Wire, err error) {
		n, err := s.m.Net(net)
		if err != nil {
			return nil, err
		}
		defer n.Put()
		s.m.Sys.Lock()
		defer s.m.Sys.Unlock()
		return s.m.Links.NewWire(n, core.LinkSpec{Name: name}, sink)
	}
	var err1, err2 error
	near, err1 = make(h, net, name, to(k.far.m, &far))
	far, err2 = make(k.far, side, "host0", to(h.m, &near))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, line := range []string{"ip -n %s addr add " + demoHost + "/24 dev host0", "ip -n %s link set host0 up"} {
		if r, err := k.far.do(fmt.Sprintf(line, side)); err != nil || r.Exit != 0 {
			return fmt.Errorf("%s: %s %w", side, r.Stderr, err)
		}
	}
	return nil
}

func (k *memoryWorld) ping(side string, a netip.Addr, wait time.Duration) (time.Duration, error) {
	rtt, err := time.Duration(0), os.ErrDeadlineExceeded
	_, perr := k.far.host.Ping(side, &lab.Ping{Dst: a, Count: 1, Interval: wait, Timeout: wait, Size: 56}, func(e lab.PingEvent) {
		if e.Kind == lab.PingReply {
			rtt, err = e.RTT, nil
		}
	})
	return rtt, errors.Join(perr, err)
}

func (k *memoryWorld) ask(side string, a netip.AddrPort, text string, wait time.Duration) (string, error) {
	n, err := k.far.m.Net(side)
	if err != nil {
		return "", err
	}
	defer n.Put()
	c, err := k.far.m.UDP.Dial(n, netip.AddrPort{}, a, udp.Options{})
	if err != nil {
		return "", err
	}
	defer c.Close()
	return linux.Exchange(c, text, wait)
}

func (k *memoryWorld) picture() string {
	return `
  a second nsmodel, Net east                   nsmodel, Net red
    host0 10.0.0.1/24 ====[ wire ]==== eth0 10.0.0.2/24
  a second nsmodel, Net west                   nsmodel, Net blue
    host0 10.0.0.1/24 ====[ wire ]==== eth0 10.0.0.2/24
`
}

func (k *memoryWorld) close() { k.far.close() }
