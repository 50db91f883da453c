package mutant

import (
	"testing"
)

// The catalogue can be planted: what each edit replaces is there, once. Names
// are unique, precedents named, kinds known and marks explained.
func TestCatalogue(t *testing.T) {
	tree, err := FindTree(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	kinds := map[Kind]int{}
	for _, m := range everything() {
		if seen[m.Name] || m.Name == "" || m.Name == None().Name {
			t.Errorf("%q: the name is taken, or none", m.Name)
		}
		seen[m.Name] = true
		kinds[m.Kind]++
		if m.Precedent == "" || len(m.Edits) == 0 {
			t.Errorf("%q has no precedent or no edit", m.Name)
		}
		switch m.Only {
		case "", "tagged", "replicated", "mixed":
		default:
			t.Errorf("%q is marked %q", m.Name, m.Only)
		}
		if (m.Only == "") != (m.Why == "") {
			t.Errorf("%q: a mark and its reason go together", m.Name)
		}
		if _, err := tree.Plant([]Mutant{m}); err != nil {
			t.Error(err)
		}
	}
	if _, err := tree.Plant(everything()); err != nil {
		t.Error(err)
	}
	if k := len(Unfound()); k != len(unfound) {
		t.Errorf("%d of %d unfound mutants are there", k, len(unfound))
	}
	if k := len(Catalogue()); k < 100 {
		t.Errorf("%d mutants", k)
	}
	half := map[Kind]bool{}
	for _, m := range Share(Catalogue(), 0, 2) {
		half[m.Kind] = true
	}
	if k := len(Share(Catalogue(), 0, 2)); k < 60 || len(half) != len(Kinds()) {
		t.Errorf("half of them are %d, of %d kinds", k, len(half))
	}
	for _, k := range Kinds() {
		if kinds[k] == 0 {
			t.Errorf("no mutant of kind %s", k)
		}
		delete(kinds, k)
	}
	for k := range kinds {
		t.Errorf("unknown kind %q", k)
	}
}
