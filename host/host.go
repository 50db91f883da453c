// Package host is a machine's user space as far as labs need one: it carries
// out a lab's commands on a [nsmodel.Machine], whether its time is virtual or
// the wall clock's, and keeps the services and captures that the commands start.
//
//tagvet:outdoors it is where a machine meets files, clocks and users
package host

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"nsmodel"
	"nsmodel/core/netlink"
	"nsmodel/lab"
	"nsmodel/netns"
)

// A Host carries out commands on one machine. It implements [lab.Machine].
type Host struct {
	// M is the machine.
	M *nsmodel.Machine
	// Create makes a capture's file; nil is [os.Create].
	Create func(name string) (io.WriteCloser, error)
	// Live says that a live runner drives the machine: time passes by itself,
	// and waiting is sleeping.
	Live bool
	// Pick is the scheduler of a machine with virtual time: which of k workers
	// takes the next packet. Nil lets them take turns.
	Pick func(k int) int

	mu       sync.Mutex
	services map[serviceKey]*service
	captures map[captureKey]*capture
	adverts  adverts
}

// New returns the user space of m.
func New(m *nsmodel.Machine) *Host {
	h := &Host{M: m, services: map[serviceKey]*service{}, captures: map[captureKey]*capture{}}
	h.answerSolicits()
	return h
}

// Close ends the services and captures; the machine stays as it is.
func (h *Host) Close() error {
	h.mu.Lock()
	services, captures := h.services, h.captures
	h.services, h.captures = map[serviceKey]*service{}, map[captureKey]*capture{}
	h.mu.Unlock()
	var errs []error
	for _, s := range services {
		s.conn.Close()
	}
	for _, c := range captures {
		errs = append(errs, c.stop(h.M))
	}
	return errors.Join(errs...)
}

// net returns the Net of that name; the caller Puts it.
func (h *Host) net(name string) (*netns.Net, error) {
	n, err := h.M.Net(name)
	if err != nil {
		return nil, fmt.Errorf("namespace %q: %w", name, err)
	}
	return n, nil
}

// Netns implements [lab.Machine].
func (h *Host) Netns(op lab.NetnsOp, name string) ([]string, error) {
	switch op {
	case lab.NetnsAdd:
		_, err := h.M.AddNet(name)
		return nil, err
	case lab.NetnsDelete:
		err := h.M.DeleteNet(name)
		h.settle()
		h.Forget()
		return nil, err
	case lab.NetnsCheck:
		n, err := h.net(name)
		if err == nil {
			n.Put()
		}
		return nil, err
	}
	var names []string
	for n := range h.M.Sys.Nets() {
		if n.Named() {
			names = append(names, n.Name())
		}
	}
	slices.Reverse(names)
	return names, nil
}

// Netlink implements [lab.Machine].
func (h *Host) Netlink(net string, req *netlink.Request) ([]netlink.Message, error) {
	n, err := h.net(net)
	if err != nil {
		return nil, err
	}
	defer n.Put()
	h.M.Sys.Lock()
	msgs, err := h.M.Netlink.Do(n, req)
	h.M.Sys.Unlock()
	h.settle()
	return msgs, err
}

// Sysctl implements [lab.Machine].
func (h *Host) Sysctl(net, key string, value *string) ([]lab.Sysctl, error) {
	n, err := h.net(net)
	if err != nil {
		return nil, err
	}
	defer n.Put()
	if value != nil {
		h.M.Sys.Lock()
		err := h.M.Sysctl.Set(n, key, *value)
		h.M.Sys.Unlock()
		h.settle()
		return nil, err
	}
	if key != "" {
		if v, err := h.M.Sysctl.Get(n, key); err == nil {
			return []lab.Sysctl{{Key: key, Value: v}}, nil
		} else if !errors.Is(err, syscall.ENOENT) {
			return nil, err
		}
	}
	var all []lab.Sysctl
	for _, v := range h.M.Sysctl.All(n) {
		if key == "" || len(v.Name) > len(key) && v.Name[:len(key)] == key && v.Name[len(key)] == '.' {
			all = append(all, lab.Sysctl{Key: v.Name, Value: v.Value})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("sysctl %s: %w", key, syscall.ENOENT)
	}
	return all, nil
}

// settle lets a machine with virtual time do what is to be done now, services
// included.
func (h *Host) settle() {
	if h.Live {
		return
	}
	for {
		h.M.SettleOrder(h.Pick)
		if !h.serve() {
			return
		}
	}
}

// advance lets virtual time pass, timer by timer.
func (h *Host) advance(d time.Duration) {
	h.until(func() bool { return false }, d)
}

// until waits for cond, at most for d, and reports whether it came true.
func (h *Host) until(cond func() bool, d time.Duration) bool {
	if h.Live {
		for end := h.M.Sys.Now() + d; ; time.Sleep(200 * time.Microsecond) {
			if cond() {
				return true
			}
			if h.M.Sys.Now() >= end {
				return false
			}
		}
	}
	end := h.M.Sys.Now() + d
	for {
		h.settle()
		if cond() {
			return true
		}
		at, ok := h.M.Sys.NextTimer()
		if !ok || at > end {
			break
		}
		h.M.Sys.Expire(max(at, h.M.Sys.Now()), 1)
	}
	h.M.AdvanceTo(end, h.Pick)
	h.settle()
	return cond()
}

// create opens a capture's file.
func (h *Host) create(name string) (io.WriteCloser, error) {
	if h.Create != nil {
		return h.Create(name)
	}
	return os.Create(name)
}

// wildcard completes an address of which only the port was given.
func wildcard(a netip.AddrPort) netip.AddrPort {
	if !a.Addr().IsValid() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port())
	}
	return a
}

// sortKeys puts services into one order.
func sortKeys(keys []serviceKey) {
	slices.SortFunc(keys, func(a, b serviceKey) int {
		if a.net != b.net {
			if a.net < b.net {
				return -1
			}
			return 1
		}
		if c := a.addr.Compare(b.addr); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
}

// Forget drops what commands left behind in Nets that are gone.
func (h *Host) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, s := range h.services {
		if s.conn.Closed() {
			delete(h.services, k)
		}
	}
	for k := range h.captures {
		if n, err := h.M.Sys.ByID(k.net); err == nil {
			n.Put()
			continue
		}
		c := h.captures[k]
		delete(h.captures, k)
		_ = c.stop(h.M) // the device is gone; what was captured is written
	}
}
