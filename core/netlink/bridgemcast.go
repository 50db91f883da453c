package netlink

import (
	"iter"
	"strconv"
	"syscall"

	"nsmodel/core"
)

// A MulticastSetting is one of the numbers that a bridge is told about groups and its
// questions about them. Linux: IFLA_BR_MCAST_*.
type MulticastSetting uint8

// The settings in the order in which `ip -d link` prints them; times are in 1/100 s.
const (
	MulticastUseIfAddr MulticastSetting = iota
	MulticastQuerier
	MulticastHashElasticity
	MulticastHashMax
	MulticastLastMemberCount
	MulticastStartupQueryCount
	MulticastLastMemberInterval
	MulticastMembershipInterval
	MulticastQuerierInterval
	MulticastQueryInterval
	MulticastResponseInterval
	MulticastStartupInterval
	MulticastStats
	MulticastIGMPVersion
	MulticastMLDVersion
	numMulticast
)

// MulticastSettings yields all of them in their order.
func MulticastSettings() iter.Seq[MulticastSetting] {
	return func(yield func(MulticastSetting) bool) {
		for s := range numMulticast {
			if !yield(s) {
				return
			}
		}
	}
}

// words returns the setting's name, its name in JSON and how many bits it has.
func (s MulticastSetting) words() (name, json string, bits int) {
	switch s {
	case MulticastUseIfAddr:
		name, bits = "mcast_query_use_ifaddr", 8
	case MulticastQuerier:
		name, bits = "mcast_querier", 8
	case MulticastHashElasticity:
		name, bits = "mcast_hash_elasticity", 32
	case MulticastHashMax:
		name, bits = "mcast_hash_max", 32
	case MulticastLastMemberCount:
		name, json, bits = "mcast_last_member_count", "mcast_last_member_cnt", 32
	case MulticastStartupQueryCount:
		name, json, bits = "mcast_startup_query_count", "mcast_startup_query_cnt", 32
	case MulticastLastMemberInterval:
		name, json, bits = "mcast_last_member_interval", "mcast_last_member_intvl", 64
	case MulticastMembershipInterval:
		name, json, bits = "mcast_membership_interval", "mcast_membership_intvl", 64
	case MulticastQuerierInterval:
		name, json, bits = "mcast_querier_interval", "mcast_querier_intvl", 64
	case MulticastQueryInterval:
		name, json, bits = "mcast_query_interval", "mcast_query_intvl", 64
	case MulticastResponseInterval:
		name, json, bits = "mcast_query_response_interval", "mcast_query_response_intvl", 64
	case MulticastStartupInterval:
		name, json, bits = "mcast_startup_query_interval", "mcast_startup_query_intvl", 64
	case MulticastStats:
		name, bits = "mcast_stats_enabled", 8
	case MulticastIGMPVersion:
		name, bits = "mcast_igmp_version", 8
	case MulticastMLDVersion:
		name, bits = "mcast_mld_version", 8
	}
	if json == "" {
		json = name
	}
	return name, json, bits
}

// String returns the word that ip has for it.
func (s MulticastSetting) String() string { name, _, _ := s.words(); return name }

// JSON returns the key under which ip -j shows it.
func (s MulticastSetting) JSON() string { _, json, _ := s.words(); return json }

// Bits returns the size of its value.
func (s MulticastSetting) Bits() int { _, _, bits := s.words(); return bits }

// showMulticast takes a setting over that the bridge shows.
func (b *Bridge) showMulticast(name string, v uint64) {
	for s := range MulticastSettings() {
		if s.String() == name {
			if b.Multicast == nil {
				b.Multicast = map[MulticastSetting]uint64{}
			}
			b.Multicast[s] = v
		}
	}
}

// show takes over what a bridge shows of its port.
func (p *BridgePort) show(name, v string) {
	switch name {
	case "fastleave":
		p.FastLeave, p.Has = v == "1", p.Has|BridgePortFastLeave
	case "mcast_flood":
		p.MulticastFlood, p.Has = v == "1", p.Has|BridgePortMulticastFlood
	case "mcast_router":
		word, _ := strconv.ParseUint(v, 10, 8)
		p.MulticastRouter, p.Has = uint8(word), p.Has|BridgePortMulticastRouter
	}
}

// ChangePort tells a port what is said of it. Errors: EOPNOTSUPP for what is no port of
// something that takes it, and what the kind says. Under rtnl. Linux:
// rtnl_changelink of IFLA_INFO_SLAVE_DATA, br_setlink.
func ChangePort(d *core.Device, p *BridgePort) error {
	master := d.Master()
	if master == nil || master.Kind() == nil || master.Kind().ChangePort == nil {
		return syscall.EOPNOTSUPP
	}
	word := func(on bool) string { return map[bool]string{true: "1", false: "0"}[on] }
	a := map[string]string{}
	if p.Has&BridgePortFastLeave != 0 {
		a["fastleave"] = word(p.FastLeave)
	}
	if p.Has&BridgePortMulticastFlood != 0 {
		a["mcast_flood"] = word(p.MulticastFlood)
	}
	if p.Has&BridgePortMulticastRouter != 0 {
		a["mcast_router"] = strconv.Itoa(int(p.MulticastRouter))
	}
	return master.Kind().ChangePort(d, a)
}
