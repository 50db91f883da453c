package lockstep

import (
	"regexp"
	"strings"
)

// An Exemption is something that is not compared with Linux, or not generated,
// and why.
type Exemption struct{ What, Why string }

// NotCompared returns all of them: those that the comparison applies and those
// that the generator keeps to.
func NotCompared() (all []Exemption) {
	for _, list := range [][]norm{sayings, states, neighbours, packets} {
		for _, n := range list {
			all = append(all, Exemption{n.what, n.why})
		}
	}
	return append(all, elsewhere...)
}

// A norm takes what must differ out of lines. Lines that come to nothing fall
// out.
type norm struct {
	what, why string
	find      *regexp.Regexp
	with      string
}

var sayings = []norm{}

var states = []norm{
	{"whether a device without carrier is DOWN or LOWERLAYERDOWN", "Linux asks whichever device has the peer's number in its own namespace, at the time when the carrier went (default_operstate)",
		regexp.MustCompile(`operstate="LOWERLAYERDOWN"`), `operstate="DOWN"`},
	{"lifetimes of IPv6 addresses and routes", "real time passes", regexp.MustCompile(`^.*(valid_life_time|preferred_life_time|expires)(\[\d+\])?=.*$`), ""},
	{"qdisc, qlen", "a distribution chooses them", regexp.MustCompile(`^.* (qdisc|txqlen)=.*$`), ""},
}

var neighbours = []norm{
	{"a neighbour's age and state among those that time alone tells apart", "real time passes between commands, virtual time does not",
		regexp.MustCompile(`state\[0\]="(REACHABLE|STALE|DELAY|PROBE)"`), `state="known"`},
	{"whether a neighbour that nobody found is still asked for", "the same", regexp.MustCompile(`state\[0\]="(INCOMPLETE|FAILED)"`), `state="not found"`},
}

// packets are frames that are not compared.
var packets = []norm{
	{"IGMP", "a report waits for a timer, and the group of its own that a bridge joins is not modelled", regexp.MustCompile(`, protocol 2, `), ""},
	{"neighbour discovery and MLD on the wire", "they are sent when time has passed; what neighbours came of it is compared", regexp.MustCompile(`, icmp6 1(3[0-7]|43)/`), ""},
	{"IPv6 options of MLD", "the same", regexp.MustCompile(` to ff02::16, `), ""},
	{"ICMP errors about packets from 0.0.0.0", "Linux sends them to itself, as 127.0.0.1; the model sends none", regexp.MustCompile(` of: 0\.0\.0\.0 to `), ""},
	{"ARP requests to one host", "they are sent when time has passed", regexp.MustCompile(` to (0[02468ace]|[2468ace][02468ace]):\S+ arp 1, `), ""},
}

// elsewhere are the exemptions that describe, [Compare] and [Draw] apply.
var elsewhere = []Exemption{
	{"IPv4 identifications, those of ICMP echoes, UDP checksums, a ping's payload, ephemeral ports", "drawn by chance, or left to the device"},
	{"the order of frames on one wire within a step, and at which step ARP asks", "softirqs and timers"},
	{"devices' counters", "they follow from the frames, which are compared, and from IGMP and timers, which are not"},
	{"MAC addresses drawn by chance", "every lab says all of them"},
	{"what a tool prints behind \"Usage:\"", "the model's help tells what the model knows"},
	{"lo with a hardware address, or a neighbour", "the model sends by lo without looking for one"},
	{"a second question for a neighbour", "Linux's clock runs on while a command is started: on both sides retrans_time_ms is a minute"},
	{"what br_netfilter does to IP that crosses a bridge", "a distribution's choice; on Linux's side bridge-nf-call-* is 0"},
	{"redirects that arrive", "the model does not believe them yet: on Linux's side accept_redirects is 0"},
	{"which of several next hops a packet takes", "Linux hashes with a secret: nothing is sent where such routes lead"},
	{"the two ends of a veth with different MTUs", "a refused frame is told to the sender at once in Linux, who sends no more fragments; the model's is dropped unseen (lab fragments)"},
	{"names all and default for a device", "Linux's IPv6 refuses them for their sysctls"},
	{"route get ... iif lo", "a packet made up for the question is none that the Net has sent to itself"},
	{"arp_notify on lo", "Linux announces lo's addresses to itself, by ARP of hardware type 772"},
	{"a device that moves and comes up in one command", "linkwatch: nobody may have noticed that its carrier was gone"},
	{"link-layer addresses that are not Ethernet's", "the model's messages have six octets for them"},
	{"TCP, qdiscs, netfilter", "the model does not have them yet"},
	{"IPv6's flow labels, and how long its addresses last", "drawn by chance; real time passes"},
	{"duplicate address detection", "it takes a second: in labs of IPv6 accept_dad is 0, and devices are waited for until Linux has noticed their carrier"},
	{"router solicitation", "it goes on while time passes, and a router learns a neighbour from it: in labs of IPv6 router_solicitations is 0"},
}

// excuse applies norms to lines.
func excuse(lines []string, list []norm) []string {
	var out []string
	for _, l := range lines {
		for _, n := range list {
			l = n.find.ReplaceAllString(l, n.with)
		}
		if l != "" {
			out = append(out, l)
		}
	}
	return out
}

func isARP(line string) bool { return strings.Contains(line, " arp ") }

// ignored reports whether a frame is not compared.
func ignored(line string) bool {
	for _, n := range packets {
		if n.find.MatchString(line) {
			return true
		}
	}
	return false
}
