package lab

import (
	"fmt"
	"regexp"
	"strings"
)

// A norm makes a transcript of the model and one of Linux comparable where
// they must differ.
type norm struct {
	what *regexp.Regexp
	with string
}

// norms are as few as they can be; each says why it must be.
var norms = []norm{
	// A round trip on a real machine takes what it takes.
	{regexp.MustCompile(`time=[0-9.]+ ms`), "time=T ms"},
	{regexp.MustCompile(` +[0-9]+\.[0-9]{3} ?ms`), " T ms"}, // tracepath's and traceroute's
	{regexp.MustCompile(`rtt min/avg/max/mdev = [0-9./]+ ms`), "rtt min/avg/max/mdev = T ms"},
	{regexp.MustCompile(`(packet loss), time [0-9]+ms`), "$1, time T"},
	// How many requests are under way at once depends on the scheduler.
	{regexp.MustCompile(`(, pipe|(?m:^)pipe) [0-9]+`), ""},
	// Lifetimes count down while a lab runs on Linux.
	// See roundLives for those of some minutes.
	{regexp.MustCompile(`(valid_lft|preferred_lft|expires) [0-9]{1,2}sec`), "$1 Tsec"},
	{regexp.MustCompile(`("(?:valid_life_time|preferred_life_time|expires)": ?)([0-9]{1,2})\b`), "${1}0"},
	// So do the ages of neighbours and forwarding entries.
	{regexp.MustCompile(`used [0-9]+/[0-9]+(/[0-9]+)?`), "used T"},
	{regexp.MustCompile(`("(?:used|confirmed|updated)": ?)[0-9]+`), "${1}0"},
	// And of multicast routes.
	{regexp.MustCompile(`(bytes(?:, [0-9]+ arrived on wrong iif\.)?, Age) +[0-9.]+`), "$1 T"},
	// A distribution chooses the default queueing discipline and its length
	// (net.core.default_qdisc); a lab says nothing about it.
	{regexp.MustCompile(`qdisc (pfifo_fast|fq_codel|fq|pfifo|noqueue|noop|mq) `), ""},
	{regexp.MustCompile(`("qdisc": ?)"[a-z_]+"`), `$1""`},
	{regexp.MustCompile(` qlen [0-9]+`), ""},
	{regexp.MustCompile(`("txqlen": ?)[0-9]+`), "${1}0"},
	// An ephemeral port is drawn at random, on each side from its own stream.
	{regexp.MustCompile(`(from (?:[0-9.]+|\[[0-9a-f:]+\]):)(3276[89]|327[7-9][0-9]|32[89][0-9]{2}|3[3-9][0-9]{3}|[45][0-9]{4}|60[0-9]{3}) "`), `${1}EPHEMERAL "`},
}

var macForm = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)

// Normalise rewrites a transcript for the comparison with another machine's.
// MAC addresses that lab, the lab's own text, does not name were drawn at
// random: they become MAC1, MAC2, ... in the order in which they appear.
func Normalise(lab, transcript string) string {
	named := make(map[string]string)
	for _, m := range macForm.FindAllString(strings.ToLower(lab), -1) {
		named[m] = m
	}
	drawn := 0
	s := macForm.ReplaceAllStringFunc(transcript, func(m string) string {
		to, ok := named[m]
		switch {
		case ok:
		case m == "00:00:00:00:00:00" || m == "ff:ff:ff:ff:ff:ff":
			to = m
		default:
			drawn++
			to = fmt.Sprintf("MAC%d", drawn)
			named[m] = to
		}
		return to
	})
	s = maskTemporary(roundLives(s))
	for _, n := range norms {
		s = n.what.ReplaceAllString(s, n.with)
	}
	return s
}
