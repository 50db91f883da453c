package lab

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// A LinkShow is "ip link show".
type LinkShow struct{ Filter AddrFilter }

func parseLinkShow(a *args, c *Command) Action {
	f := parseAddrFilter(a, c)
	f.Family = unix.AF_PACKET
	return &LinkShow{f}
}

func (s *LinkShow) run(t *tool) int {
	links, status := t.selectLinks(&s.Filter)
	if status != 0 {
		return status
	}
	p := t.printer()
	p.openList()
	for _, l := range links {
		p.openObject()
		if t.c.Opts.Brief {
			t.printBrief(p, l)
			p.text("%-17s ", l.Addr)
			if p.json {
				p.str("address", "", l.Addr.String())
			}
			t.printLinkFlags(p, l)
			p.text("\n")
		} else {
			t.printLink(p, l, true, unix.AF_UNSPEC)
			if t.c.Opts.Stats > 0 {
				t.printStats(p, l)
			}
			p.text("\n")
		}
		p.closeObject()
	}
	return t.flush(p)
}

// selectLinks asks for the links of a filter; with a status the command ends.
func (t *tool) selectLinks(f *AddrFilter) ([]*netlink.Link, int) {
	master := 0
	if f.Master != "" {
		var ok bool
		if master, ok = t.index(f.Master); !ok {
			return nil, t.fail(invalid(f.Master, "Device does not exist\n"))
		}
	}
	var all []netlink.Message
	if f.Dev != "" {
		l, ok := t.link(f.Dev)
		if !ok {
			return nil, t.failf(1, "Device \"%s\" does not exist.\n", f.Dev)
		}
		all = append(all, l)
	} else {
		var err error
		if all, err = t.dump(&netlink.Link{}); err != nil {
			return nil, t.dumped(err, "Dump")
		}
	}
	var links []*netlink.Link
	for _, m := range all {
		l, ok := m.(*netlink.Link)
		if ok && (!f.Up || l.Flags&unix.IFF_UP != 0) && (f.Master == "" || l.Master == master) && (f.Type == "" || l.Info == f.Type) &&
			(!f.NoMaster || l.Master == 0) && (!f.Grouped || l.Group == f.Group) {
			links = append(links, l)
		}
	}
	return links, 0
}

// linkFlagNames are in the order in which ip prints them. Linux leaves
// RUNNING out: its absence is NO-CARRIER.
var linkFlagNames = []word{
	{unix.IFF_LOOPBACK, "LOOPBACK"}, {unix.IFF_BROADCAST, "BROADCAST"}, {unix.IFF_POINTOPOINT, "POINTOPOINT"},
	{unix.IFF_MULTICAST, "MULTICAST"}, {unix.IFF_NOARP, "NOARP"}, {unix.IFF_ALLMULTI, "ALLMULTI"},
	{unix.IFF_PROMISC, "PROMISC"}, {unix.IFF_MASTER, "MASTER"}, {unix.IFF_SLAVE, "SLAVE"}, {unix.IFF_DEBUG, "DEBUG"},
	{unix.IFF_DYNAMIC, "DYNAMIC"}, {unix.IFF_AUTOMEDIA, "AUTOMEDIA"}, {unix.IFF_PORTSEL, "PORTSEL"},
	{unix.IFF_NOTRAILERS, "NOTRAILERS"}, {unix.IFF_UP, "UP"}, {unix.IFF_LOWER_UP, "LOWER_UP"},
	{unix.IFF_DORMANT, "DORMANT"}, {unix.IFF_ECHO, "ECHO"},
}

