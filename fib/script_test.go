package fib

import (
	"fmt"
	"net/netip"
	"strings"

	"nsmodel/netns"
)

// script runs lines that begin with "$ " and compares what follows them with
// what they print.
func (b *bench) script(n *netns.Net, text string) {
	for _, step := range strings.Split("\n"+strings.TrimSpace(text), "\n$ ")[1:] {
		line, want, _ := strings.Cut(step, "\n")
		if got := b.do(n, line); got != want {
			b.t.Errorf("%s\ngot:  %s\nwant: %s", line, got, want)
		}
	}
}

// do runs one line.
func (b *bench) do(n *netns.Net, line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	dev, state, _ := strings.Cut(rest, " ")
	d := b.devs[b.name[dev]]
	switch verb {
	case "down":
		b.down[d] = true
		b.fib.DeviceDown(n, d)
	case "up":
		b.down[d] = false
		b.fib.DeviceUp(n, d)
	case "carrier":
		b.dark[d] = state == "off"
		b.fib.DeviceCarrier(n, d, state == "on")
	case "gone":
		b.fib.DeviceGone(n, d)
	case "addrgone":
		b.fib.AddrGone(n, netip.MustParseAddr(rest))
	case "rename":
		b.name[state] = b.name[dev]
		delete(b.name, dev)
		b.fib.DevicesChanged(n)
	case "rule":
		return b.rule(n, rest)
	default:
		return b.route(n, line)
	}
	return ""
}

// rule does `ip rule ...`.
func (b *bench) rule(n *netns.Net, line string) string {
	w := strings.Fields(line)
	if w[0] == "show" {
		var out []string
		for _, r := range b.fib.Rules(n) {
			out = append(out, showRule(r))
		}
		return strings.Join(out, "\n")
	}
	var r Rule
	if w[0] == "add" {
		r.Action, r.Table = ToTable, TableMain
	}
	for i := 1; i < len(w); i++ {
		arg := ""
		if i+1 < len(w) {
			arg = w[i+1]
		}
		var num uint32
		fmt.Sscan(arg, &num)
		i++
		switch w[i-1] {
		case "not":
			r.Not = true
			i--
		case "nop", "prohibit", "unreachable", "blackhole":
			r.Action = map[string]Action{"nop": Nop, "prohibit": RuleProhibit, "unreachable": RuleUnreachable, "blackhole": RuleBlackhole}[w[i-1]]
			r.Table = 0
			i--
		case "goto":
			r.Action, r.Goto, r.Table = Goto, num, 0
		case "from", "to":
			if !strings.Contains(arg, "/") {
				arg += "/32"
			}
			if w[i-1] == "to" {
				r.To = netip.MustParsePrefix(arg)
			} else {
				r.From = netip.MustParsePrefix(arg)
			}
		case "table", "lookup":
			r.Action, r.Table = ToTable, num
			if t := map[string]uint32{"local": TableLocal, "main": TableMain, "default": TableDefault}[arg]; t != 0 {
				r.Table = t
			}
		case "pref":
			r.Priority, r.PrioritySet = num, true
		case "iif":
			r.Iif = arg
		case "oif":
			r.Oif = arg
		case "tos":
			r.TOS = uint8(num)
		case "ipproto":
			r.IPProto = uint8(num)
		case "dport":
			r.DPort = PortRange{uint16(num), uint16(num)}
			fmt.Sscanf(arg, "%d-%d", &r.DPort.First, &r.DPort.Last)
		case "fwmark":
			fmt.Sscanf(arg, "%v/%v", &r.Mark, &r.Mask)
		case "suppress_prefixlength":
			r.Suppress, r.SuppressPrefixLen = true, uint8(num)
		default:
			b.t.Fatalf("rule %q: %q", line, w[i-1])
		}
	}
	b.sys.Lock()
	defer b.sys.Unlock()
	if w[0] == "del" {
		return iproute2Error(b.fib.DeleteRule(n, r))
	}
	return iproute2Error(b.fib.AddRule(n, r))
}

// showRule prints a rule about as `ip rule` does.
func showRule(r Rule) string {
	s := fmt.Sprintf("%d:", r.Priority)
	if r.Not {
		s += " not"
	}
	if r.From.IsValid() {
		s += " from " + strings.TrimSuffix(r.From.String(), "/32")
	} else {
		s += " from all"
	}
	if r.To.IsValid() {
		s += " to " + strings.TrimSuffix(r.To.String(), "/32")
	}
	if r.Mark != 0 || r.Mask != 0 {
		s += fmt.Sprintf(" fwmark %#x", r.Mark)
		if r.Mask != ^uint32(0) {
			s += fmt.Sprintf("/%#x", r.Mask)
		}
	}
	if r.TOS != 0 {
		s += fmt.Sprintf(" tos %#x", r.TOS)
	}
	if r.Iif != "" {
		s += " iif " + r.Iif
		if r.IifDetached {
			s += " [detached]"
		}
	}
	if r.Oif != "" {
		s += " oif " + r.Oif
		if r.OifDetached {
			s += " [detached]"
		}
	}
	switch r.Action {
	case ToTable:
		s += fmt.Sprintf(" lookup %d", r.Table)
		if r.Suppress {
			s += fmt.Sprintf(" suppress_prefixlength %d", r.SuppressPrefixLen)
		}
	case Goto:
		s += fmt.Sprintf(" goto %d", r.Goto)
		if r.Unresolved {
			s += " [unresolved]"
		}
	case Nop:
		s += " nop"
	case RuleProhibit:
		s += " prohibit"
	case RuleUnreachable:
		s += " unreachable"
	case RuleBlackhole:
		s += " blackhole"
	}
	return s
}
