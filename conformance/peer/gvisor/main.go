// Command gvisor measures what one namespace costs in gVisor's netstack, where a
// namespace is a stack.Stack of its own: the arm of experiment memory that stands
// beside the model and the kernel. It is a module of its own, so that nsmodel does
// not depend on gVisor. It makes as many stacks as its argument says and prints
// one line of JSON: what they take together, in bytes.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// A Sample is what so many stacks take in bytes, beyond what was there before
// the first: just made, and with a loopback NIC that has its address and route.
// Heap is live objects and the stacks of goroutines, Resident the process.
type Sample struct {
	Stacks          int     `json:"stacks"`
	CreatedHeap     float64 `json:"created_heap"`
	CreatedResident float64 `json:"created_resident"`
	UpHeap          float64 `json:"up_heap"`
	UpResident      float64 `json:"up_resident"`
	Goroutines      int     `json:"goroutines"`
	Version         string  `json:"version"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gvisor:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: gvisor STACKS")
	}
	k, err := strconv.Atoi(os.Args[1])
	if err != nil || k < 1 {
		return fmt.Errorf("%q stacks", os.Args[1])
	}
	// The first stack makes what all share; it is not counted.
	if first := newStack(); up(first) != nil {
		return errors.New("the first stack does not come up")
	}
	list := make([]*stack.Stack, 0, k)
	s := Sample{Stacks: k, Version: version()}
	heap, resident := memory()
	tasks := runtime.NumGoroutine()
	for range k {
		list = append(list, newStack())
	}
	heap2, resident2 := memory()
	s.CreatedHeap, s.CreatedResident = heap2-heap, resident2-resident
	for _, st := range list {
		if err := up(st); err != nil {
			return err
		}
	}
	heap2, resident2 = memory()
	s.UpHeap, s.UpResident = heap2-heap, resident2-resident
	s.Goroutines = runtime.NumGoroutine() - tasks
	runtime.KeepAlive(list)
	return json.NewEncoder(os.Stdout).Encode(s)
}

// newStack makes a stack with what the model has, and TCP.
func newStack() *stack.Stack {
	return stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{udp.NewProtocol, tcp.NewProtocol, icmp.NewProtocol4},
	})
}

// up gives st a loopback NIC with 127.0.0.1/8 and the route to it.
func up(st *stack.Stack) error {
	const lo = 1
	if err := st.CreateNIC(lo, loopback.New()); err != nil {
		return errors.New(err.String())
	}
	net := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8)
	a := tcpip.AddrFrom4(net.Addr().As4()).WithPrefix()
	a.PrefixLen = net.Bits()
	if err := st.AddProtocolAddress(lo, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: a}, stack.AddressProperties{}); err != nil {
		return errors.New(err.String())
	}
	st.SetRouteTable([]tcpip.Route{{Destination: a.Subnet(), NIC: lo}})
	return nil
}

// memory returns what is in use when all garbage is gone.
func memory() (heap, resident float64) {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var size, pages float64
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(b), &size, &pages)
	}
	return float64(m.HeapAlloc + m.StackInuse), pages * float64(os.Getpagesize())
}

// version returns the version of netstack that was built in.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gvisor.dev/gvisor" {
				return m.Version
			}
		}
	}
	return ""
}
