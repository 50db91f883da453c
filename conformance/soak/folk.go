package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"nsmodel/core/netlink"
	"nsmodel/lab"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A citizen is a Net that comes and goes. Its name and its address are used
// again by the next.
type citizen struct {
	mu    sync.Mutex
	alive bool
}

// sh carries out a command that may be refused, for others are at work on the
// same things. A line that is no command is a fault.
func (o *ordeal) sh(format string, args ...any) bool {
	text := fmt.Sprintf(format, args...)
	lines, err := lab.Load("soak", text+"\n")
	if err != nil || len(lines) != 1 {
		o.fault("%q is no command: %v", text, err)
		return false
	}
	r, err := o.in.Run(lines[0])
	if err != nil {
		o.fault("%s: %v", text, err)
	}
	o.commands.Add(1)
	return err == nil && r.Exit == 0
}

// live is an event in the life of a citizen: birth, something, death.
func (o *ordeal) live(rng *rand.Rand) time.Duration {
	k := rng.IntN(len(o.folk))
	c := &o.folk[k]
	if !c.mu.TryLock() {
		return time.Millisecond
	}
	defer c.mu.Unlock()
	switch {
	case !c.alive:
		c.alive = o.birth(k, rng)
	case rng.IntN(4) == 0:
		o.death(k, rng)
		c.alive = false
	default:
		o.event(k, rng)
	}
	return time.Duration(rng.IntN(2)) * time.Millisecond
}

// fill puts the name and the address of citizen k into a command.
func fill(line string, k int) string {
	return strings.NewReplacer("%N", fmt.Sprintf("f%d", k), "%A", fmt.Sprintf("10.2.0.%d", 100+k)).Replace(line)
}

// birth makes citizen k and gives it everything that can be under way in a Net.
func (o *ordeal) birth(k int, rng *rand.Rand) bool {
	n, err := o.m.AddNet(fill("%N", k))
	if err != nil {
		o.fault("birth of a Net: %v", err)
		return false
	}
	o.nets.Add(1)
	o.mourn(n)
	for _, line := range []string{
		"ip -n %N link set lo up",
		"ip -n %N link add eth0 type veth peer name c%N netns s",
		"ip -n s link set c%N master br0", "ip -n s link set c%N up",
		"ip -n %N addr add %A/24 dev eth0", "ip -n %N link set eth0 up",
		"ip -n %N route add default via 10.2.0.1",
		"ip -n %N link add p0 link eth0 type passthrough", "ip -n %N link set p0 up",
		"ip -n %N link add b0 type bridge", "ip -n %N link set b0 up",
		"ip netns exec %N probe capture start eth0 f", "ip netns exec %N probe udp echo 8",
		"ip -n %N rule add from 10.1.0.0/16 lookup 77 pref 100", "ip -n %N route add 10.9.0.0/16 via 10.2.0.3 table 77",
		"ip netns exec %N sysctl -w net.ipv4.ip_forward=1",
		"ip -n %N neigh add 10.2.0.250 lladdr 02:00:00:00:00:fa dev eth0",
	} {
		if rng.IntN(8) > 0 {
			o.sh("%s", fill(line, k))
		}
	}
	for range rng.IntN(4) {
		o.wait(n, rng)
	}
	for _, to := range []string{"10.2.0.251:9", "10.2.0.2:7", "127.0.0.1:8", fill("%A:8", k)} {
		o.send(n, to, rng.IntN(5000))
	}
	if rng.IntN(4) == 0 {
		o.m.Sys.Lock()
		_, err := o.m.Netlink.Subscribe(n, ^netlink.Groups(0), 4, func() {})
		o.m.Sys.Unlock()
		if err != nil {
			o.fault("subscribe: %v", err)
		}
	}
	return true
}

// wait has somebody read from a socket in n until it closes, which it does at
// the latest with its Net.
func (o *ordeal) wait(n *netns.Net, rng *rand.Rand) {
	c, err := o.m.UDP.Listen(n, netip.AddrPort{}, udp.Options{})
	if err != nil {
		o.fault("listen: %v", err)
		return
	}
	hour, soon := rng.IntN(2) == 0, rng.IntN(3) == 0
	if hour {
		_ = c.SetReadDeadline(time.Now().Add(time.Hour)) // a closed socket's reader ends anyway
	}
	name := n.Name()
	o.readers.Add(1)
	go func() {
		defer o.readers.Add(-1)
		b := make([]byte, 9)
		for {
			if _, _, err = c.ReadFromAddrPort(b); err != nil && !soft(err) {
				break
			}
		}
		if !errors.Is(err, syscall.ENETDOWN) && !errors.Is(err, net.ErrClosed) {
			o.fault("a reader in %s ends with %v", name, err)
		}
	}()
	if soon {
		go func() {
			time.Sleep(time.Millisecond)
			c.Close()
		}()
	}
}

// soft reports whether a socket goes on after an error: an ICMP message's.
func soft(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) ||
		errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.EPROTO) || errors.Is(err, syscall.ENOPROTOOPT)
}

