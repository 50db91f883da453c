package advise

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"

	"nsmodel"
)

// Spreads of entries over Nets.
const (
	Even = "even" // every Net has as many
	Zipf = "zipf" // the Net of rank i has a share of 1/i
	Big  = "big"  // one Net has half of all
)

// Paths that packets take.
const (
	PathReceive   = "receive"   // to a UDP socket
	PathForward   = "forward"   // routed from one device to another
	PathBridge    = "bridge"    // through a bridge
	PathFragments = "fragments" // to a UDP socket, in two pieces
	PathReceive6  = "receive6"  // of IPv6, to a UDP socket
	PathForward6  = "forward6"  // of IPv6, routed from one device to another
)

// Spreads and Paths list the words.
func Spreads() []string { return []string{Even, Zipf, Big} }

// Paths lists the words of the ways that packets can take.
func Paths() []string {
	return []string{PathReceive, PathForward, PathBridge, PathFragments, PathReceive6, PathForward6}
}

// A Workload is what the tables are to bear.
type Workload struct {
	Nets    int            `json:"nets"`
	Entries int            `json:"entries"`              // of each subsystem, in a Net on average
	Of      map[string]int `json:"entries_of,omitempty"` // the same for single subsystems
	Spread  string         `json:"spread"`

	Path    string  `json:"path"`
	Packets float64 `json:"packets_per_s"`
	Lookups float64 `json:"lookups_per_s"` // in each subsystem; 0: what the packets need
	Burst   int     `json:"burst"`         // packets in a row for one Net
	Churn   float64 `json:"churn_per_s"`   // entries added and deleted, in each subsystem
	Lives   float64 `json:"lives_per_s"`   // Nets made and destroyed
	Memory  int64   `json:"memory_bytes"`  // that all may take together; 0: no bound
	Buckets int     `json:"buckets"`       // of tables with a fixed size; 0: they grow
	Walk    bool    `json:"walk"`          // a shared table is swept by walking all of it
}

// Usual is the workload of who says nothing.
func Usual() Workload {
	return Workload{Nets: 1000, Entries: 100, Spread: Even, Path: PathReceive, Packets: 1e6, Burst: 8, Churn: 1000, Lives: 10}
}

// Check refuses what cannot be: EINVAL.
func (w *Workload) Check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("advise: "+format+": %w", append(a, syscall.EINVAL)...)
	}
	const most = 1 << 40
	number := func(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
	switch {
	case w.Nets < 1 || w.Nets > 100_000_000:
		return bad("%d Nets: want 1 to 100,000,000", w.Nets)
	case w.Entries < 0:
		return bad("%d entries for each Net", w.Entries)
	case !slices.Contains(Spreads(), w.Spread):
		return bad("spread %q: want %s", w.Spread, strings.Join(Spreads(), ", "))
	case !slices.Contains(Paths(), w.Path):
		return bad("path %q: want %s", w.Path, strings.Join(Paths(), ", "))
	case !number(w.Packets) || !number(w.Lookups) || !number(w.Churn) || !number(w.Lives):
		return bad("packets %v, lookups %v, churn %v, lives %v a second: want numbers from 0", w.Packets, w.Lookups, w.Churn, w.Lives)
	case w.Burst < 1:
		return bad("bursts of %d packets: want 1 or more", w.Burst)
	case w.Memory < 0:
		return bad("a memory bound of %d bytes", w.Memory)
	case w.Buckets < 0 || w.Buckets > 1<<30:
		return bad("%d buckets: want 0 for tables that grow, or up to 1,073,741,824", w.Buckets)
	}
	words := strings.Split(nsmodel.PlaceWords(), ", ")
	for word, e := range w.Of {
		if !slices.Contains(words, word) {
			return bad("entries of %q: there are %s", word, nsmodel.PlaceWords())
		}
		if e < 0 {
			return bad("%d entries of %s", e, word)
		}
	}
	for _, word := range words {
		if float64(w.Nets)*float64(w.entriesOf(word)) > most {
			return bad("%d Nets with %d entries of %s: more than anybody has", w.Nets, w.entriesOf(word), word)
		}
	}
	return nil
}

func (w *Workload) entriesOf(word string) int {
	if e, ok := w.Of[word]; ok {
		return e
	}
	return w.Entries
}

// A share is some Nets with about as many entries each.
type share struct {
	nets    float64
	entries float64 // of each
}

// shares spreads nets times mean entries.
func shares(spread string, nets int, mean float64) []share {
	all := float64(nets) * mean
	switch {
	case nets == 1 || spread == Even:
		return []share{{float64(nets), mean}}
	case spread == Big:
		return []share{{1, all / 2}, {float64(nets - 1), all / 2 / float64(nets-1)}}
	}
	// Zipf: ranks 1, 2-3, 4-7 and so on, each group with its mean.
	var list []share
	total := 0.0
	for from := 1; from <= nets; from *= 2 {
		to := min(2*from, nets+1)
		sum := harmonic(to-1) - harmonic(from-1)
		list = append(list, share{float64(to - from), sum / float64(to-from)})
		total += sum
	}
	for i := range list {
		list[i].entries *= all / total
	}
	return list
}

// harmonic returns 1 + 1/2 + ... + 1/k, from Euler's constant on for many.
func harmonic(k int) (sum float64) {
	if k > 1000 {
		return math.Log(float64(k)) + 0.57721566490153286 + 1/(2*float64(k))
	}
	for i := 1; i <= k; i++ {
		sum += 1 / float64(i)
	}
	return sum
}
