package soak

import (
	"fmt"
	"runtime"
	"strings"
	"time"
	"weak"

	"nsmodel"
	"nsmodel/netns"
)

// Imbalance says what is wrong with the books of a machine that stands still,
// "" if nothing: every packet is accounted for, in each Net, among the dead, and
// in the pools.
func Imbalance(m *nsmodel.Machine) string {
	var bad []string
	for n := range m.Sys.Nets() {
		if b := m.Core.Ledger(n); !b.Balanced() || b.Held < 0 {
			bad = append(bad, fmt.Sprintf("the books of %q: %v", n.Name(), b))
		}
	}
	if b := m.Core.DeadLedger(); !b.Balanced() || b.Held != 0 {
		bad = append(bad, fmt.Sprintf("the books of the dead: %v", b))
	}
	if total, out := m.Core.TotalLedger(), m.Core.Outstanding(); !total.Balanced() || out != total.Held {
		bad = append(bad, fmt.Sprintf("%d packets are out of the pools, %d are held: %v", out, total.Held, total))
	}
	return strings.Join(bad, "\n")
}

// Entries tells how many entries the shared tables hold.
func Entries(m *nsmodel.Machine) string {
	var s strings.Builder
	for _, sub := range m.Sys.Subsystems() {
		if sub.Entries != 0 {
			fmt.Fprintf(&s, " %s=%d", sub.Name, sub.Entries)
		}
	}
	return s.String()
}

// Leftovers says what is left of the Nets of a machine after the end of all but
// the initial one, "" if nothing; empty is what its tables held before there
// were any.
func Leftovers(m *nsmodel.Machine, empty string) string {
	var bad []string
	if c := m.Sys.Census(); c != (netns.Census{Living: 1, Memory: 1}) {
		bad = append(bad, fmt.Sprintf("Nets: %+v, want the initial one alone", c))
	}
	if now := Entries(m); now != empty {
		bad = append(bad, fmt.Sprintf("entries in shared tables:%s, want:%s", now, empty))
	}
	if at, ok := m.Sys.NextTimer(); ok {
		bad = append(bad, fmt.Sprintf("a timer waits for %v", at))
	}
	if out := m.Core.Outstanding(); out != 0 {
		bad = append(bad, fmt.Sprintf("%d packets are out of the pools", out))
	}
	if s := Imbalance(m); s != "" {
		bad = append(bad, s)
	}
	return strings.Join(bad, "\n")
}

// Graves are Nets that nobody may keep.
type Graves []weak.Pointer[netns.Net]

// Kept says which of them can be reached although the collector has run, "" if
// none.
func (g Graves) Kept() string {
	var kept []string
	for i := range 44 {
		if i > 3 {
			// Whoever the Net's death has woken may not have run yet, and has it on
			// its stack.
			time.Sleep(50 * time.Millisecond)
		}
		runtime.GC()
		kept = kept[:0]
		for _, p := range g {
			if n := p.Value(); n != nil {
				kept = append(kept, n.Name())
			}
		}
		if len(kept) == 0 {
			return ""
		}
	}
	return fmt.Sprintf("%d of %d dead Nets are kept by somebody: %s", len(kept), len(g), strings.Join(kept[:min(len(kept), 5)], ", "))
}
