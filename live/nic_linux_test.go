package live_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
)

// A cable is a veth pair of the kernel's: near is for the model, far is a host
// of the kernel's own, 10.K.0.2 behind the router 10.K.0.1.
type cable struct {
	w         *world
	here, fc  *rtnl.Conn
	ns        *rtnl.Namespace
	k         int
	near, far string
}

var cables atomic.Int32

func (w *world) cable(k int) *cable {
	w.t.Helper()
	if noKernel != nil {
		w.t.Skip(noKernel)
	}
	i := cables.Add(1)
	c := &cable{w: w, k: k, near: fmt.Sprintf("near%d", i), far: fmt.Sprintf("far%d", i)}
	var err error
	c.ns, err = rtnl.NewNamespace()
	w.ok(err)
	c.here, err = rtnl.Dial()
	w.ok(err)
	c.fc, err = c.ns.Dial()
	w.ok(err)
	w.t.Cleanup(func() {
		c.here.DelLink(c.near)
		c.fc.Close()
		c.here.Close()
		c.ns.Close()
	})
	c.plug()
	return c
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// plug makes the pair and the host at the far end.
func (c *cable) plug() {
	c.w.t.Helper()
	c.w.ok(c.here.AddVeth(c.near, c.far, c.ns))
	c.w.ok(c.here.SetUp(c.near))
	c.w.ok(c.fc.SetUp(c.far))
	c.w.ok(c.fc.AddAddr(c.far, netip.MustParsePrefix(fmt.Sprintf("10.%d.0.2/24", c.k))))
	c.w.ok(c.fc.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr(fmt.Sprintf("10.%d.0.1", c.k)), c.far))
}

func (c *cable) addr(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(c.k), 0, 2}), port)
}

// crossing is a router of the model's between two hosts of the kernel's.
func crossing(t *testing.T, workers int) (w *world, x, y *cable) {
	t.Helper()
	if noKernel != nil {
		t.Skip(noKernel)
	}
	w = newWorld(t, nsmodel.Config{Workers: workers})
	x, y = w.cable(1), w.cable(2)
	w.sh(fmt.Sprintf(`
ip netns add r
ip -n r link set lo up
ip -n r link add eth1 type nic dev %s
ip -n r link add eth2 type nic dev %s
ip -n r addr add 10.1.0.1/24 dev eth1
ip -n r addr add 10.2.0.1/24 dev eth2
ip -n r link set eth1 up
ip -n r link set eth2 up
ip netns exec r sysctl -w net.ipv4.ip_forward=1
ip netns exec r probe udp echo 7`, x.near, y.near))
	return w, x, y
}

// echoes answers at the far end until the world ends.
func (c *cable) echoes(port uint16) { c.echoesAt(c.addr(port)) }

func (c *cable) echoesAt(a netip.AddrPort) {
	c.w.t.Helper()
	s, err := linux.ListenUDP(c.ns, a)
	c.w.ok(err)
	c.w.close = append(c.w.close, s)
	go func() {
		b := make([]byte, 65536)
		for {
			k, from, err := s.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				s.WriteToUDPAddrPort(b[:k], from)
			}
		}
	}()
}

// ask sends size bytes from the far end to a, and waits until they come back.
// An answer that an earlier asker gave up can still come, late, to whoever has
// its port by then: a payload is one of ours when it is what its size says.
func (c *cable) ask(a string, size int, wait time.Duration) error {
	conn, err := linux.DialUDP(c.ns, netip.MustParseAddrPort(a))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := conn.Write(payload(size)); err != nil {
		return err
	}
	for b := make([]byte, 65536); ; {
		k, err := conn.Read(b)
		if err != nil {
			return err
		}
		if !bytes.Equal(b[:k], payload(k)) {
			c.w.t.Errorf("%d bytes to %s came back as %d others", size, a, k)
		}
		if k == size {
			return nil
		}
	}
}

// payload is what an asker sends when it sends size bytes.
func payload(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*i + size)
	}
	return b
}

// answers asks until there is an answer.
func (c *cable) answers(a string, size int) {
	c.w.t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err = c.ask(a, size, 500*time.Millisecond); err == nil {
			return
		}
	}
	c.w.t.Errorf("%s asks %s with %d bytes: %v", c.far, a, size, err)
}

// TestLiveNICRoutes lets two kernels talk through a router of the model's: the
// kernels check every sum, and the payloads are compared.
func TestLiveNICRoutes(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			w, x, y := crossing(t, workers)
			y.echoes(9)
			x.answers("10.1.0.1:7", 10)
			for _, size := range []int{0, 1, 1472, 1473, 5000, 20000, 65507} {
				x.answers("10.2.0.2:9", size)
				x.answers("10.1.0.1:7", size)
			}
			segments(t, x, y)
			quiet(t, w, x)
			w.end()
		})
	}
}

// segments sends one 14,000-byte buffer that the kernel is to cut into
// datagrams, which it leaves to whoever sends them on (UDP_SEGMENT).
func segments(t *testing.T, x, y *cable) {
	t.Helper()
	in, err := linux.ListenUDP(y.ns, y.addr(11))
	x.w.ok(err)
	defer in.Close()
	out, err := linux.DialUDP(x.ns, y.addr(11))
	x.w.ok(err)
	defer out.Close()
	raw, err := out.SyscallConn()
	x.w.ok(err)
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 1400) })
	x.w.ok(err)
	b := make([]byte, 14000-100)
	for i := range b {
		b[i] = byte(i >> 4)
	}
	_, err = out.Write(b)
	x.w.ok(err)
	in.SetReadDeadline(time.Now().Add(5 * time.Second))
	got := make([]byte, 65536)
	for at := 0; at < len(b); {
		k, _, err := in.ReadFromUDPAddrPort(got)
		if err != nil {
			t.Errorf("segments: after %d bytes: %v", at, err)
			return
		}
		if k > 1400 || !bytes.Equal(got[:k], b[at:min(at+k, len(b))]) {
			t.Errorf("segments: %d bytes at %d are others", k, at)
		}
		at += k
	}
}

