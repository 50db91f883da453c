package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"nsmodel/core"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A story is the demo's course of events.
type story struct {
	*shell
	world
	dst netip.Addr
}

// build makes the two Nets. The commands are the ones people know.
func (s *story) build() error {
	for _, net := range []string{"red", "blue"} {
		if err := s.sh("ip netns add %s", net); err != nil {
			return err
		}
	}
	if err := errors.Join(s.nic(s.shell, "east", "red", "eth0"), s.nic(s.shell, "west", "blue", "eth0")); err != nil {
		return err
	}
	for _, net := range []string{"red", "blue"} {
		if err := errors.Join(
			s.sh("ip -n %s addr add %s/24 dev eth0", net, demoModel),
			s.sh("ip -n %s link set eth0 up", net),
			s.serve(net, 7)); err != nil {
			return err
		}
	}
	fmt.Println("   (and in each a UDP service on port 7 that answers with its namespace's name)")
	return nil
}

// serve starts a service in a Net that says where it lives.
func (s *story) serve(net string, port uint16) error {
	n, err := s.m.Net(net)
	if err != nil {
		return err
	}
	defer n.Put()
	c, err := s.m.UDP.Listen(n, netip.AddrPortFrom(netip.IPv4Unspecified(), port), udp.Options{})
	if err != nil {
		return err
	}
	go func() {
		b := make([]byte, 2048)
		for {
			k, from, err := c.ReadFromAddrPort(b)
			if err != nil {
				return // the namespace has ended
			}
			_, _ = c.WriteToAddrPort([]byte(fmt.Sprintf("%s here, you said %q", net, b[:k])), from)
		}
	}()
	return nil
}

// pingBoth pings the one address from both sides at the same time.
func (s *story) pingBoth() error {
	var wg sync.WaitGroup
	lines := map[string]string{}
	errs := map[string]error{}
	var mu sync.Mutex
	for _, side := range []string{"east", "west"} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			line, err := s.pings(side, 5)
			mu.Lock()
			lines[side], errs[side] = line, err
			mu.Unlock()
		}()
	}
	wg.Wait()
	for _, side := range []string{"east", "west"} {
		fmt.Printf("   %s -> %s: %s\n", side, s.dst, lines[side])
	}
	return errors.Join(errs["east"], errs["west"])
}

// pings sends k echo requests and sums up; an error if none came back.
func (s *story) pings(side string, k int) (string, error) {
	var rtts []time.Duration
	var last error
	for range k {
		rtt, err := s.ping(side, s.dst, time.Second)
		if err != nil {
			last = err
			continue
		}
		rtts = append(rtts, rtt)
	}
	if len(rtts) == 0 {
		return fmt.Sprintf("0 of %d replies (%v)", k, last), fmt.Errorf("no reply on the %s side: %w", side, last)
	}
	least, sum := rtts[0], time.Duration(0)
	for _, r := range rtts {
		least, sum = min(least, r), sum+r
	}
	return fmt.Sprintf("%d of %d replies, rtt min/avg %.3f/%.3f ms", len(rtts), k, ms(least), ms(sum)/float64(len(rtts))), nil
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// talk asks the service at the one address from both sides.
func (s *story) talk() error {
	if err := errors.Join(s.expect("east", "red"), s.expect("west", "blue")); err != nil {
		return err
	}
	for _, side := range []string{"east", "west"} {
		fmt.Printf("   %s asks %s:7 -> %q\n", side, s.dst, s.heard[side])
	}
	return nil
}

// expect asks from a side until the service of the Net named want has answered.
func (s *story) expect(side, want string) error {
	got, err := s.ask(side, netip.AddrPortFrom(s.dst, 7), "hello from "+side, 2*time.Second)
	if err != nil {
		return fmt.Errorf("%s: %w", side, err)
	}
	s.heard[side] = got
	s.saw = append(s.saw, side+" heard "+got)
	if !strings.HasPrefix(got, want+" ") {
		return fmt.Errorf("%s was answered by %q, not by %s", side, got, want)
	}
	return nil
}

// move takes red's NIC to blue, and back.
func (s *story) move() error {
	if err := s.sh("ip -n red link set eth0 netns blue name eth1"); err != nil {
		return err
	}
	_, err := s.ping("east", s.dst, 300*time.Millisecond)
	fmt.Printf("   east -> %s: %s: the address stayed in red, the NIC did not\n", s.dst, verdict(err))
	if err == nil {
		return errors.New("an address followed its device into another namespace")
	}
	if err := errors.Join(
		s.sh("ip -n blue addr add %s/32 dev eth1", demoModel),
		s.sh("ip -n blue link set eth1 up"),
		s.sh("ip -n blue route replace %s/32 dev eth1", demoHost)); err != nil {
		return err
	}
	if err := s.expect("east", "blue"); err != nil {
		return err
	}
	fmt.Printf("   east asks %s:7 -> %q\n", s.dst, s.heard["east"])
	if err := errors.Join(
		s.sh("ip -n blue link set eth1 netns red name eth0"),
		s.sh("ip -n red addr add %s/24 dev eth0", demoModel),
		s.sh("ip -n red link set eth0 up")); err != nil {
		return err
	}
	if err := errors.Join(s.expect("east", "red"), s.expect("west", "blue")); err != nil {
		return err
	}
	fmt.Println("   and back again: east is answered by red, west by blue")
	return nil
}

func verdict(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "no reply"
	}
	if err != nil {
		return err.Error()
	}
	return "a reply"
}

