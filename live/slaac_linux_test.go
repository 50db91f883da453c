package live_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nsmodel"
)

// run runs a command in the far end's namespace and returns what it prints.
func (c *cable) run(args ...string) (out string, err error) {
	fault := c.ns.Do(func() error {
		b, e := exec.Command(args[0], args[1:]...).CombinedOutput()
		out, err = string(b), e
		return nil
	})
	c.w.ok(fault)
	return out, err
}

// shows waits until a command prints all of want, and then returns what it prints.
func (c *cable) shows(want []string, args ...string) string {
	c.w.t.Helper()
	out := ""
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, _ = c.run(args...)
		missing := ""
		for _, w := range want {
			if !strings.Contains(out, w) {
				missing = w
			}
		}
		switch {
		case missing == "":
			return out
		case time.Now().After(end):
			c.w.t.Errorf("%v: no %q within 20 s in\n%s", args, missing, out)
			return out
		}
	}
}

// speakSix lets the far end speak IPv6, which the tests' namespaces do not.
func (c *cable) speakSix() {
	c.w.t.Helper()
	c.w.ok(c.ns.Do(func() error {
		for _, which := range []string{"all", "default", c.far} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("0"), 0); err != nil {
				return err
			}
		}
		return os.WriteFile("/proc/sys/net/ipv6/conf/"+c.far+"/accept_ra", []byte("1"), 0)
	}))
}

// TestLiveNICAutoconf has the kernel make itself an address of the model's router
// advertisements, ping through that router, lose an address that the model has, and
// find the model's hosts by ff02::1.
func TestLiveNICAutoconf(t *testing.T) {
	if noKernel != nil {
		t.Skip(noKernel)
	}
	for _, tool := range []string{"ip", "ping"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	w := newWorld(t, nsmodel.Config{Workers: 2})
	x := w.cable(1)
	w.sh(fmt.Sprintf(`
ip netns add r
ip netns exec r sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.all.forwarding=1
ip -n r link set lo up
ip -n r link add eth1 type nic dev %s
ip -n r addr add 2001:db8:1::1/64 dev eth1 nodad
ip -n r addr add 2001:db8:2::1/128 dev lo nodad
ip -n r link set eth1 up`, x.near))
	w.carrier("eth1", true)
	time.Sleep(2500 * time.Millisecond) // the router's link-local address is sure
	w.sh(`ip netns exec r probe ra on dev eth1 hoplimit 55 mtu 1400 prefix 2001:db8:1::/64 valid 3600 preferred 1800`)
	x.speakSix()
	x.shows([]string{"inet6 2001:db8:1:", "scope global dynamic mngtmpaddr"}, "ip", "-6", "addr", "show", "dev", x.far, "-tentative")
	x.shows([]string{"default via fe80::", "proto ra", "mtu 1400", "hoplimit 55", "2001:db8:1::/64"}, "ip", "-6", "route")
	x.shows([]string{"1 received"}, "ping", "-c", "1", "-W", "2", "2001:db8:2::1")
	x.shows([]string{"bytes from fe80::"}, "ping", "-c", "1", "-W", "2", "ff02::1%"+x.far)
	if out, err := x.run("ip", "addr", "add", "2001:db8:1::1/64", "dev", x.far); err != nil {
		t.Error(err, out)
	}
	x.shows([]string{"dadfailed tentative"}, "ip", "-6", "addr", "show", "to", "2001:db8:1::1")
	// And the other way round: what the kernel has the model does not take.
	if out, err := x.run("ip", "addr", "add", "2001:db8:1::9/64", "dev", x.far, "nodad"); err != nil {
		t.Error(err, out)
	}
	w.sh(`ip -n r addr add 2001:db8:1::9/64 dev eth1`)
	r := w.net("r")
	failed := false
	for end := time.Now().Add(10 * time.Second); !failed && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, a := range w.IPv6.Addrs(w.Core.Device(r, "eth1")) {
			failed = failed || a.Local.String() == "2001:db8:1::9" && a.Flags&0x08 != 0 // IFA_F_DADFAILED
		}
	}
	r.Put()
	if !failed {
		t.Error("the model took an address that the kernel has")
	}
	w.sh(`ip netns exec r probe ra send dev eth1 lifetime 0 prefix 2001:db8:1::/64 valid 60 preferred 0`)
	x.shows([]string{"deprecated"}, "ip", "-6", "addr", "show", "dev", x.far)
	if out, _ := x.run("ip", "-6", "route", "show", "default"); strings.Contains(out, "default") {
		t.Errorf("the router is a default router still: %s", out)
	}
	w.end()
}
