package live_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// says returns what a line prints in the street's middle.
func (s *street) says(line string) string {
	s.t.Helper()
	if s.w != nil {
		r, err := s.w.try("%s", strings.ReplaceAll(line, "@", ""))
		if err != nil {
			s.t.Fatal(err)
		}
		return r.Stdout + r.Stderr
	}
	out, _ := exec.Command("sh", "-c", strings.ReplaceAll(line, "@", s.name)).CombinedOutput()
	return string(out)
}

// TestLiveToolsDiscover has a host of the kernel's ask who is on its link, with the
// tools for that, and tell of itself.
func TestLiveToolsDiscover(t *testing.T) {
	tools(t, "ip", "ping", "arping", "ndisc6", "rdisc6")
	t.Parallel()
	model, kernel := row(t, "di")
	ask(model, kernel, []question{
		{"x", "arping -c 1 -w 5 -I eth0 10.1.0.1", []string{"Unicast reply from 10.1.0.1", "Received 1 response(s)"}},
		{"x", "arping -c 2 -w 5 -b -I eth0 10.1.0.1", []string{"Received 2 response(s)"}},
		{"x", "arping -D -c 1 -w 5 -I eth0 10.1.0.1", []string{"Received 1 response(s)"}},
		{"x", "arping -D -c 1 -w 1 -I eth0 10.1.0.77", []string{"Received 0 response(s)"}},
		{"x", "arping -c 1 -w 5 -I eth0 10.12.0.1", []string{"Unicast reply from 10.12.0.1"}}, // of another device, by arp_ignore 0
		{"x", "arping -c 1 -w 1 -I eth0 10.2.0.2", []string{"Received 0 response(s)"}},        // routed, but proxy_arp is 0
		{"x", "ndisc6 -1 -r 1 -w 5000 2001:db8:1::1 eth0", []string{"Target link-layer address"}},
		{"x", "ndisc6 -1 -r 1 -w 300 2001:db8:12::1 eth0", []string{"Timed out"}},
		{"x", "ndisc6 -1 -r 1 -w 300 2001:db8:1::77 eth0", []string{"Timed out"}},
	})
	// Its station is another one, and it says so: both routers believe it.
	for _, s := range []*street{model, kernel} {
		s.kernel("ip -n " + s.name + "x link set eth0 address 02:00:00:00:07:99")
		if out := s.at("x", "arping -U -c 1 -w 2 -I eth0 10.1.0.2"); !strings.Contains(out, "ARPING 10.1.0.2") {
			t.Errorf("%s: arping -U: %s", s.name, out)
		}
		said := ""
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if said = s.says("ip -n @r1 neigh show 10.1.0.2"); strings.Contains(said, "02:00:00:00:07:99") {
				break
			}
		}
		if !strings.Contains(said, "10.1.0.2 dev eth1 lladdr 02:00:00:00:07:99") {
			t.Errorf("%s: its router has not heard of the new station: %s", s.name, said)
		}
	}
	// The kernel's router would want a daemon for this.
	model.middle("ip netns exec @r1 probe ra on dev eth1 hoplimit 61 lifetime 1200 prefix 2001:db8:1::/64 valid 3600 preferred 1800")
	got := model.at("x", "rdisc6 -1 -r 3 -w 2000 eth0")
	for _, word := range []string{"Hop limit                 :           61", "Router lifetime           :         1200", "Prefix                   : 2001:db8:1::/64",
		"Valid time              :         3600", "Pref. time              :         1800", "from fe80::"} {
		if !strings.Contains(strings.ReplaceAll(got, "\t", " "), word) {
			t.Errorf("rdisc6: no %q in\n%s", word, got)
		}
	}
	t.Log(got)
	model.w.end()
}
