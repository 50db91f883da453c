package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// toy is a Machine that has what it was given and notes what it is asked.
type toy struct {
	nets    map[string]*toyNet
	names   []string // of nets, the newest first
	asked   []string
	changes []netlink.Message
	err     error // of New and Del
	sysctls []Sysctl
	ping    func(p *Ping, report func(PingEvent)) (PingResult, error)
	probe   func(p *Probe) ([]Datagram, error)
}

type toyNet struct {
	msgs []netlink.Message
	gets map[string][]netlink.Message // answers of route get, by what is asked
}

func (t *toy) Netns(op NetnsOp, name string) ([]string, error) {
	i := slices.Index(t.names, name)
	switch {
	case op == NetnsList:
		return slices.Clone(t.names), nil
	case op == NetnsAdd && i >= 0:
		return nil, syscall.EEXIST
	case op == NetnsAdd:
		t.names = append([]string{name}, t.names...)
	case i < 0:
		return nil, syscall.ENOENT
	case op == NetnsDelete:
		t.names = slices.Delete(t.names, i, i+1)
	}
	return nil, nil
}

func getKey(r *netlink.Route) string {
	return fmt.Sprint(r.Dst, r.Src, r.IIF, r.OIF, r.Mark, r.Has)
}

func (t *toy) Netlink(net string, req *netlink.Request) ([]netlink.Message, error) {
	n := t.nets[net]
	if n == nil {
		n = &toyNet{}
	}
	if req.Op != netlink.Get {
		t.asked = append(t.asked, req.String())
		t.changes = append(t.changes, req.Msg)
		return nil, t.err
	}
	if l, ok := req.Msg.(*netlink.Link); ok && req.Flags&netlink.Dump == 0 {
		for _, m := range n.msgs {
			if k, ok := m.(*netlink.Link); ok && (k.Index == l.Index || l.Index == 0 && k.Name == l.Name) {
				return []netlink.Message{k}, nil
			}
		}
		return nil, syscall.ENODEV
	}
	if r, ok := req.Msg.(*netlink.Route); ok && req.Flags&netlink.Dump == 0 {
		if got, ok := n.gets[getKey(r)]; ok {
			return got, nil
		}
		return nil, syscall.ENETUNREACH
	}
	var found []netlink.Message
	for _, m := range n.msgs {
		bridge := m.AF() == unix.AF_BRIDGE
		if m.Kind() == req.Msg.Kind() && bridge == (req.Msg.AF() == unix.AF_BRIDGE) {
			found = append(found, m)
		}
	}
	return found, nil
}

func (t *toy) Sysctl(net, key string, value *string) ([]Sysctl, error) {
	var found []Sysctl
	for i, s := range t.sysctls {
		if key != "" && s.Key != key && !strings.HasPrefix(s.Key, key+".") {
			continue
		}
		if value != nil {
			if *value == "zz" {
				return nil, syscall.EINVAL
			}
			t.sysctls[i].Value = *value
		}
		found = append(found, t.sysctls[i])
	}
	if found == nil {
		return nil, syscall.ENOENT
	}
	return found, nil
}

func (t *toy) Ping(net string, p *Ping, report func(PingEvent)) (PingResult, error) {
	return t.ping(p, report)
}

func (t *toy) Probe(net string, p *Probe) ([]Datagram, error) {
	t.asked = append(t.asked, fmt.Sprintf("%+v", *p))
	if t.probe == nil {
		return nil, nil
	}
	return t.probe(p)
}

// obj is an object of iproute2's JSON.
type obj map[string]any

func (o obj) s(key string) string { s, _ := o[key].(string); return s }
func (o obj) n(key string) int    { f, _ := o[key].(float64); return int(f) }
func (o obj) has(key string) bool { _, ok := o[key]; return ok }
func (o obj) list(key string) []obj {
	var l []obj
	for _, x := range o[key].([]any) {
		if m, ok := x.(map[string]any); ok {
			l = append(l, m)
		}
	}
	return l
}
func (o obj) words(key string) []string {
	var l []string
	a, _ := o[key].([]any)
	for _, x := range a {
		l = append(l, x.(string))
	}
	return l
}
func (o obj) ip(key string) netip.Addr { ip, _ := netip.ParseAddr(o.s(key)); return ip }
func (o obj) mac(key string) netlink.MAC {
	m, _ := netlink.ParseMAC(o.s(key))
	return m
}

func (o obj) hex(key string) uint32 {
	v, _ := strconv.ParseUint(o.s(key), 0, 32)
	return uint32(v)
}

func objects(t *testing.T, text json.RawMessage) []obj {
	t.Helper()
	var os []obj
	if err := json.Unmarshal(text, &os); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return os
}

// reader turns iproute2's JSON of one Net into messages.
type reader struct {
	index map[string]int
	ids   map[int]string // Nets by number
}

