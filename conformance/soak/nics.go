package soak

import (
	"math/rand/v2"
	"sync"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A nic is one that people pull at: a wire in memory or a kernel interface.
type nic struct {
	name string
	plug func(n *netns.Net) (*core.Device, error) // makes it; under rtnl

	mu  sync.Mutex   // orders who pulls
	dev *core.Device // under rtnl; what was plugged last
}

// wires is how many NICs in memory there are.
const wires = 6

// buildWires plugs them into the initial Net.
func (o *ordeal) buildWires() error {
	for i := range wires {
		x := &nic{name: "w" + string(rune('0'+i))}
		x.plug = func(n *netns.Net) (*core.Device, error) {
			w, err := o.m.Links.NewWire(n, core.LinkSpec{Name: x.name}, nil)
			if err != nil {
				return nil, err
			}
			return w.Device(), nil
		}
		if err := o.addNIC(x); err != nil {
			return err
		}
	}
	return nil
}

// addNIC plugs x in for the first time.
func (o *ordeal) addNIC(x *nic) (err error) {
	o.m.Sys.Lock()
	defer o.m.Sys.Unlock()
	x.dev, err = x.plug(o.m.Init())
	o.nics = append(o.nics, x)
	return err
}

// somewhere returns a Net of the town, a citizen or, seldom, the initial one,
// held; nil if the citizen is not there.
func (o *ordeal) somewhere(rng *rand.Rand) *netns.Net {
	name := ""
	switch k := rng.IntN(len(towns) + len(o.folk)/2 + 1); {
	case k < len(towns):
		name = towns[k]
	case k > len(towns):
		name = fill("%N", rng.IntN(len(o.folk)))
	}
	n, err := o.m.Net(name)
	if err != nil {
		return nil
	}
	return n
}

// flap pulls at a NIC.
func (o *ordeal) flap(rng *rand.Rand) time.Duration {
	x := o.nics[rng.IntN(len(o.nics))]
	x.mu.Lock()
	defer x.mu.Unlock()
	to := o.somewhere(rng)
	if to == nil {
		return 0
	}
	defer to.Put()
	o.pull(x, to, rng)
	o.flaps.Add(1)
	// What it is for in its new Net; that may have ended meanwhile.
	if name := x.dev.Net().Name(); name != "" && rng.IntN(2) == 0 {
		o.sh("ip -n %s addr add 10.1.0.%d/24 dev %s", name, 200+rng.IntN(50), x.name)
	}
	return time.Millisecond
}

// pull does one thing to x, under rtnl.
func (o *ordeal) pull(x *nic, to *netns.Net, rng *rand.Rand) {
	o.m.Sys.Lock()
	defer o.m.Sys.Unlock()
	s, d := o.m.Core, x.dev
	if !d.Listed() {
		o.fault("%s is lost", x.name)
		return
	}
	switch rng.IntN(8) {
	case 0, 1, 2:
		_ = s.SetUp(d) // the kernel's interface may be away
	case 3:
		s.SetDown(d)
	case 4, 5, 6:
		if err := s.Move(d, to, ""); err != nil && to.Alive() {
			o.fault("%s to %s: %v", x.name, to.Name(), err)
		}
	case 7:
		if err := s.Unregister(d); err != nil {
			o.fault("unplug %s: %v", x.name, err)
			return
		}
		if again, err := x.plug(o.m.Init()); err == nil {
			x.dev = again
		} else {
			o.fault("plug %s: %v", x.name, err)
		}
	}
}

// throw lets frames arrive at some device: a NIC, an end of a cable, lo.
func (o *ordeal) throw(rng *rand.Rand) time.Duration {
	n := o.somewhere(rng)
	if n == nil {
		return 0
	}
	defer n.Put()
	devs := o.m.Core.Devices(n)
	if len(devs) == 0 {
		return 0
	}
	const burst = 32
	w := o.m.Core.Enter()
	for range burst {
		d := devs[rng.IntN(len(devs))]
		b := Mutate(rng, o.corpus)
		if rng.IntN(4) > 0 {
			aim(rng, b, d.Addr())
		}
		p := w.NewFrame(len(b))
		copy(p.Bytes(), b)
		if rng.IntN(8) == 0 {
			Offload(p, byte(rng.Uint32()))
		}
		d.Queue(w, p)
	}
	w.Leave()
	o.frames.Add(burst)
	return time.Millisecond
}

// aim is Aim at addresses of chance.
func aim(rng *rand.Rand, b []byte, mac wire.MAC) {
	src, dst := addresses[rng.IntN(len(addresses))], addresses[rng.IntN(len(addresses))]
	if rng.IntN(3) == 0 {
		dst = [4]byte{10, 2, 0, byte(100 + rng.IntN(24))} // a citizen
	}
	Aim(b, mac, src, dst)
}
