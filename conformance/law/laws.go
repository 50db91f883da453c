package law

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"weak"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netns"
)

// A bench is a machine under test with its interpreter.
type bench struct {
	m  *nsmodel.Machine
	h  *host.Host
	in *lab.Interp
}

func newBench(t interface{ Fatal(...any) }, v conformance.Variant) *bench {
	m, err := nsmodel.New(v.Config)
	if err != nil {
		t.Fatal(err)
	}
	h := host.New(m)
	if v.Schedule != 0 {
		h.Pick = rand.New(rand.NewPCG(v.Schedule, 0)).IntN
	}
	return &bench{m, h, lab.New(h)}
}

// do runs one command and returns what it said.
func (b *bench) do(t interface{ Fatalf(string, ...any) }, text string) string {
	if name, ok := strings.CutPrefix(text, fewNeighbours); ok {
		n, err := b.m.Net(name)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		b.m.IPv4.SetNeighLimits(n, [3]int{0, 2, 2})
		n.Put()
		return ""
	}
	lines, err := lab.Load("law", text+"\n")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r, err := b.in.Run(lines[0])
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r.String()
}

// Law 1: where a table stands is invisible. The same commands say the same, to
// the byte, under every placement, hash, table size, worker count and schedule.
func placementIsInvisible(t *rapid.T, vs []conformance.Variant) {
	cs := drawLab(t, 40)
	k := min(3, len(vs)-1)
	others := rapid.SliceOfNDistinct(rapid.IntRange(1, len(vs)-1), k, k, rapid.ID[int]).Draw(t, "variants")
	benches := []*bench{newBench(t, vs[0])}
	for _, i := range others {
		benches = append(benches, newBench(t, vs[i]))
	}
	defer closeAll(benches)
	for k, c := range cs {
		want := benches[0].do(t, c.text)
		for j, b := range benches[1:] {
			if got := b.do(t, c.text); got != want {
				t.Fatalf("command %d differs under %q:\n--- %s\n%s--- %s\n%s%s", k, vs[others[j]].Name, vs[0].Name, want, vs[others[j]].Name, got, story(cs[:k+1]))
			}
		}
	}
}

func closeAll(bs []*bench) {
	for _, b := range bs {
		b.h.Close()
	}
}

// story prints the commands that led to a failure.
func story(cs []genCommand) string {
	var s strings.Builder
	s.WriteString("--- lab\n")
	for _, c := range cs {
		fmt.Fprintln(&s, c.text)
	}
	return s.String()
}

// Law 2: a neighbour without a link is invisible. Take away every command of
// the other group, let the same time pass, and this group's commands say the
// same, to the byte: results, errors, dumps, counters, numbers, random draws.
func neighbourIsInvisible(t *rapid.T, vs []conformance.Variant) {
	cs := drawLab(t, 40)
	mine := rapid.IntRange(0, 1).Draw(t, "observer")
	v := vs[rapid.IntRange(0, len(vs)-1).Draw(t, "variant")]
	if v.Schedule != 0 {
		v.Schedule = 0 // a shared scheduler's draws are the test's, not the machine's
	}
	full, alone := newBench(t, v), newBench(t, v)
	defer closeAll([]*bench{full, alone})
	for k, c := range cs {
		got := full.do(t, c.text)
		if c.group == 1-mine {
			alone.m.AdvanceTo(full.m.Sys.Now(), nil)
			alone.do(t, "probe sleep 0s") // lets services answer
			continue
		}
		if want := alone.do(t, c.text); got != want {
			t.Fatalf("command %d (%s) under %q:\n--- among neighbours\n%s--- alone\n%s%s", k, c.text, v.Name, got, want, story(cs[:k+1]))
		}
	}
}

// Law 3: nothing is lost. After every command each Net's ledger is in balance,
// and no packet is out of the pools that no ledger holds.
func nothingIsLost(t *rapid.T, vs []conformance.Variant) {
	cs := drawLab(t, 60)
	b := newBench(t, vs[rapid.IntRange(0, len(vs)-1).Draw(t, "variant")])
	defer b.h.Close()
	for k, c := range cs {
		b.do(t, c.text)
		if bad := imbalance(b.m); bad != "" {
			t.Fatalf("after command %d (%s): %s\n%s", k, c.text, bad, story(cs[:k+1]))
		}
	}
}