func (t *tool) linkFlags(l *netlink.Link) []string {
	var s []string
	f := l.Flags
	if f&unix.IFF_UP != 0 && f&unix.IFF_RUNNING == 0 {
		s = append(s, "NO-CARRIER")
	}
	f &^= unix.IFF_RUNNING
	for _, w := range linkFlagNames {
		if f&w.n != 0 {
			s = append(s, w.name)
			f &^= w.n
		}
	}
	if f != 0 {
		s = append(s, fmt.Sprintf("%x", f))
	}
	if l.Has&netlink.LinkLink != 0 && l.Has&netlink.LinkLinkNetns == 0 && l.Link != 0 {
		if peer := t.known(l.Link); peer == nil || peer.Flags&unix.IFF_UP == 0 {
			s = append(s, "M-DOWN")
		}
	}
	return s
}

func (t *tool) printLinkFlags(p *printer, l *netlink.Link) {
	flags := t.linkFlags(l)
	p.openArray("flags")
	for _, f := range flags {
		if p.json {
			p.str("", "", f)
		}
	}
	p.closeArray()
	p.text("<%s> ", strings.Join(flags, ","))
}

// linkName writes name@link to text, and both to JSON; format is for the text.
func (t *tool) linkName(p *printer, l *netlink.Link, format string) {
	name := l.Name
	if l.Has&netlink.LinkLink != 0 {
		switch {
		case l.Link == 0:
			name += "@NONE"
			if p.json {
				p.flag("link", "null", "")
			}
		case l.Has&netlink.LinkLinkNetns != 0:
			name += fmt.Sprintf("@if%d", l.Link)
			if p.json {
				p.num("link_index", "", int64(l.Link))
			}
		default:
			name += "@" + t.name(l.Link)
			if p.json {
				p.str("link", "", t.name(l.Link))
			}
		}
	}
	if p.json {
		name = l.Name
	}
	p.str("ifname", format, name)
}

func (t *tool) printBrief(p *printer, l *netlink.Link) {
	t.linkName(p, l, "%-16s ")
	p.str("operstate", "%-14s ", l.OperState.String())
}

// printLink writes the first lines of a link; no newline is behind the last.
// The second is left out if only one family's addresses follow.
func (t *tool) printLink(p *printer, l *netlink.Link, mode bool, family uint8) {
	p.num("ifindex", "%d: ", int64(l.Index))
	t.linkName(p, l, "%s: ")
	t.printLinkFlags(p, l)
	if l.Has&netlink.LinkMTU != 0 {
		p.num("mtu", "mtu %d ", int64(l.MTU))
	}
	if l.Qdisc != "" {
		p.str("qdisc", "qdisc %s ", l.Qdisc)
	}
	if l.Has&netlink.LinkMaster != 0 && l.Master != 0 {
		p.str("master", "master %s ", t.name(l.Master))
	}
	if l.Has&netlink.LinkOperState != 0 {
		p.str("operstate", "state %s ", l.OperState.String())
	}
	if mode {
		p.str("linkmode", "mode %s ", [...]string{"DEFAULT", "DORMANT"}[l.LinkMode&1])
	}
	if l.Has&netlink.LinkGroup != 0 {
		p.str("group", "group %s ", nameOf([]word{{0, "default"}}, l.Group))
	}
	if l.TxQLen != 0 {
		p.num("txqlen", "qlen %d", int64(l.TxQLen))
	}
	if family == unix.AF_UNSPEC || family == unix.AF_PACKET || t.c.Opts.Details {
		t.printHardware(p, l)
	}
	if l.Has&netlink.LinkLinkNetns != 0 {
		switch {
		case p.json:
			p.num("link_netnsid", "", int64(l.LinkNetns))
		case l.LinkNet != "":
			p.text(" link-netns %s", l.LinkNet)
		default:
			p.text(" link-netnsid %d", l.LinkNetns)
		}
	}
	if t.c.Opts.Details {
		t.printDetails(p, l)
	}
	if l.Alias != "" && mode {
		p.nl()
		p.str("ifalias", "    alias %s", l.Alias)
	}
}

