package sockhash

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel/netns"
)

// kernel puts the calling goroutine's thread into a network namespace of its own
// with two Ethernet devices. The thread ends with the goroutine.
func kernel(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: nobody else may get this thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace of the kernel: %v", err)
	}
	for _, line := range []string{"link set lo up", "link add va type veth peer name va2", "link add vb type veth peer name vb2",
		"addr add 10.9.0.1/24 dev va", "addr add 10.9.1.1/24 dev vb", "link set va up", "link set va2 up", "link set vb up", "link set vb2 up"} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v %s", line, err, out)
		}
	}
}

// A wish is how a socket wants to be bound.
type wish struct {
	addr, dev            int
	reuseAddr, reusePort bool
}

var (
	kernelAddrs = [][4]byte{{}, {10, 9, 0, 1}, {10, 9, 1, 1}}
	kernelDevs  = []string{"", "va", "vb"}
)

const kernelPort = 5000

// bind makes a UDP socket of the kernel.
func (w wish) bind(t *testing.T) (fd int, err error) {
	t.Helper()
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	set := func(on bool, opt int) {
		if on {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	set(w.reuseAddr, unix.SO_REUSEADDR)
	set(w.reusePort, unix.SO_REUSEPORT)
	if w.dev > 0 {
		if err := unix.BindToDevice(fd, kernelDevs[w.dev]); err != nil {
			t.Fatal(err)
		}
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Port: kernelPort, Addr: kernelAddrs[w.addr]}); err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// binding is the same in the model.
func (w wish) binding(sock int) *Binding[int] {
	return &Binding[int]{Sock: sock, Local: Addr4(kernelAddrs[w.addr]), Port: kernelPort, Dev: w.dev, ReuseAddr: w.reuseAddr, ReusePort: w.reusePort}
}

func wishes() (all []wish) {
	for i := range 36 {
		all = append(all, wish{i % 3, i / 3 % 3, i/9%2 == 1, i/18 == 1})
	}
	return all
}

// Every pair of sockets, of all addresses, devices and options, on the kernel
// and in the model.
func TestConflictsAsLinux(t *testing.T) {
	onThread(t, func() {
		kernel(t)
		conflicts := 0
		for _, a := range wishes() {
			for _, b := range wishes() {
				want := linuxPair(t, a, b)
				if want != 0 {
					conflicts++
				}
				_, table, nets := boot(t, netns.Tagged, netns.Config{}, 1)
				if err := table.Bind(nets[0], a.binding(0)); err != nil {
					t.Fatal(err)
				}
				var got syscall.Errno
				if err := table.Bind(nets[0], b.binding(1)); err != nil {
					got = err.(syscall.Errno)
				}
				if got != want {
					t.Errorf("%+v then %+v: %v, Linux %v", a, b, got, want)
				}
			}
		}
		t.Logf("%d of %d pairs conflict", conflicts, 36*36)
	})
}

func linuxPair(t *testing.T, a, b wish) syscall.Errno {
	t.Helper()
	x, err := a.bind(t)
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	defer unix.Close(x)
	y, err := b.bind(t)
	if err != nil {
		return err.(syscall.Errno)
	}
	unix.Close(y)
	return 0
}

// Sockets that share a port: who gets a datagram from this host to its own
// address 10.9.0.1, which Linux takes for one that came in by va.
func TestDeliveryAsLinux(t *testing.T) {
	any, va, one := wish{reuseAddr: true}, wish{reuseAddr: true, dev: 1}, wish{reuseAddr: true, addr: 1}
	rp := func(w wish) wish { w.reusePort = true; return w }
	tests := [][]wish{
		{any}, {any, any}, {any, va}, {va, any}, {any, one}, {one, any}, {va, one}, {one, va},
		{any, rp(any)}, {rp(any), any}, {rp(any), rp(any)}, {rp(any), rp(any), rp(one)}, {rp(one), rp(any)},
		{rp(va), rp(any), rp(any)}, {rp(any), rp(any), rp(va)}, {rp(va), rp(any)}, {rp(any), va}, {va, rp(any)},
		{rp(any), any, rp(any)}, {one, rp(one), one},
	}
	onThread(t, func() {
		kernel(t)
		for _, ws := range tests {
			want := linuxShare(t, ws)
			_, table, nets := boot(t, netns.Replicated, netns.Config{}, 1)
			for i, w := range ws {
				if err := table.Bind(nets[0], w.binding(i)); err != nil {
					t.Fatalf("%+v: %v", ws, err)
				}
			}
			got := make([]bool, len(ws))
			for port := range 64 {
				f := &Flow{Local: Addr4(kernelAddrs[1]), Remote: Addr4(kernelAddrs[1]), LocalPort: kernelPort, RemotePort: uint16(20000 + port), Dev: 1}
				if s, ok := table.Lookup(nets[0], f); ok {
					got[s] = true
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%+v: %v got something, on Linux %v", ws, got, want)
			}
		}
	})
}

// linuxShare sends 64 datagrams from different ports and says which sockets got
// any.
func linuxShare(t *testing.T, ws []wish) []bool {
	t.Helper()
	var fds []int
	for _, w := range ws {
		fd, err := w.bind(t)
		if err != nil {
			t.Fatalf("%+v: %v", ws, err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	for port := range 64 {
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: kernelAddrs[1][:], Port: 20000 + port}, &net.UDPAddr{IP: kernelAddrs[1][:], Port: kernelPort})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	got := make([]bool, len(ws))
	for i, fd := range fds {
		var b [4]byte
		_, _, err := unix.Recvfrom(fd, b[:], 0)
		got[i] = err == nil
	}
	return got
}

// The newest socket in the way decides, whatever the others say.
func TestNewestDecidesAsLinux(t *testing.T) {
	rp1, plain2, rpAny := wish{addr: 1, reusePort: true}, wish{addr: 2}, wish{reusePort: true}
	onThread(t, func() {
		kernel(t)
		for _, ws := range [][]wish{{rp1, plain2, rpAny}, {plain2, rp1, rpAny}} {
			_, table, nets := boot(t, netns.Tagged, netns.Config{}, 1)
			var fds []int
			for i, w := range ws {
				fd, want := w.bind(t)
				if want == nil {
					fds = append(fds, fd)
				}
				if got := table.Bind(nets[0], w.binding(i)); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%+v: socket %d: %v, Linux %v", ws, i, got, want)
				}
			}
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
	})
}

// onThread runs f on a thread that ends with it.
func onThread(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
