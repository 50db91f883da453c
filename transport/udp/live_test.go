package udp_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"nsmodel/live"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// run is a machine that runs by the wall clock.
func run(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, netns.Tagged)
	r, err := live.Start(m.Machine)
	m.ok(err)
	t.Cleanup(func() {
		r.Stop()
		if t.Failed() { // what became of the packets
			for _, n := range []*netns.Net{m.a, m.b} {
				t.Logf("%s: %v", n.Name(), m.Core.Ledger(n))
				for _, nb := range m.Core.Neighbours(n) {
					t.Logf("  %v: %+v", nb, nb.Info())
				}
				for _, c := range m.UDP.Sockets(n) {
					t.Logf("  %v: %d wait, %d dropped", c.LocalAddr(), c.Pending(), c.Dropped())
				}
			}
		}
		if total := m.Core.TotalLedger(); !total.Balanced() {
			t.Errorf("%v", total)
		}
	})
	return m
}

// rest waits until nothing is on its way. nettest floods, and counts on the next
// pipe to lose nothing: what the last one left in a full backlog would lose it.
func (m *machine) rest() {
	m.Helper()
	for end := time.Now().Add(20 * time.Second); m.Core.Ledger(m.a).Held+m.Core.Ledger(m.b).Held != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			m.Fatal("packets wait for ever")
		}
	}
}

// pipe is a pair of sockets that are connected to each other.
func (m *machine) pipe() (c1, c2 *udp.Conn, err error) {
	x, y := m.listen(m.a, "10.0.0.1:0", udp.Options{}), m.listen(m.b, "10.0.0.2:0", udp.Options{})
	ax, ay := x.LocalAddrPort(), y.LocalAddrPort()
	m.ok(x.Close())
	m.ok(y.Close())
	if c1, err = m.UDP.Dial(m.a, ax, ay, udp.Options{}); err != nil {
		return nil, nil, err
	}
	c2, err = m.UDP.Dial(m.b, ay, ax, udp.Options{})
	return c1, c2, err
}

// The subtests of nettest that hold for datagrams. BasicIO and PingPong wait for
// the end of file that a peer's Close gives to a stream, and FutureTimeout counts
// on a byte to arrive that was sent into a full receive buffer: those three get a
// net.Pipe, and the tests below say what holds instead.
func TestConn(t *testing.T) {
	m := run(t)
	streams := map[int]bool{0: true, 1: true, 8: true}
	call := -1
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		if call++; streams[call] {
			c1, c2 := net.Pipe()
			return c1, c2, func() { c1.Close(); c2.Close() }, nil
		}
		m.rest()
		c1, c2, err := m.pipe()
		if err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

func TestPingPong(t *testing.T) {
	m := run(t)
	c1, c2, err := m.pipe()
	m.ok(err)
	var wg sync.WaitGroup
	for _, c := range []*udp.Conn{c1, c2} {
		wg.Go(func() {
			c.SetDeadline(time.Now().Add(20 * time.Second))
			buf := make([]byte, 8)
			for {
				if _, err := c.Read(buf); err != nil {
					t.Error(err)
					return
				}
				v := binary.LittleEndian.Uint64(buf)
				if v > 1000 {
					return
				}
				binary.LittleEndian.PutUint64(buf, v+1)
				if _, err := c.Write(buf); err != nil {
					t.Error(err)
					return
				}
				if v == 1000 {
					return
				}
			}
		})
	}
	_, err = c1.Write(make([]byte, 8))
	m.ok(err)
	wg.Wait()
}

// A reader that waits wakes for each reason that there is.
func TestReadersWake(t *testing.T) {
	m := run(t)
	open := func() *udp.Conn { return m.listen(m.b, "0.0.0.0:0", udp.Options{}) }
	tests := []struct {
		name string
		c    *udp.Conn
		do   func(c *udp.Conn)
		want error
	}{
		{"close", open(), func(c *udp.Conn) { c.Close() }, net.ErrClosed},
		{"deadline", open(), func(c *udp.Conn) { c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) }, os.ErrDeadlineExceeded},
		{"past deadline", open(), func(c *udp.Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"refused", m.dial(m.b, "10.0.0.1:9", udp.Options{}), func(c *udp.Conn) { c.Write([]byte("x")) }, syscall.ECONNREFUSED},
		{"datagram", open(), func(c *udp.Conn) {
			s := m.listen(m.a, "0.0.0.0:0", udp.Options{})
			s.WriteToAddrPort([]byte("x"), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), c.LocalAddrPort().Port()))
		}, nil},
		{"end of the namespace", open(), func(c *udp.Conn) { m.ok(m.DeleteNet("b")) }, syscall.ENETDOWN},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := make(chan error, 3)
			for range 3 {
				go func() {
					_, _, err := test.c.ReadFrom(make([]byte, 10))
					got <- err
				}()
			}
			time.Sleep(10 * time.Millisecond)
			test.do(test.c)
			for range 3 {
				select {
				case err := <-got:
					if !errors.Is(err, test.want) {
						t.Errorf("read: %v, want %v", err, test.want)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("a reader sleeps on")
				}
				if test.want == nil || test.want == syscall.ECONNREFUSED { // for one of them
					test.c.Close()
					<-got
					<-got
					return
				}
			}
		})
	}
}

// Sockets are bound, used and closed while their Net dies: nothing is left, and
// nobody hangs.
func TestNetDeathUnderTraffic(t *testing.T) {
	m := run(t)
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				c, err := m.UDP.Listen(m.b, ap("0.0.0.0:0"), udp.Options{})
				if err != nil {
					if !errors.Is(err, syscall.ENETDOWN) && !errors.Is(err, syscall.ESRCH) {
						t.Errorf("listen: %v", err)
					}
					return
				}
				c.WriteToAddrPort([]byte("x"), ap("10.0.0.1:9"))
				if i%2 == 0 {
					c.Close()
				} else if _, _, err := c.ReadFrom(make([]byte, 9)); !errors.Is(err, syscall.ENETDOWN) {
					t.Errorf("read: %v", err)
				}
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	m.ok(m.DeleteNet("b"))
	wg.Wait()
	if k := len(m.UDP.Sockets(m.b)); k != 0 {
		t.Errorf("%d sockets outlived their Net", k)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}
