package soak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"nsmodel/lab"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A talk is that of two Nets that have nothing to do with the town, though they
// have its addresses and ports, as all the other talks have. Nothing may be lost
// in it, and nobody else be heard.
type talk struct {
	o        *ordeal
	k        int
	six      bool // by IPv6
	from, to netip.AddrPort
	a, b     *netns.Net
	ask, ans *udp.Conn
	seq      uint64
	done     chan struct{} // closed when who answers has ended
}

// talks is how many there are; every third has a bridge between the two.
const talkers = 3

// talkers6 is how many talk by IPv6 beside them.
const talkers6 = 3

// patience is how long a bystander waits: on a busy computer, and not longer
// than a crew may take to come home.
const patience = 20 * time.Second

func (o *ordeal) buildTalks() error {
	for k := range talkers + talkers6 {
		t := &talk{o: o, k: k, done: make(chan struct{}), from: netip.MustParseAddrPort("10.1.0.2:4000"), to: netip.MustParseAddrPort("10.1.0.1:7")}
		if t.six = k >= talkers; t.six {
			t.from, t.to = netip.MustParseAddrPort("[2001:db8:1::2]:4000"), netip.MustParseAddrPort("[2001:db8:1::1]:7")
		}
		wire := "ip -n A link add eth0 type veth peer name eth0 netns B\n"
		if k%3 == 2 {
			wire = `ip netns add S
ip -n A link add eth0 type veth peer name pa netns S
ip -n B link add eth0 type veth peer name pb netns S
ip -n S link add br0 type bridge
ip -n S link set pa master br0
ip -n S link set pb master br0
ip -n S link set pa up
ip -n S link set pb up
ip -n S link set br0 up
`
		}
		text := "ip netns add A\nip netns add B\n" + wire + `ip -n A addr add 10.1.0.2/24 dev eth0
ip -n B addr add 10.1.0.1/24 dev eth0
ip -n A link set eth0 up
ip -n B link set eth0 up
`
		if t.six {
			text += `ip netns exec A sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec B sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip -n A addr add 2001:db8:1::2/64 dev eth0 nodad
ip -n B addr add 2001:db8:1::1/64 dev eth0 nodad
`
		}
		if _, err := run(o.in, t.names(text)); err != nil {
			return err
		}
		if err := t.open(); err != nil {
			return err
		}
		o.talks = append(o.talks, t)
	}
	return nil
}

// names puts the Nets' names in the place of A, B and S.
func (t *talk) names(text string) string {
	for _, side := range []string{"A", "B", "S"} {
		text = string(bytes.ReplaceAll([]byte(text), []byte(" "+side), fmt.Appendf(nil, " by%d%s", t.k, side)))
	}
	return text
}

func (t *talk) open() (err error) {
	if t.a, err = t.o.m.Net(t.names(" A")[1:]); err != nil {
		return err
	}
	if t.b, err = t.o.m.Net(t.names(" B")[1:]); err != nil {
		return err
	}
	if t.ans, err = t.o.m.UDP.Listen(t.b, t.to, udp.Options{}); err != nil {
		return err
	}
	if t.ask, err = t.o.m.UDP.Dial(t.a, t.from, t.to, udp.Options{}); err != nil {
		return err
	}
	go t.answer()
	return nil
}

// answer sends back what is this talk's.
func (t *talk) answer() {
	defer close(t.done)
	b := make([]byte, 65536)
	for {
		k, from, err := t.ans.ReadFromAddrPort(b)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b[:k], t.mark()) || from != t.from {
			t.o.fault("bystander %d hears a stranger: %q from %v", t.k, b[:min(k, 40)], from)
			continue
		}
		if _, err := t.ans.WriteToAddrPort(b[:k], from); err != nil {
			t.o.fault("bystander %d cannot answer: %v", t.k, err)
		}
	}
}

// mark begins each datagram of this talk.
func (t *talk) mark() []byte { return fmt.Appendf(nil, "talk %d, ", t.k) }

// once is one exchange: a datagram of any length and its echo, or a ping.
func (t *talk) once(rng *rand.Rand) time.Duration {
	t.seq++
	if t.seq%64 == 0 {
		t.ping()
		return time.Millisecond
	}
	said := append(t.mark(), fmt.Appendf(nil, "number %d ", t.seq)...)
	for range rng.IntN(3000) {
		said = append(said, byte(rng.Uint32()))
	}
	if _, err := t.ask.Write(said); err != nil {
		t.o.fault("bystander %d cannot ask: %v", t.k, err)
		return time.Second
	}
	_ = t.ask.SetReadDeadline(time.Now().Add(patience))
	heard := make([]byte, 65536)
	k, err := t.ask.Read(heard)
	switch {
	case err != nil:
		t.o.fault("bystander %d lost number %d of %d bytes: %v", t.k, t.seq, len(said), err)
	case !bytes.Equal(heard[:k], said):
		t.o.fault("bystander %d said number %d and hears %q", t.k, t.seq, heard[:min(k, 40)])
	}
	t.o.exchanges.Add(1)
	return time.Millisecond
}

func (t *talk) ping() {
	replies := 0
	p := &lab.Ping{Host: t.to.Addr().String(), Dst: t.to.Addr(), Count: 1, Interval: patience, Timeout: patience, Size: 56}
	_, err := t.o.host.Ping(t.a.Name(), p, func(e lab.PingEvent) {
		if e.Kind == lab.PingReply {
			replies++
		}
	})
	if err != nil || replies != 1 {
		t.o.fault("bystander %d pinged and had %d replies: %v", t.k, replies, err)
	}
	t.o.exchanges.Add(1)
}

// audit looks into the books of both: nothing was dropped. A Net of IPv6 drops
// what is multicast to others, as reports of MLD.
func (t *talk) audit() {
	if t.six {
		return
	}
	for _, n := range []*netns.Net{t.a, t.b} {
		if b := t.o.m.Core.Ledger(n); b.Dropped != 0 {
			t.o.fault("bystander %s: %v", n.Name(), b)
		}
	}
}

func (t *talk) close() {
	t.ask.Close()
	t.ans.Close()
	<-t.done
	t.a.Put()
	t.b.Put()
}
