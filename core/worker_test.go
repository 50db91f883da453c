package core

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestBacklogLimitIsPerDevice(t *testing.T) {
	eachSetup(t, setup{core: Config{Backlog: 3}}, func(m *machine) {
		n := m.net("n")
		a, b := m.pair(n, "a", n, "b")
		c, d := m.pair(n, "c", n, "d")
		for range 5 {
			m.send(a, "x")
		}
		m.send(c, "y")
		m.wantDrops(n, BacklogFull, 2)
		if b.Stats().RxDropped != 2 || d.Stats().RxDropped != 0 {
			m.Error("the flood was counted at another device")
		}
		m.want(m.run(), "n/b x", "n/b x", "n/b x", "n/d y")
	})
}

// Order within a device holds whatever worker has its turn, and however small
// the budget is.
func TestBacklogKeepsOrder(t *testing.T) {
	for _, place := range bothPlacements {
		t.Run(fmt.Sprintf("place=%v", place), func(t *testing.T) {
			m := newMachine(t, setup{place: place, workers: 3})
			n := m.net("n")
			a, _ := m.pair(n, "a", n, "b")
			c, _ := m.pair(n, "c", n, "d")
			rapid.Check(t, func(t *rapid.T) {
				m.got = nil
				sent := [2]int{}
				for range rapid.IntRange(1, 60).Draw(t, "steps") {
					switch k := rapid.IntRange(0, 3).Draw(t, "what"); k {
					case 0, 1:
						m.send([]*Device{a, c}[k], fmt.Sprint(sent[k]))
						sent[k]++
					default:
						w := m.s.workers[rapid.IntRange(0, 2).Draw(t, "worker")]
						w.Poll(0, rapid.SampledFrom([]int{1, 2, 64}).Draw(t, "budget"))
					}
				}
				next := map[string]int{}
				for _, s := range append(m.got, m.run()...) {
					dev, text, _ := strings.Cut(s, " ")
					if text != fmt.Sprint(next[dev]) {
						t.Fatalf("%s: packet %s after %d", dev, text, next[dev]-1)
					}
					next[dev]++
				}
				m.got = nil
				if next["n/b"] != sent[0] || next["n/d"] != sent[1] {
					t.Fatalf("arrived %v, sent %v", next, sent)
				}
			})
			m.balance()
		})
	}
}