// imbalance says what is wrong with the books, "" if nothing.
func imbalance(m *nsmodel.Machine) string {
	held := int64(0)
	for n := range m.Sys.Nets() {
		b := m.Core.Ledger(n)
		if !b.Balanced() {
			return fmt.Sprintf("%q: %v", n.Name(), b)
		}
		held += b.Held
	}
	if b := m.Core.DeadLedger(); !b.Balanced() || b.Held != 0 {
		return fmt.Sprintf("gone: %v", b)
	}
	if out := m.Core.Outstanding(); out != held {
		return fmt.Sprintf("%d packets are out of the pools, %d are held", out, held)
	}
	return ""
}

// Law 4: nothing outlives its namespace. Whatever was pending, once every Net is
// gone the shared tables are as they were, no packet is out, no timer waits, and
// not even the garbage collector can reach a dead Net.
func nothingOutlives(t *rapid.T, vs []conformance.Variant) {
	cs := drawLab(t, 40)
	v := vs[rapid.IntRange(0, len(vs)-1).Draw(t, "variant")]
	b := newBench(t, v)
	defer b.h.Close()
	before := entries(b.m)
	for _, c := range cs {
		b.do(t, c.text)
	}
	dead := killAll(b.m)
	if c := b.m.Sys.Census(); c != (netns.Census{Living: 1, Memory: 1}) {
		t.Fatalf("under %q, after the end of every Net: %+v\n%s", v.Name, c, story(cs))
	}
	if after := entries(b.m); after != before {
		t.Fatalf("under %q, shared tables before and after:\n%s\n%s\n%s", v.Name, before, after, story(cs))
	}
	if at, ok := b.m.Sys.NextTimer(); ok {
		t.Fatalf("under %q: a timer waits for %v\n%s", v.Name, at, story(cs))
	}
	if out := b.m.Core.Outstanding(); out != 0 {
		t.Fatalf("under %q: %d packets are still out\n%s", v.Name, out, story(cs))
	}
	b.do(t, "probe ledger")
	b.h.Forget()
	for range 3 {
		runtime.GC()
	}
	for name, n := range dead {
		if n.Value() != nil {
			t.Fatalf("under %q: Net %s can still be reached\n%s", v.Name, name, story(cs))
		}
	}
	runtime.KeepAlive(b)
}

// entries counts what the shared tables hold.
func entries(m *nsmodel.Machine) string {
	var s strings.Builder
	for _, sub := range m.Sys.Subsystems() {
		if sub.Entries != 0 {
			fmt.Fprintf(&s, "%s=%d ", sub.Name, sub.Entries)
		}
	}
	return s.String()
}

// killAll ends every Net but the initial one, and returns weak pointers to them.
func killAll(m *nsmodel.Machine) map[string]weak.Pointer[netns.Net] {
	dead := map[string]weak.Pointer[netns.Net]{}
	for n := range m.Sys.Nets() {
		if !n.IsInit() {
			dead[n.Name()] = weak.Make(n)
		}
	}
	m.Sys.Lock()
	for name := range dead {
		if err := m.Sys.Delete(name); err != nil {
			panic(err)
		}
	}
	m.Sys.Reap()
	m.Sys.Unlock()
	m.Settle()
	return dead
}

// Law 5: same seed, same bytes; another seed may differ in what is drawn.
func sameSeedSameBytes(t *rapid.T, vs []conformance.Variant) {
	cs := drawLab(t, 30)
	seed := rapid.Uint64().Draw(t, "seed")
	var said [2]string
	for i := range said {
		b := newBench(t, conformance.Variant{Config: nsmodel.Config{Seed: seed}})
		for _, c := range cs {
			said[i] += b.do(t, c.text)
		}
		b.h.Close()
	}
	if said[0] != said[1] {
		t.Fatalf("two runs with one seed differ\n%s", story(cs))
	}
}