// destroy ends blue while west floods it with pings.
func (s *story) destroy() error {
	stop := make(chan struct{})
	done := make(chan [2]int)
	go func() {
		var count [2]int
		for {
			select {
			case <-stop:
				done <- count
				return
			default:
			}
			count[0]++
			if _, err := s.ping("west", s.dst, 20*time.Millisecond); err == nil {
				count[1]++
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	start := time.Now()
	err := s.sh("ip netns del blue")
	took := time.Since(start)
	time.Sleep(100 * time.Millisecond)
	close(stop)
	count := <-done
	fmt.Printf("   west had %d of %d pings answered until then; the namespace was gone after %.3f ms\n", count[1], count[0], ms(took))
	if err != nil {
		return err
	}
	if count[1] == 0 {
		return errors.New("no ping was answered before the namespace was destroyed")
	}
	if err := s.show("ip -br link show"); err != nil {
		return err
	}
	fmt.Println("   (west's NIC is back in the initial namespace, as a real NIC must be)")
	return s.expect("east", "red")
}

// cost measures what namespaces cost on this machine, now.
func (s *story) cost() error {
	const k = 10000
	before := heap()
	for i := range k {
		if _, err := s.m.AddNet(fmt.Sprintf("n%d", i)); err != nil {
			return err
		}
	}
	each := float64(heap()-before) / k
	start := time.Now()
	for i := range k {
		if err := s.m.DeleteNet(fmt.Sprintf("n%d", i)); err != nil {
			return err
		}
	}
	destroy := time.Since(start) / k
	start = time.Now()
	for range k {
		if _, err := s.m.AddNet("x"); err != nil {
			return err
		}
		if err := s.m.DeleteNet("x"); err != nil {
			return err
		}
	}
	both := time.Since(start) / k
	fmt.Printf("   %d idle namespaces: %.0f bytes each, destroyed in %.1f us each; create and destroy one: %.1f us\n", k, each, us(destroy), us(both))
	return nil
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// books prints what each Net saw, and whether it adds up.
func (s *story) books() error {
	s.run.Stop() // no packet moves while they are read
	var bad error
	line := func(name string, b core.Balance) {
		fmt.Printf("   %-14s %v\n", name, b)
		if !b.Balanced() {
			bad = fmt.Errorf("%s: the ledger is not in balance", name)
		}
	}
	for n := range s.m.Sys.Nets() {
		line(title(n), s.m.Core.Ledger(n))
	}
	line("gone (blue)", s.m.Core.DeadLedger())
	line("all together", s.m.Core.TotalLedger())
	if bad == nil {
		fmt.Println("   every packet is accounted for: the ledger is in balance")
	}
	return bad
}

func title(n *netns.Net) string {
	if n.IsInit() {
		return "initial"
	}
	return n.Name()
}
