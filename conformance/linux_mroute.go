//go:build linux

package conformance

import (
	"encoding/binary"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/lab"
)

// What a multicast routing daemon says by setsockopt. Linux:
// include/uapi/linux/mroute.h, mroute6.h, whose numbers are the same.
const (
	mrtInit   = 200
	mrtAddVIF = 202
	mrtDelVIF = 203
	mrtAddMFC = 204
	mrtDelMFC = 205
	maxVIFs   = 32
)

// A daemon is the socket of a multicast router, which keeps what it has said.
// Linux numbers its vifs; labs name their devices.
type daemon struct {
	fd   int
	vifs [maxVIFs]int // the devices' numbers; 0: free
}

// A router is where a daemon sits: a Net, and a family.
type router struct {
	net string
	six bool
}

// mroute does what a probe mroute says.
func (k *kernel) mroute(name string, p *lab.Probe) error {
	at := router{name, p.Six}
	own := k.daemons[at]
	switch {
	case p.Verb == lab.MrouteInit:
		if own != nil { // the kernel says so to a second socket
			return unix.EADDRINUSE
		}
		own = &daemon{}
		if err := k.in(name, func() error { return own.open(p.Six) }); err != nil {
			return err
		}
		if k.daemons == nil {
			k.daemons = map[router]*daemon{}
		}
		k.daemons[at] = own
		return nil
	case own == nil:
		return unix.EACCES
	case p.Verb == lab.MrouteDone:
		k.dismiss(at)
		return nil
	}
	err := k.in(name, func() error { return own.say(p) })
	time.Sleep(linger)
	return err
}

// dismiss ends a daemon, and with it all that it has said.
func (k *kernel) dismiss(at router) {
	if own := k.daemons[at]; own != nil {
		unix.Close(own.fd)
		delete(k.daemons, at)
	}
}

// dismissAll ends the daemons of a Net.
func (k *kernel) dismissAll(name string) {
	k.dismiss(router{name, false})
	k.dismiss(router{name, true})
}

func (d *daemon) open(six bool) (err error) {
	family, proto := unix.AF_INET, unix.IPPROTO_IGMP
	if six {
		family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if d.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto); err != nil {
		return err
	}
	if err = unix.SetsockoptInt(d.fd, level(six), mrtInit, 1); err != nil {
		unix.Close(d.fd)
	}
	return err
}

func level(six bool) int {
	if six {
		return unix.IPPROTO_IPV6
	}
	return unix.IPPROTO_IP
}

// number returns the vif of a device of this Net, or with free a number for it.
func (d *daemon) number(dev string, free bool) (vif, at int, err error) {
	if at, err = index(dev); err != nil {
		return 0, 0, err
	}
	want := at
	for i, have := range d.vifs {
		if have == at {
			if free {
				return 0, 0, unix.EADDRINUSE
			}
			return i, at, nil
		}
	}
	if want = 0; !free {
		return -1, at, nil
	}
	d.forget()
	for i, have := range d.vifs {
		if have == want {
			return i, at, nil
		}
	}
	return 0, 0, unix.ENFILE
}

// forget frees the numbers of devices that are no more.
func (d *daemon) forget() {
	for i, have := range d.vifs {
		if _, err := net.InterfaceByIndex(have); have != 0 && err != nil {
			d.vifs[i] = 0
		}
	}
}

// say says one thing of a probe to the kernel.
func (d *daemon) say(p *lab.Probe) error {
	set := func(name int, b []byte) error { return unix.SetsockoptString(d.fd, level(p.Six), name, string(b)) }
	switch p.Verb {
	case lab.MrouteAddVIF:
		i, at, err := d.number(p.Dev, true)
		if err != nil {
			return err
		}
		if err := set(mrtAddVIF, vifctl(p.Six, i, at)); err != nil {
			return err
		}
		d.vifs[i] = at
		return nil
	case lab.MrouteDelVIF:
		i, _, err := d.number(p.Dev, false)
		if err != nil {
			return err
		}
		if i < 0 {
			return unix.EADDRNOTAVAIL
		}
		if p.Six {
			err = unix.SetsockoptInt(d.fd, level(true), mrtDelVIF, i)
		} else {
			err = set(mrtDelVIF, vifctl(false, i, 0))
		}
		if err == nil {
			d.vifs[i] = 0
		}
		return err
	}
	name, parent, ttl := mrtDelMFC, 0, max(1, p.TTL)
	var oifs []int
	if p.Verb == lab.MrouteAdd {
		name = mrtAddMFC
		for _, dev := range append([]string{p.Dev}, p.OIFs()...) {
			i, _, err := d.number(dev, false)
			if err != nil {
				return err
			}
			oifs = append(oifs, i)
		}
		if parent, oifs = oifs[0], oifs[1:]; parent < 0 {
			return unix.ENFILE
		}
	}
	if p.Six {
		return set(name, mf6cctl(p, parent, oifs))
	}
	return set(name, mfcctl(p, parent, ttl, oifs))
}

// vifctl is a struct vifctl with VIFF_USE_IFINDEX, or a struct mif6ctl.
func vifctl(six bool, i, at int) []byte {
	if six {
		b := make([]byte, 12) // number, flags, threshold, index, rate limit
		binary.NativeEndian.PutUint16(b, uint16(i))
		b[3] = 1
		binary.NativeEndian.PutUint16(b[4:], uint16(at))
		return b
	}
	b := make([]byte, 16)
	binary.NativeEndian.PutUint16(b, uint16(i))
	b[2], b[3] = 8, 1
	binary.NativeEndian.PutUint32(b[8:], uint32(at))
	return b
}

// mfcctl is a struct mfcctl.
func mfcctl(p *lab.Probe, parent, ttl int, oifs []int) []byte {
	b := make([]byte, 60)
	from, to := p.Source.As4(), p.Group.As4()
	copy(b, from[:])
	copy(b[4:], to[:])
	binary.NativeEndian.PutUint16(b[8:], uint16(parent))
	for i := range maxVIFs {
		b[10+i] = 255
	}
	for _, i := range oifs {
		if i >= 0 {
			b[10+i] = byte(ttl)
		}
	}
	return b
}

// mf6cctl is a struct mf6cctl: two sockaddr_in6, the parent, and a set of mifs.
func mf6cctl(p *lab.Probe, parent int, oifs []int) []byte {
	b := make([]byte, 92)
	for at, a := range map[int][16]byte{0: p.Source.As16(), 28: p.Group.As16()} {
		binary.NativeEndian.PutUint16(b[at:], unix.AF_INET6)
		copy(b[at+8:], a[:])
	}
	binary.NativeEndian.PutUint16(b[56:], uint16(parent))
	for _, i := range oifs {
		if i >= 0 {
			b[60+i/8] |= 1 << (i % 8)
		}
	}
	return b
}