// The same with workers that run at once: a device is drained by one at a time.
func TestBacklogKeepsOrderInParallel(t *testing.T) {
	m := newMachine(t, setup{workers: 2})
	n := m.net("n")
	a, _ := m.pair(n, "a", n, "b")
	var mu sync.Mutex
	var last, count int
	m.handle = func(w *Worker, p *Packet) {
		mu.Lock()
		defer mu.Unlock()
		v := int(p.Bytes()[0])<<16 | int(p.Bytes()[1])<<8 | int(p.Bytes()[2])
		if v <= last {
			t.Errorf("packet %d after %d", v, last)
		}
		last, count = v, count+1
		w.Deliver(p)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, w := range m.s.Workers() {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					w.Poll(0, 7)
				}
			}
		})
	}
	for i := 1; i < 20000; i++ {
		m.send(a, string([]byte{byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	close(stop)
	wg.Wait()
	m.run()
	if want := 19999 - int(m.drops(n, BacklogFull)); count != want {
		t.Errorf("%d arrived, want %d", count, want)
	}
	m.balance()
}

func TestBudgetAndFairness(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.net("n")
	a, _ := m.pair(n, "a", n, "b")
	c, _ := m.pair(n, "c", n, "d")
	for range 100 {
		m.send(a, "x")
	}
	m.send(c, "y")
	if k := m.w.Poll(0, 10); k != 10 || len(m.got) != 10 {
		t.Errorf("did %d packets of a budget of 10", k)
	}
	// The flood has had its turn; the other is next although it came later.
	m.got = nil
	if m.w.Poll(0, 1); fmt.Sprint(m.got) != "[n/d y]" {
		t.Errorf("next was %q", m.got)
	}
	if k := m.w.Poll(0, 1000); k != 90 || m.w.Pending() {
		t.Errorf("%d were left, pending %v", k, m.w.Pending())
	}
	if k := m.w.Poll(0, 64); k != 0 {
		t.Errorf("idle, did %d", k)
	}
}

// A poller that always has frames.
type flood struct {
	d     *Device
	asked []int
	left  int
}

func (f *flood) Poll(w *Worker, budget int) int {
	f.asked = append(f.asked, budget)
	k := min(budget, f.left)
	for range k {
		p := w.NewFrame(60)
		copy(p.Bytes(), frame(testType, "nic"))
		f.d.Receive(w, p)
	}
	f.left -= k
	return k
}

// A NIC that never runs dry does not starve what waits at devices, nor the other
// way round.
func TestDriversAndBacklogsShare(t *testing.T) {
	for _, budget := range []int{1, 2, 64} {
		m := newMachine(t, setup{})
		n := m.net("n")
		nic := m.add(n, DeviceSpec{Name: "nic", Carrier: true})
		m.ok(m.s.SetUp(nic))
		a, _ := m.pair(n, "a", n, "b")
		f := &flood{d: nic, left: 1 << 20}
		m.w.Attach(f)
		count := map[string]int{}
		m.handle = func(w *Worker, p *Packet) {
			count[p.Dev.Name()]++
			w.Deliver(p)
			m.sendBy(w, a, "again") // the backlog never runs dry either
		}
		for range 200 {
			if k := m.w.Poll(0, budget); k != budget {
				t.Fatalf("budget %d: did %d", budget, k)
			}
		}
		if total := 200 * budget; count["nic"] < total/3 || count["b"] < total/3 {
			t.Errorf("budget %d: %v", budget, count)
		}
		m.w.Detach(f)
		f.asked = nil
		m.w.Poll(0, 1)
		if len(f.asked) != 0 {
			t.Error("a detached driver was polled")
		}
		m.ok(m.s.Unregister(a))
		m.balance()
	}
}

// Less than the budget means that nothing is left.
func TestPollUntilIdle(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.net("n")
	nic := m.add(n, DeviceSpec{Name: "nic", Carrier: true})
	m.ok(m.s.SetUp(nic))
	a, _ := m.pair(n, "a", n, "b")
	m.w.Attach(&flood{d: nic, left: 40})
	m.send(a, "x")
	if k := m.w.Poll(0, 64); k != 41 {
		t.Errorf("did %d of 41", k)
	}
}

func TestWake(t *testing.T) {
	m := newMachine(t, setup{workers: 2})
	n := m.net("n")
	a, _ := m.pair(n, "a", n, "b")
	var woken []int
	m.s.SetWake(func(w *Worker) { woken = append(woken, w.ID()) })
	m.send(a, "1")
	m.send(a, "2") // the device is on a list already
	if len(woken) != 1 || !m.s.workers[woken[0]].Pending() {
		t.Errorf("woken %v", woken)
	}
	m.run()
	m.send(a, "3")
	if len(woken) != 2 {
		t.Errorf("woken %v", woken)
	}
	m.s.SetWake(nil)
	m.run()
	m.send(a, "4")
	m.run()
	if len(woken) != 2 {
		t.Errorf("woken %v", woken)
	}
}

type flusher struct{ at *[]string }

func (f flusher) Flush(*Worker) { *f.at = append(*f.at, "flush") }

func TestDeferFlushesOnceATurn(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.net("n")
	a, _ := m.pair(n, "a", n, "b")
	var order []string
	m.handle = func(w *Worker, p *Packet) {
		order = append(order, "packet")
		w.Defer(flusher{&order})
		w.Deliver(p)
	}
	m.send(a, "x")
	m.run()
	m.want(order, "packet", "flush")
	w := m.s.Enter()
	w.Defer(flusher{&order})
	w.Leave()
	m.want(order, "packet", "flush", "flush")
}

func TestPfifo(t *testing.T) {
	each(t, func(m *machine) {
		n := m.net("n")
		k := &sink{busy: 2}
		d := m.add(n, DeviceSpec{Name: "d", Driver: k, Carrier: true})
		d.SetPfifo(3)
		m.ok(m.s.SetUp(d))
		for i := range 7 {
			m.send(d, fmt.Sprint(i))
		}
		m.want(k.sent, "0", "1") // past the queue while it is empty and the driver ready
		if d.QueueLen() != 3 || d.Qdisc() != "pfifo" || d.Stats().TxDropped != 2 {
			m.Errorf("%d wait, %+v", d.QueueLen(), d.Stats())
		}
		m.wantDrops(n, QdiscDrop, 2)
		k.busy = 1
		w := m.s.Enter()
		d.WakeQueue(w)
		m.want(k.sent, "0", "1", "2") // busy again after one
		m.sendBy(w, d, "7")
		d.WakeQueue(w)
		w.Leave()
		m.want(k.sent, "0", "1", "2", "3", "4", "7")
		d.StopQueue()
		m.send(d, "8")
		m.ok(m.s.SetTxQLen(d, 1))
		m.send(d, "9")
		m.wantDrops(n, QdiscDrop, 3)
		m.s.SetDown(d)
		if d.QueueLen() != 0 || m.drops(n, DeviceDown) != 1 {
			m.Errorf("%d wait after down, %v", d.QueueLen(), m.s.Ledger(n))
		}
		m.ok(m.s.SetUp(d))
		m.send(d, "a") // a queue that was stopped runs again
		if s := k.sent; s[len(s)-1] != "a" {
			m.Errorf("sent %q", s)
		}
	})
}
