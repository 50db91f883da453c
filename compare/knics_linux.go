package compare

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/bench"
	"nsmodel/bench/stage"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
	"nsmodel/internal/rtnl"
)

// A farEnd sends datagrams into one cable, in turns of 64, and waits for each
// turn at the far end of the same or the other cable.
type farEnd struct {
	from, at *afpacket.Socket
	out      []afpacket.Out
	frames   []afpacket.Frame
	src, dst uint16 // the ports by which what arrives is known; 0: any
}

// farForward sends what is to be routed from the first cable to the second.
func farForward(c *stage.Cables) (*farEnd, error) {
	return newFarEnd(c, stage.FarOut, "10.9.3.4", 0, stage.Port)
}

// farEcho sends to a socket behind the first cable, which is to answer.
func farEcho(c *stage.Cables) (*farEnd, error) {
	return newFarEnd(c, stage.FarIn, "10.1.0.1", stage.Port, 0)
}

func newFarEnd(c *stage.Cables, at, to string, src, dst uint16) (e *farEnd, err error) {
	e = &farEnd{out: make([]afpacket.Out, afpacket.Batch), frames: make([]afpacket.Frame, afpacket.Batch), src: src, dst: dst}
	for i := range e.out {
		e.out[i].Data = stage.UDPFrame(stage.Far(), "10.1.0.2", to, stage.Port)
	}
	err = c.Far.Do(func() (err error) {
		if e.from, err = afpacket.Open(afpacket.Config{Interface: stage.FarIn, Promisc: true}); err != nil {
			return err
		}
		e.at = e.from
		if at != stage.FarIn {
			e.at, err = afpacket.Open(afpacket.Config{Interface: at, Promisc: true})
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *farEnd) close() (err error) {
	if e.from != nil {
		err = e.from.Close()
	}
	if e.at != nil && e.at != e.from {
		err = errors.Join(err, e.at.Close())
	}
	return err
}

// turn sends a batch and waits until all of it has arrived, or for as long as it
// takes to be sure that it will not; it returns how many have.
func (e *farEnd) turn() (got int, err error) {
	for sent := 0; sent < len(e.out); {
		k, err := e.from.Write(e.out[sent:])
		sent += k
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
			return 0, err
		}
	}
	for got < len(e.out) {
		k := e.at.Read(e.frames)
		for i := range e.frames[:k] {
			if e.ours(e.frames[i].Data) {
				got++
			}
		}
		if k > 0 {
			continue
		}
		const patience = 300 // ms
		if there, err := e.at.Wait(patience); err != nil || !there {
			return got, err
		}
	}
	return got, nil
}

// ours tells our datagrams from what a kernel says on its own.
func (e *farEnd) ours(b []byte) bool {
	const ip, udp = wire.EthernetLen, wire.EthernetLen + 20
	if len(b) < udp+8 || binary.BigEndian.Uint16(b[12:]) != uint16(wire.EtherTypeIPv4) || b[ip+9] != byte(wire.ProtoUDP) {
		return false
	}
	is := func(at int, port uint16) bool { return port == 0 || binary.BigEndian.Uint16(b[at:]) == port }
	return is(udp, e.src) && is(udp+2, e.dst)
}

// sample returns the CPU time of a datagram's way in ns: what this process takes
// for it, the sender and whoever waits at the far end among it. It goes on until
// that has come to twice the slice, as two threads are at work at least, so that a
// busy computer makes it longer and not coarser.
func (e *farEnd) sample(slice time.Duration) (float64, error) {
	const warm = 16
	var start, took time.Duration
	got, sent := 0, 0
	for turn := 0; turn <= warm || took < 2*slice; turn++ {
		if turn == warm {
			got, sent, start = 0, 0, bench.ProcessTime()
		}
		k, err := e.turn()
		if err != nil {
			return 0, err
		}
		if got, sent = got+k, sent+len(e.out); got < sent/2 { // a veth's queue may lose some on a busy computer
			return 0, fmt.Errorf("of %d datagrams %d have arrived", sent, got)
		}
		took = bench.ProcessTime() - start
	}
	return float64(took) / float64(got), nil
}

// A kernelRouter is a kernel namespace between two cables, which forwards, and
// answers on the port.
type kernelRouter struct {
	cables        *stage.Cables
	forward, echo *farEnd
	stop          atomic.Bool
	done          chan struct{}
}

// router makes one, with a UDP table of its own as the series says.
func (b *kernelBox) router(series string) (k *kernelRouter, err error) {
	k = new(kernelRouter)
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	var ns *rtnl.Namespace
	if err = withSysctl("net.ipv4.udp_child_hash_entries", own(series, 1024), func() (err error) {
		ns, err = b.space()
		return err
	}); err != nil {
		return k, err
	}
	if k.cables, err = stage.LayCables(ns); err != nil {
		return k, err
	}
	if err = routeKernel(ns); err != nil {
		return k, err
	}
	if k.forward, err = farForward(k.cables); err != nil {
		return k, err
	}
	if k.echo, err = farEcho(k.cables); err != nil {
		return k, err
	}
	fd, err := b.socket(ns, stage.Port)
	if err != nil {
		return k, err
	}
	tick := unix.NsecToTimeval(int64(50 * time.Millisecond))
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tick); err != nil {
		return k, os.NewSyscallError("setsockopt", err)
	}
	k.done = make(chan struct{})
	go k.answer(fd)
	return k, nil
}

// routeKernel has ns do what stage.RouteNICs has a Net do.
func routeKernel(ns *rtnl.Namespace) error {
	c, err := ns.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	mac := stage.GatewayMAC()
	return errors.Join(
		c.AddAddr(stage.NICIn, netip.MustParsePrefix("10.1.0.1/24")),
		c.AddAddr(stage.NICOut, netip.MustParsePrefix("10.2.0.1/24")),
		c.AddNeighbour(stage.Sender(), mac[:], stage.NICIn),
		c.AddNeighbour(stage.Gateway(), mac[:], stage.NICOut),
		c.AddRoute(stage.Behind(), stage.Gateway(), stage.NICOut),
		ns.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }))
}

