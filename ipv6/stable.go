package ipv6

import (
	"crypto/sha1"
	"encoding"
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

// generate makes an address of a prefix of 64 bits for dev, as addr_gen_mode says,
// and returns the flags that go with it; not ok if none can be made. tries counts
// those that others had. Linux: the middle of addrconf_prefix_rcv, and
// addrconf_addr_gen.
func (s *Inet) generate(dev *device, prefix [16]byte, tries int) (a netip.Addr, flags uint32, ok bool) {
	switch dev.own.Load().v[confAddrGenMode] {
	case genRandom:
		s.drawSecret(dev)
		fallthrough
	case genStable:
		if secret := s.secret(dev); secret != nil {
			a, ok = stableAddr(*secret, prefix, tries, int(s.conf.Of(dev.dev.Net()).IDGenRetries.Load()))
			return a, unix.IFA_F_STABLE_PRIVACY, ok
		}
		if [8]byte(prefix[:8]) == [8]byte{0xfe, 0x80} {
			return a, 0, false
		}
	}
	if dev.dev.Addr().IsZero() {
		return a, 0, false
	}
	id := dev.dev.Addr().EUI64()
	copy(prefix[8:], id[:])
	return netip.AddrFrom16(prefix), 0, true
}

// secret returns what dev's stable addresses are made of: its own secret, or that
// of its Net's default; nil if there is none.
func (s *Inet) secret(dev *device) *[16]byte {
	if own := dev.own.Load().secret; own != nil {
		return own
	}
	return s.conf.Of(dev.dev.Net()).dflt.Load().secret
}

// drawSecret gives a device in the mode random a secret, once.
func (s *Inet) drawSecret(dev *device) {
	if dev.own.Load().secret != nil {
		return
	}
	var b [16]byte
	n := dev.dev.Net()
	binary.BigEndian.PutUint64(b[:8], n.Uint64())
	binary.BigEndian.PutUint64(b[8:], n.Uint64())
	own := *dev.own.Load()
	own.secret = &b
	dev.own.Store(&own)
}

// stableAddr is the function of RFC 7217 section 5 with Linux's choices: SHA-1's
// compression of one block, which is the secret, the prefix, the permanent
// hardware address in 32 octets and a counter; of the state that comes of it the
// first two words, least octet first. A virtual device has no permanent address.
// The counter goes on while the address is reserved.
// Linux: ipv6_generate_stable_address, on a machine with the least octet first.
func stableAddr(secret, prefix [16]byte, tries, most int) (netip.Addr, bool) {
	for ; ; tries++ {
		var block [sha1.BlockSize]byte
		copy(block[:], secret[:])
		copy(block[16:], prefix[:8])
		block[56] = byte(tries)
		h := sha1.New()
		h.Write(block[:])
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary() // the standard library hands out the bare compression in no other way
		if err != nil || len(state) < 12 {
			return netip.Addr{}, false
		}
		for i, word := range [2]uint32{binary.BigEndian.Uint32(state[4:]), binary.BigEndian.Uint32(state[8:])} {
			binary.LittleEndian.PutUint32(prefix[8+4*i:], word)
		}
		if !reservedID([8]byte(prefix[8:])) {
			return netip.AddrFrom16(prefix), true
		}
		if tries+1 > most {
			return netip.Addr{}, false
		}
	}
}

// reservedID reports whether an interface identifier is nobody's (RFC 5453).
// Linux: ipv6_reserved_interfaceid.
func reservedID(id [8]byte) bool {
	hi, lo := binary.BigEndian.Uint32(id[:]), binary.BigEndian.Uint32(id[4:])
	return hi|lo == 0 || hi == 0x02005eff && lo&0xfe000000 == 0xfe000000 || hi == 0xfdffffff && lo >= 0xffffff80
}

// initStableSysctl registers net.ipv6.conf.*.stable_secret, an address. One that was
// never written cannot be read (EIO), and all has none.
// Linux: addrconf_sysctl_stable_secret.
func (s *Inet) initStableSysctl() error {
	of := func(n *netns.Net, instance string) (*devConf, *device, error) {
		if instance == "all" {
			return nil, nil, syscall.EIO
		}
		if instance == "default" {
			return s.conf.Of(n).dflt.Load(), nil, nil
		}
		if dev := s.deviceNamed(n, instance); dev != nil {
			return dev.own.Load(), dev, nil
		}
		return nil, nil, syscall.ENOENT
	}
	return s.Sysctl.Register(sysctl.Entry{Name: "net.ipv6.conf.*.stable_secret", Row: "net.ipv6", Instances: s.instances,
		Get: func(n *netns.Net, instance string) (string, error) {
			c, _, err := of(n, instance)
			if err == nil && c.secret == nil {
				err = syscall.EIO
			}
			if err != nil {
				return "", err
			}
			b := c.secret
			text := ""
			for i := 0; i < 16; i += 2 {
				text += fmt.Sprintf(":%02x%02x", b[i], b[i+1])
			}
			return text[1:], nil
		},
		Set: func(n *netns.Net, instance, value string) error {
			c, dev, err := of(n, instance)
			if err != nil {
				return err
			}
			a, err := netip.ParseAddr(value)
			if err != nil || !a.Is6() || a.Zone() != "" {
				return syscall.EIO
			}
			b := a.As16()
			next := *c
			next.secret = &b
			if dev != nil {
				next.v[confAddrGenMode] = genStable
				dev.own.Store(&next)
				return nil
			}
			s.conf.Own(n).dflt.Store(&next)
			for _, d := range s.Core.Devices(n) {
				if dev := s.devs.Of(d); dev != nil {
					dev.own.Store(dev.own.Load().with(confAddrGenMode, genStable))
				}
			}
			return nil
		}})
}
