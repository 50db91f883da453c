package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const addrHelp = `Usage: ip address { add | change | replace } ADDR[/LEN] [ peer ADDR[/LEN] ] dev DEV
               [ broadcast { ADDR | + | - } ] [ label LABEL ] [ scope SCOPE ] [ metric N ]
               [ valid_lft LFT ] [ preferred_lft LFT ] [ noprefixroute ] [ nodad ]
               [ home ] [ mngtmpaddr ] [ optimistic ]
       ip address del ADDR[/LEN] dev DEV
       ip address { show | flush } [ [ dev ] DEV ] [ up ] [ scope SCOPE ] [ to PREFIX ]
               [ label PATTERN ] [ master DEV ] [ type TYPE ]
LFT := { forever | SECONDS }
`

func parseAddr(a *args, c *Command) Action {
	switch a.verb("address", "show", addrHelp, "add", "change", "chg", "replace", "delete", "show", "lst", "list", "flush") {
	case "add":
		return parseAddrChange(a, c, netlink.New, netlink.Create|netlink.Excl)
	case "change", "chg":
		return parseAddrChange(a, c, netlink.New, netlink.Replace)
	case "replace":
		return parseAddrChange(a, c, netlink.New, netlink.Create|netlink.Replace)
	case "delete":
		return parseAddrChange(a, c, netlink.Del, 0)
	case "flush":
		if !a.more() {
			panic(usage(1, "Flush requires arguments.\n"))
		}
		return &AddrFlush{parseAddrFilter(a, c)}
	}
	return &AddrShow{parseAddrFilter(a, c)}
}

func parseAddrChange(a *args, c *Command, op netlink.Op, flags netlink.Flags) Action {
	m := &netlink.Addr{Family: c.Opts.Family}
	p := addrParser{m: m}
	for a.more() {
		p.word(a)
	}
	if p.dev == "" {
		panic(usage(1, "Not enough information: \"dev\" argument is required.\n"))
	}
	p.finish(op)
	return &Change{Req: netlink.Request{Op: op, Flags: flags, Msg: m}, Devs: []Dev{{Name: p.dev}}, Warn: p.wildcard(op)}
}

type addrParser struct {
	m              *netlink.Addr
	dev, local     string
	brd            string
	length, scoped bool
	peer           netip.Prefix
}

func (p *addrParser) word(a *args) {
	m := p.m
	switch w := a.next(); {
	case w == "peer" || w == "remote":
		p.peer, _ = prefix(a.next(), m.Family)
		p.family(p.peer.Addr())
	case abbrev(w, "broadcast") || w == "brd":
		p.broadcast(a)
	case w == "scope":
		v := a.next()
		n, ok := valueOf(scopeWords, v, 8)
		if !ok {
			panic(invalid(v, "invalid scope value."))
		}
		m.Scope, p.scoped = uint8(n), true
	case w == "dev":
		p.dev = a.next()
	case w == "label":
		m.Label = a.next()
	case w == "metric" || w == "priority" || w == "preference":
		m.Metric = uint32(a.number(32, "\"metric\" value is invalid"))
	case abbrev(w, "valid_lft"):
		m.Valid = p.lifetime(a, "valid_lft")
	case abbrev(w, "preferred_lft"):
		m.Preferred = p.lifetime(a, "preferred_lft")
	case w == "noprefixroute":
		m.Flags |= unix.IFA_F_NOPREFIXROUTE
	case w == "nodad":
		m.Flags |= unix.IFA_F_NODAD
	case w == "home":
		m.Flags |= unix.IFA_F_HOMEADDRESS
	case w == "mngtmpaddr":
		m.Flags |= unix.IFA_F_MANAGETEMPADDR
	case w == "optimistic":
		m.Flags |= unix.IFA_F_OPTIMISTIC
	default:
		if w == "local" {
			w = a.next()
		} else if abbrev(w, "help") {
			panic(usage(255, "%s", addrHelp))
		}
		if p.local != "" {
			panic(garbage("local", w))
		}
		var pfx netip.Prefix
		pfx, p.length = prefix(w, m.Family)
		p.local, m.Local, m.Prefix = w, pfx.Addr(), pfx.Bits()
		p.family(m.Local)
	}
}

func (p *addrParser) family(ip netip.Addr) {
	if ip.IsValid() {
		p.m.Family = familyOf(ip)
	}
}

func (p *addrParser) broadcast(a *args) {
	if p.brd != "" {
		panic(usage(255, "Error: duplicate \"broadcast\": \"%s\" is the second value.\n", a.next()))
	}
	if p.brd = a.next(); p.brd != "+" && p.brd != "-" {
		p.m.Broadcast = address(p.brd, unix.AF_INET)
	}
}

func (p *addrParser) lifetime(a *args, key string) time.Duration {
	m := p.m
	if m.Has&netlink.AddrCacheInfo == 0 {
		m.Has |= netlink.AddrCacheInfo
		m.Valid, m.Preferred = netlink.Forever, netlink.Forever
	}
	if a.take("forever") {
		return netlink.Forever
	}
	return time.Duration(a.number(32, key+" value is invalid")) * time.Second
}

