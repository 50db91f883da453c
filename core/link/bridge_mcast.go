package link

import (
	"fmt"
	"strconv"
	"syscall"
	"time"

	"nsmodel/core"
)

// What a bridge and its ports can be told about groups, with iproute2's names and
// units. Linux: br_changelink and br_setport, IFLA_BR_MCAST_* and IFLA_BRPORT_*.

// multicastWord reports whether name is a bridge's setting about groups that is to be
// v; EINVAL if it cannot be.
func multicastWord(name string, v uint64) (bool, error) {
	ok := true
	switch name {
	case "mcast_router":
		ok = v <= routerAlways
	case "mcast_igmp_version":
		ok = v == 2 || v == 3
	case "mcast_mld_version":
		ok = v == 1 || v == 2
	case "mcast_snooping", "mcast_query_use_ifaddr", "mcast_querier", "mcast_hash_elasticity", "mcast_hash_max",
		"mcast_last_member_count", "mcast_startup_query_count", "mcast_last_member_interval", "mcast_membership_interval",
		"mcast_querier_interval", "mcast_query_interval", "mcast_query_response_interval", "mcast_startup_query_interval",
		"mcast_stats_enabled":
	default:
		return false, nil
	}
	if !ok {
		return true, fmt.Errorf("link: bridge %s %d: %w", name, v, syscall.EINVAL)
	}
	return true, nil
}

// centi is what the user's hundredths of a second are.
func centi(v uint64) time.Duration {
	return time.Duration(min(v, uint64(forEver/(10*time.Millisecond)))) * 10 * time.Millisecond
}

// setMulticast takes over settings that multicastWord has seen, in Linux's order: the
// time until the bridge believes its own answers is the old response interval.
func (b *bridge) setMulticast(num map[string]uint64) {
	if v, ok := num["mcast_router"]; ok {
		b.mc.router.Store(uint32(v))
		if v != routerLearn {
			for f := range b.mc.family {
				b.mc.family[f].self.Store(0)
			}
		}
	}
	if v, ok := num["mcast_snooping"]; ok {
		b.setSnooping(v != 0)
	}
	if v, ok := num["mcast_query_use_ifaddr"]; ok {
		b.mc.mu.Lock()
		b.mc.ask.useIfAddr = v != 0
		b.mc.mu.Unlock()
	}
	if v, ok := num["mcast_querier"]; ok {
		b.setQuerier(v != 0)
	}
	if v, ok := num["mcast_hash_max"]; ok {
		b.mc.hashMax.Store(int64(v))
	}
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	s := &b.mc.ask
	if v, ok := num["mcast_stats_enabled"]; ok {
		s.stats = v != 0
	}
	for name, to := range map[string]*uint32{"mcast_last_member_count": &s.lastCount, "mcast_startup_query_count": &s.startupCount} {
		if v, ok := num[name]; ok {
			*to = uint32(v)
		}
	}
	for name, to := range map[string]*uint8{"mcast_igmp_version": &s.version[four], "mcast_mld_version": &s.version[six]} {
		if v, ok := num[name]; ok {
			*to = uint8(v)
		}
	}
	for name, to := range map[string]*time.Duration{"mcast_last_member_interval": &s.lastMember, "mcast_membership_interval": &s.membership,
		"mcast_querier_interval": &s.other, "mcast_query_response_interval": &s.response} {
		if v, ok := num[name]; ok {
			*to = centi(v)
		}
	}
	for name, to := range map[string]*time.Duration{"mcast_query_interval": &s.query, "mcast_startup_query_interval": &s.startup} {
		if v, ok := num[name]; ok {
			*to = min(max(centi(v), minQueryInterval), maxQueryInterval)
		}
	}
}

// showMulticast returns the settings in the order in which `ip -d link` prints them.
func (b *bridge) showMulticast() [][2]string {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	s := &b.mc.ask
	num := func(v int64) string { return strconv.FormatInt(v, 10) }
	centi := func(t time.Duration) string { return num(int64(t / (10 * time.Millisecond))) }
	word := func(on bool) string { return map[bool]string{true: "1", false: "0"}[on] }
	return [][2]string{
		{"mcast_snooping", word(!b.mc.off.Load())},
		{"mcast_router", num(int64(b.mc.router.Load()))},
		{"mcast_query_use_ifaddr", word(s.useIfAddr)},
		{"mcast_querier", word(b.mc.querier.Load())},
		{"mcast_hash_elasticity", "16"}, // no setting any more: RHT_ELASTICITY
		{"mcast_hash_max", num(b.mc.hashMax.Load())},
		{"mcast_last_member_count", num(int64(s.lastCount))},
		{"mcast_startup_query_count", num(int64(s.startupCount))},
		{"mcast_last_member_interval", centi(s.lastMember)},
		{"mcast_membership_interval", centi(s.membership)},
		{"mcast_querier_interval", centi(s.other)},
		{"mcast_query_interval", centi(s.query)},
		{"mcast_query_response_interval", centi(s.response)},
		{"mcast_startup_query_interval", centi(s.startup)},
		{"mcast_stats_enabled", word(s.stats)},
		{"mcast_igmp_version", num(int64(s.version[four]))},
		{"mcast_mld_version", num(int64(s.version[six]))},
	}
}

// changePort tells a port of a bridge what is said of it: EINVAL for no such word, and
// then the switches are set all the same, as in Linux. Linux: br_setport.
func changePort(d *core.Device, attrs map[string]string) error {
	pt := ports().Of(d)
	if pt == nil {
		return syscall.EINVAL
	}
	if v, ok := attrs["fastleave"]; ok {
		pt.fastLeave.Store(v == "1")
	}
	if v, ok := attrs["mcast_flood"]; ok {
		pt.noFlood.Store(v != "1")
	}
	if v, ok := attrs["mcast_router"]; ok {
		word, err := strconv.ParseUint(v, 10, 32)
		if err != nil || word > routerTemp {
			return syscall.EINVAL
		}
		pt.br.setRouter(pt, uint32(word))
	}
	return nil
}

// showPort returns what was said of a port.
func showPort(d *core.Device) [][2]string {
	pt := ports().Of(d)
	if pt == nil {
		return nil
	}
	word := func(on bool) string { return map[bool]string{true: "1", false: "0"}[on] }
	return [][2]string{
		{"fastleave", word(pt.fastLeave.Load())},
		{"mcast_flood", word(!pt.noFlood.Load())},
		{"mcast_router", strconv.Itoa(int(pt.mcRouter.Load()))},
	}
}
