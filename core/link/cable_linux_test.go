package link_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
	"nsmodel/internal/rtnl"
	"nsmodel/netns"
)

// noNamespace is why this process may not make network namespaces, or "".
var noNamespace string

const insideEnv = "NSMODEL_LINK_TEST_INSIDE"

// TestMain runs the tests in a child process with a network namespace of its own,
// so that no interface of the machine is ever in reach.
func TestMain(m *testing.M) {
	// A fuzzer's worker has files of its parent's, which a child would not get: what
	// needs an interface is skipped then.
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
	if err := c.Start(); err != nil {
		noNamespace = fmt.Sprintf("no private network namespace here: %v", err)
		os.Exit(m.Run())
	}
	if err := c.Wait(); err != nil {
		os.Exit(max(1, c.ProcessState.ExitCode()))
	}
	os.Exit(0)
}

// cable is a kernel veth pair: near in the test's namespace, for the model, far in
// a namespace of its own, where the kernel lives.
type cable struct {
	m         *machine
	conn, fc  *rtnl.Conn
	ns        *rtnl.Namespace
	near, far string
	mac       wire.MAC // of the far end
}

// number makes names that no two cables of this process share.
var number atomic.Int32

func newCable(m *machine) *cable {
	m.t.Helper()
	if noNamespace != "" {
		m.t.Skip(noNamespace)
	}
	i := number.Add(1)
	c := &cable{m: m, near: fmt.Sprintf("near%d", i), far: fmt.Sprintf("far%d", i), mac: wire.MAC{2, 0, 0, 0xfa, 0, byte(i)}}
	var err error
	if c.ns, err = rtnl.NewNamespace(); err != nil {
		m.t.Skip(err)
	}
	m.t.Cleanup(func() { c.ns.Close() })
	c.conn, err = rtnl.Dial()
	m.ok(err)
	m.t.Cleanup(func() { c.conn.Close() })
	c.fc, err = c.ns.Dial()
	m.ok(err)
	m.t.Cleanup(func() { c.fc.Close() })
	m.t.Cleanup(func() { c.conn.DelLink(c.near) })
	c.plug()
	return c
}

// plug makes the pair, both ends up.
func (c *cable) plug() {
	c.m.t.Helper()
	c.m.ok(c.conn.AddVeth(c.near, c.far, c.ns))
	c.m.ok(c.fc.SetMAC(c.far, c.mac[:]))
	c.m.ok(c.conn.SetUp(c.near))
	c.m.ok(c.fc.SetUp(c.far))
}

// raw opens a raw socket at the far end.
func (c *cable) raw() *afpacket.Socket {
	c.m.t.Helper()
	var s *afpacket.Socket
	c.m.ok(c.ns.Do(func() (err error) {
		s, err = afpacket.Open(afpacket.Config{Interface: c.far, Promisc: true})
		return err
	}))
	c.m.t.Cleanup(func() { s.Close() })
	return s
}

// nic makes a model device over the near end, up.
func (c *cable) nic(n *netns.Net, name string) *core.Device {
	c.m.t.Helper()
	d := c.m.add(n, "nic", core.LinkSpec{Name: name, Attrs: map[string]string{"dev": c.near}})
	c.m.t.Cleanup(func() {
		if d.Listed() {
			c.m.s.Unregister(d)
		}
	})
	c.m.up(d)
	return d
}
