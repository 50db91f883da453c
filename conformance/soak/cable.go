package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
	"nsmodel/netns"
)

// A cable is a veth pair of the kernel's: near is for the model, at the other end
// is a host of the kernel's in a namespace of its own.
type cable struct {
	o         *ordeal
	k         int
	near      string
	ns        *rtnl.Namespace
	here, far *rtnl.Conn

	// of the quiet cable, whose host talks with a Net and may lose nothing
	quiet  bool
	net    *netns.Net
	pinger *linux.Pinger

	// of the others, through which frames are thrown
	sock *afpacket.Socket // nil while the cable is unplugged
}

// far is the interface's name at the host's end.
const far = "host0"

// cables is how many there are; the first is the quiet one.
const cables = 3

func (o *ordeal) buildCables() error {
	for k := range cables {
		c := &cable{o: o, k: k, near: fmt.Sprintf("soak%d", k), quiet: k == 0}
		o.cables = append(o.cables, c)
		if err := c.open(); err != nil {
			return fmt.Errorf("cable %d: %w", k, err)
		}
	}
	return nil
}

func (c *cable) open() (err error) {
	if c.here, err = rtnl.Dial(); err != nil {
		return err
	}
	if c.ns, err = rtnl.NewNamespace(); err != nil {
		return err
	}
	if c.far, err = c.ns.Dial(); err != nil {
		return err
	}
	if err = c.plug(); err != nil {
		return err
	}
	if c.quiet {
		return c.openQuiet()
	}
	return c.o.addNIC(&nic{name: fmt.Sprintf("k%d", c.k), plug: func(n *netns.Net) (*core.Device, error) {
		spec := core.LinkSpec{Name: fmt.Sprintf("k%d", c.k), Attrs: map[string]string{"dev": c.near}}
		d, err := c.o.m.Core.Kind("nic").New(n, spec)
		if errors.Is(err, syscall.ENODEV) { // it is unplugged on the other side, too: bring it
			if err = c.plug(); err == nil {
				d, err = c.o.m.Core.Kind("nic").New(n, spec)
			}
		}
		return d, err
	}})
}

// plug makes the pair.
func (c *cable) plug() error {
	if err := c.here.AddVeth(c.near, far, c.ns); err != nil {
		return err
	}
	return errors.Join(c.here.SetUp(c.near), c.far.SetUp(far), c.far.AddAddr(far, netip.MustParsePrefix("10.1.0.2/24")), c.far.AddAddr(far, far6))
}

// openQuiet puts a Net with a service at the quiet cable.
func (c *cable) openQuiet() (err error) {
	lines := strings.ReplaceAll(`ip netns add $N
ip -n $N link add eth0 type nic dev soak0
ip -n $N addr add 10.1.0.1/24 dev eth0
ip -n $N link set eth0 up
ip netns exec $N probe udp echo 7
`+quiet6, "$N", "cable0")
	if _, err = run(c.o.in, lines); err != nil {
		return err
	}
	if c.net, err = c.o.m.Net("cable0"); err != nil {
		return err
	}
	c.pinger, err = linux.NewPinger(c.ns)
	return err
}

// once does something at the kernel's side.
func (c *cable) once(rng *rand.Rand) time.Duration {
	if c.quiet {
		return c.talk(rng)
	}
	if rng.IntN(50) == 0 {
		c.pull(rng)
	}
	return c.throw(rng)
}

// talk has the kernel ping the model and exchange a datagram with it.
func (c *cable) talk(rng *rand.Rand) time.Duration {
	to := netip.MustParseAddr("10.1.0.1")
	if _, err := c.pinger.Ping(to, rng.IntN(1400), patience); err != nil {
		c.o.fault("the kernel pings the model: %v", err)
	}
	said := strings.Repeat("x", 1+rng.IntN(3000))
	heard, err := linux.Ask(c.ns, netip.AddrPortFrom(to, 7), said, patience)
	if err != nil || heard != said {
		c.o.fault("the kernel asks the model with %d bytes and hears %d: %v", len(said), len(heard), err)
	}
	c.o.exchanges.Add(2)
	c.talk6(rng)
	return 2 * time.Millisecond
}

// throw sends frames from the kernel's end.
func (c *cable) throw(rng *rand.Rand) time.Duration {
	if c.sock == nil {
		err := c.ns.Do(func() (err error) {
			c.sock, err = afpacket.Open(afpacket.Config{Interface: far, Blocks: 1})
			return err
		})
		if err != nil { // unplugged
			c.sock = nil
			return 20 * time.Millisecond
		}
	}
	var batch [32]afpacket.Out
	for i := range batch {
		b := Mutate(rng, c.o.corpus)
		if rng.IntN(4) > 0 {
			aim(rng, b, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		}
		for len(b) < 14 { // or the kernel refuses it, and not the model
			b = append(b, byte(rng.Uint32()))
		}
		batch[i].Data = b
	}
	sent, err := c.sock.Write(batch[:])
	c.o.frames.Add(uint64(sent))
	if err != nil {
		c.unsock()
		return 10 * time.Millisecond
	}
	return 2 * time.Millisecond
}

func (c *cable) unsock() {
	if c.sock != nil {
		c.sock.Close()
		c.sock = nil
	}
}

// pull does to the kernel's interface what its owner may do at any time.
func (c *cable) pull(rng *rand.Rand) {
	c.o.flaps.Add(1)
	switch rng.IntN(6) {
	case 0, 1:
		_ = c.here.SetDown(c.near) // there may be none
		_ = c.here.SetUp(c.near)
	case 2:
		_ = c.far.SetDown(far)
		time.Sleep(time.Millisecond)
		_ = c.far.SetUp(far)
	case 3:
		_ = c.here.SetMTU(c.near, 600+rng.IntN(900))
	case 4:
		_ = c.here.SetMTU(c.near, 1500)
	case 5:
		c.unsock()
		c.o.m.Sys.Lock() // the flapper may be about to plug it
		defer c.o.m.Sys.Unlock()
		if err := c.here.DelLink(c.near); err != nil && !errors.Is(err, syscall.ENODEV) {
			c.o.fault("unplug %s: %v", c.near, err)
		}
		if err := c.plug(); err != nil {
			c.o.fault("plug %s: %v", c.near, err)
		}
	}
}

func (c *cable) close() {
	if c.pinger != nil {
		c.pinger.Close()
	}
	if c.net != nil {
		c.net.Put()
	}
	c.unsock()
	if c.here != nil {
		_ = c.here.DelLink(c.near) // gone already if its peer's namespace is
		c.here.Close()
	}
	if c.far != nil {
		c.far.Close()
	}
	if c.ns != nil {
		c.ns.Close()
	}
}
