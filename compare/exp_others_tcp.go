package compare

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"nsmodel/netns"
)

// othersExchange is the figure of TCP connections.
const othersExchange = "exchange"

// ownConnections are how many one talks over among those of others, in turns.
const ownConnections = 64

// lookupsPerExchange is how often the table of connections is asked for a request
// and its answer: each segment carries the acknowledgment of the one before.
const lookupsPerExchange = 2

// exchanges is what the kernel does over TCP, and what its table of connections has
// to do with it on the model.
func exchanges() Figure {
	const mi = 1 << 20
	f := Figure{Name: othersExchange, Title: "A request and its answer over TCP while others hold N connection ends", X: "ends of others' TCP connections",
		Y: "CPU time (ns): kernel the exchange, model its two lookups", LogX: true, LogY: true}
	c := Curve{Label: "d1e5e6408b30, rescaled to cost", Relative: true,
		Source: "tcp: Introduce optional per-netns ehash: 50.7 Gbit/s alone, 25.0 beside 48 Mi idle sockets in 131,072 buckets, c5.24xlarge; cost of a byte relative to 1 socket a bucket, times our kernel's exchange at 0"}
	rates := []struct{ sockets, gbits float64 }{{0.125, 50.7}, {1, 49.9}, {2, 48.9}, {4, 47.3}, {8, 44.6}, {16, 40.6}, {24, 36.3}, {32, 32.5}, {40, 27.0}, {48, 25.0}}
	for _, p := range rates {
		c.X, c.Y = append(c.X, p.sockets*mi), append(c.Y, rates[0].gbits/p.gbits)
	}
	f.Published = []Curve{c}
	return f
}

// exchangePairs set the lookups beside the whole exchange.
func exchangePairs() []Pair {
	pair := func(name string, n float64) Pair {
		return Pair{Name: "TCP, fixed shared : own table, " + name + ", the model's lookups on the kernel's base", Figure: othersExchange, Lower: true, Part: true,
			Above: Point{fixed, n}, Below: Point{Replicated, n}}
	}
	return []Pair{pair("1,000,000 connection ends of others", 1_000_000), pair("100,000 of others", 100_000), pair("none of others", 0)}
}

// tcpCrowds are the numbers of others' ends: the table has a quarter of a million
// buckets on a usual computer, so nobody expects anything below a hundred thousand.
func tcpCrowds(r *Run) []int {
	switch r.Scale {
	case Tiny:
		return []int{0, 1000}
	case Quick:
		return []int{0, 100_000}
	}
	return []int{0, 100_000, 1_000_000}
}

// othersTCP measures exchanges among the connections of others.
func othersTCP(r *Run) error {
	var arms []Arm
	for _, n := range tcpCrowds(r) {
		for _, series := range []string{fixed, Replicated} {
			arms = append(arms, Arm{Key{othersExchange, Model, series, float64(n)}, func() (*Stand, error) { return exchangeModel(r, series, n) }})
		}
	}
	if err := r.Group("lookups of TCP exchanges among connections of others", arms...); err != nil {
		return err
	}
	for _, n := range tcpCrowds(r) {
		// The shared table's arm is set up first and brings the others, who stay
		// until both are measured.
		err := r.Group(fmt.Sprintf("kernel: TCP exchanges among %d connection ends of others", n),
			Arm{Key{othersExchange, Kernel, fixed, float64(n)}, func() (*Stand, error) { return exchangeKernel(r, fixed, n) }},
			Arm{Key{othersExchange, Kernel, Replicated, float64(n)}, func() (*Stand, error) { return exchangeKernel(r, Replicated, 0) }})
		if err != nil {
			return err
		}
	}
	return nil
}

// tcpBuckets is the size of the kernel's shared table of connections.
func tcpBuckets() int {
	k, err := readSysctl("net.ipv4.tcp_ehash_entries")
	if err != nil {
		return 1 << 18
	}
	return max(k, -k) // below 0: this namespace uses the shared one
}

func exchangeModel(r *Run, series string, n int) (*Stand, error) {
	c := netns.Config{}
	if series == fixed {
		c.Buckets = tcpBuckets()
	}
	const crowd = 100
	b, err := newBed(series, c, 1+crowd)
	if err != nil {
		return nil, err
	}
	me, rest := b.nets[0], b.nets[1:]
	fill := func(from, to int) error {
		for _, o := range rest {
			if err := b.add(o, from, to); err != nil {
				return err
			}
		}
		return nil
	}
	const mine = lookupsPerExchange * ownConnections // the ends
	if err := errors.Join(fill(0, n/crowd/2), b.add(me, 0, mine), fill(n/crowd/2, n/crowd)); err != nil {
		return nil, err
	}
	return r.Repeat(func(k int) error {
		for i := range k {
			at := lookupsPerExchange * (i % ownConnections)
			if err := errors.Join(b.get(me, at), b.get(me, at+1)); err != nil {
				return err
			}
		}
		return nil
	})
}

// exchangeKernel talks over connections of a namespace of its own, while others
// hold so many ends in the computer's shared table, half of them older.
func exchangeKernel(r *Run, series string, others int) (*Stand, error) {
	if err := roomFor(others, 4e3); err != nil {
		return nil, err
	}
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	const key = "net.ipv4.tcp_child_ehash_entries"
	var t *talker
	shared := func(k int) error { return withSysctl(key, "0", func() error { return b.holdTCP(k) }) }
	if err := shared(others / 2); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := withSysctl(key, own(series, 1024), func() (err error) { t, err = b.talker(ownConnections); return err }); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := shared(others - others/2); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	st, err := r.Repeat(t.exchange)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	st.Close = b.Close
	return st, nil
}

// A talker has TCP connections over the loopback of a namespace, both ends of
// each; all is done by one thread.
type talker struct {
	ends [][2]int
	next int
	buf  []byte
}

func (b *kernelBox) talker(count int) (*talker, error) {
	ns, err := b.space()
	if err != nil {
		return nil, err
	}
	t := &talker{buf: make([]byte, 64)}
	return t, ns.Do(func() error {
		fds, err := connections(7, count)
		b.fds = append(b.fds, fds...)
		if err != nil {
			return err
		}
		for i := range count {
			ends := [2]int{fds[2*i], fds[2*i+1]}
			for _, fd := range ends {
				if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
					return os.NewSyscallError("setsockopt", err)
				}
			}
			t.ends = append(t.ends, ends)
		}
		return nil
	})
}

// exchange has n requests of 18 bytes answered, each over the next connection.
func (t *talker) exchange(n int) error {
	for range n {
		c := t.ends[t.next]
		t.next = (t.next + 1) % len(t.ends)
		for _, way := range [][2]int{{c[0], c[1]}, {c[1], c[0]}} {
			if _, err := unix.Write(way[0], t.buf[:18]); err != nil {
				return os.NewSyscallError("write", err)
			}
			if got, err := unix.Read(way[1], t.buf); err != nil || got != 18 {
				return fmt.Errorf("read %d bytes of a connection: %w", got, errors.Join(err, unix.EIO))
			}
		}
	}
	return nil
}
