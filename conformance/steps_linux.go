//go:build linux

package conformance

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"nsmodel/lab"
)

// Steps runs commands on namespaces of the real kernel, in one of the
// sandboxes, and watches all wires. After a command of which the kernel tells
// its listeners, and after the last one, it asks for the Nets' states.
func (s *Sandboxes) Steps(lines []lab.Line) ([]Step, error) {
	v := s.run(job{Lines: lines, Watch: true})
	if v.Fault != "" {
		return nil, errors.New(v.Fault)
	}
	return v.Steps, nil
}

// runSteps runs a watched job's commands.
func (k *kernel) runSteps(lines []lab.Line) (steps []Step, err error) {
	k.watches = map[string]*kernelWatch{}
	if err := k.watch(); err != nil {
		return nil, err
	}
	for i, l := range lines {
		var step Step
		if step.Said, err = k.do(l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", l.File, l.Num, err)
		}
		if err := k.watch(); err != nil {
			return nil, err
		}
		if l.Words[0] == "ip" || l.Words[0] == "sysctl" { // which may bring devices and tunables
			if err := k.makePatient(); err != nil {
				return nil, err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(k.watches)) {
			w := k.watches[name]
			told := w.told()
			step.Wires = append(step.Wires, w.frames()...)
			if !told && i < len(lines)-1 {
				continue
			}
			r, err := k.tool(dumpOf(name))
			if err != nil {
				return nil, err
			}
			step.States = append(step.States, State{name, r})
			w.told() // what asking has changed
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// watch opens a watch in each Net that has none yet.
func (k *kernel) watch() error {
	for _, name := range append(slices.Collect(maps.Keys(k.known)), "") {
		if k.watches[name] != nil {
			continue
		}
		if err := k.in(name, func() (err error) {
			k.watches[name], err = openWatch(name)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// makePatient has each device's neighbours asked once, as on the model, no
// redirects believed, which the model does not, and bridges leave IP alone, where
// br_netfilter is loaded.
func (k *kernel) makePatient() error {
	for name := range k.watches {
		if err := k.in(name, func() error {
			for pattern, value := range map[string]string{"ipv4/neigh/*/retrans_time_ms": patient, "ipv4/conf/*/accept_redirects": "0",
				"ipv6/neigh/*/retrans_time_ms": patient, "ipv6/conf/*/accept_redirects": "0", "bridge/bridge-nf-call-*": "0"} {
				all, err := filepath.Glob("/proc/sys/net/" + pattern)
				if err != nil {
					return err
				}
				for _, path := range all {
					_ = put(path, value) // the device may go
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// unwatch takes the watch from a Net that is about to go: its sockets would
// keep it.
func (k *kernel) unwatch(name string) {
	if w := k.watches[name]; w != nil {
		w.close()
		delete(k.watches, name)
	}
}

// A kernelWatch is at every wire of one Net, and hears of its changes.
type kernelWatch struct {
	name   string
	packet int // an AF_PACKET socket of all devices
	route  int // an rtnetlink socket in the multicast groups
	names  map[int]string
	buf    []byte
}

// openWatch opens a watch in the calling thread's namespace, before anything
// happens there.
func openWatch(name string) (*kernelWatch, error) {
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8
	p, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, all)
	if err != nil {
		return nil, os.NewSyscallError("packet socket", err)
	}
	_ = unix.SetsockoptInt(p, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // a hope; the kernel may give less
	r, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err == nil {
		groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_NEIGH | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV4_RULE |
			unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE)
		if err = unix.Bind(r, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
			unix.Close(r)
		}
	}
	if err != nil {
		unix.Close(p)
		return nil, os.NewSyscallError("rtnetlink socket", err)
	}
	return &kernelWatch{name, p, r, map[int]string{}, make([]byte, 1<<17)}, nil
}

func (w *kernelWatch) close() {
	unix.Close(w.packet)
	unix.Close(w.route)
}

// told reports whether the kernel has told of a change since the last time.
func (w *kernelWatch) told() (changed bool) {
	for {
		_, _, err := unix.Recvfrom(w.route, w.buf, 0)
		if err != nil && err != unix.ENOBUFS {
			return changed
		}
		changed = true
	}
}

// frames returns the frames seen since the last time.
func (w *kernelWatch) frames() (fs []Frame) {
	for {
		n, from, err := unix.Recvfrom(w.packet, w.buf, 0)
		if err != nil && err != unix.ENETDOWN {
			return fs
		}
		at, ok := from.(*unix.SockaddrLinklayer)
		if err != nil || !ok {
			continue
		}
		fs = append(fs, Frame{w.name, w.device(at.Ifindex), at.Pkttype == unix.PACKET_OUTGOING, slices.Clone(w.buf[:n])})
	}
}

// device returns the name of the device of an index; of one that is gone the
// last one known.
func (w *kernelWatch) device(index int) string {
	var request struct {
		name  [unix.IFNAMSIZ]byte
		index int32
		_     [20]byte
	}
	request.index = int32(index)
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(w.packet), unix.SIOCGIFNAME, uintptr(unsafe.Pointer(&request)))
	if e == 0 {
		w.names[index] = unix.ByteSliceToString(request.name[:])
	}
	return w.names[index]
}