// answer sends back what comes until it is stopped.
func (k *kernelRouter) answer(fd int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(k.done)
	b := make([]byte, 64)
	for !k.stop.Load() {
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err == nil {
			_ = unix.Sendto(fd, b[:n], 0, from) // what is lost is missed at the far end
		}
	}
}

// close ends it; its namespace and its socket are the box's.
func (k *kernelRouter) close() (err error) {
	k.stop.Store(true)
	if k.done != nil {
		<-k.done
	}
	for _, e := range []*farEnd{k.forward, k.echo} {
		if e != nil {
			err = errors.Join(err, e.close())
		}
	}
	if k.cables != nil {
		k.cables.Close()
	}
	return err
}

// A kernelCrowd is other namespaces, each with its loopback up, a route and a
// socket on the port, that are there or not.
type kernelCrowd struct {
	b    *kernelBox
	nets int
}

// there has them be there, or not, and reports whether that is a change. It
// returns when the kernel rests from that, if others let it.
func (c *kernelCrowd) there(want bool) (changed bool, err error) {
	if have := len(c.b.holders) > 0; have == want {
		return false, nil
	}
	if want {
		err = c.b.holdState(c.nets)
	} else {
		for _, h := range c.b.holders {
			err = errors.Join(err, h.close())
		}
		c.b.holders = nil
	}
	if _, rest := kernelRest(); rest != nil && !errors.Is(rest, ErrNotHere) {
		err = errors.Join(err, rest)
	}
	return true, err
}

// holdState has other processes make nets namespaces with all that an experiment
// with NICs wants of a crowd.
func (b *kernelBox) holdState(nets int) error {
	for nets > 0 {
		some := min(nets, perHolder)
		if err := b.startHolder("state", some, stage.Port, 1); err != nil {
			return err
		}
		nets -= some
	}
	return nil
}

// haveState gives the present namespace a loopback that is up, a route and
// sockets on the ports.
func haveState(first, count int) error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.SetUp("lo"), c.AddRoute(stage.Behind(), netip.Addr{}, "lo")); err != nil {
		return fmt.Errorf("state around port %d: %w", first, err)
	}
	return bindPorts(first, count)
}
