//go:build linux

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
	"nsmodel/lab"
)

// names is where ip keeps the names of namespaces; the sandbox has its own.
const names = "/run/netns"

// patience is how long one command of a lab may take on the real kernel.
const patience = 30 * time.Second

// A kernel runs one lab on namespaces of the real kernel. It lives in a sandbox,
// in which nothing else makes namespaces by name.
type kernel struct {
	home     *rtnl.Conn              // to the sandbox's own namespace, where watchers stand
	init     *rtnl.Namespace         // the lab's initial Net
	known    map[string]bool         // the Nets that there are, by name
	services map[service]*listener   // sockets that probes keep open
	adverts  map[service]*advertiser // and those that advertise routers
	watches  map[string]*kernelWatch // of a watched job, by Net
}

// A service is a probe's socket: its Net, local address and name.
type service struct{ net, local, name string }

// startKernel makes a fresh initial Net.
func startKernel() (*kernel, error) {
	k := &kernel{known: make(map[string]bool), services: make(map[service]*listener)}
	var err error
	if k.home, err = rtnl.Dial(); err != nil {
		return nil, err
	}
	if k.init, err = rtnl.NewNamespace(); err == nil {
		err = k.init.Do(prepare)
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// close takes down all that the lab has left.
func (k *kernel) close() {
	k.hush("")
	for s := range k.services {
		k.shut(s)
	}
	for _, w := range k.watches {
		go w.close() // the kernel waits for its readers before it closes a packet socket
	}
	for name := range k.list() {
		path := filepath.Join(names, name)
		_ = unix.Unmount(path, unix.MNT_DETACH)
		_ = os.Remove(path)
	}
	if k.init != nil {
		k.init.Close()
	}
	k.home.Close()
}

// list returns the names of the namespaces that there are.
func (k *kernel) list() map[string]bool {
	entries, _ := os.ReadDir(names)
	m := make(map[string]bool, len(entries))
	for _, e := range entries {
		m[e.Name()] = true
	}
	return m
}

// in runs f in the namespace of that name; "" is the initial one.
func (k *kernel) in(name string, f func() error) error {
	if name == "" {
		return k.init.Do(f)
	}
	ns, err := rtnl.OpenNamespace(filepath.Join(names, name))
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(f)
}

// do runs one command as the lab says it.
func (k *kernel) do(l lab.Line) (lab.Result, error) {
	if cmd, err := lab.Parse(l); err == nil {
		if _, ok := cmd.Do.(*lab.Probe); ok {
			return lab.New(probes{k}).Run(l)
		}
	}
	wait, err := k.farewell(k.doomed(l.Words))
	if err != nil {
		return lab.Result{Line: l}, err
	}
	r, err := k.tool(l)
	if err != nil {
		return r, err
	}
	if err := wait(); err != nil {
		return r, err
	}
	now := k.list()
	for name := range now {
		if !k.known[name] {
			if err := k.in(name, prepare); err != nil {
				return r, fmt.Errorf("preparing %s: %w", name, err)
			}
		}
	}
	k.known = now
	k.calm(l.Words) // what has failed may have done something before
	return r, nil
}

// tool runs one of Linux's own tools in the initial Net.
func (k *kernel) tool(l lab.Line) (lab.Result, error) {
	r := lab.Result{Line: l}
	path, err := linux.Tool(l.Words[0])
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, path, l.Words[1:]...)
	c.Args[0] = l.Words[0]
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TERM=dumb"}
	c.Stdin = strings.NewReader(l.Input)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = k.init.Do(c.Run)
	r.Stdout, r.Stderr = out.String(), errs.String()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		r.Exit, err = exit.ExitCode(), nil
	}
	return r, err
}

// doomed returns the Net that a command is about to delete, or "".
func (k *kernel) doomed(words []string) string {
	for i, w := range words {
		if i > 0 && strings.HasPrefix("netns", w) && len(w) > 2 && i+2 < len(words) && strings.HasPrefix("delete", words[i+1]) {
			if name := words[i+2]; k.known[name] {
				return name
			}
		}
	}
	return ""
}

// mourning is how long a deleted Net may take to die.
const mourning = 60 * time.Second

// witnesses counts the devices of farewell: one that outlived its lab must not
// be in the next one's way.
var witnesses atomic.Int64

