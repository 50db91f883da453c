package link_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// until polls the machine until done says so, at most five seconds.
func (m *machine) until(what string, done func() bool) {
	m.t.Helper()
	for start := time.Now(); time.Since(start) < 5*time.Second; {
		k := m.w.Poll(m.now, 64)
		if done() {
			return
		}
		if k == 0 {
			link.Maintain(m.s)
			time.Sleep(100 * time.Microsecond)
		}
	}
	m.t.Errorf("%s: not within five seconds", what)
}

// tags returns the test frames that arrived, and forgets them.
func (m *machine) tags() (list []string) {
	for _, g := range m.got {
		list = append(list, fmt.Sprintf("%s/%s %s", g.net.Name(), g.dev, strings.TrimRight(g.tag, "\x00")))
	}
	m.got = nil
	return list
}

// farGot reads test frames at the far end into out.
func farGot(s *afpacket.Socket, out *[]afpacket.Frame) func() bool {
	return func() bool {
		buf := make([]afpacket.Frame, 64)
		for _, f := range buf[:s.Read(buf)] {
			if len(f.Data) >= 14 && f.Data[12] == testType>>8 && f.Data[13] == testType&0xff {
				f.Data = append([]byte(nil), f.Data...)
				*out = append(*out, f)
			}
		}
		return len(*out) > 0
	}
}

func write(t testing.TB, s *afpacket.Socket, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if _, err := s.Write([]afpacket.Out{{Data: f}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNIC(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		c := newCable(m)
		m.ok(c.conn.SetMTU(c.near, 1400))
		n := m.net("n")
		d := c.nic(n, "")
		if d.Name() != c.near || d.MTU() != 1400 || !d.Real() || !d.Carrier() || d.Qdisc() != "pfifo" {
			t.Errorf("%s mtu %d real %v carrier %v", d.Name(), d.MTU(), d.Real(), d.Carrier())
		}
		far := c.raw()
		write(t, far, frameOf(wire.BroadcastMAC(), c.mac, "in"), frameOf(d.Addr(), c.mac, "mine"))
		m.until("frames from the kernel", func() bool { return len(m.got) == 2 })
		if got := fmt.Sprint(m.tags()); got != fmt.Sprintf("[n/%s in n/%s mine]", c.near, c.near) {
			t.Error(got)
		}
		m.ok(m.s.SetAddr(d, wire.MAC{2, 0xee, 0, 0, 0, 1})) // not the kernel's: promiscuous mode
		write(t, far, frameOf(d.Addr(), c.mac, "other"))
		m.until("a frame to a chosen address", func() bool { return len(m.got) == 1 })
		m.tags()
		if k, err := c.conn.Promiscuity(c.near); err != nil || k == 0 {
			t.Errorf("promiscuity %d, %v", k, err)
		}
		m.send(d, c.mac, "out")
		var out []afpacket.Frame
		m.until("a frame to the kernel", farGot(far, &out))
		if len(out) != 1 || string(out[0].Data[14:17]) != "out" {
			t.Errorf("%d frames at the far end", len(out))
		}
		m.ok(m.s.Unregister(d))
		if k, _ := c.conn.Promiscuity(c.near); k != 0 {
			t.Errorf("promiscuity %d after the end", k)
		}
	})
}

func TestNICRefuses(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		c := newCable(m)
		n := m.net("n")
		c.nic(n, "eth0")
		for _, x := range []struct {
			what  string
			attrs map[string]string
			mtu   int
			want  error
		}{
			{"no dev", nil, 0, syscall.EINVAL},
			{"missing", map[string]string{"dev": "nosuch0"}, 0, syscall.ENODEV},
			{"taken", map[string]string{"dev": c.near}, 0, syscall.EBUSY},
			{"loopback", map[string]string{"dev": "lo"}, 0, syscall.EMEDIUMTYPE},
			{"colour", map[string]string{"dev": c.near, "colour": "1"}, 0, syscall.EINVAL},
		} {
			_, err := m.s.Kind("nic").New(n, core.LinkSpec{MTU: x.mtu, Attrs: x.attrs})
			if !errors.Is(err, x.want) {
				t.Errorf("%s: %v, want %v", x.what, err, x.want)
			}
		}
		if _, err := m.s.Kind("nic").New(n, core.LinkSpec{Attrs: map[string]string{"dev": "nosuch0"}}); err == nil || !strings.Contains(err.Error(), `"nosuch0"`) {
			t.Errorf("the error does not name the interface: %v", err)
		}
		if err := m.s.SetMTU(m.s.Device(n, "eth0"), 1501); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("mtu above the kernel's: %v", err)
		}
		if w := link.Warnings(m.s.Device(n, "lo")); w != nil {
			t.Errorf("warnings of lo: %v", w)
		}
		m.ok(c.conn.AddAddr(c.near, netip.MustParsePrefix("192.0.2.1/24")))
		if w := fmt.Sprint(link.Warnings(m.s.Device(n, "eth0"))); !strings.Contains(w, "192.0.2.1/24") {
			t.Errorf("no warning of the kernel's address: %v", w)
		}
	})
}

