package lockstep

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel/lab"
)

// settleFor is how long Linux has to notice a carrier and to send what a new
// address brings.
const settleFor = "1200ms"

// settle is how long a device waits until Linux has noticed its carrier, without
// which it has no link-local address.
func (w *world) settle() { w.do("probe sleep %s", settleFor) }

// settled returns lines with a wait after each command, or several on end, that
// gives a device its link, or IPv6 to a Net: addresses and routes come when
// Linux's own work has been done, not when the command returns. A lab that is
// made smaller has what it needs of them, so that it shows the same.
func settled(lines []lab.Line) []lab.Line {
	var out []lab.Line
	waits := false
	for i, l := range lines {
		out = append(out, l)
		waits = waits || brings(l.Words)
		if waits && (i == len(lines)-1 || !brings(lines[i+1].Words)) {
			waits = false
			if i+1 < len(lines) && slices.Contains(lines[i+1].Words, "sleep") || i == len(lines)-1 {
				continue // there is one, or nothing is left to wait for
			}
			text := "probe sleep " + settleFor
			wait, err := lab.Load(l.File, text+"\n")
			if err != nil || len(wait) != 1 {
				panic(fmt.Sprintf("lockstep: %s: %v", text, err))
			}
			wait[0].Num = l.Num
			out = append(out, wait[0])
		}
	}
	return out
}

// brings reports whether a command may give a device its link, or take it, or
// bring IPv6 or addresses with it.
func brings(words []string) bool {
	text := " " + strings.Join(words, " ") + " "
	if strings.Contains(text, " link set ") {
		return strings.Contains(text, " up ") || strings.Contains(text, " down ")
	}
	return strings.Contains(text, "disable_ipv6=0") || strings.Contains(text, "addr_gen_mode=")
}
