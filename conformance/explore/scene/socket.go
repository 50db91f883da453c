package scene

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"nsmodel/conformance/explore/step"
	"nsmodel/conformance/explore/step/atomic"
	"nsmodel/conformance/explore/step/sync"
	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/transport/udp"
)

// block reads a datagram, waiting for one.
func (m *wired) block(c *udp.Conn) (string, error) {
	var b [16]byte
	n, _, err := c.ReadFromAddrPort(b[:])
	return string(b[:n]), err
}

// ended fails the scene unless err is what a read is told at the end of its socket.
func ended(err error) {
	want(errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENETDOWN), "a read that waited is told %v", err)
}

// socketScenes are of sockets at the end of their Net, and of who waits on them.
func socketScenes() []Scene {
	return []Scene{
		meet("read-delete", "two reads wait while the socket's Net is deleted", 2, 1, func(m *wired) []step.Task {
			read := func() {
				_, err := m.block(m.redSock)
				ended(err)
			}
			return []step.Task{task("reader 1", read), task("reader 2", read), task("deleter", m.del("red"))}
		}),
		meet("read-close", "a read waits while a datagram comes and the socket is closed", 2, 1, func(m *wired) []step.Task {
			m.send(m.blueSock, redAddr, "hello")
			return []step.Task{task("reader", func() {
				if text, err := m.block(m.redSock); err != nil {
					ended(err)
				} else {
					want(text == "hello", "a read got %q", text)
				}
			}), task("worker", m.poll(0)), task("closer", func() { _ = m.redSock.Close() })}
		}),
		meet("two-readers", "two reads wait, and two datagrams come", 2, 1, func(m *wired) []step.Task {
			m.send(m.blueSock, redAddr, "hello")
			m.send(m.blueSock, redAddr, "hello")
			read := func() {
				_, err := m.block(m.redSock)
				ok(err)
			}
			return []step.Task{task("reader 1", read), task("reader 2", read), task("worker", m.poll(0))}
		}),
		meet("deadline", "a read waits until its deadline, which is set meanwhile", 2, 1, func(m *wired) []step.Task {
			at := m.Sys.Now() + time.Second
			return []step.Task{task("reader", func() {
				_, err := m.block(m.redSock)
				want(errors.Is(err, os.ErrDeadlineExceeded), "a read with a deadline is told %v", err)
			}), task("setter", func() {
				ok(m.redSock.SetReadDeadline(m.Core.Epoch().Add(at)))
				m.Sys.Expire(at, -1)
			})}
		}),
		meet("deadline-delete", "a read's deadline comes while the Net is deleted", 2, 1, func(m *wired) []step.Task {
			at := m.Sys.Now() + time.Second
			ok(m.redSock.SetReadDeadline(m.Core.Epoch().Add(at)))
			return []step.Task{task("reader", func() {
				_, err := m.block(m.redSock)
				want(err != nil, "a read got a datagram that nobody sent")
			}), task("clock", func() { m.Sys.Expire(at, -1) }), task("deleter", m.del("red"))}
		}),
		meet("bind-delete", "a socket is bound while its Net is deleted", 2, 1, func(m *wired) []step.Task {
			var c *udp.Conn
			return []step.Task{task("binder", func() {
				c, _ = m.UDP.Listen(m.red, netip.AddrPortFrom(netip.IPv4Unspecified(), 9), udp.Options{})
			}), task("deleter", m.del("red")), task("reader", func() {
				if c != nil {
					_, err := m.block(c)
					ended(err)
				}
			})}
		}),
		meet("first-bind", "the first socket of a Net is bound while the Net is deleted", 2, 1, func(m *wired) []step.Task {
			ok(m.redSock.Close())
			return []step.Task{task("binder", func() {
				c, err := m.UDP.Listen(m.red, netip.AddrPortFrom(netip.IPv4Unspecified(), 9), udp.Options{})
				if err == nil {
					_, err = m.block(c)
					ended(err)
				}
			}), task("deleter", m.del("red"))}
		}),
		meet("dial-delete", "a socket is connected while its Net is deleted", 2, 1, func(m *wired) []step.Task {
			return []step.Task{task("dialer", func() {
				c, err := m.UDP.Dial(m.red, netip.AddrPort{}, blueAddr, udp.Options{})
				if err == nil {
					_, err = m.block(c)
					ended(err)
				}
			}), task("deleter", m.del("red"))}
		}),
		meet("close-connect", "a socket is closed by the end of its Net while it binds itself to send", 2, 1, func(m *wired) []step.Task {
			c := must(m.UDP.Dial(m.red, netip.AddrPort{}, blueAddr, udp.Options{}))
			return []step.Task{task("sender", func() { _, _ = c.Write([]byte("x")) }), task("closer", func() { _ = c.Close() }), task("deleter", m.del("red"))}
		}),
		meet("sleep-wake", "a worker falls asleep, as live's workers do, while a packet is queued for it", 2, 1, sleepWake),
		meet("subscribe-delete", "somebody waits for a Net's notifications while the Net is deleted", 2, 1, subscribeDelete),
		meet("unresolved-delete", "a packet waits for a neighbour's address while the Net is deleted and the clock runs", 2, 1, func(m *wired) []step.Task {
			m.send(m.redSock, netip.MustParseAddrPort("10.0.0.77:7"), "anybody?")
			at, _ := m.Sys.NextTimer()
			return []step.Task{task("clock", func() { m.Sys.Expire(at, 1) }), task("deleter", m.del("red"))}
		}),
	}
}

// sleepWake has a worker that sleeps and is woken by the protocol of package live,
// whose bell is a file of the kernel's: asleep is set, then Pending looked at; who
// queues a packet rings if asleep is set.
func sleepWake(m *wired) []step.Task {
	var (
		asleep atomic.Bool
		mu     sync.Mutex
		bell   bool
	)
	rung := sync.NewCond(&mu)
	m.Core.SetWake(func(*core.Worker) {
		if asleep.Load() && asleep.CompareAndSwap(true, false) {
			mu.Lock()
			bell = true
			rung.Broadcast()
			mu.Unlock()
		}
	})
	w := m.Core.Workers()[0]
	return []step.Task{task("worker", func() {
		for got := false; !got; {
			if w.Poll(m.Sys.Now(), core.Budget) == 0 {
				asleep.Store(true)
				if !w.Pending() {
					mu.Lock()
					for !bell {
						rung.Wait()
					}
					bell = false
					mu.Unlock()
				}
				asleep.Store(false)
			}
			got, _ = m.read(m.redSock)
		}
	}), task("sender", func() { m.send(m.blueSock, redAddr, "hello") })}
}

// subscribeDelete waits for notifications until there will be no more.
func subscribeDelete(m *wired) []step.Task {
	var (
		mu    sync.Mutex
		count int
	)
	come := sync.NewCond(&mu)
	return []step.Task{task("subscriber", func() {
		m.Sys.Lock()
		s, err := m.Netlink.Subscribe(m.red, netlink.GroupAll, 100, func() {
			mu.Lock()
			count++
			come.Broadcast()
			mu.Unlock()
		})
		m.Sys.Unlock()
		if err != nil {
			return
		}
		for {
			_, err := s.Receive()
			if err == nil {
				continue
			}
			if !errors.Is(err, syscall.EAGAIN) {
				return
			}
			mu.Lock()
			for count == 0 {
				come.Wait()
			}
			count = 0
			mu.Unlock()
		}
	}), task("deleter", m.del("red"))}
}
