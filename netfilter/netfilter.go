// Package netfilter has the five hooks in a packet's way, registered per Net,
// and the verdicts that their functions give. Rules come later, behind a gate.
package netfilter

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// A Hook is a point in the packet's way. Linux: enum nf_inet_hooks.
type Hook uint8

// The hooks, with Linux's values.
const (
	PreRouting Hook = iota
	LocalIn
	Forward
	LocalOut
	PostRouting
	numHooks
)

// String returns Linux's name of the hook.
func (h Hook) String() string {
	names := [numHooks]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
	if h < numHooks {
		return names[h]
	}
	return fmt.Sprintf("hook %d", uint8(h))
}

// A Verdict is what a hook function says of a packet. Linux: NF_DROP and its
// kind.
type Verdict uint8

// The verdicts, with Linux's values. After Stolen the function owns the packet.
const (
	Drop   Verdict = 0
	Accept Verdict = 1
	Stolen Verdict = 2
	Repeat Verdict = 4
)

// A State is where a packet is when a hook runs.
// Linux: struct nf_hook_state.
type State struct {
	Hook    Hook
	Family  int          // core.AFInet or core.AFInet6
	In, Out *core.Device // nil where there is none
}

// A Func looks at p, whose data starts at the network header.
type Func func(w *core.Worker, p *core.Packet, st *State) Verdict

// An Entry is a function at a hook of one Net. Functions run in the order of
// Priority, lowest first, those of equal priority in the order of registration.
// Linux: struct nf_hook_ops.
type Entry struct {
	Family   int
	Hook     Hook
	Priority int
	Func     Func
}

// Hooks are the hook functions of all Nets. Linux: net->nf.hooks_ipv4.
type Hooks struct {
	cell  *netns.Cell[perNet]
	gates [2]*netns.Gate
	// used counts the functions of all Nets at each hook, so that a packet pays
	// nothing for hooks that nobody uses. Linux: nf_hooks_needed.
	used [2][numHooks]atomic.Int32
}

type perNet struct {
	chains [2][numHooks]atomic.Pointer[[]*Entry] // published, never patched
}

// New registers the hooks with s before its boot; place Default is Replicated.
// A family without a row in the table of gates has no hooks.
func New(s *core.Stack, place netns.Placement) *Hooks {
	if place == netns.Default {
		place = netns.Replicated
	}
	h := &Hooks{cell: netns.NewCell(s.Sys, "netfilter", place, func(*netns.Net) *perNet { return new(perNet) })}
	netns.Attend(s.Sys, "netfilter-exit", nil, nil, h.exit)
	for i, row := range []string{"ipv4", "ipv6"} {
		if g, err := s.Gate(core.LayerNetfilter, row); err == nil {
			h.gates[i] = g
		}
	}
	return h
}

// exit takes n's functions away, or all others would go on paying for them.
// Linux: netfilter_net_exit.
func (h *Hooks) exit(n *netns.Net) {
	own := h.cell.Of(n)
	for f := range own.chains {
		for hook := range own.chains[f] {
			if old := own.chains[f][hook].Swap(nil); old != nil {
				//tagvet:allow netless a packet of another Net sees the count as time only, as with Linux's nf_hooks_needed
				h.used[f][hook].Add(-int32(len(*old)))
			}
		}
	}
}

func index(family int) int {
	if family == core.AFInet6 {
		return 1
	}
	return 0
}

// Register adds a function to n's hook; under rtnl. EINVAL for a hook that is
// none, EOPNOTSUPP if the family has no hooks or its gate is closed to n, ESRCH
// if n is dead. The
// function it returns takes it away again; a packet on its way may still meet
// it until the next grace period. Linux: nf_register_net_hook.
func (h *Hooks) Register(n *netns.Net, e Entry) (remove func(), err error) {
	if e.Hook >= numHooks || e.Func == nil {
		return nil, fmt.Errorf("netfilter: %v: %w", e.Hook, syscall.EINVAL)
	}
	f := index(e.Family)
	if g := h.gates[f]; e.Family != core.AFInet && e.Family != core.AFInet6 || g == nil || !g.Admit(n) {
		return nil, fmt.Errorf("netfilter: family %d: %w", e.Family, syscall.EOPNOTSUPP)
	}
	if !n.Alive() {
		return nil, fmt.Errorf("netfilter: %v: %w", e.Hook, syscall.ESRCH)
	}
	at := &h.cell.Own(n).chains[f][e.Hook]
	own := &e
	var next []*Entry
	if old := at.Load(); old != nil {
		next = slices.Clone(*old)
	}
	i, _ := slices.BinarySearchFunc(next, e.Priority, func(o *Entry, prio int) int {
		if o.Priority <= prio {
			return -1
		}
		return 1
	})
	next = slices.Insert(next, i, own)
	at.Store(&next)
	used := &h.used[f][e.Hook]
	used.Add(1)
	return func() {
		old := at.Load()
		if old == nil || !slices.Contains(*old, own) {
			return
		}
		used.Add(-1)
		rest := slices.DeleteFunc(slices.Clone(*old), func(o *Entry) bool { return o == own })
		if len(rest) == 0 {
			at.Store(nil)
			return
		}
		at.Store(&rest)
	}, nil
}

// Run lets the functions of a hook of p's Net see p, whose data starts at the
// network header. It reports whether the packet goes on; if not, it is dropped
// or somebody's. Linux: NF_HOOK.
func (h *Hooks) Run(w *core.Worker, p *core.Packet, hook Hook, family int, in, out *core.Device) bool {
	f := index(family)
	if h.used[f][hook].Load() == 0 {
		return true
	}
	chain := h.cell.Of(p.Net()).chains[f][hook].Load()
	if chain == nil {
		return true
	}
	return run(w, p, *chain, &State{hook, family, in, out})
}

func run(w *core.Worker, p *core.Packet, chain []*Entry, st *State) bool {
	for i := 0; i < len(chain); {
		switch chain[i].Func(w, p, st) {
		case Accept:
			i++
		case Repeat:
		case Stolen:
			return false
		default:
			w.Drop(p, core.NetfilterDrop)
			return false
		}
	}
	return true
}
