package mutant

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Kind is what sort of fault a mutant is.
type Kind string

// The kinds of fault.
const (
	Tag          Kind = "tag"          // the Net is not compared, or the wrong one is
	Limit        Kind = "limit"        // a limit, a number or a tunable is the host's
	Information  Kind = "information"  // others can be told from what is shown
	Crossing     Kind = "crossing"     // what must not cross does, or what must does not
	Move         Kind = "move"         // a device that changes its Net leaves something behind
	Authority    Kind = "authority"    // who may do it is not asked
	GateKind     Kind = "gate"         // a gate that is not there, or that was left
	Lifecycle    Kind = "lifecycle"    // birth, death and what outlives it
	Notification Kind = "notification" // who is told, and in which Net
	Isolation    Kind = "isolation"    // over-isolation: what should be shared is cut off
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Tag, Limit, Information, Crossing, Move, Authority, GateKind, Lifecycle, Notification, Isolation}
}

// An Edit replaces the one place of a file that reads Old.
type Edit struct {
	File     string // below the module's root
	Old, New string
}

// A Mutant is a defect.
type Mutant struct {
	Name  string
	Kind  Kind
	Edits []Edit
	// Precedent is the real bug: a commit or CVE, with the id of its row in the
	// list of bugs that the catalogue was made from; or what it is of the kind of.
	Precedent string
	// Only is the placement under which alone the defect can be seen, "tagged"
	// or "replicated", and Why the reason; "mixed" if either placement alone is
	// consistent, and only the comparison of both shows it. Else "".
	Only, Why string
	// Rare says why a first round seldom finds it, of one that Half passes over.
	Rare string
}

// Catalogue returns all mutants that are to be found.
func Catalogue() []Mutant {
	return slices.DeleteFunc(everything(), func(m Mutant) bool { _, ok := unfound[m.Name]; return ok })
}

// Share returns every n-th of each kind, from the k-th on (from 0): what can be planted
// in some minutes. Those that are rarely found it leaves to a longer look.
func Share(ms []Mutant, k, n int) (some []Mutant) {
	seen := map[Kind]int{}
	for _, m := range ms {
		if at := seen[m.Kind]; at%n == k%n && m.Rare == "" {
			some = append(some, m)
		}
		seen[m.Kind]++
	}
	return some
}

func everything() []Mutant {
	return slices.Concat(tags(), limits(), information(), crossings(), moves(), gates(), lives(), tellings(), isolations(), uppers(), frag6s(), mrouting(),
		raws(), solicited(), listeners(), learnt(), lasting(), asking(), orders(), froms(), ways())
}

// None is the source as it is: nobody may find anything.
func None() Mutant { return Mutant{Name: "none", Precedent: "the source as it is"} }

// A Tree is a module's source.
type Tree struct{ Root string }

// FindTree returns the tree that dir is in.
func FindTree(dir string) (*Tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for at := dir; ; at = filepath.Dir(at) {
		b, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module nsmodel\n") {
			return &Tree{at}, nil
		}
		if at == filepath.Dir(at) {
			return nil, fmt.Errorf("mutant: no source of module nsmodel at %s or above: %w", dir, os.ErrNotExist)
		}
	}
}