func TestNICComesAndGoes(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		c := newCable(m)
		n := m.net("n")
		d := c.nic(n, "eth0")
		works := func(what string) {
			t.Helper()
			m.until(what+": carrier", d.Carrier)
			far := c.raw()
			write(t, far, frameOf(wire.BroadcastMAC(), c.mac, what))
			m.until(what, func() bool { return len(m.got) > 0 })
			m.tags()
			far.Close()
		}
		works("first")
		m.ok(c.conn.SetDown(c.near))
		m.until("carrier off", func() bool { return !d.Carrier() })
		m.send(d, c.mac, "nowhere")
		m.ok(c.conn.SetUp(c.near))
		works("up again")
		m.ok(c.fc.SetDown(c.far))
		m.until("carrier off with the partner", func() bool { return !d.Carrier() })
		m.ok(c.fc.SetUp(c.far))
		works("partner up again")
		m.ok(c.conn.DelLink(c.near))
		m.until("carrier off when it vanished", func() bool { return !d.Carrier() })
		if !d.Up() {
			t.Error("the device went down with the interface")
		}
		c.plug()
		works("plugged in again")
		old := d.Addr()
		mac := wire.MAC{2, 0, 0, 0xab, 0, 1}
		m.ok(c.conn.SetMAC(c.near, mac[:]))
		m.ok(c.conn.SetMTU(c.near, 1300))
		m.until("address and MTU followed", func() bool { return d.Addr() == mac && d.MTU() == 1300 })
		if d.Addr() == old {
			t.Error("address")
		}
		m.s.SetDown(d)
		m.ok(c.conn.DelLink(c.near))
		m.up(d) // with nothing there
		if d.Carrier() {
			t.Error("carrier without an interface")
		}
		c.plug()
		works("plugged in later")
	})
}

func TestNICMovesUnderTraffic(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		c := newCable(m)
		nets := []*netns.Net{m.net("a"), m.net("b")}
		d := c.nic(nets[0], "eth0")
		far := c.raw()
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			f := afpacket.Out{Data: frameOf(wire.BroadcastMAC(), c.mac, "flood")}
			for !stop.Load() {
				far.Write([]afpacket.Out{f, f, f, f})
				time.Sleep(50 * time.Microsecond)
			}
		})
		// The worker runs beside the moves, as in a live machine.
		m.sys.Unlock()
		wg.Go(func() {
			for !stop.Load() {
				m.w.Poll(m.now, 64)
				time.Sleep(10 * time.Microsecond)
			}
		})
		for i := range 20 {
			m.sys.Lock()
			m.ok(m.s.Move(d, nets[(i+1)%2], ""))
			m.ok(m.s.SetUp(d))
			link.Maintain(m.s)
			m.sys.Unlock()
			time.Sleep(2 * time.Millisecond)
		}
		m.sys.Lock()
		m.ok(m.sys.Delete("a"))
		m.sys.Reap()
		if m.s.Device(m.sys.Init(), "eth0") != d || d.Up() {
			t.Error("the NIC did not go home")
		}
		m.sys.Unlock()
		stop.Store(true)
		wg.Wait()
		m.sys.Lock()
		in := m.s.TotalLedger().In
		if in == 0 || m.s.Ledger(nets[1]).Reasons["NET_DYING"] != 0 {
			t.Errorf("%d frames came in", in)
		}
	})
}

func TestNICMissedFrames(t *testing.T) {
	m := newMachine(t, netns.Default)
	c := newCable(m)
	d := c.nic(m.sys.Init(), "eth0")
	far := c.raw()
	f := afpacket.Out{Data: frameOf(wire.BroadcastMAC(), c.mac, "flood")}
	for range 100000 {
		far.Write([]afpacket.Out{f})
		if m.l != nil && d.Stats().RxMissed > 0 {
			break
		}
		link.Maintain(m.s)
	}
	if d.Stats().RxMissed == 0 {
		t.Error("the kernel's drops are not shown")
	}
	m.ok(m.s.Unregister(d))
	m.balance()
}

