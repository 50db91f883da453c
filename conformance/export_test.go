package conformance

import "time"

// StoryOf puts a subsystem to one check and returns the story of its failure, ""
// if it holds: for tests that want a failure.
func StoryOf[H any](s Subsystem[H], name string) string {
	for _, c := range checks[H]() {
		if c.name == name {
			return c.of(&s, name, 20*time.Millisecond)
		}
	}
	panic("no check " + name)
}

// CheckNames returns the names of all checks.
func CheckNames() (list []string) {
	for _, c := range checks[int]() {
		list = append(list, c.name)
	}
	return list
}
