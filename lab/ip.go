package lab

import (
	"strings"

	"golang.org/x/sys/unix"
)

// ipObjects are ip's objects in the order in which abbreviations find them.
var ipObjects = []string{
	"address", "addrlabel", "maddress", "route", "rule", "neighbor", "neighbour", "ntable", "ntbl",
	"link", "l2tp", "fou", "ila", "macsec", "tunnel", "tunl", "tuntap", "tap", "token", "tcpmetrics",
	"tcp_metrics", "monitor", "xfrm", "mroute", "mrule", "netns", "netconf", "vrf", "sr", "nexthop",
	"mptcp", "ioam", "help", "stats",
}

// ipHelp is our own: what the model understands.
const ipHelp = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
OBJECT  := { address | link | monitor | neighbour | netns | route | rule }
OPTIONS := { -n[etns] NAME | -4 | -6 | -f[amily] FAMILY | -j[son] | -p[retty] |
             -o[neline] | -br[ief] | -s[tatistics] | -d[etails] | -force | -a[ll] |
             -b[atch] - (with a here-document) }
`

// ipOptions are ip's options in the order in which abbreviations find them.
var ipOptions = []string{
	"-loops", "-family", "-4", "-6", "-0", "-M", "-B", "-Version", "-human", "-human-readable", "-iec",
	"-stats", "-statistics", "-details", "-resolve", "-oneline", "-timestamp", "-tshort", "-force",
	"-batch", "-brief", "-json", "-rcvbuf", "-color", "-help", "-netns", "-Numeric", "-all", "-pretty", "-echo",
}

func parseIP(a *args, net string) *Command {
	c := &Command{Net: net}
	for strings.HasPrefix(a.peek(), "-") {
		parseIPOption(a, c)
	}
	if c.Opts.Batch {
		c.Do = &Batch{Input: a.input}
		if !a.here {
			panic(usage(255, "ip -batch -: a lab's batch is a here-document\n"))
		}
		return c
	}
	if !a.more() {
		panic(usage(255, "%s", ipHelp))
	}
	c.Do = parseObject(a, c)
	return c
}

func parseIPOption(a *args, c *Command) {
	w := a.next()
	opt := w
	if strings.HasPrefix(opt, "--") {
		opt = opt[1:]
	}
	o := &c.Opts
	switch choose(opt, ipOptions...) {
	case "-family":
		o.Family = parseFamily(a.next())
	case "-4":
		o.Family = unix.AF_INET
	case "-6":
		o.Family = unix.AF_INET6
	case "-0":
		o.Family = unix.AF_PACKET
	case "-B":
		o.Family = unix.AF_BRIDGE
	case "-stats", "-statistics":
		o.Stats++
	case "-details":
		o.Details = true
	case "-oneline":
		o.Oneline = true
	case "-force":
		o.Force = true
	case "-batch":
		if f := a.next(); f != "-" {
			panic(notModelled("ip -batch with a file"))
		}
		o.Batch = true
	case "-brief":
		o.Brief = true
	case "-json":
		o.JSON = true
	case "-pretty":
		o.Pretty = true
	case "-netns":
		c.Net = a.next()
	case "-Numeric":
		o.Numeric = true
	case "-all":
		o.All = true
	case "-help":
		panic(usage(255, "%s", ipHelp))
	case "":
		panic(usage(255, "Option \"%s\" is unknown, try \"ip -help\".\n", w))
	default:
		panic(notModelled("option " + w))
	}
}

func parseFamily(w string) uint8 {
	switch w {
	case "inet":
		return unix.AF_INET
	case "inet6":
		return unix.AF_INET6
	case "link":
		return unix.AF_PACKET
	case "bridge":
		return unix.AF_BRIDGE
	case "any":
		return unix.AF_UNSPEC
	case "help":
		panic(usage(255, "%s", ipHelp))
	}
	panic(invalid(w, "invalid protocol family"))
}

func parseObject(a *args, c *Command) Action {
	w := a.next()
	switch o := choose(w, ipObjects...); o {
	case "address":
		return parseAddr(a, c)
	case "link":
		return parseLink(a, c)
	case "route":
		return parseRoute(a, c)
	case "rule":
		return parseRule(a, c)
	case "neighbor", "neighbour":
		return parseNeigh(a, c)
	case "maddress":
		return parseMaddr(a, c)
	case "mroute":
		return parseMroute(a, c)
	case "netns":
		return parseNetns(a, c)
	case "monitor":
		panic(notModelled("ip monitor"))
	case "help":
		panic(usage(255, "%s", ipHelp))
	case "":
		panic(usage(1, "Object \"%s\" is unknown, try \"ip help\".\n", w))
	default:
		panic(notModelled("ip " + o))
	}
}

// verb takes a sub-command out of words; at the end of the line it is
// otherwise. help, and what is not known, end here.
func (a *args) verb(object, otherwise, help string, words ...string) string {
	if !a.more() {
		return otherwise
	}
	w := a.next()
	if v := choose(w, words...); v != "" {
		return v
	}
	if abbrev(w, "help") {
		panic(usage(255, "%s", help))
	}
	panic(usage(255, "Command \"%s\" is unknown, try \"ip %s help\".\n", w, object))
}
