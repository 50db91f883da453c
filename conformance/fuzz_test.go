package conformance

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// besieged is a machine with everything that takes frames, and two Nets, east
// and west, that have nothing to do with the rest.
const besieged = `
ip netns add a
ip netns add r
ip netns add b
ip netns add s
ip netns add k
ip netns add east
ip netns add west
ip -n a link set lo up
ip -n r link set lo up
ip -n a link add eth0 type veth peer name ra netns r
ip -n b link add eth0 type veth peer name pb netns s
ip -n r link add rs type veth peer name pr netns s
ip -n s link add br0 type bridge
ip -n s link set br0 up
ip -n s link set pb master br0
ip -n s link set pr master br0
ip -n s link set pb up
ip -n s link set pr up
ip -n s addr add 10.2.0.3/24 dev br0
ip -n a addr add 10.1.0.2/24 dev eth0
ip -n r addr add 10.1.0.1/24 dev ra
ip -n r addr add 10.2.0.1/24 dev rs
ip -n b addr add 10.2.0.2/24 dev eth0
ip -n a link set eth0 up
ip -n r link set ra up
ip -n r link set rs up
ip -n b link set eth0 up
ip -n a link add kid link eth0 type passthrough
ip -n a link set kid netns k
ip -n k addr add 10.1.0.77/24 dev kid
ip -n k link set kid up
ip netns exec r sysctl -w net.ipv4.ip_forward=1
ip netns exec r sysctl -w net.ipv4.conf.all.proxy_arp=1
ip netns exec s sysctl -w net.ipv4.ip_forward=1
ip -n a route add default via 10.1.0.1
ip -n b route add default via 10.2.0.1
ip netns exec a probe udp echo 7
ip netns exec b probe udp echo 7
ip netns exec r probe udp listen 67
ip -n east link add eth0 type veth peer name eth0 netns west
ip -n east addr add 10.1.0.2/24 dev eth0
ip -n west addr add 10.1.0.1/24 dev eth0
ip -n east link set eth0 up
ip -n west link set eth0 up
ip -n east neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
ip netns exec east probe udp listen 7
`

// innocent is what is seen of the two in the end.
const innocent = `
ip -s -n east link show
ip -s -n west link show
ip -n east addr show
ip -n east route show table all
ip -n west route show table all
ip -n east neigh show
ip -n west neigh show
ip netns exec east sysctl net.ipv4
ip netns exec east probe udp show 7
`

// A siege is a besieged machine.
type siege struct {
	t    testing.TB
	m    *nsmodel.Machine
	h    *host.Host
	in   *lab.Interp
	devs []*core.Device // that frames are thrown at
}

func newSiege(t testing.TB, place netns.Placement) *siege {
	t.Helper()
	m, err := nsmodel.New(nsmodel.Config{Seed: 7, Workers: 2, Place: nsmodel.AllPlaces(place)})
	if err != nil {
		t.Fatal(err)
	}
	s := &siege{t: t, m: m, h: host.New(m)}
	s.in = lab.New(s.h)
	s.do(besieged)
	for _, name := range []string{"a", "r", "b", "s", "k"} {
		n, err := m.Net(name)
		if err != nil {
			t.Fatal(err)
		}
		s.devs = append(s.devs, m.Core.Devices(n)...)
		n.Put()
	}
	return s
}

