package compare

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/bench/stage"
	"nsmodel/internal/rtnl"
)

// A kernelTenant is a namespace with 10.0.0.1/8 on a veth, whose peer is in
// another one.
type kernelTenant struct {
	ns    *rtnl.Namespace
	conn  *rtnl.Conn
	index int
}

// tenants makes a victim and an attacker, and returns what ends them.
func (b *kernelBox) tenants() (all [2]kernelTenant, end func() error, err error) {
	end = func() error {
		for _, t := range all {
			if t.conn != nil {
				t.conn.Close()
			}
		}
		return b.Close()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()
	peers, err := b.space()
	if err != nil {
		return all, end, err
	}
	far, err := peers.Dial()
	if err != nil {
		return all, end, err
	}
	defer far.Close()
	for i := range all {
		t := &all[i]
		if t.ns, err = b.space(); err != nil {
			return all, end, err
		}
		if t.conn, err = t.ns.Dial(); err != nil {
			return all, end, err
		}
		peer := fmt.Sprint("p", i)
		for _, step := range []func() error{
			func() error { return t.conn.AddVeth("v", peer, peers) },
			func() error { return far.SetUp(peer) },
			func() error { return t.conn.SetUp("v") },
			func() error { return t.conn.AddAddr("v", netip.MustParsePrefix("10.0.0.1/8")) },
			func() (err error) { t.index, err = t.conn.Index("v"); return err },
		} {
			if err = step(); err != nil {
				return all, end, err
			}
		}
	}
	return all, end, nil
}

// make tries to make k stale neighbours, and returns how many there was room for.
func (t kernelTenant) make(k int) (made int, err error) {
	for i := range k {
		a, _ := entryAt(i)
		switch err := t.conn.SetNeighbour(t.index, a, []byte{2, 0, 0, 0, 9, 9}, unix.NUD_STALE); {
		case err == nil:
			made++
		case !errors.Is(err, unix.ENOBUFS):
			return made, err
		}
	}
	return made, nil
}

// flush takes the neighbours away, and the others' trouble with them.
func (t kernelTenant) flush() error {
	if err := t.conn.SetDown("v"); err != nil {
		return err
	}
	return t.conn.SetUp("v")
}

// noisyNeighKernel is noisyNeigh with the kernel's namespaces, but for who is
// evicted.
func noisyNeighKernel(r *Run, attackers int) (func() ([]float64, error), func() error, error) {
	b, err := r.newBox()
	if err != nil {
		return nil, nil, err
	}
	all, end, err := b.tenants()
	if err != nil {
		return nil, nil, err
	}
	victim, attacker := all[0], all[1]
	fd, err := b.socket(victim.ns, 0)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	known, _ := entryAt(1 << 15)
	to := &unix.SockaddrInet4{Port: 9, Addr: known.As4()}
	return func() (values []float64, err error) {
		// Whatever happens, nobody's table stays full.
		defer func() { err = errors.Join(err, attacker.flush(), victim.flush()) }()
		if err := victim.conn.SetNeighbour(victim.index, known, []byte{2, 0, 0, 0, 9, 9}, unix.NUD_PERMANENT); err != nil {
			return nil, err
		}
		if _, err := attacker.make(attackers); err != nil {
			return nil, err
		}
		var made int
		took, err := cpuOf(func() (err error) { made, err = victim.make(victimTries); return err })
		if err != nil {
			return nil, err
		}
		sending, err := cpuOf(func() error {
			for range victimTries {
				if err := unix.Sendto(fd, make([]byte, 18), 0, to); err != nil {
					return os.NewSyscallError("sendto", err)
				}
			}
			return nil
		})
		return []float64{float64(made), took.Seconds() * 1e6 / victimTries, sending.Seconds() * 1e6 / victimTries}, err
	}, end, nil
}

// noisyEvictedKernel counts how many old neighbours of the victim's are gone when
// the attacker has made his.
func noisyEvictedKernel(r *Run, attackers int) (*Stand, error) {
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	all, end, err := b.tenants()
	if err != nil {
		return nil, err
	}
	victim, attacker := all[0], all[1]
	return &Stand{Cold: true, Rounds: Pick(r, 1, 3, 3), Close: end, Sample: func() (gone float64, err error) {
		defer func() { err = errors.Join(err, attacker.flush(), victim.flush()) }()
		made, err := victim.make(victimHas)
		if err != nil {
			return 0, err
		}
		if attackers > 0 {
			time.Sleep(5200 * time.Millisecond) // until they are old
		}
		if _, err := attacker.make(attackers); err != nil {
			return 0, err
		}
		err = victim.ns.Do(func() error {
			list, err := os.ReadFile("/proc/thread-self/net/arp")
			gone = float64(made - bytes.Count(list, []byte(" v\n")))
			return err
		})
		return gone, err
	}}, nil
}

// noisyFragKernel is noisyFrag with the kernel's namespaces: over the loopback,
// whose MTU makes three fragments of a datagram.
func noisyFragKernel(r *Run, attackers int) (func() ([]float64, error), func() error, error) {
	b, err := r.newBox()
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) (func() ([]float64, error), func() error, error) {
		return nil, nil, errors.Join(err, b.Close())
	}
	victim, err := b.space()
	if err != nil {
		return fail(err)
	}
	c, err := victim.Dial()
	if err != nil {
		return fail(err)
	}
	err = c.SetMTU("lo", 20+fragSize)
	c.Close()
	if err != nil {
		return fail(err)
	}
	var fds [2]int
	for i, port := range []uint16{0, stage.Port} {
		if fds[i], err = b.socket(victim, port); err != nil {
			return fail(err)
		}
	}
	attacker, err := b.space()
	if err != nil {
		return fail(err)
	}
	var raw int
	if err := attacker.Do(func() (err error) {
		if raw, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err == nil {
			b.fds = append(b.fds, raw)
		}
		return os.NewSyscallError("socket", err)
	}); err != nil {
		return fail(err)
	}
	local := [4]byte{127, 0, 0, 1}
	first, buf := make([]byte, 20+fragSize), make([]byte, 3*fragSize)
	first[0], first[6], first[8], first[9] = 0x45, 0x20, 64, unix.IPPROTO_UDP // more fragments
	copy(first[12:], local[:])
	copy(first[16:], local[:])
	held := false
	return func() ([]float64, error) {
		// Those that have timed out since come again, the others are duplicates.
		for i := range attackers {
			binary.BigEndian.PutUint16(first[4:], uint16(i+1))
			if err := unix.Sendto(raw, first, 0, &unix.SockaddrInet4{Addr: local}); err != nil {
				return nil, os.NewSyscallError("sendto", err)
			}
		}
		if !held && attackers > 0 {
			if err := attacker.Do(holdsFragments); err != nil {
				return nil, err
			}
			held = true
		}
		got := 0
		took, err := cpuOf(func() error {
			for range fragTries {
				if err := unix.Sendto(fds[0], buf[:3*fragSize-8], 0, &unix.SockaddrInet4{Port: stage.Port, Addr: local}); err != nil {
					return os.NewSyscallError("sendto", err)
				}
				switch _, _, err := unix.Recvfrom(fds[1], buf, unix.MSG_DONTWAIT); err {
				case nil:
					got++
				case unix.EAGAIN:
				default:
					return os.NewSyscallError("recvfrom", err)
				}
			}
			return nil
		})
		return []float64{float64(got), took.Seconds() * 1e6 / fragTries}, err
	}, b.Close, nil
}

