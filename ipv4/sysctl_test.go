package ipv4_test

import (
	"fmt"
	"strings"
	"testing"

	"nsmodel"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// The four instances of a tunable in one line.
func (h *house) four(n *nsNet, key string) string {
	var s []string
	for _, i := range []string{"all", "default", "lo", "v0"} {
		s = append(s, h.get(n, "net.ipv4.conf."+i+"."+key))
	}
	return strings.Join(s, " ")
}

// Who follows whom, as seen with sysctl(8) on Linux 6.18: all, default, lo, v0.
func TestConfPropagation(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		for i, tc := range []struct{ set, key, want string }{
			{"", "forwarding", "0 0 0 0"},
			{"conf.default.forwarding=1", "forwarding", "0 1 0 0"}, // not for devices that are there
			{"conf.default.forwarding=0", "forwarding", "0 0 0 0"},
			{"ip_forward=1", "forwarding", "1 1 1 1"},
			{"", "accept_redirects", "0 1 1 1"}, // a router takes no advice
			{"conf.v0.forwarding=0", "forwarding", "1 1 1 0"},
			{"conf.all.forwarding=0", "forwarding", "0 0 0 0"},
			{"", "accept_redirects", "1 1 1 1"},
			{"conf.v0.forwarding=1", "forwarding", "0 0 0 1"},
			{"conf.all.forwarding=0", "forwarding", "0 0 0 1"}, // was 0: nothing happens
			{"ip_forward=2", "forwarding", "2 2 2 2"},
			{"conf.default.rp_filter=1", "rp_filter", "0 1 1 1"}, // who was not written to follows
			{"conf.v0.rp_filter=2", "rp_filter", "0 1 1 2"},
			{"conf.default.rp_filter=0", "rp_filter", "0 0 0 2"},
		} {
			if tc.set != "" {
				k, v, _ := strings.Cut(tc.set, "=")
				h.set(n, "net.ipv4."+k, v)
			}
			if got := h.four(n, tc.key); got != tc.want {
				t.Errorf("%d: %s: %s is %s, want %s", i, tc.set, tc.key, got, tc.want)
			}
		}
		// A device born after default was written copies the mark, and does
		// not follow; nor does one that has got an address.
		h.veth(n, "v2", n, "v3")
		h.up(n, "lo", true)
		h.set(n, "net.ipv4.conf.default.rp_filter", "1")
		if got := h.four(n, "rp_filter"); got != "0 1 0 2" || h.get(n, "net.ipv4.conf.v2.rp_filter") != "0" {
			t.Errorf("after an address: %s, v2 %s", got, h.get(n, "net.ipv4.conf.v2.rp_filter"))
		}
	})
}