// do carries out commands that must not fail, and returns what they print.
func (s *siege) do(text string) string {
	s.t.Helper()
	lines, err := lab.Load("siege", text)
	if err != nil {
		s.t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range lines {
		r, err := s.in.Run(l)
		if err != nil || r.Exit != 0 {
			s.t.Fatalf("%s: %v %s", l.Text, err, r.Stderr)
		}
		b.WriteString(r.String())
	}
	return b.String()
}

// outside returns what is seen of who is not concerned.
func (s *siege) outside() string {
	s.t.Helper()
	var b strings.Builder
	b.WriteString(s.do(innocent))
	for _, name := range []string{"east", "west"} {
		n, err := s.m.Net(name)
		if err != nil {
			s.t.Fatal(err)
		}
		b.WriteString(s.m.Core.Ledger(n).String() + "\n")
		n.Put()
	}
	return b.String()
}

// throw lets a frame arrive at a device, with what a NIC's driver tells of it:
// an unfinished checksum anywhere, segments, a tag.
func (s *siege) throw(at, how byte, frame []byte) {
	w := s.m.Core.Enter()
	p := w.NewFrame(len(frame))
	copy(p.Bytes(), frame)
	if how&1 != 0 && len(frame) > 2 {
		p.SetPartial(int(frame[0])|int(frame[1]&7)<<8, uint16(frame[2]))
	}
	if how&2 != 0 {
		p.GSOType, p.GSOSize = how>>2&7, uint16(how>>5)*300+1
	}
	if how&4 != 0 && how&2 == 0 {
		p.VLANProto, p.VLAN = 0x8100, uint16(how>>3)
	}
	s.devs[int(at)%len(s.devs)].Queue(w, p)
	w.Leave()
	s.m.Settle()
}

// play throws what data holds: a device, how, a length in two bytes, a frame;
// and so on. Time passes in between.
func (s *siege) play(data []byte) {
	for k := 0; len(data) > 4 && k < 24; k++ {
		size := min(int(data[2])<<8|int(data[3]), len(data)-4)
		s.throw(data[0], data[1], data[4:4+size])
		data = data[4+size:]
		s.m.Advance(time.Duration(k) * 40 * time.Millisecond)
	}
	s.m.Advance(40 * time.Second) // fragments and neighbours give up
}

// check holds the books and the innocent against what they were.
func (s *siege) check(before string) {
	s.t.Helper()
	for n := range s.m.Sys.Nets() {
		if b := s.m.Core.Ledger(n); !b.Balanced() || b.Held < 0 {
			s.t.Errorf("%q: %v", n.Name(), b)
		}
	}
	if total, out := s.m.Core.TotalLedger(), s.m.Core.Outstanding(); !total.Balanced() || out != total.Held {
		s.t.Errorf("%d packets are out of the pools: %v", out, total)
	}
	if after := s.outside(); after != before {
		s.t.Errorf("who is not concerned noticed:\n%s\nand before:\n%s", after, before)
	}
	if err := s.h.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.m.Close(); err != nil {
		s.t.Error(err)
	}
	if out := s.m.Core.Outstanding(); out != 0 {
		s.t.Errorf("%d packets are out of the pools after the end", out)
	}
}

// seeds are frames of real traffic: each what one device received, in the form
// that play reads.
func seeds(t testing.TB) (all [][]byte) {
	s := newSiege(t, netns.Tagged)
	for i, d := range s.devs {
		d.AddTap(func(w *core.Worker, d *core.Device, p *core.Packet, out bool) {
			b := p.Bytes()
			if !out && len(all) < 60 {
				all = append(all, append([]byte{byte(i), 0, byte(len(b) >> 8), byte(len(b))}, b...))
			}
		})
	}
	a, err := s.m.Net("a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Put()
	s.do("ip netns exec a ping -c1 10.2.0.2\nip netns exec r ping -c1 10.1.0.77\nip netns exec a probe udp send 10.2.0.2:7 hello wait 1s\n")
	for _, to := range []string{"10.2.0.2:7", "10.2.0.3:9", "10.1.0.255:67", "10.9.9.9:9"} {
		c, err := s.m.UDP.Listen(a, netip.AddrPort{}, udp.Options{Broadcast: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 3000} {
			if _, err := c.WriteToAddrPort(make([]byte, size), netip.MustParseAddrPort(to)); err != nil {
				t.Log(to, err)
			}
			s.m.Advance(time.Second)
		}
		c.Close()
	}
	return all
}

// FuzzFrames throws any bytes at every device of a machine: nothing panics, no
// packet is lost, and Nets without a link to it notice nothing.
func FuzzFrames(f *testing.F) {
	var whole []byte
	for _, seed := range seeds(f) {
		f.Add(seed)
		whole = append(whole, seed...)
		if len(whole) > 4000 {
			f.Add(whole)
			whole = nil
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newSiege(t, netns.Placement(1+len(data)%2))
		before := s.outside()
		s.play(data)
		s.check(before)
	})
}
