package lockstep

import (
	"strings"

	"nsmodel/conformance"
	"nsmodel/lab"
)

// kind is what shrinking keeps: what differs, and the first line of the diff
// without names and numbers.
func (d *Disagreement) kind() string {
	s := d.Signature()
	what, _, _ := strings.Cut(s, ":")
	first := ""
	if _, diff, ok := strings.Cut(s, " | "); ok {
		first, _, _ = strings.Cut(diff, " | ")
	}
	return what + first
}

// labText is a disagreement's lab as it is written to disk: its comments say
// where it comes from and what differs.
func labText(head []string, lines []lab.Line, d *Disagreement) string {
	var b strings.Builder
	for _, l := range append(head, strings.Split(d.String(), "\n")...) {
		b.WriteString(strings.TrimRight("# "+l, " ") + "\n")
	}
	b.WriteString(conformance.Text(lines))
	return b.String()
}
