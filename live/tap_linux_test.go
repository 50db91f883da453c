package live_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/internal/rtnl"
)

// tap makes a kernel interface whose other end is the file: what is sent by it
// waits until somebody reads, and when its queue is full it takes no more.
func (w *world) tap(name string) *os.File {
	w.t.Helper()
	if noKernel != nil {
		w.t.Skip(noKernel)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		w.t.Skipf("no TAP interfaces here: /dev/net/tun: %v", err)
	}
	r, err := unix.NewIfreq(name)
	w.ok(err)
	r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		unix.Close(fd)
		w.t.Skipf("no TAP interfaces here: %v", err)
	}
	f := os.NewFile(uintptr(fd), name)
	w.close = append(w.close, f)
	return f
}

// TestLiveNICFull fills a NIC's kernel queue from a socket while the workers
// sleep. What waits then in the device's own queue must go out when there is
// room again, and not when somebody happens to wake.
func TestLiveNICFull(t *testing.T) {
	w := newWorld(t, nsmodel.Config{Workers: 2})
	f := w.tap("tap0")
	here, err := rtnl.Dial()
	w.ok(err)
	defer here.Close()
	w.ok(here.SetUp("tap0"))
	w.sh(`
ip netns add r
ip -n r link add eth0 type nic dev tap0
ip -n r addr add 10.1.0.1/24 dev eth0
ip -n r link set eth0 up
ip -n r neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent`)
	w.carrier("eth0", true)
	w.fills(f)
	w.end()
}

func (w *world) fills(f *os.File) {
	t, r := w.t, w.net("r")
	defer r.Put()
	d := w.Core.Device(r, "eth0")
	b, fd := make([]byte, 2000), int(f.Fd())
	w.ok(unix.SetNonblock(fd, true)) // Fd has ended that
	for try := range 3 {
		time.Sleep(20 * time.Millisecond) // the workers sleep
		for range 100 {
			w.flood(r, "10.1.0.2:12", 20)
			if d.QueueLen() > 200 {
				break
			}
		}
		waiting := d.QueueLen()
		if waiting == 0 {
			t.Log("the kernel took everything")
			return
		}
		start := time.Now()
		for d.QueueLen() > 0 {
			for {
				if k, _ := unix.Read(fd, b); k <= 0 {
					break
				}
			}
			if time.Since(start) > 900*time.Millisecond {
				t.Fatalf("try %d: %d of %d packets still wait %v after there is room", try, d.QueueLen(), waiting, time.Since(start))
			}
			time.Sleep(time.Millisecond)
		}
	}
	t.Logf("%+v", d.Stats())
}