// farewell ends what runs in a Net that is about to be deleted, and returns a
// function that waits until the kernel is through with it: the names go at
// once, the devices some 20 ms later. A device whose peer is in it tells.
func (k *kernel) farewell(name string) (wait func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	k.hush(name)
	for s := range k.services {
		if s.net == name {
			k.shut(s)
		}
	}
	k.unwatch(name)
	if err := k.in(name, forgetNeighbours); err != nil {
		return nil, err
	}
	ns, err := rtnl.OpenNamespace(filepath.Join(names, name))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	w := fmt.Sprintf("watch%d", witnesses.Add(1))
	if err := k.home.AddVeth(w, w+"-", ns); err != nil {
		return nil, err
	}
	return func() error {
		if k.list()[name] { // it lives on
			return k.home.DelLink(w)
		}
		for end := time.Now().Add(mourning); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if _, err := k.home.Index(w); err != nil {
				return nil
			}
		}
		_ = k.home.DelLink(w)
		return fmt.Errorf("namespace %s is still there %v after its deletion", name, mourning)
	}, nil
}

// forgetNeighbours makes the calling thread's namespace, which is about to be
// deleted, forget its neighbours: a packet that waits for one has a socket, and
// this keeps the namespace. A device that stops using ARP forgets quietly.
func forgetNeighbours() error {
	return eachDevice(func(fd int, name string) {
		r, err := unix.NewIfreq(name)
		if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r) != nil {
			return
		}
		r.SetUint16(r.Uint16() | unix.IFF_NOARP)
		_ = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r) // it goes anyway
	})
}

// calm waits until the kernel has done what a command left to its work queues:
// asking for a carrier makes it look now.
func (k *kernel) calm(words []string) {
	if words[0] != "ip" {
		return
	}
	for range 2 { // a bridge follows its ports
		_ = k.in("", lookAtCarriers)
		for name := range k.known {
			_ = k.in(name, lookAtCarriers)
		}
	}
}

// lookAtCarriers asks the calling thread's namespace for each device's carrier.
// It does so by ethtool's ioctl: rtnetlink would give numbers to the namespaces
// in which the devices' peers are.
func lookAtCarriers() error { return eachDevice(glink) }

// eachDevice calls f with each device of the calling thread's namespace, and a
// socket there.
func eachDevice(f func(fd int, name string)) error {
	list, err := os.ReadFile("/proc/thread-self/net/dev")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, line := range strings.Split(string(list), "\n")[2:] { // two lines of headings
		name, _, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			f(fd, name)
		}
	}
	return nil
}

// devconf are net.ipv4.conf.* as the kernel is compiled: a namespace inherits
// the machine's, which its distribution may have changed.
var devconf = map[string][2]string{ // all, default
	"forwarding": {"0", "0"}, "bc_forwarding": {"0", "0"}, "accept_redirects": {"1", "1"}, "secure_redirects": {"1", "1"},
	"send_redirects": {"1", "1"}, "shared_media": {"1", "1"}, "rp_filter": {"0", "0"}, "accept_source_route": {"0", "1"},
	"accept_local": {"0", "0"}, "src_valid_mark": {"0", "0"}, "log_martians": {"0", "0"}, "route_localnet": {"0", "0"},
	"proxy_arp": {"0", "0"}, "proxy_arp_pvlan": {"0", "0"}, "arp_filter": {"0", "0"}, "arp_announce": {"0", "0"},
	"arp_ignore": {"0", "0"}, "arp_accept": {"0", "0"}, "arp_notify": {"0", "0"}, "arp_evict_nocarrier": {"1", "1"},
	"drop_gratuitous_arp": {"0", "0"}, "drop_unicast_in_l2_multicast": {"0", "0"}, "ignore_routes_with_linkdown": {"0", "0"},
	"promote_secondaries": {"0", "0"},
}

// prepare makes the calling thread's new namespace what the model's is: the
// compiled-in tunables, and no IPv6, which the model does not have yet.
func prepare() error {
	for key, v := range devconf {
		for i, which := range []string{"all", "default"} {
			if err := put("/proc/sys/net/ipv4/conf/"+which+"/"+key, v[i]); err != nil {
				return err
			}
		}
	}
	for _, which := range []string{"all", "default"} {
		if err := put("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", "1"); err != nil {
			return err
		}
	}
	return nil
}

// put writes a tunable that has another value; one that the kernel has not is
// none of ours.
func put(path, value string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && strings.TrimSpace(string(old)) == value {
		return nil
	}
	return os.WriteFile(path, []byte(value), 0)
}

// glink asks for one device's carrier; the answer is of no interest.
func glink(fd int, name string) {
	value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_GLINK}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data *struct{ cmd, data uint32 }
		_    [16]byte // struct ifreq is 40 bytes
	}{data: &value}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
}
