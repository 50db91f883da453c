package compare

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/transport/udp"
)

// fragTries is how many datagrams in three fragments the victim receives in a
// sample, and fragSize how many bytes of payload a fragment has.
const (
	fragTries = 100
	fragSize  = 376
)

// noisyFrag returns what counts the datagrams in fragments that the victim gets,
// and what one costs, beside an attacker with so many unfinished ones.
func noisyFrag(series string, attackers int) (func() ([]float64, error), func() error, error) {
	m, victim, attacker, err := noisyMachine(series)
	if err != nil {
		return nil, nil, err
	}
	w := m.Core.Workers()[0]
	arrive := func(d *core.Device, frames ...[]byte) {
		for _, b := range frames {
			p := w.NewFrame(len(b))
			copy(p.Bytes(), b)
			d.Queue(w, p)
		}
		stage.Settle(m, w)
	}
	src, dst := [4]byte{10, 0, 0, 2}, [4]byte{10, 0, 0, 1}
	for i := range attackers {
		arrive(attacker, fragments(attacker.Addr(), src, dst, uint16(i+1))[0])
	}
	c, err := m.UDP.Listen(victim.Net(), netip.AddrPortFrom(netip.IPv4Unspecified(), stage.Port), udp.Options{})
	if err != nil {
		return nil, nil, err
	}
	frames, buf := fragments(victim.Addr(), src, dst, 1), make([]byte, 3*fragSize)
	return func() ([]float64, error) {
		got := 0
		took, err := cpuOf(func() error {
			for range fragTries {
				arrive(victim, frames...)
				switch _, _, err := c.TryReadFrom(buf); {
				case err == nil:
					got++
				case !errors.Is(err, syscall.EAGAIN):
					return err
				}
			}
			return nil
		})
		return []float64{float64(got), took.Seconds() * 1e6 / fragTries}, err
	}, nil, nil
}

// fragments returns the frames of a UDP datagram in three fragments.
func fragments(to wire.MAC, src, dst [4]byte, id uint16) (frames [][]byte) {
	whole := make([]byte, 3*fragSize)
	wire.PutUDP(whole, 1234, stage.Port, src, dst)
	for at := 0; at < len(whole); at += fragSize {
		b := make([]byte, wire.EthernetLen+wire.IPv4Len+fragSize)
		wire.PutEthernet(b, to, stage.Far(), wire.EtherTypeIPv4)
		ip, _ := wire.PutIPv4(b[wire.EthernetLen:], wire.IPv4Fields{Src: src, Dst: dst, Proto: wire.ProtoUDP, TTL: 64, ID: id, MF: at+fragSize < len(whole), FragOffset: at})
		copy(ip.Payload(), whole[at:])
		frames = append(frames, b)
	}
	return frames
}

// noisySocketsRun measures what opening and closing a socket costs beside a
// tenant with many.
func noisySocketsRun(r *Run) error {
	most := Pick(r, 100_000, 100_000, 1_000_000)
	sizes := []int{0, 1000, 10_000, most}
	if r.Scale == Quick || r.Scale == Tiny {
		sizes = []int{0, most}
	}
	var arms []Arm
	for _, n := range r.roomy("sockets", sizes, 3*socketBytes) {
		for _, series := range []string{fixed, Tagged, Replicated} {
			arms = append(arms, Arm{Key{noisySockets, Model, series, float64(n)}, func() (*Stand, error) { return noisySocket(r, series, n) }})
		}
	}
	if err := r.Group("a socket beside a tenant with many", arms...); err != nil {
		return err
	}
	// The kernel has one shared table: each size takes its turn.
	for _, n := range sizes {
		arms = nil
		for _, series := range []string{fixed, Replicated} {
			arms = append(arms, Arm{Key{noisySockets, Kernel, series, float64(n)}, func() (*Stand, error) { return noisySocketKernel(r, series, n) }})
		}
		if err := r.Group(fmt.Sprintf("kernel: a socket beside a tenant with %d", n), arms...); err != nil {
			return err
		}
	}
	return nil
}

// portAt is the port of the victim's i-th socket.
func portAt(i int) uint16 { return uint16(10_000 + 701*(i%64)) }

func noisySocket(r *Run, series string, sockets int) (*Stand, error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.Places{UDP: place(series)}, Buckets: buckets(series)})
	if err != nil {
		return nil, err
	}
	victim, err := m.AddNet("victim")
	if err != nil {
		return nil, err
	}
	if err := portsOf(sockets, func(i int, ports []uint16) error {
		n, err := m.AddNet(fmt.Sprint("attacker", i))
		if err != nil {
			return err
		}
		for _, port := range ports {
			if _, err := stage.Listen(m, n, port); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return r.microseconds(func(k int) error {
		for i := range k {
			c, err := stage.Listen(m, victim, portAt(i))
			if err != nil {
				return err
			}
			if err := c.Close(); err != nil {
				return err
			}
		}
		return nil
	})
}

// microseconds is Repeat in us.
func (r *Run) microseconds(run func(k int) error) (*Stand, error) {
	st, err := r.Repeat(run)
	if err != nil {
		return nil, err
	}
	ns := st.Sample
	st.Sample = func() (float64, error) {
		v, err := ns()
		return v / 1000, err
	}
	return st, nil
}

// noisyAnswer says what was seen.
func noisyAnswer(d *Data) string {
	at := func(fig, side, series string, x float64) string {
		return short(d.Stat(Key{fig, side, series, x}).Median)
	}
	n, _ := d.Largest(noisyMade, Model, hostWide)
	f, _ := d.Largest(noisyFrags, Model, hostWide)
	s, _ := d.Largest(noisySockets, Model, fixed)
	ratio := func(fig, series string, x float64) Ratio {
		return d.Ratio(Key{fig, Model, series, x}, Key{fig, Model, series, 0})
	}
	kernel := ""
	if len(d.Values(Key{noisyMade, Kernel, hostWide, n})) > 0 {
		kernel = fmt.Sprintf("; the kernel, which has the host's limit, lets it make %s, and evicts %s", at(noisyMade, Kernel, hostWide, n), at(noisyEvicted, Kernel, hostWide, n))
	}
	text := fmt.Sprintf("Beside %.0f neighbours of the attacker the victim makes %s of its %d under the host's limit, %s with a limit per tag, %s with its own table; %s, %s and %s of its %d old ones are evicted%s. "+
		"An attempt costs, against none of the attacker's: %v, %v and %v. ",
		n, at(noisyMade, Model, hostWide, n), victimTries, at(noisyMade, Model, Tagged, n), at(noisyMade, Model, Replicated, n),
		at(noisyEvicted, Model, hostWide, n), at(noisyEvicted, Model, Tagged, n), at(noisyEvicted, Model, Replicated, n), victimHas, kernel,
		ratio(noisyCost, hostWide, n), ratio(noisyCost, Tagged, n), ratio(noisyCost, Replicated, n))
	return text + fmt.Sprintf("Of %d datagrams in fragments %s, %s and %s arrive beside %.0f unfinished ones. A socket beside %.0f of the attacker's costs, against none: %v in a shared table of fixed size, %v in one that grows, %v in its own.",
		fragTries, at(noisyFrags, Model, hostWide, f), at(noisyFrags, Model, Tagged, f), at(noisyFrags, Model, Replicated, f), f,
		s, ratio(noisySockets, fixed, s), ratio(noisySockets, Tagged, s), ratio(noisySockets, Replicated, s))
}