// send sends a datagram of size bytes from a socket of its own.
func (o *ordeal) send(n *netns.Net, to string, size int) {
	c, err := o.m.UDP.Dial(n, netip.AddrPort{}, netip.MustParseAddrPort(to), udp.Options{})
	if err != nil {
		return // no route
	}
	_, _ = c.Write(make([]byte, size)) // it may be refused for many reasons
	c.Close()
}

// events are what happens in a citizen's life.
var events = []string{
	"ip -n %N link set eth0 down", "ip -n %N link set eth0 up", "ip -n %N link set eth0 mtu 600", "ip -n %N link set eth0 mtu 1500",
	"ip -n %N link set eth0 address 02:00:00:00:00:77", "ip -n %N link set eth0 name wan", "ip -n %N link set wan name eth0",
	"ip -n %N link set eth0 netns s name m%N", "ip -n s link set m%N netns %N name eth0", "ip -n %N link set eth0 master b0", "ip -n %N link set eth0 nomaster",
	"ip -n %N link del eth0", "ip -n s link del c%N", "ip -n %N link del p0", "ip -n %N link set p0 netns k name p%N",
	"ip -n %N addr add %A/24 dev eth0", "ip -n %N addr flush dev eth0", "ip -n %N route flush table 77", "ip -n %N route replace default via 10.2.0.3",
	"ip -n %N neigh flush dev eth0", "ip -n %N rule add prio 50 blackhole", "ip -n %N rule del prio 50",
	"ip netns exec %N sysctl -w net.ipv4.conf.all.proxy_arp=1", "ip netns exec %N sysctl -w net.ipv4.ipfrag_high_thresh=20000",
	"ip netns exec %N sysctl -w net.ipv4.icmp_ratelimit=0", "ip netns exec %N sysctl -w net.ipv4.neigh.eth0.retrans_time_ms=10",
	"ip netns exec %N probe udp close 8", "ip netns exec %N probe udp echo 8", "ip netns exec %N probe capture stop eth0",
	"ip -n %N -s link show", "ip -n %N route show table all", "ip -n %N neigh show", "ip netns exec %N sysctl net.ipv4",
}

// event lets something happen in citizen k.
func (o *ordeal) event(k int, rng *rand.Rand) {
	o.sh("%s", fill(events[rng.IntN(len(events))], k))
	if n, err := o.m.Net(fill("%N", k)); err == nil {
		o.send(n, []string{"10.2.0.2:7", "10.1.0.2:7", "10.2.0.255:9", "10.1.0.1:67"}[rng.IntN(4)], rng.IntN(3000))
		if rng.IntN(8) == 0 {
			o.wait(n, rng)
		}
		n.Put()
	}
}

// death ends citizen k; now and then somebody holds it while it loses its name.
func (o *ordeal) death(k int, rng *rand.Rand) {
	if n, err := o.m.Net(fill("%N", k)); err == nil {
		held := rng != nil && rng.IntN(3) == 0
		if !held {
			n.Put()
		} else {
			defer n.Put() // the run reaps it
		}
	}
	if !o.sh("%s", fill("ip netns del %N", k)) {
		o.fault("%s", fill("%N does not die", k))
	}
	if rng != nil && rng.IntN(2) == 0 { // its devices may have moved out
		o.sh("%s", fill("ip -n s link del m%N", k))
		o.sh("%s", fill("ip -n k link del p%N", k))
	}
}

// bare makes and destroys Nets in which nothing happens, several at once: they
// share a grace period.
func (o *ordeal) bare(rng *rand.Rand) time.Duration {
	sys := o.m.Sys
	sys.Lock()
	defer sys.Unlock()
	count := 1 + rng.IntN(30)
	for i := range count {
		n, err := sys.NewNet(fmt.Sprintf("x%d", i))
		if err != nil {
			o.fault("birth of a Net: %v", err)
			continue
		}
		if i == 0 {
			o.mourn(n)
		}
		if lo := o.m.Core.Device(n, "lo"); lo == nil {
			o.fault("a new Net has no lo")
		} else if rng.IntN(2) == 0 {
			if err := o.m.Core.SetUp(lo); err != nil {
				o.fault("lo of a new Net: %v", err)
			}
		}
	}
	for i := range count {
		if err := sys.Delete(fmt.Sprintf("x%d", i)); err != nil {
			o.fault("%v", err)
		}
	}
	sys.Reap()
	o.nets.Add(uint64(count))
	return 5 * time.Millisecond
}

// raze ends every citizen and the town itself, and takes the NICs home; the gate
// is shut.
func (o *ordeal) raze() {
	for k := range o.folk {
		if o.folk[k].alive {
			o.death(k, nil)
			o.folk[k].alive = false
		}
	}
	for _, name := range towns {
		if n, err := o.m.Net(name); err == nil {
			o.mourn(n)
			n.Put()
		}
		if !o.sh("ip netns del %s", name) {
			o.fault("%s does not die", name)
		}
	}
	o.m.Sys.Lock()
	o.m.Sys.Reap()
	for _, x := range o.nics {
		if !x.dev.Listed() || x.dev.Net() != o.m.Init() {
			o.fault("%s has not come home", x.name)
		}
	}
	o.m.Sys.Unlock()
	o.host.Forget() // who was reaped by the run
}