func (t *tool) printHardware(p *printer, l *netlink.Link) {
	kind := "ether"
	switch l.Type {
	case unix.ARPHRD_LOOPBACK:
		kind = "loopback"
	case unix.ARPHRD_NONE:
		kind = "none"
	}
	p.nl()
	p.str("link_type", "    link/%s ", kind)
	if l.Has&netlink.LinkAddr != 0 {
		p.str("address", "%s", l.Addr.String())
	}
	if l.Has&netlink.LinkBroadcast != 0 {
		if l.Flags&unix.IFF_POINTOPOINT != 0 {
			p.flag("link_pointtopoint", "true", "")
			p.str("broadcast", " peer %s", l.Broadcast.String())
		} else {
			p.str("broadcast", " brd %s", l.Broadcast.String())
		}
	}
}

// printDetails writes what -d adds, as far as the model has it; Linux has more.
func (t *tool) printDetails(p *printer, l *netlink.Link) {
	p.num("promiscuity", " promiscuity %d ", int64(l.Promiscuity))
	p.num("allmulti", " allmulti %d ", int64(l.AllMulti))
	p.num("min_mtu", "minmtu %d ", int64(l.MinMTU))
	p.num("max_mtu", "maxmtu %d ", int64(l.MaxMTU))
	if l.Info != "" {
		p.openNamed("linkinfo")
		p.nl()
		p.str("info_kind", "    %s ", l.Info)
		if l.BridgeInfo != nil {
			p.openNamed("info_data")
			printBridge(p, l.BridgeInfo)
			p.closeObject()
		}
		if l.VLANInfo != nil {
			p.openNamed("info_data")
			printVLAN(p, l.VLANInfo)
			p.closeObject()
		}
		if l.MACVLAN != nil {
			p.openNamed("info_data")
			printMACVLAN(p, l.MACVLAN)
			p.closeObject()
		}
		if l.PortInfo != "" {
			p.nl()
			p.str("info_slave_kind", "    %s_slave ", l.PortInfo)
			if l.BridgePort != nil {
				p.openNamed("info_slave_data")
				printBridgeSlave(p, l.BridgePort)
				p.closeObject()
			}
		}
		p.closeObject()
	}
	if l.Has&netlink.LinkGenMode != 0 && int(l.GenMode) < len(genModes) {
		p.str("inet6_addr_gen_mode", "addrgenmode %s ", genModes[l.GenMode])
	}
	p.num("num_tx_queues", "numtxqueues %d ", int64(l.TxQueues))
	p.num("num_rx_queues", "numrxqueues %d ", int64(l.RxQueues))
}

func printBridge(p *printer, b *netlink.Bridge) {
	centi := func(key string, bit netlink.BridgeAttr, v int64) {
		if b.Has&bit != 0 {
			p.num(key, key+" %d ", v)
		}
	}
	centi("forward_delay", netlink.BridgeForwardDelay, b.ForwardDelay.Milliseconds()/10)
	centi("hello_time", netlink.BridgeHelloTime, b.HelloTime.Milliseconds()/10)
	centi("max_age", netlink.BridgeMaxAge, b.MaxAge.Milliseconds()/10)
	centi("ageing_time", netlink.BridgeAgeingTime, b.AgeingTime.Milliseconds()/10)
	centi("stp_state", netlink.BridgeSTPState, int64(b.STPState))
	centi("priority", netlink.BridgePriority, int64(b.Priority))
	vlan := int64(0)
	if b.VLANFiltering {
		vlan = 1
	}
	centi("vlan_filtering", netlink.BridgeVLANFiltering, vlan)
	snoop := int64(0)
	if b.MulticastSnooping {
		snoop = 1
	}
	centi("mcast_snooping", netlink.BridgeMulticastSnooping, snoop)
	centi("mcast_router", netlink.BridgeMulticastRouter, int64(b.MulticastRouter))
	for s := range netlink.MulticastSettings() {
		if v, ok := b.Multicast[s]; ok {
			p.num(s.JSON(), s.String()+" %d ", int64(v))
		}
	}
}
