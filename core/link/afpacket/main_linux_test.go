package afpacket_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nsmodel/core/link/afpacket"
	"nsmodel/internal/rtnl"
)

// noNamespace is why this process may not make network namespaces, or "".
var noNamespace string

const insideEnv = "AFPACKET_TEST_INSIDE"

// TestMain runs the tests in a child process that lives in a network namespace
// of its own, so that no interface of the machine is ever in reach.
func TestMain(m *testing.M) {
	// A fuzzer's worker has files of its parent's, which a child would not get: the
	// parsers need no interface, and what does is skipped.
	if slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzz") }) {
		noNamespace = "no network namespace of its own for a fuzzer"
		os.Exit(m.Run())
	}
	if os.Getenv(insideEnv) != "" {
		os.Exit(m.Run())
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Env = append(os.Environ(), insideEnv+"=1")
	c.Stdin, c.Stdout, c.Stderr, c.SysProcAttr = os.Stdin, os.Stdout, os.Stderr, attr
	err := c.Start()
	if err != nil {
		noNamespace = fmt.Sprintf("no private network namespace here: %v", err)
		os.Exit(m.Run())
	}
	if err = c.Wait(); err != nil {
		os.Exit(max(1, c.ProcessState.ExitCode()))
	}
}

// wire is a veth pair: near in the test's namespace, far in another.
type wire struct {
	t          testing.TB
	near, far  *rtnl.Conn
	ns         *rtnl.Namespace
	nameN      string // name of the near end
	nameF      string // name of the far end
	macN, macF net.HardwareAddr
}

var wires int

// newWire makes a wire with both ends up.
func newWire(t testing.TB) *wire {
	t.Helper()
	if noNamespace != "" {
		t.Skip(noNamespace)
	}
	wires++
	w := &wire{t: t, nameN: fmt.Sprintf("n%d", wires), nameF: fmt.Sprintf("f%d", wires)}
	w.macN = net.HardwareAddr{2, 0, 0, 0, byte(wires), 1}
	w.macF = net.HardwareAddr{2, 0, 0, 0, byte(wires), 2}
	var err error
	w.ns, err = rtnl.NewNamespace()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { w.ns.Close() })
	w.near, err = rtnl.Dial()
	w.ok(err)
	t.Cleanup(func() { w.near.Close() })
	w.far, err = w.ns.Dial()
	w.ok(err)
	t.Cleanup(func() { w.far.Close() })
	w.ok(w.near.AddVeth(w.nameN, w.nameF, w.ns))
	t.Cleanup(func() { w.near.DelLink(w.nameN) })
	w.ok(w.near.SetMAC(w.nameN, w.macN))
	w.ok(w.far.SetMAC(w.nameF, w.macF))
	w.ok(w.near.SetUp(w.nameN))
	w.ok(w.far.SetUp(w.nameF))
	return w
}

func (w *wire) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open opens the near end.
func (w *wire) open(c afpacket.Config) *afpacket.Socket {
	w.t.Helper()
	c.Interface = w.nameN
	s, err := afpacket.Open(c)
	w.ok(err)
	w.t.Cleanup(func() { s.Close() })
	return s
}

// openFar opens the far end.
func (w *wire) openFar(c afpacket.Config) *afpacket.Socket {
	w.t.Helper()
	c.Interface = w.nameF
	var s *afpacket.Socket
	w.ok(w.ns.Do(func() (err error) { s, err = afpacket.Open(c); return err }))
	w.t.Cleanup(func() { s.Close() })
	return s
}

// frame makes a frame of n bytes of the local experimental EtherType, whose
// payload begins with tag.
func (w *wire) frame(n int, tag byte) []byte {
	b := make([]byte, n)
	copy(b, w.macN)
	copy(b[6:], w.macF)
	b[12], b[13] = 0x88, 0xb5
	for i := 14; i < n; i++ {
		b[i] = tag + byte(i)
	}
	return b
}

// collect reads until want frames that match keep came or a second passed.
func collect(t testing.TB, s *afpacket.Socket, want int, keep func(*afpacket.Frame) bool, take func(*afpacket.Frame)) int {
	t.Helper()
	got, batch := 0, make([]afpacket.Frame, afpacket.Batch)
	for quiet := 0; got < want && quiet < 20; {
		n := s.Read(batch)
		for i := range batch[:n] {
			if keep(&batch[i]) {
				got++
				take(&batch[i])
			}
		}
		if n == 0 {
			ready, err := s.Wait(50)
			if err != nil {
				t.Fatal(err)
			}
			if !ready {
				quiet++
			}
		}
	}
	s.Release()
	return got
}

// waitError reads and waits until the socket has an error pending.
func waitError(s *afpacket.Socket) error {
	batch := make([]afpacket.Frame, afpacket.Batch)
	for range 20 {
		for s.Read(batch) > 0 {
		}
		if _, err := s.Wait(100); err != nil {
			return err
		}
	}
	return nil
}

// experimental keeps the frames that (*wire).frame made.
func experimental(f *afpacket.Frame) bool {
	return len(f.Data) >= 14 && f.Data[12] == 0x88 && f.Data[13] == 0xb5
}

// currentNamespace opens the namespace that the tests live in.
func currentNamespace() (*rtnl.Namespace, error) { return rtnl.CurrentNamespace() }