// TestNICBridgesKernels lets two kernel namespaces talk TCP and UDP through a
// model bridge between two NICs: unfinished checksums and 64 KiB segments cross,
// and the kernels at both ends judge the result.
func TestNICBridgesKernels(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x, y := newCable(m), newCable(m)
		n := m.net("n")
		br := m.add(n, "bridge", core.LinkSpec{Name: "br0"})
		p, q := x.nic(n, "eth0"), y.nic(n, "eth1")
		m.ok(m.s.SetMaster(p, br))
		m.ok(m.s.SetMaster(q, br))
		m.up(br)
		m.ok(x.fc.AddAddr(x.far, netip.MustParsePrefix("198.51.100.1/24")))
		m.ok(y.fc.AddAddr(y.far, netip.MustParsePrefix("198.51.100.2/24")))

		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for !stop.Load() {
				if m.w.Poll(m.now, 64) == 0 {
					time.Sleep(20 * time.Microsecond)
				}
			}
		})
		defer wg.Wait()
		defer stop.Store(true)
		var ln net.Listener
		m.ok(y.ns.Do(func() (err error) { ln, err = net.Listen("tcp4", "198.51.100.2:7"); return err }))
		defer ln.Close()
		const size = 8 << 20
		sum := make(chan int, 1)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				sum <- -1
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			buf, k := make([]byte, 1<<16), 0
			for {
				i, err := conn.Read(buf)
				for j, b := range buf[:i] {
					if b != byte((k+j)%251) {
						sum <- -2
						return
					}
				}
				if k += i; err != nil {
					break
				}
			}
			sum <- k
		}()
		var conn net.Conn
		m.ok(x.ns.Do(func() (err error) {
			conn, err = (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp4", "198.51.100.2:7")
			return err
		}))
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i % 251)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		start := time.Now()
		if _, err := conn.Write(data); err != nil {
			t.Error(err)
		}
		conn.Close()
		if got := <-sum; got != size {
			t.Errorf("%d bytes arrived", got)
		}
		st := p.Stats()
		t.Logf("%d MiB in %v; a frame is %d bytes on average", size>>20, time.Since(start).Round(time.Millisecond), st.RxBytes/max(1, st.RxPackets))
		if st.TxErrors+q.Stats().TxErrors != 0 {
			t.Errorf("errors: %+v %+v", st, q.Stats())
		}
		stop.Store(true)
		wg.Wait()
		m.ok(m.s.Unregister(p))
		m.ok(m.s.Unregister(q))
	})
}

func TestNICVLANTag(t *testing.T) {
	m := newMachine(t, netns.Default)
	x, y := newCable(m), newCable(m)
	n := m.net("n")
	br := m.add(n, "bridge", core.LinkSpec{Name: "br0"})
	m.ok(m.s.SetMaster(x.nic(n, "eth0"), br))
	m.ok(m.s.SetMaster(y.nic(n, "eth1"), br))
	m.up(br)
	far, other := x.raw(), y.raw()
	f := frameOf(wire.BroadcastMAC(), x.mac, "....tagged")
	copy(f[12:], []byte{0x81, 0x00, 0x20, 0x07, testType >> 8, testType & 0xff})
	write(t, far, f)
	var out []afpacket.Frame
	m.until("the tagged frame", farGot(other, &out))
	if len(out) != 1 || !out[0].Tagged || out[0].TCI != 0x2007 || out[0].TPID != 0x8100 {
		t.Errorf("%+v", out)
	}
	for _, d := range m.s.Devices(n) {
		if d.Real() {
			m.ok(m.s.Unregister(d))
		}
	}
	m.balance()
}

func TestNICWorkersShareFlows(t *testing.T) {
	m := newMachine(t, netns.Default)
	w2 := m.s.NewWorker()
	c := newCable(m)
	d := c.nic(m.sys.Init(), "eth0")
	far := c.raw()
	for i := range 64 { // IPv4 and UDP, so that the kernel sees 64 flows
		f := make([]byte, 60)
		copy(f, frameOf(d.Addr(), c.mac, "")[:12])
		copy(f[12:], []byte{0x08, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, byte(i), 192, 0, 2, 200, 1, byte(i), 0, 9, 0, 26})
		write(t, far, f)
	}
	a, b := 0, 0
	for start := time.Now(); a+b < 64 && time.Since(start) < 5*time.Second; {
		a += m.w.Poll(m.now, 64)
		b += w2.Poll(m.now, 64)
	}
	if a == 0 || b == 0 {
		t.Errorf("workers got %d and %d frames", a, b)
	}
	if len(m.w.Files(nil)) != 1 || len(w2.Files(nil)) != 1 {
		t.Error("a worker lacks its file")
	}
	m.ok(m.s.Unregister(d))
	if len(m.w.Files(nil)) != 0 {
		t.Error("a file was left behind")
	}
	m.balance()
}
