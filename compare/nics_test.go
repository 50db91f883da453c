package compare

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"nsmodel/bench/stage"
	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
)

// In a sandbox every arm of the experiment with NICs measures something, on both
// sides and with the others that it says.
func TestNICs(t *testing.T) {
	if !boxed(t) {
		return
	}
	if err := linux.Settle(); err != nil {
		t.Fatal(err)
	}
	store, err := OpenStore("", false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(Tiny, store)
	r.Boxed = true
	e := nics()
	d, err := r.Do(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Notes()) > 0 {
		t.Errorf("left out: %v", r.Notes())
	}
	most := float64(Pick(r, nicOthers, nicOthers, nicOthers))
	for _, k := range []Key{
		{nicForward, Model, swapped, 0}, {nicForward, Model, Tagged, most}, {nicForward, Model, Replicated, 0}, {nicEcho, Model, Tagged, most}, {nicEcho, Model, Replicated + inMemory, most},
		{nicForward, Kernel, Replicated, 0}, {nicForward, Kernel, Replicated, most}, {nicEcho, Kernel, Tagged, most}, {nicEcho, Kernel, Replicated, 0},
	} {
		if s := d.Stat(k); s.N == 0 || !measured(s.Median) {
			t.Errorf("%v: %v", k, s)
		}
	}
	if text := e.Answer(d); !strings.Contains(text, "in the kernel") || !strings.Contains(text, "by the stack alone") || strings.Contains(text, "not measured") {
		t.Errorf("answer: %s", text)
	}
}

// What does not arrive is an error, not a fast packet; and only ours counts.
func TestFarEnd(t *testing.T) {
	if !boxed(t) {
		return
	}
	if err := linux.Settle(); err != nil {
		t.Fatal(err)
	}
	c, err := stage.LayCables(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e, err := farForward(c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if v, err := e.sample(time.Millisecond); err == nil {
		t.Errorf("nobody forwards, and a datagram takes %v ns", v)
	}
	stop, err := stage.SwapNICs()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := e.sample(time.Millisecond); err != nil || v < 100 {
		t.Errorf("a swapped datagram takes %v ns, %v", v, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	to := stage.UDPFrame(stage.Far(), "10.1.0.2", "10.9.3.4", stage.Port)
	other := stage.UDPFrame(stage.Far(), "10.1.0.2", "10.9.3.4", stage.Port+1)
	arp := append([]byte(nil), to...)
	arp[13] = 6
	if !e.ours(to) || e.ours(other) || e.ours(arp) || e.ours(to[:30]) {
		t.Error("ours is not told from what is not")
	}
}

// A crowd of the kernel's is there when it is to be, and gone when not.
func TestKernelCrowd(t *testing.T) {
	if !boxed(t) {
		return
	}
	if err := linux.Settle(); err != nil {
		t.Fatal(err)
	}
	store, err := OpenStore("", false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(Tiny, store)
	r.Boxed = true
	b, err := r.newBox()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := &kernelCrowd{b, 5}
	for i, want := range []bool{false, true, true, false, true} {
		changed, err := c.there(want)
		if err != nil {
			t.Fatal(err)
		}
		if changed != (i != 0 && i != 2) {
			t.Errorf("%d: changed %v", i, changed)
		}
		if have := len(b.holders) > 0; have != want {
			t.Errorf("there: %v, want %v", have, want)
		}
	}
}

// Each of a crowd has a route and a socket.
func TestHaveState(t *testing.T) {
	if !boxed(t) {
		return
	}
	ns, err := rtnl.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := ns.Do(func() error {
		if err := haveState(stage.Port, 1); err != nil {
			return err
		}
		// Numbers are in hexadecimal, addresses in the host's order.
		for file, want := range map[string]string{"route": "lo\t0000090A", "udp": fmt.Sprintf(":%04X ", stage.Port)} {
			b, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil || !strings.Contains(string(b), want) {
				t.Errorf("no %q in %s: %v\n%s", want, file, err, b)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
