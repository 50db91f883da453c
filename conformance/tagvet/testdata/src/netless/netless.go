// Package netless is a subsystem that forgets which Net it works for.
package netless

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"nsmodel/core"
	"nsmodel/netns"
)

type addr [4]byte

type bind struct {
	addr addr
	port uint16
}

type sock struct {
	net  *netns.Net
	port uint16
}

type tagKey struct {
	net  netns.ID
	addr addr
}

// rds is one per System.
type rds struct {
	stack    *core.Stack
	table    *netns.Table[bind, *sock]
	slot     netns.Slot[home]
	kept     *home
	binds    map[bind]*sock
	byNet    map[*netns.Net][]*sock
	byID     map[tagKey]int
	bySock   map[*sock]bool
	all      []*sock
	ports    []uint16
	count    int
	total    atomic.Int64
	strict   atomic.Bool
	lazy     sync.Map
	rng      *rand.Rand
	handlers map[string]func(*netns.Net)
	counts   struct{ in, out uint64 }
	scratch  []*sock
}

// home may be shared.
type home struct {
	mu    sync.Mutex
	flows map[addr]int // want `home.flows has no Net in its key`
	list  []addr       // want `home.list has elements without a Net`
	used  int          // want `home.used is one value for all`
	by    map[*netns.Net][]addr
	keyed map[tagKey]int
	socks []*sock
}

// own never is.
type own struct {
	flows map[addr]int
	used  int
}

// counted is a Cell's: one for each Net.
type counted struct {
	flows map[addr]int
	n     int
}

func newRDS(s *core.Stack, place netns.Placement) *rds {
	r := &rds{stack: s, binds: map[bind]*sock{}, handlers: map[string]func(*netns.Net){}}
	r.slot = netns.Register(s.Sys, netns.Ops[home]{Name: "rds", Place: place, Make: func() *home { return new(home) }})
	_ = netns.Register(s.Sys, netns.Ops[own]{Name: "own", Place: netns.Replicated, Make: func() *own { return new(own) }})
	_ = netns.NewCell(s.Sys, "cell", place, func(*netns.Net) *counted { return new(counted) })
	r.kept = r.slot.Of(s.Sys.Init()) // want `rds.kept keeps the home of one Net`
	r.count = 0
	nets, seen := 0, map[*netns.Net]bool{}
	netns.Attend(s.Sys, "rds", func(n *netns.Net) error {
		nets++ // want `nets outlives the call`
		seen[n] = true
		return nil
	}, nil, nil)
	return r
}

// The initial Net in place of the one at hand.
func (r *rds) initInstead(n *netns.Net, p *core.Packet, d *core.Device) {
	_ = r.slot.Own(r.stack.Sys.Init())             // want `is the initial Net, where n says`
	_, _ = r.table.Get(r.stack.Sys.Init(), bind{}) // want `is the initial Net`
	func() {
		first := r.stack.Sys.Init() // want `is the initial Net`
		_ = r.slot.Of(first)
	}()
	if n == r.stack.Sys.Init() || n.IsInit() {
		return
	}
	_ = r.slot.Of(n)
	_ = r.slot.Of(p.Net())
}

func (s *sock) notify(r *rds) {
	_ = r.slot.Of(r.stack.Sys.Init()) // want `where s says which Net`
}

func (r *rds) forTheMachine() *own {
	_ = r.slot.Of(r.stack.Sys.Init())
	return nil
}

// Shared state written for one Net.
func (r *rds) bind(n *netns.Net, k bind, s *sock, d *core.Device) {
	r.binds[k] = s                    // want `rds.binds is one per System, and its key k has no Net`
	delete(r.binds, k)                // want `rds.binds`
	r.count++                         // want `rds.count is one per System, and written for one Net \(n\)`
	r.total.Add(1)                    // want `rds.total`
	r.strict.Store(true)              // want `rds.strict`
	r.ports = append(r.ports, k.port) // want `rds.ports`
	r.counts.in++                     // want `rds.counts`
	r.lazy.Store(k.port, s)           // want `rds.lazy is one per System`
	r.kept = r.slot.Own(n)            // want `rds.kept keeps the home of one Net`
	_ = r.rng.Uint64()                // want `rds.rng is a random stream for all Nets`

	r.byNet[n] = append(r.byNet[n], s)
	r.byID[tagKey{n.ID(), k.addr}]++
	r.bySock[s] = true
	r.all = append(r.all, s)
	r.lazy.Store(n, s)
	_ = r.table.Add(n, k, s)
	r.slot.Own(n).by[n] = nil
	_ = r.count
	_ = r.total.Load()
	_ = r.binds[k]
	s.port = k.port
	local := map[bind]*sock{}
	local[k] = s
}

// Wiring has no Net at hand.
func (r *rds) handle(name string, f func(*netns.Net)) {
	r.handlers[name] = f
	r.count++
}

// What lies in a Net writes its own.
func (s *sock) setPort(port uint16) { s.port = port }

func (h *counted) add(n *netns.Net) { h.n++ }

// Loops over what belongs to all.
func (r *rds) dump(n *netns.Net, h *home) (out []uint16) {
	for _, s := range r.all { // want `a loop over rds.all`
		out = append(out, s.port)
	}
	for _, socks := range r.byNet { // want `a loop over rds.byNet` `the order of map r.byNet shows`
		out = append(out, uint16(len(socks)))
	}
	for _, s := range h.socks { // want `a loop over home.socks`
		out = append(out, s.port)
	}
	for other := range r.stack.Sys.Nets() { // want `a loop over all Nets`
		out = append(out, uint16(len(other.Name())))
	}

	for _, s := range r.all {
		if s.net == n {
			out = append(out, s.port)
		}
	}
	for _, s := range r.all {
		if s.net.ID() != n.ID() {
			continue
		}
		out = append(out, s.port)
	}
	for other := range r.stack.Sys.Nets() {
		if other != n {
			continue
		}
	}
	for _, s := range r.byNet[n] {
		out = append(out, s.port)
	}
	for _, p := range r.ports {
		out = append(out, p)
	}
	r.scratch = r.gather(n)
	for _, s := range r.scratch {
		out = append(out, s.port)
	}
	return out
}

func (r *rds) gather(n *netns.Net) []*sock { return slices.Clone(r.byNet[n]) }

func (r *rds) drop(s *sock) {
	rest := r.all[:0:0]
	for _, o := range r.all {
		if o != s {
			rest = append(rest, o)
		}
	}
	r.all = rest
}

// The machine's own business.
func (r *rds) total64() (sum int) {
	for _, s := range r.all {
		sum += int(s.port)
	}
	r.each(func(s *sock) { sum++ })
	return sum
}

func (r *rds) each(f func(*sock)) {}