// finish fills in what the user has left to the tool.
func (p *addrParser) finish(op netlink.Op) {
	m := p.m
	if p.peer.IsValid() {
		m.Peer, m.Prefix = p.peer.Addr(), p.peer.Bits()
	} else if op == netlink.Del && p.local != "" && !p.length {
		m.Prefix = 0 // any will do
	}
	if !m.Local.IsValid() {
		return
	}
	if m.Local.Is4() && p.brd == "+" || p.brd == "-" {
		of := m.Local
		if m.Peer.IsValid() {
			of = m.Peer
		}
		if m.Prefix <= 30 { // a longer one has no place for it
			m.Broadcast = lastAddress(netip.PrefixFrom(of, m.Prefix), p.brd == "+")
		}
	}
	if !p.scoped && op != netlink.Del && m.Local.Is4() && m.Local.IsLoopback() {
		m.Scope = unix.RT_SCOPE_HOST
	}
	if m.Has&netlink.AddrCacheInfo != 0 && m.Valid == 0 {
		panic(usage(1, "valid_lft is zero\n"))
	}
	if m.Valid != netlink.Forever && m.Has&netlink.AddrCacheInfo != 0 && (m.Preferred == netlink.Forever || m.Preferred > m.Valid) {
		panic(usage(1, "preferred_lft is greater than valid_lft\n"))
	}
}

// wildcard is what the tool says to a deletion without a prefix length.
func (p *addrParser) wildcard(op netlink.Op) string {
	if op != netlink.Del || p.peer.IsValid() || p.length || !p.m.Local.Is4() {
		return ""
	}
	return fmt.Sprintf(`Warning: Executing wildcard deletion to stay compatible with old scripts.
         Explicitly specify the prefix length (%s/32) to avoid this warning.
         This special behaviour is likely to disappear in further releases,
         fix your scripts!
`, p.local)
}

// lastAddress returns p's address with all host bits one, or zero.
func lastAddress(p netip.Prefix, ones bool) netip.Addr {
	b := p.Masked().Addr().As4()
	if ones {
		for i := p.Bits(); i < 32; i++ {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return netip.AddrFrom4(b)
}

// An AddrFilter says which links and addresses a command means.
type AddrFilter struct {
	Dev, Master, Type string
	Up, Scoped        bool
	NoMaster, Grouped bool
	Group             uint32 // if Grouped
	Scope             uint8
	To                netip.Prefix
	Label             string
	Family            uint8
	NeedFlags         uint32 // IFA_F_* that must be set
	NotFlags          uint32 // or must not
}

// addrFilterFlags are flags that an address must have, or with a - in front must not.
// Linux: get_filter of ip.
var addrFilterFlags = map[string]uint32{"tentative": unix.IFA_F_TENTATIVE, "deprecated": unix.IFA_F_DEPRECATED, "dadfailed": unix.IFA_F_DADFAILED,
	"home": unix.IFA_F_HOMEADDRESS, "nodad": unix.IFA_F_NODAD, "mngtmpaddr": unix.IFA_F_MANAGETEMPADDR, "noprefixroute": unix.IFA_F_NOPREFIXROUTE,
	"autojoin": unix.IFA_F_MCAUTOJOIN, "optimistic": unix.IFA_F_OPTIMISTIC, "stable-privacy": unix.IFA_F_STABLE_PRIVACY}

func parseAddrFilter(a *args, c *Command) AddrFilter {
	f := AddrFilter{Family: c.Opts.Family}
	for a.more() {
		switch w := a.next(); {
		case w == "to":
			f.To, _ = prefix(a.next(), f.Family)
			if f.To.IsValid() && f.Family == unix.AF_UNSPEC {
				f.Family = familyOf(f.To.Addr())
			}
		case w == "scope":
			v := a.next()
			n, ok := valueOf(scopeWords, v, 8)
			if v != "all" && !ok {
				panic(invalid(v, "invalid \"scope\"\n"))
			}
			f.Scope, f.Scoped = uint8(n), v != "all"
		case w == "up":
			f.Up = true
		case w == "label":
			f.Label = a.next()
		case w == "master":
			f.Master = a.next()
		case w == "type":
			f.Type = a.next()
		case w == "nomaster":
			f.NoMaster = true
		case w == "group":
			f.Grouped = true
			if f.Group = 0; !a.take("default") {
				f.Group = uint32(a.number(32, "Invalid \"group\" value\n"))
			}
		case w == "primary":
			f.NotFlags |= unix.IFA_F_SECONDARY
		case w == "secondary" || w == "temporary":
			f.NeedFlags |= unix.IFA_F_SECONDARY
		case w == "permanent":
			f.NeedFlags |= unix.IFA_F_PERMANENT
		case w == "dynamic":
			f.NotFlags |= unix.IFA_F_PERMANENT
		case addrFilterFlags[strings.TrimPrefix(w, "-")] != 0:
			if flag := addrFilterFlags[strings.TrimPrefix(w, "-")]; w[0] == '-' {
				f.NotFlags |= flag
			} else {
				f.NeedFlags |= flag
			}
		default:
			if w == "dev" {
				w = a.next()
			} else if abbrev(w, "help") {
				panic(usage(255, "%s", addrHelp))
			}
			if f.Dev != "" {
				panic(garbage("dev", w))
			}
			f.Dev = w
		}
	}
	return f
}