func value(ws []word, s string) uint32 {
	v, _ := valueOf(ws, s, 32)
	return v
}

func (r *reader) link(o obj) *netlink.Link {
	l := &netlink.Link{Index: o.n("ifindex"), Name: o.s("ifname"), MTU: o.n("mtu"), Qdisc: o.s("qdisc"), TxQLen: o.n("txqlen"),
		Addr: o.mac("address"), Broadcast: o.mac("broadcast"), Type: unix.ARPHRD_ETHER, Alias: o.s("ifalias"), Master: r.index[o.s("master")]}
	l.Has = netlink.LinkMTU | netlink.LinkAddr | netlink.LinkBroadcast | netlink.LinkOperState | netlink.LinkGroup | netlink.LinkMaster | netlink.LinkStats
	l.Flags = unix.IFF_RUNNING
	for _, f := range o.words("flags") {
		if f == "NO-CARRIER" {
			l.Flags &^= unix.IFF_RUNNING
		}
		for _, w := range linkFlagNames {
			if w.name == f {
				l.Flags |= w.n
			}
		}
	}
	if o.s("link_type") == "loopback" {
		l.Type = unix.ARPHRD_LOOPBACK
	}
	l.OperState = netlink.OperState(slices.IndexFunc([]string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"},
		func(s string) bool { return s == o.s("operstate") }))
	if o.has("link") {
		l.Has, l.Link = l.Has|netlink.LinkLink, r.index[o.s("link")]
	}
	if o.has("link_index") {
		l.Has, l.Link = l.Has|netlink.LinkLink|netlink.LinkLinkNetns, o.n("link_index")
		l.LinkNetns = o.n("link_netnsid")
		l.LinkNet = r.ids[l.LinkNetns]
	}
	if o.has("linkinfo") {
		l.Info = obj(o["linkinfo"].(map[string]any)).s("info_kind")
	}
	st := obj(o["stats64"].(map[string]any))
	rx, tx := obj(st["rx"].(map[string]any)), obj(st["tx"].(map[string]any))
	l.Stats = netlink.Stats{RxBytes: uint64(rx.n("bytes")), RxPackets: uint64(rx.n("packets")), Multicast: uint64(rx.n("multicast")),
		TxBytes: uint64(tx.n("bytes")), TxPackets: uint64(tx.n("packets")), RxDropped: uint64(rx.n("dropped")), TxDropped: uint64(tx.n("dropped")),
		RxErrors: uint64(rx.n("errors")), TxErrors: uint64(tx.n("errors"))}
	l.CarrierUps = tx.n("carrier_changes")
	return l
}

func (r *reader) addr(index int, o obj) *netlink.Addr {
	a := &netlink.Addr{Family: unix.AF_INET, Index: index, Local: o.ip("local"), Peer: o.ip("address"), Prefix: o.n("prefixlen"),
		Broadcast: o.ip("broadcast"), Label: o.s("label"), Scope: uint8(value(scopeWords, o.s("scope"))), Metric: uint32(o.n("metric")),
		Flags: unix.IFA_F_PERMANENT, Has: netlink.AddrCacheInfo, Valid: netlink.Forever, Preferred: netlink.Forever}
	for _, w := range addrFlagNames {
		if o.has(w.name) {
			a.Flags ^= w.n
		}
	}
	if v := o.n("valid_life_time"); v != 1<<32-1 {
		a.Valid, a.Preferred = time.Duration(v)*time.Second, time.Duration(o.n("preferred_life_time"))*time.Second
	}
	return a
}

