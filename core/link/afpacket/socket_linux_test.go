package afpacket_test

import (
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/link/afpacket"
)

func TestOpenErrors(t *testing.T) {
	w := newWire(t)
	for _, c := range []struct {
		name string
		c    afpacket.Config
		want error
		text string
	}{
		{"absent", afpacket.Config{Interface: "absent"}, unix.ENODEV, `no interface "absent" in this network namespace: no such device`},
		{"empty", afpacket.Config{}, unix.ENODEV, `no interface ""`},
		{"long", afpacket.Config{Interface: strings.Repeat("x", 40)}, unix.ENODEV, "no such device"},
		{"loopback", afpacket.Config{Interface: "lo"}, unix.EMEDIUMTYPE, "lo is not an Ethernet interface"},
		{"size", afpacket.Config{Interface: w.nameN, BlockSize: 1000}, unix.EINVAL, "multiples of"},
		{"huge", afpacket.Config{Interface: w.nameN, BlockSize: 1 << 20, Blocks: 1 << 20}, unix.EINVAL, "at most 1 GiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := afpacket.Open(c.c)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("privilege", func(t *testing.T) {
		errs := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends here
			hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var none [2]unix.CapUserData
			if err := unix.Capset(&hdr, &none[0]); err != nil {
				errs <- err
				return
			}
			_, err := afpacket.Open(afpacket.Config{Interface: w.nameN})
			errs <- err
		}()
		if err := <-errs; !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFacts(t *testing.T) {
	w := newWire(t)
	w.ok(w.near.SetMTU(w.nameN, 1400))
	s := w.open(afpacket.Config{})
	index, err := w.near.Index(w.nameN)
	w.ok(err)
	for range 2 {
		f := carrier(w, s, true)
		if f.Name != w.nameN || f.Index != index || f.MTU != 1400 || f.MAC.String() != w.macN.String() || !f.Up || !f.Carrier {
			t.Errorf("%+v", f)
		}
		// A renamed interface is the same interface.
		w.ok(w.near.SetDown(w.nameN))
		w.ok(w.near.SetName(w.nameN, w.nameN+"x"))
		w.nameN += "x"
		w.ok(w.near.SetUp(w.nameN))
	}
	w.ok(w.far.SetDown(w.nameF))
	if f := carrier(w, s, false); !f.Up || f.Carrier {
		t.Errorf("with the far end down: %+v", f)
	}
	w.ok(w.near.AddAddr(w.nameN, netip.MustParsePrefix("10.9.1.1/24")))
	a, err := afpacket.Addresses(w.nameN)
	if err != nil || !slices.Contains(a, netip.MustParsePrefix("10.9.1.1/24")) {
		t.Errorf("addresses %v, %v", a, err)
	}
	if _, err := afpacket.Addresses("absent"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("addresses of an absent interface: %v", err)
	}
	w.near.DelLink(w.nameN)
}

// carrier returns the facts once the carrier is as wanted, which the kernel may
// tell as much as a second late, or after three seconds.
func carrier(w *wire, s *afpacket.Socket, want bool) (f afpacket.Facts) {
	for range 60 {
		var err error
		f, err = s.Facts()
		w.ok(err)
		if f.Carrier == want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return f
}

func TestDownAndUpAgain(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		s, far := w.open(c), w.openFar(afpacket.Config{})
		for range 3 {
			w.ok(w.near.SetDown(w.nameN))
			if err := waitError(s); !errors.Is(err, unix.ENETDOWN) {
				t.Fatalf("wait on an interface gone down: %v", err)
			}
			if _, err := s.Wait(0); err != nil {
				t.Fatalf("the error was not taken: %v", err)
			}
			if st := s.State(); st != afpacket.Down {
				t.Errorf("state %v", st)
			}
			out := []afpacket.Out{{Data: w.frame(60, 1)}, {Data: w.frame(60, 1)}}
			if n, err := s.Write(out); n != 0 || err != unix.ENETDOWN {
				t.Errorf("write while down: %d, %v", n, err)
			}
			w.ok(w.near.SetUp(w.nameN))
			if st := s.State(); st != afpacket.Up {
				t.Errorf("state %v", st)
			}
			w.send(far, afpacket.Out{Data: w.frame(60, 1)})
			if collect(t, s, 1, experimental, func(*afpacket.Frame) {}) != 1 {
				t.Error("nothing arrives after the interface came up again")
			}
			w.send(s, out...)
			if collect(t, far, 2, experimental, func(*afpacket.Frame) {}) != 2 {
				t.Error("nothing is sent after the interface came up again")
			}
		}
	})
}

func TestOpenWhileDown(t *testing.T) {
	for _, fanout := range []uint16{0, 80} {
		w := newWire(t)
		w.ok(w.near.SetDown(w.nameN))
		s, far := w.open(afpacket.Config{Fanout: fanout}), w.openFar(afpacket.Config{})
		if st := s.State(); st != afpacket.Down {
			t.Errorf("state %v", st)
		}
		s.TakeError()
		w.ok(w.near.SetUp(w.nameN))
		w.send(far, afpacket.Out{Data: w.frame(60, 1)})
		if collect(t, s, 1, experimental, func(*afpacket.Frame) {}) != 1 {
			t.Errorf("fanout %d: nothing arrives", fanout)
		}
	}
}

func TestGoneAndPickedUpAgain(t *testing.T) {
	for _, how := range []string{"deleted", "moved"} {
		t.Run(how, func(t *testing.T) {
			w := newWire(t)
			watch, err := afpacket.NewWatcher()
			w.ok(err)
			defer watch.Close()
			s := w.open(afpacket.Config{Promisc: true})
			if how == "deleted" {
				w.ok(w.near.DelLink(w.nameN))
			} else {
				w.ok(w.near.SetNamespace(w.nameN, w.ns))
			}
			if err := waitError(s); !errors.Is(err, unix.ENETDOWN) {
				t.Errorf("wait: %v", err)
			}
			if st := s.State(); st != afpacket.Gone {
				t.Errorf("state %v", st)
			}
			if n, err := s.Write([]afpacket.Out{{Data: w.frame(60, 1)}}); n != 0 || err == nil {
				t.Errorf("write: %d, %v", n, err)
			}
			if _, err := s.Facts(); !errors.Is(err, unix.ENODEV) {
				t.Errorf("facts: %v", err)
			}
			if !saw(watch, func(e afpacket.Event) bool { return e.Name == w.nameN && e.Gone }) {
				t.Error("the watcher did not see it go")
			}
			w.ok(s.Close())
			if how == "deleted" {
				w.ok(w.near.AddVeth(w.nameN, w.nameF, w.ns))
			} else {
				home, err := currentNamespace()
				w.ok(err)
				defer home.Close()
				w.ok(w.far.SetNamespace(w.nameN, home))
			}
			w.ok(w.near.SetUp(w.nameN))
			w.ok(w.far.SetUp(w.nameF))
			if !saw(watch, func(e afpacket.Event) bool { return e.Name == w.nameN && e.Up && e.Carrier }) {
				t.Error("the watcher did not see it come back")
			}
			s, far := w.open(afpacket.Config{Promisc: true}), w.openFar(afpacket.Config{})
			w.send(far, afpacket.Out{Data: w.frame(60, 1)})
			if collect(t, s, 1, experimental, func(*afpacket.Frame) {}) != 1 {
				t.Error("nothing arrives at the new interface")
			}
		})
	}
}

// saw reports whether the watcher tells such an event within three seconds.
func saw(w *afpacket.Watcher, is func(afpacket.Event) bool) bool {
	for range 60 {
		events, err := w.Next()
		if err != nil || slices.ContainsFunc(events, is) {
			return err == nil
		}
		unix.Poll([]unix.PollFd{{Fd: int32(w.FD()), Events: unix.POLLIN}}, 50)
	}
	return false
}

func TestInterfaceLeftAsFound(t *testing.T) {
	w := newWire(t)
	promiscuity := func() int {
		n, err := w.near.Promiscuity(w.nameN)
		w.ok(err)
		return n
	}
	for _, fanout := range []uint16{0, 77} {
		a := w.open(afpacket.Config{Promisc: true, Fanout: fanout})
		b := w.open(afpacket.Config{Promisc: true, Fanout: fanout})
		if n := promiscuity(); n != 2 {
			t.Errorf("promiscuity %d with two sockets", n)
		}
		a.Close()
		b.Close()
		b.Close()
		if n := promiscuity(); n != 0 {
			t.Errorf("promiscuity %d after close", n)
		}
	}
}

func TestPromiscuous(t *testing.T) {
	w := newWire(t)
	s, far := w.open(afpacket.Config{Promisc: true}), w.openFar(afpacket.Config{})
	b := w.frame(60, 1)
	b[5] ^= 0x40
	w.send(far, afpacket.Out{Data: b})
	if collect(t, s, 1, experimental, func(f *afpacket.Frame) {
		if f.Kind != afpacket.ToOther {
			t.Errorf("kind %d", f.Kind)
		}
	}) != 1 {
		t.Error("a frame for another address did not arrive")
	}
}

// TestOwnFramesAreNotRead covers plain sockets and fanout groups, whose hook in
// the kernel is another.
func TestOwnFramesAreNotRead(t *testing.T) {
	for _, fanout := range []uint16{0, 78} {
		eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
			c.Fanout = fanout
			s, far := w.open(c), w.openFar(afpacket.Config{})
			w.send(s, afpacket.Out{Data: w.frame(60, 1)})
			collect(t, far, 1, experimental, func(*afpacket.Frame) {})
			w.send(far, afpacket.Out{Data: w.frame(61, 1)})
			collect(t, s, 1, experimental, func(f *afpacket.Frame) {
				if f.Len != 61 || f.Kind == afpacket.Outgoing {
					t.Errorf("read a frame of %d bytes, kind %d", f.Len, f.Kind)
				}
			})
		})
	}
}

