package law

import (
	"regexp"

	"pgregory.net/rapid"
)

// stillLab draws a lab in which nothing that is drawn at random is asked for:
// no time passes in which a neighbour would be found stale, no port is chosen.
func stillLab(t *rapid.T, max int) (cs []genCommand) {
	w := world{narrow: true, still: true}
	for _, c := range w.lab(t, max) {
		if !drawnVerb.MatchString(c.text) {
			cs = append(cs, c)
		}
	}
	return cs
}

// drawnVerb is what would show a random draw: time enough for a neighbour to
// become stale (15 s at least), or a tunable that makes it less.
var drawnVerb = regexp.MustCompile(`sleep (7s|40s|11m)|reachable_time|gc_stale|icmp_msgs|port_range|addr_gen_mode|accept_dad`)

var (
	macText  = regexp.MustCompile(`(?:[0-9a-f]{2}:){5}[0-9a-f]{2}`)
	portText = regexp.MustCompile(`:(3[2-9]|4\d|5\d|60)\d{3}\b`)
)

// quietSix leaves IPv6 nothing to draw: no link-local address, which would be of
// a drawn hardware address, and no time after which an address is ours.
var quietSix = []string{"E sysctl -w net.ipv6.conf.all.addr_gen_mode=1", "E sysctl -w net.ipv6.conf.default.addr_gen_mode=1",
	"E sysctl -w net.ipv6.conf.all.accept_dad=0", "E sysctl -w net.ipv6.conf.default.accept_dad=0"}

// undrawn puts a placeholder for the numbers that a Net draws where it is not
// told: hardware addresses and ports.
func undrawn(s string) string {
	return portText.ReplaceAllString(macText.ReplaceAllString(s, "MAC"), ":PORT")
}

var (
	linkNet  = regexp.MustCompile(` ?"?link[-_]netns(id)?"?[: ]"?\w+"?,?`)
	initOnly = regexp.MustCompile(`(?m)^net\.(ipv[46]\.neigh\.default|ipv6\.mld_|core\.netdev_max_backlog).*\n`)
	command  = regexp.MustCompile(`(?m)^\$ .*\n`)
)

// equalText leaves out of what a command said the names of Nets and what was
// drawn.
func equalText(s string) string {
	s = command.ReplaceAllString(s, "")
	return undrawn(linkNet.ReplaceAllString(s, ""))
}

// equalInit is equalText of what the initial Net says, without what a child has not.
func equalInit(s string) string { return equalText(initOnly.ReplaceAllString(s, "")) }
