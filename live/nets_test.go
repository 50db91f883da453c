package live_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/core/netlink"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// hub is a Net with a bridge that others come and go at.
const hub = `
ip netns add hub
ip -n hub link set lo up
ip -n hub link add br0 type bridge
ip -n hub link set br0 address 02:00:00:00:00:01
ip -n hub addr add 10.0.0.1/16 dev br0
ip -n hub link set br0 up
`

// TestLiveNets makes and destroys Nets from several goroutines, each Net with
// everything in it that can be under way: readers that wait, fragments without
// the rest, neighbours that do not answer, captures, timers, listeners.
func TestLiveNets(t *testing.T) {
	variants(t, func(t *testing.T, c nsmodel.Config) {
		w := newWorld(t, c)
		w.sh(hub)
		h := w.net("hub")
		echo := w.serve(h, 7)
		var crew crew
		var lives, answers, number atomic.Int64
		crew.work(3, func(rng *rand.Rand) {
			k := int(number.Add(1))
			if w.life(h, k, rng) {
				answers.Add(1)
			}
			lives.Add(1)
		})
		crew.work(1, func(rng *rand.Rand) { w.flood(h, "10.0.255.255:9", 5) }) // nobody is there, in many ways
		crew.work(1, func(rng *rand.Rand) {
			for n := range w.Sys.Nets() {
				w.Core.Ledger(n)
				w.Core.Devices(n)
				w.UDP.Sockets(n)
			}
			w.try("bridge -n hub fdb show")
			w.try("ip -n hub neigh show")
			time.Sleep(time.Millisecond)
		})
		time.Sleep(spell(250 * time.Millisecond))
		crew.end(t)
		t.Logf("%d Nets lived, %d had an answer", lives.Load(), answers.Load())
		if answers.Load() < lives.Load() {
			t.Errorf("%d Nets lived, and only %d had an answer", lives.Load(), answers.Load())
		}
		echo.Close()
		h.Put()
		w.end()
	})
}

// life is that of one Net. It reports whether the hub answered.
func (w *world) life(hub *netns.Net, k int, rng *rand.Rand) (answered bool) {
	n, err := w.AddNet(name(k))
	if err != nil {
		w.t.Error(err)
		return false
	}
	w.mourn(n)
	n.HoldMemory()
	defer n.PutMemory()
	for _, line := range []string{
		"ip -n %N link set lo up",
		"ip -n %N link add eth0 type veth peer name %N netns hub",
		"ip -n hub link set %N master br0", "ip -n hub link set %N up",
		"ip -n %N addr add %A/16 dev eth0", "ip -n %N link set eth0 up",
		"ip -n %N link add p0 link eth0 type passthrough",
		"ip netns exec %N probe capture start eth0 f",
		"ip netns exec %N probe udp echo 8",
	} {
		w.sh(fill(line, k))
	}
	end := make(chan error, 4)
	w.waiters(n, end)
	w.loose(n)
	answered = w.ask(n, "10.0.0.1:7", rng.IntN(3000), 10*time.Second) == nil
	switch rng.IntN(5) {
	case 0: // somebody holds it while it loses its name
		if n.Hold() {
			defer n.Put()
		}
	case 1:
		w.try("%s", fill("ip -n %N link del eth0", k))
	case 2:
		w.try("%s", fill("ip -n hub link set %N down", k))
	case 3:
		w.try("%s", fill("ip -n %N link set eth0 netns hub name m%N", k))
		defer w.try("%s", fill("ip -n hub link del m%N", k))
	}
	held := n.Hold()
	w.sh(fill("ip netns del %N", k))
	if held {
		n.Put() // the run reaps it
	}
	if n.Alive() { // case 0
		return answered
	}
	for range cap(end) {
		select {
		case err := <-end:
			if !errors.Is(err, syscall.ENETDOWN) {
				w.t.Errorf("a reader in a dead Net: %v", err)
			}
		case <-time.After(20 * time.Second):
			w.t.Error("a reader sleeps on in a dead Net")
			return answered
		}
	}
	return answered
}

// waiters are readers without and with a deadline, on several sockets.
func (w *world) waiters(n *netns.Net, end chan error) {
	for i := range cap(end) {
		c, err := w.UDP.Listen(n, netip.AddrPort{}, udp.Options{})
		if err != nil {
			w.t.Error(err)
			end <- syscall.ENETDOWN
			continue
		}
		if i%2 == 0 {
			c.SetReadDeadline(time.Now().Add(time.Hour))
		}
		go func() {
			_, _, err := c.ReadFromAddrPort(make([]byte, 9))
			end <- err
		}()
	}
}

// loose leaves things in n that wait for what never comes.
func (w *world) loose(n *netns.Net) {
	w.ask(n, "10.0.77.77:7", 10, 0)   // a neighbour that is not there
	w.ask(n, "10.0.77.78:7", 5000, 0) // and fragments that wait for it
	w.Sys.Lock()
	s, err := w.Netlink.Subscribe(n, ^netlink.Groups(0), 4, func() {})
	w.Sys.Unlock()
	if err != nil {
		w.t.Error(err)
	}
	_ = s // nobody reads it
	if d := w.Core.Device(n, "lo"); d != nil {
		c := w.Core.Enter()
		p := c.NewPacket(n, 14+28)
		b := p.Bytes()
		clear(b)
		b[13], b[12] = 0, 8
		ip := b[14:]
		copy(ip, []byte{0x45, 0, 0, 28, 1, 2, 0x20, 0, 64, ipv4.ProtoUDP, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1})
		sum := uint32(0)
		for i := 0; i < 20; i += 2 {
			sum += uint32(ip[i])<<8 | uint32(ip[i+1])
		}
		sum = ^(sum&0xffff + sum>>16)
		ip[10], ip[11] = byte(sum>>8), byte(sum)
		d.Xmit(c, p) // the first of fragments
		c.Leave()
	}
}

func name(k int) string { return "n" + strconv.Itoa(k) }

// fill puts the name and the address of Net k into a command.
func fill(line string, k int) string {
	return strings.NewReplacer("%N", name(k), "%A", fmt.Sprintf("10.0.%d.%d", 1+k/200%70, 1+k%200)).Replace(line)
}