func pfx(s string) netip.Prefix {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

func hopFlags(ws []string) uint32 {
	var f uint32
	for _, s := range ws {
		f |= value(hopFlagNames, s)
	}
	return f
}

func (r *reader) route(o obj) *netlink.Route {
	x := &netlink.Route{Family: unix.AF_INET, Dst: pfx(o.s("dst")), Src: pfx(o.s("from")), Gateway: o.ip("gateway"), OIF: r.index[o.s("dev")],
		Type: unix.RTN_UNICAST, Table: unix.RT_TABLE_MAIN, Proto: unix.RTPROT_BOOT, PrefSrc: o.ip("prefsrc"), Priority: uint32(o.n("metric")),
		TOS: uint8(o.hex("tos")), Flags: hopFlags(o.words("flags")), IIF: r.index[o.s("iif")], Mark: uint32(o.n("mark"))}
	if o.has("type") {
		x.Type, _ = routeType(o.s("type"))
	}
	if o.has("table") {
		x.Table = value(tableWords, o.s("table"))
	}
	if o.has("protocol") {
		x.Proto = uint8(value(protoWords, o.s("protocol")))
	}
	x.Scope = uint8(value(scopeWords, o.s("scope")))
	if o.has("uid") {
		x.Has = netlink.RouteUID
	}
	if o.has("cache") {
		x.Flags |= unix.RTM_F_CLONED
	}
	if o.has("metrics") {
		m := o.list("metrics")[0]
		x.MTU, x.AdvMSS, x.InitCwnd = uint32(m.n("mtu")), uint32(m.n("advmss")), uint32(m.n("initcwnd"))
		if x.MTU == 1200 { // JSON does not tell of the lock
			x.Locked = 1 << unix.RTAX_MTU
		}
	}
	if o.has("nexthops") {
		for _, h := range o.list("nexthops") {
			x.Multipath = append(x.Multipath, netlink.NextHop{Gateway: h.ip("gateway"), Index: r.index[h.s("dev")], Weight: h.n("weight"), Flags: hopFlags(h.words("flags"))})
		}
	}
	return x
}

func (r *reader) rule(o obj) *netlink.Rule {
	u := &netlink.Rule{Family: unix.AF_INET, Priority: uint32(o.n("priority")), TOS: uint8(o.hex("tos")), Mark: o.hex("fwmark"), IIF: o.s("iif"), OIF: o.s("oif"), IPProto: uint8(value(ipprotoWords, o.s("ipproto"))), Goto: uint32(o.n("goto")),
		Table: value(tableWords, o.s("table")), Action: unix.FR_ACT_TO_TBL, Proto: uint8(value(protoWords, o.s("protocol")))}
	set := func(on bool, f uint32) {
		if on {
			u.Flags |= f
		}
	}
	set(o.has("not"), unix.FIB_RULE_INVERT)
	set(o.has("iif_detached"), unix.FIB_RULE_IIF_DETACHED)
	set(o.has("oif_detached"), unix.FIB_RULE_OIF_DETACHED)
	set(o.has("unresolved"), unix.FIB_RULE_UNRESOLVED)
	if o.has("fwmark") {
		u.Has, u.MarkMask = netlink.RuleMask, 0xffffffff
	}
	if o.has("fwmask") {
		u.MarkMask = o.hex("fwmask")
	}
	side := func(key string) netip.Prefix {
		ip := o.ip(key)
		if !ip.IsValid() {
			return netip.Prefix{}
		}
		if o.has(key + "len") {
			return netip.PrefixFrom(ip, o.n(key+"len"))
		}
		return netip.PrefixFrom(ip, 32)
	}
	u.From, u.To = side("src"), side("dst")
	port := func(key string) netlink.PortRange {
		if o.has(key) {
			return netlink.PortRange{First: uint16(o.n(key)), Last: uint16(o.n(key))}
		}
		return netlink.PortRange{First: uint16(o.n(key + "_start")), Last: uint16(o.n(key + "_end"))}
	}
	u.SPort, u.DPort = port("sport"), port("dport")
	if o.has("suppress_prefixlen") {
		u.Has, u.SuppressPrefix = u.Has|netlink.RuleSuppressPrefix, o.n("suppress_prefixlen")
	}
	if o.has("uid_start") {
		u.Has, u.UIDs = u.Has|netlink.RuleUIDs, [2]uint32{uint32(o.n("uid_start")), uint32(o.n("uid_end"))}
	}
	switch {
	case o.has("goto"):
		u.Action = unix.FR_ACT_GOTO
	case o.has("nop"):
		u.Action = unix.FR_ACT_NOP
	case o.has("action"):
		ruleType(o.s("action"), u)
	}
	return u
}

func (r *reader) neigh(o obj) *netlink.Neigh {
	n := &netlink.Neigh{Family: unix.AF_INET, Index: r.index[o.s("dev")], Dst: o.ip("dst"), LLAddr: o.mac("lladdr")}
	if o.has("lladdr") {
		n.Has = netlink.NeighLLAddr
	}
	for _, s := range o.words("state") {
		n.State |= uint16(value(nudWords, strings.ToLower(s)))
	}
	if o.has("proxy") {
		n.Flags |= unix.NTF_PROXY
	}
	if o.has("router") {
		n.Flags |= unix.NTF_ROUTER
	}
	return n
}

func (r *reader) fdb(o obj) *netlink.Neigh {
	n := &netlink.Neigh{Family: unix.AF_BRIDGE, Index: r.index[o.s("ifname")], LLAddr: o.mac("mac"), Has: netlink.NeighLLAddr, Master: r.index[o.s("master")]}
	if slices.Contains(o.words("flags"), "self") {
		n.Flags = unix.NTF_SELF
	}
	n.State = map[string]uint16{"permanent": unix.NUD_PERMANENT, "static": unix.NUD_NOARP, "stale": unix.NUD_STALE, "": unix.NUD_REACHABLE}[o.s("state")]
	return n
}