// quiet measures what two NICs cost with nothing to do, and how soon a ping is
// answered after that.
func quiet(t *testing.T, w *world, x *cable) {
	t.Helper()
	time.Sleep(20 * time.Millisecond)
	before, start := cpu(t), time.Now()
	time.Sleep(spell(500 * time.Millisecond))
	used, over := cpu(t)-before, time.Since(start)
	t.Logf("idle, with two NICs: %v of %v", used, over)
	if used > over/2 { // it spins: no load of other processes adds to this one's time
		t.Errorf("an idle machine with two NICs used %v of processor time in %v, as who spins", used, over)
	}
	p, err := linux.NewPinger(x.ns)
	w.ok(err)
	defer p.Close()
	worst, sum := time.Duration(0), time.Duration(0)
	for range 20 {
		time.Sleep(3 * time.Millisecond)
		rtt, err := p.Ping(netip.MustParseAddr("10.2.0.2"), 56, 2*time.Second)
		if err != nil {
			t.Error(err)
			return
		}
		worst, sum = max(worst, rtt), sum+rtt
	}
	t.Logf("ping: mean %v, worst %v", sum/20, worst)
	if worst > 800*time.Millisecond {
		t.Errorf("ping: worst %v: somebody slept on", worst)
	}
}

// TestLiveNICTrouble takes the kernel's interfaces down, away, and apart under
// traffic: the model's devices show it, and take them up again.
func TestLiveNICTrouble(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			w, x, y := crossing(t, workers)
			y.echoes(9)
			x.answers("10.2.0.2:9", 100)
			var crew crew
			crew.work(2, func(rng *rand.Rand) { x.ask("10.2.0.2:9", rng.IntN(4000), 20*time.Millisecond) })
			crew.work(1, func(rng *rand.Rand) { x.ask("10.1.0.1:7", rng.IntN(4000), 20*time.Millisecond) })
			r := w.net("r")
			crew.work(1, func(rng *rand.Rand) { w.flood(r, "10.2.0.2:12", 20); time.Sleep(time.Millisecond) })
			away, err := rtnl.NewNamespace()
			w.ok(err)
			defer away.Close()
			ac, err := away.Dial()
			w.ok(err)
			defer ac.Close()
			for _, trouble := range []struct {
				what string
				on   func()
				off  func()
			}{
				{"down", func() { w.ok(y.here.SetDown(y.near)) }, func() { w.ok(y.here.SetUp(y.near)) }},
				{"far end down", func() { w.ok(y.fc.SetDown(y.far)) }, func() { w.ok(y.fc.SetUp(y.far)); y.routes() }},
				{"deleted", func() { w.ok(y.here.DelLink(y.near)) }, func() { y.plug() }},
				{"away", func() { w.ok(y.here.SetNamespace(y.near, away)) },
					func() { back(w, ac, y); w.ok(y.here.SetUp(y.near)) }},
				{"mtu", func() { w.ok(y.here.SetMTU(y.near, 1000)) }, func() { w.ok(y.here.SetMTU(y.near, 1500)) }},
				{"mtu up", func() { w.ok(errors.Join(y.here.SetMTU(y.near, 9000), y.fc.SetMTU(y.far, 9000))) }, func() { w.ok(errors.Join(y.here.SetMTU(y.near, 1500), y.fc.SetMTU(y.far, 1500))) }},
			} {
				trouble.on()
				if trouble.what[0] != 'm' {
					w.carrier("eth2", false)
				} else {
					time.Sleep(50 * time.Millisecond)
					w.carrier("eth2", true)
				}
				time.Sleep(10 * time.Millisecond)
				trouble.off()
				w.carrier("eth2", true)
				y.answers("10.2.0.1:7", 1400)
				x.answers("10.2.0.2:9", 1400)
				if t.Failed() {
					t.Logf("after: %s", trouble.what)
					break
				}
			}
			crew.end(t)
			r.Put()
			w.end()
		})
	}
}

// back brings the near end home.
func back(w *world, ac *rtnl.Conn, y *cable) {
	w.t.Helper()
	here, err := rtnl.CurrentNamespace()
	w.ok(err)
	defer here.Close()
	w.ok(ac.SetNamespace(y.near, here))
}

// routes puts back what the kernel forgets when an interface goes down.
func (c *cable) routes() {
	c.w.t.Helper()
	err := c.fc.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr(fmt.Sprintf("10.%d.0.1", c.k)), c.far)
	if err != nil && !errors.Is(err, syscall.EEXIST) {
		c.w.t.Fatal(err)
	}
}

// carrier waits until the device has a carrier, or none.
func (w *world) carrier(dev string, want bool) {
	w.t.Helper()
	r := w.net("r")
	defer r.Put()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if d := w.Core.Device(r, dev); d != nil && d.Carrier() == want {
			return
		}
	}
	w.t.Errorf("%s: carrier is not %v within 5 s", dev, want)
}