// Which values Linux 6.18 takes.
func TestSysctlValues(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		for _, tc := range []struct{ key, value, want string }{
			{"conf.v0.rp_filter", "7", "7"}, {"conf.v0.rp_filter", "-1", "-1"}, {"conf.v0.rp_filter", "99999999999", "EINVAL"},
			{"conf.v0.rp_filter", "abc", "EINVAL"}, {"conf.v0.rp_filter", "", "EINVAL"}, {"conf.v0.rp_filter", "1 2", "1"},
			{"conf.v0.rp_filter", "0x10", "16"}, {"conf.v0.rp_filter", "010", "8"}, {"conf.v0.rp_filter", " 3 ", "3"},
			{"ip_default_ttl", "0", "EINVAL"}, {"ip_default_ttl", "256", "EINVAL"}, {"ip_default_ttl", "255", "255"},
			{"ip_no_pmtu_disc", "9", "9"}, {"ip_local_port_range", "5 3", "EINVAL"}, {"ip_local_port_range", "5", "EINVAL"},
			{"ip_local_port_range", "0 5", "EINVAL"}, {"ip_local_port_range", "1 65536", "EINVAL"}, {"ip_local_port_range", "2 65535", "2\t65535"},
			{"icmp_echo_ignore_all", "2", "EINVAL"}, {"icmp_ratemask", "-1", "-1"}, {"icmp_ratelimit", "-5", "EINVAL"},
			{"ipfrag_high_thresh", "100", "EINVAL"}, {"ipfrag_low_thresh", "9999999", "EINVAL"}, {"ipfrag_high_thresh", "9999999", "9999999"},
			{"ipfrag_time", "-1", "-1"}, {"ipfrag_max_dist", "-1", "EINVAL"}, {"icmp_msgs_per_sec", "-1", "EINVAL"},
			{"route.min_pmtu", "10", "EINVAL"}, {"ip_unprivileged_port_start", "70000", "EINVAL"}, {"ip_forward_use_pmtu", "256", "EINVAL"},
			{"neigh.v0.ucast_solicit", "-1", "EINVAL"}, {"neigh.v0.base_reachable_time_ms", "1000", "1000"}, {"neigh.v0.retrans_time_ms", "0", "0"},
			{"neigh.v0.locktime", "20", "20"}, {"neigh.v0.gc_stale_time", "-5", "-5"}, {"neigh.v0.unres_qlen", "5", "5"},
			{"neigh.default.gc_thresh1", "5", "ENOENT"}, {"neigh.default.ucast_solicit", "5", "ENOENT"}, {"conf.nope.rp_filter", "1", "ENOENT"},
		} {
			name := "net.ipv4." + tc.key
			h.Sys.Lock()
			err := h.Sysctl.Set(n, name, tc.value)
			h.Sys.Unlock()
			got := h.get(n, name)
			if err != nil {
				e, _ := netlink.Split(err)
				got = map[string]string{"invalid argument": "EINVAL", "no such file or directory": "ENOENT"}[e.Error()]
			}
			if got != tc.want {
				t.Errorf("%s=%q: %s, want %s", tc.key, tc.value, got, tc.want)
			}
		}
		if got := h.get(n, "net.ipv4.neigh.v0.unres_qlen_bytes"); got != "10450" {
			t.Errorf("unres_qlen_bytes %s, want 10450", got)
		}
		for name, want := range map[string]string{"net.core.rmem_max": "EACCES", "net.core.netdev_max_backlog": "ENOENT"} {
			h.Sys.Lock()
			err := h.Sysctl.Set(n, name, "300000")
			h.Sys.Unlock()
			if e, _ := netlink.Split(err); fmt.Sprint(e) != map[string]string{"EACCES": "permission denied", "ENOENT": "no such file or directory"}[want] {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	})
}

// A new Net copies the initial Net's conf at birth, as on Linux by default; no
// Net sees another's tunables otherwise.
func TestConfInheritance(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		before, sibling := h.net("before"), h.net("sibling")
		h.set(sibling, "net.ipv4.ip_default_ttl", "9")
		h.set(sibling, "net.ipv4.conf.all.arp_ignore", "1")
		h.set(h.Init(), "net.ipv4.ip_forward", "1")
		h.set(h.Init(), "net.ipv4.ip_default_ttl", "33")
		after := h.net("after")
		for _, tc := range []struct {
			n         *netns.Net
			key, want string
		}{{before, "ip_forward", "0"}, {after, "ip_forward", "1"}, {after, "conf.default.forwarding", "1"}, {after, "conf.lo.forwarding", "1"},
			{after, "ip_default_ttl", "64"}, {before, "ip_default_ttl", "64"}, {after, "conf.all.arp_ignore", "0"}, {sibling, "conf.all.arp_ignore", "1"}} {
			if got := h.get(tc.n, "net.ipv4."+tc.key); got != tc.want {
				t.Errorf("%s of %s: %s, want %s", tc.key, tc.n.Name(), got, tc.want)
			}
		}
	})
}

// Everything that is listed can be read, and written back where it may be.
func TestSysctlAll(t *testing.T) {
	h := newHouse(t, netns.Replicated, nsmodel.Config{})
	n := h.net("a")
	all := h.Sysctl.All(n)
	if len(all) < 50 {
		t.Fatalf("%d names", len(all))
	}
	for _, v := range all {
		h.Sys.Lock()
		err := h.Sysctl.Set(n, v.Name, v.Value)
		h.Sys.Unlock()
		if got := h.get(n, v.Name); got != v.Value || err != nil && !strings.HasPrefix(v.Name, "net.core.") && !strings.HasSuffix(v.Name, ".mc_forwarding") {
			t.Errorf("%s: %q read, %q after it was written: %v", v.Name, v.Value, got, err)
		}
	}
}