func TestFanoutTakesEachFrameOnce(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		c.Fanout = 79
		a, b, far := w.open(c), w.open(c), w.openFar(afpacket.Config{})
		const flows = 64
		for i := range flows {
			o := w.tcpSegments(100)
			o.Vnet = afpacket.VnetHdr{}
			o.Data[35] = byte(i) // source port
			w.send(far, o)
		}
		na := collect(t, a, flows, ours, func(*afpacket.Frame) {})
		nb := collect(t, b, flows-na, ours, func(*afpacket.Frame) {})
		if na+nb != flows || na == 0 || nb == 0 {
			t.Errorf("%d and %d of %d frames", na, nb, flows)
		}
		if n := collect(t, b, 1, ours, func(*afpacket.Frame) {}); n != 0 {
			t.Error("a frame came twice")
		}
	})
}

func TestEveryFrameIsAccountedFor(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWire(t)
		s, far := w.open(afpacket.Config{NoVnetHdr: plain}), w.openFar(afpacket.Config{})
		out := make([]afpacket.Out, 150)
		for i := range out {
			out[i] = afpacket.Out{Data: w.frame(60, byte(i)), Err: errors.New("stale")}
			if i%50 == 3 {
				out[i].Data = w.frame(3000, 0)
			}
		}
		n, err := s.Write(out)
		if n != len(out) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		for i, o := range out {
			if bad := i%50 == 3; bad != (o.Err == unix.EMSGSIZE) || !bad && o.Err != nil {
				t.Errorf("frame %d: %v", i, o.Err)
			}
		}
		st, err := s.Stats()
		w.ok(err)
		if st.Sent != 147 || st.Failed != 3 {
			t.Errorf("%+v", st)
		}
		if n := collect(t, far, 147, experimental, func(*afpacket.Frame) {}); n != 147 {
			t.Errorf("%d frames arrived", n)
		}
		if n := testing.AllocsPerRun(100, func() { s.Write(out) }); n != 0 {
			t.Errorf("%v allocations a call", n)
		}
	}
}

