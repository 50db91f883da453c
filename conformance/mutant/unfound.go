package mutant

import "slices"

// unfound are mutants that nobody was seen to find, by name, with what is known of
// each. They are no part of the catalogue, since a survivor there is a failure;
// "nsmodel mutants -unfound" plants them.
var unfound = map[string]string{
	"a namespace's number is freed too early":        "perhaps the same: nobody asks between the two",
	"pre-exit in the order of birth":                 "perhaps the same, but for packets on their way",
	"flows without a route are counted for the host": "a lab must have 256 flows wait in one Net, and one in another",
}

// Unfound returns the mutants that nobody was seen to find.
func Unfound() []Mutant {
	return slices.DeleteFunc(everything(), func(m Mutant) bool { _, ok := unfound[m.Name]; return !ok })
}