// holdsFragments sees to it that this thread's namespace waits for some.
func holdsFragments() error {
	b, err := os.ReadFile("/proc/thread-self/net/sockstat")
	if err == nil && (!bytes.Contains(b, []byte("FRAG: inuse ")) || bytes.Contains(b, []byte("FRAG: inuse 0 "))) {
		err = fmt.Errorf("the attacker's fragments do not wait: %s", b)
	}
	return err
}

// noisySocketKernel is noisySocket with the kernel's namespaces.
func noisySocketKernel(r *Run, series string, sockets int) (*Stand, error) {
	if err := roomFor(sockets, 3e3); err != nil {
		return nil, err
	}
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	var victim *rtnl.Namespace
	if err := withSysctl("net.ipv4.udp_child_hash_entries", own(series, 1024), func() (err error) {
		if victim, err = b.space(); err != nil {
			return err
		}
		return portsOf(sockets, func(_ int, ports []uint16) error { return b.hold(1, int(ports[0]), len(ports)) })
	}); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	run := func(k int) error {
		for i := range k {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return os.NewSyscallError("socket", err)
			}
			err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(portAt(i))})
			if err := errors.Join(err, unix.Close(fd)); err != nil {
				return err
			}
		}
		return nil
	}
	st, err := r.microseconds(func(k int) error { return b.inside(victim, func() error { return run(k) }) })
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	st.Close = b.Close
	return st, nil
}

// inside runs f on this thread in ns: its CPU time is to be this thread's.
func (b *kernelBox) inside(ns *rtnl.Namespace, f func() error) error {
	home, err := rtnl.CurrentNamespace()
	if err != nil {
		return err
	}
	defer home.Close()
	if err := unix.Setns(ns.FD(), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	return errors.Join(f(), os.NewSyscallError("setns", unix.Setns(home.FD(), unix.CLONE_NEWNET)))
}