func TestWaiter(t *testing.T) {
	w := newWire(t)
	s, far := w.open(afpacket.Config{}), w.openFar(afpacket.Config{})
	for s.Read(make([]afpacket.Frame, 64)) > 0 {
	}
	wt, err := afpacket.NewWaiter(s)
	w.ok(err)
	defer wt.Close()
	done := make(chan error, 1)
	wait := func() {
		go func() {
			_, err := wt.Wait(-1)
			done <- err
		}()
	}
	for _, c := range []struct {
		name string
		do   func()
		want error
	}{
		{"word", wt.Wake, nil},
		{"frame", func() { w.send(far, afpacket.Out{Data: w.frame(60, 1)}) }, nil},
		{"down", func() { w.ok(w.near.SetDown(w.nameN)) }, unix.ENETDOWN},
	} {
		wait()
		c.do()
		select {
		case err := <-done:
			if err != c.want {
				t.Errorf("%s: %v", c.name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: still waiting", c.name)
		}
		s.Read(make([]afpacket.Frame, 64))
		s.Release()
	}
}

func TestSwapLoop(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		w2 := newWire(t)
		c.Promisc = true
		a, b := w.open(c), w2.open(c)
		farA, farB := w.openFar(afpacket.Config{Promisc: true}), w2.openFar(afpacket.Config{Promisc: true})
		var stop atomic.Bool
		done := make(chan error, 1)
		go func() {
			_, err := afpacket.SwapLoop(a, b, stop.Load)
			done <- err
		}()
		big := w.tcpSegments(30000)
		w.send(farA, afpacket.Out{Data: w.frame(60, 1)}, big)
		w.send(farB, afpacket.Out{Data: w.frame(60, 1)})
		var sizes []int
		collect(t, farB, 2, ours, func(f *afpacket.Frame) { sizes = append(sizes, f.Len) })
		collect(t, farA, 1, ours, func(f *afpacket.Frame) { sizes = append(sizes, f.Len) })
		if !slices.Equal(sizes, []int{60, len(big.Data), 60}) {
			t.Errorf("swapped frames of %v bytes", sizes)
		}
		stop.Store(true)
		w.ok(<-done)
	})
}
