package law

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var runMutants = flag.Bool("mutants", false, "compile each mutant and see that a law kills it (about 15 s a mutant)")

// A mutant is a defect planted into the source that a law's test is built from:
// the shipped code has no switch for it. Each stands for a real bug.
type mutant struct {
	name      string
	file      string // below the module's root
	old, new  string
	precedent string // what it was in Linux, or why it is of that kind
	killers   string // the laws that must find it, as a -run pattern
}

// mutants are the defects that the laws must find.
func mutants() []mutant {
	const (
		law2, law3, law4 = "TestLaws/2", "TestLaws/3", "TestLaws/4"
		anyLaw           = "TestLaws"
	)
	return []mutant{
		{"lookup forgets the tag", "netns/hash.go", "e.sum == sum && e.net == n.id && e.key == *k", "e.sum == sum && e.key == *k",
			"mptcp: don't return sockets in foreign netns (ea1300b9df7c)", anyLaw},
		{"exit forgets the sweep", "netns/table.go", "if h != t.slot.empty {", "if h != t.slot.empty && false {",
			"per-net pointer without an exit (437138485656)", law4},
		{"timers outlive their Net", "netns/life.go", "s.timers.stopAll(batch)", "_ = batch",
			"dccp: use after free in tw_timer_handler (ec7cb62d18d8)", law4},
		{"one random stream, by order of birth", "netns/chance.go", "if n.name == \"\" {", "if true {",
			"a neighbour's draw shifts mine", law2},
		{"interface indexes are the host's", "core/register.go", "s.nets.Own(n).lastIndex", "s.nets.Own(s.Sys.Init()).lastIndex",
			"ifindex was the host's until 3.7", law2},
		{"neighbours count for the host", "core/neigh.go", "s.neighOps[f], s.neighs.Own(n)", "s.neighOps[f], s.neighs.Own(s.Sys.Init())",
			"gc_thresh3 was the host's until cda2962b6e2b", law2},
		{"ICMP errors are limited for the host", "ipv4/icmpsend.go", "rates := &s.path.nets.Own(n).rates", "rates := &s.path.nets.Own(s.Core.Sys.Init()).rates",
			"a budget for the host lets one namespace silence another", law2},
		{"a datagram without a socket is forgotten", "transport/udp/udp.go", "		u.ip.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPPortUnreach, 0)\n		w.Drop(p, core.NoSocket)\n",
			"		u.ip.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPPortUnreach, 0)\n", "a get without a put on an error branch", law3},
		{"what waited for a dead neighbour stays held", "core/neigh_gc.go", "p.books.held.Add(-1)", "_ = p",
			"reference imbalance on an error branch", anyLaw},
		{"sockets outlive their Net", "transport/udp/udp.go", "netns.Attend(sys, \"udp-exit\", nil, u.preExit, u.preExit)", "netns.Attend(sys, \"udp-exit\", nil, nil, nil)",
			"gtp: destroy device along with udp socket's netns dismantle (2025) is of that kind", law4},
	}
}

// A death is what became of a mutant.
type death struct {
	mutant
	killer string // "" if it survived
	took   time.Duration
}

// TestMutants builds the laws with each mutant and expects them to fail. A law
// that has never been seen to fail is no law.
func TestMutants(t *testing.T) {
	if !*runMutants {
		t.Skip("each mutant is a build of its own: run with -mutants")
	}
	var deaths []death
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			start := time.Now()
			killer, out := "", ""
			// Also of a mutant that does not build: nobody has killed it.
			defer func() { deaths = append(deaths, death{m, killer, time.Since(start)}) }()
			if killer, out = kill(t, m); killer == "" {
				t.Errorf("survived %s: %s\n%s", m.killers, m.precedent, out)
			}
		})
	}
	fmt.Print(killTable(deaths))
}

// killTable tells which law killed which mutant.
func killTable(deaths []death) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MUTANT\tPRECEDENT\tKILLED BY\tSECONDS")
	survived := 0
	for _, d := range deaths {
		by := d.killer
		if by == "" {
			survived++
			by = "nobody"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.0f\n", d.name, d.precedent, by, d.took.Seconds())
	}
	_ = w.Flush() // to memory
	fmt.Fprintf(&b, "mutants: %d killed, %d survived\n", len(deaths)-survived, survived)
	return b.String()
}

// kill runs the laws over the mutated source and returns the test that failed.
func kill(t *testing.T, m mutant) (killer, out string) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, m.file)
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(src), m.old) < 1 {
		t.Fatalf("%s no longer holds what the mutant changes: %q", m.file, m.old)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(strings.ReplaceAll(string(src), m.old, m.new)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "test", "-overlay", file, "-count=1", "-run", m.killers, "-failfast", "-rapid.checks=400", "-rapid.nofailfile", "-rapid.shrinktime=2s", "-timeout=300s", ".")
	b, err := c.CombinedOutput()
	out = string(b)
	if err == nil {
		return "", out
	}
	if strings.Contains(out, "[build failed]") {
		t.Fatalf("the mutant does not build:\n%s", out)
	}
	for _, line := range strings.Split(out, "\n") {
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			return strings.Fields(name)[0], out
		}
	}
	return fmt.Sprintf("a crash (%s)", firstPanic(out)), out
}

func firstPanic(out string) string {
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return line
		}
	}
	return "no test named"
}
