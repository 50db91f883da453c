package mutant

import "slices"

// unfound are mutants that nobody was seen to find, by name, with what is known of
// each. They are no part of the catalogue, since a survivor there is a failure;
// "nsmodel mutants -unfound" plants them.
var unfound = map[string]string{
	"datagrams without a socket go to the initial namespace's": "the initial Net must have a socket where the child has none",
	"a neighbour's tag is its device's":                        "perhaps the same as the source: it is flushed before it moves",
	"a device's number is taken for the device":                "a port that stands on a device of another Net with the bridge's number",
	"what is in force is remembered without its namespace":     "two Nets with other values of conf.all must ask in a row",
	"proxy entries are everybody's":                            "no generated Net proxies for all its devices",
	"ICMP replies are limited for the host":                    "icmp_ratemask must name echo replies",
	"a table's cap counts everybody's entries":                 "no command sets a cap",
	"frames for a device that is down are forgotten":           "a frame must arrive while its device goes down",
	"a capture goes along with a device that moves":            "captures' files are not judged",
	"a NIC that comes home takes a name that is taken":         "the initial Net must have a device of that name",
	"what is captured by name is another's device":             "of the laboratory's user space",
	"a namespace's number is freed too early":                  "perhaps the same: nobody asks between the two",
	"a birth that fails is undone by those that did not enter": "perhaps the same: exits take a Net that never entered",
	"a reference is kept when a move fails":                    "",
	"pre-exit in the order of birth":                           "perhaps the same, but for packets on their way",
	"listeners are told under the lock that they take":         "no listener asks anything while it is told",
	"waiting neighbours outlive their device":                  "perhaps the same: a dead neighbour's timer does nothing",
	"entries are lost when a table grows":                      "seen under tagged only: a lab's entries are too few for a shared home to grow",
}

// Unfound returns the mutants that nobody was seen to find.
func Unfound() []Mutant {
	return slices.DeleteFunc(everything(), func(m Mutant) bool { _, ok := unfound[m.Name]; return !ok })
}
