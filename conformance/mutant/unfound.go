package mutant

import "slices"

// unfound are mutants that nobody was seen to find, by name, with what is known of
// each. They are no part of the catalogue, since a survivor there is a failure;
// "nsmodel mutants -unfound" plants them.
var unfound = map[string]string{
	"neigh.default is one for all":                        "law 2 found it once, in its 162nd case: more than a first round draws",
	"a device's number is taken for the device":           "a port that stands on a device of another Net with the bridge's number",
	"a namespace's number is freed too early":             "perhaps the same: nobody asks between the two",
	"pre-exit in the order of birth":                      "perhaps the same, but for packets on their way",
	"flows without a route are counted for the host":      "a lab must have 256 flows wait in one Net, and one in another",
	"identifiers of ping sockets are the host's":          "no law draws ping sockets, and the labs name their identifiers",
	"raw sockets outlive their namespace":                 "nobody holds a raw socket over the end of its Net",
	"ND: the lifetimes' timer is the initial namespace's": "a Net must die with a lifetime running that would end in it",
}

// Unfound returns the mutants that nobody was seen to find.
func Unfound() []Mutant {
	return slices.DeleteFunc(everything(), func(m Mutant) bool { _, ok := unfound[m.Name]; return !ok })
}
