package live_test

import (
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"nsmodel"
	"nsmodel/internal/linux"
)

// A street is a row of hosts and routers, laid twice by the same words: once
// with Nets of the model's in the middle and once with the kernel's namespaces.
// At its ends are hosts of the kernel's, whose tools must see no difference.
type street struct {
	t     *testing.T
	w     *world // nil: the middle is the kernel's
	name  string // of this street, which begins its namespaces' names
	nears []string
}

// both lays a street twice. A plan's first part is lines for the middle's
// namespaces, whose names begin with @; an end is named by where its cable ends.
func both(t *testing.T, name, plan string, ends ...end) (model, kernel *street) {
	t.Helper()
	if noKernel != nil {
		t.Skip(noKernel)
	}
	w := newWorld(t, nsmodel.Config{Workers: 2})
	w.before = math.MaxInt // streets lie side by side: nobody can count one's goroutines
	model, kernel = &street{t: t, w: w, name: name + "m"}, &street{t: t, name: name + "k"}
	for _, s := range []*street{model, kernel} {
		s.lay(plan, ends)
	}
	return model, kernel
}

// An end is a host of the kernel's with one device, eth0.
type end struct {
	name string
	at   string // net/device of the middle at which its cable ends
	plan string // lines; @ is the host's name
}

// tools skips the test if one of the kernel's tools is missing.
func tools(t *testing.T, names ...string) {
	t.Helper()
	if noKernel != nil {
		t.Skip(noKernel)
	}
	for _, name := range names {
		if _, err := linux.Tool(name); err != nil {
			t.Skip(err)
		}
	}
}

func (s *street) lay(plan string, ends []end) {
	s.t.Helper()
	s.t.Cleanup(s.clear)
	nets := regexp.MustCompile(`(?m)^ip netns add @(\w+)$`).FindAllStringSubmatch(plan, -1)
	for _, n := range nets {
		s.middle("ip netns add @" + n[1])
		s.middle("ip netns exec @" + n[1] + " sysctl -w " + sixOn)
	}
	for i, e := range ends {
		host := s.name + e.name
		s.kernel("ip netns add " + host)
		s.kernel("ip netns exec " + host + " sysctl -q -w " + sixOn)
		net, dev, _ := strings.Cut(e.at, "/")
		near := fmt.Sprintf("%s%d", s.name, i)
		switch {
		case s.w != nil:
			s.kernel("ip link add " + near + " type veth peer name eth0 netns " + host)
			s.nears = append(s.nears, near)
			s.kernel("ip link set " + near + " up")
			s.middle("ip -n @" + net + " link add " + dev + " type nic dev " + near)
		default:
			s.kernel("ip -n " + host + " link add eth0 type veth peer name " + dev + " netns " + s.name + net)
		}
		s.kernel("ip -n " + host + " link set lo up")
		s.kernel("ip -n " + host + " link set eth0 up")
	}
	for line := range strings.Lines(plan) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "ip netns add ") {
			s.middle(line)
		}
	}
	for _, e := range ends {
		for line := range strings.Lines(e.plan) {
			if line = strings.TrimSpace(line); line != "" {
				s.kernel(strings.ReplaceAll(line, "@", s.name+e.name))
			}
		}
	}
}

// sixOn has a namespace speak IPv6, at once: nobody has its addresses.
const sixOn = "net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.default.dad_transmits=0"

// middle carries out a line in the street's middle.
func (s *street) middle(line string) {
	s.t.Helper()
	if s.w != nil {
		s.w.sh(strings.ReplaceAll(line, "@", ""))
		return
	}
	s.kernel(strings.ReplaceAll(line, "@", s.name))
}

// kernel carries out a line of the kernel's, which must not fail.
func (s *street) kernel(line string) {
	s.t.Helper()
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v %s", line, err, out)
	}
}

// at returns what a command prints at one of the street's ends.
func (s *street) at(end, command string) string {
	out, _ := exec.Command("ip", "netns", "exec", s.name+end, "sh", "-c", "exec 2>&1; "+command).CombinedOutput()
	return strings.TrimRight(string(out), "\n ")
}

// clear takes away what the street has of the kernel's.
func (s *street) clear() {
	for _, near := range s.nears {
		_ = exec.Command("ip", "link", "del", near).Run()
	}
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, s.name) {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

// What differs from run to run in what a tool prints.
var differs = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(` *[0-9]+\.[0-9]+ ?ms`), " T"},
	{regexp.MustCompile(`time[ =<]*[0-9.]+ ?ms`), "time T"},
	{regexp.MustCompile(`(?m)^rtt .*$`), "rtt"},
	{regexp.MustCompile(`(, pipe [0-9]+|, ipg/ewma \S+)`), ""},
	{regexp.MustCompile(`(?i)\b([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}\b`), "MAC"},
	{regexp.MustCompile(`fe80::[0-9a-f:]+`), "fe80::"},
	{regexp.MustCompile(`expires [0-9]+sec`), "expires S"},
	{regexp.MustCompile(` +\n`), "\n"},
}

func alike(s string) string {
	for _, d := range differs {
		s = d.what.ReplaceAllString(s, d.with)
	}
	return s
}

// A question is a command at an end, with words that its answer has, so that two
// answers are not alike for being two complaints.
type question struct {
	end, command string
	words        []string
}

// ask puts the questions to both streets, in order and to both at once: every
// answer must be the same, line by line. The tools give up what is late (tracepath
// after a second), and on a busy machine either street may be: two answers that
// differ are logged, and the question is put once more.
func ask(model, kernel *street, questions []question) {
	t := model.t
	t.Helper()
	for _, q := range questions {
		other := make(chan string, 1)
		go func() { other <- kernel.at(q.end, q.command) }()
		got, want := model.at(q.end, q.command), <-other
		if alike(got) != alike(want) {
			t.Logf("%s, once more: through the model\n%s\nthrough the kernel\n%s", q.command, got, want)
			go func() { other <- kernel.at(q.end, q.command) }()
			got, want = model.at(q.end, q.command), <-other
		}
		if alike(got) != alike(want) {
			t.Errorf("%s: through the model\n%s\nthrough the kernel\n%s", q.command, got, want)
			continue
		}
		for _, word := range q.words {
			if !strings.Contains(got, word) {
				t.Errorf("%s: no %q in\n%s", q.command, word, got)
			}
		}
		t.Logf("%s\n%s", q.command, got)
	}
}

// threeRouters is a street of three routers; the link in its middle takes 1400.
const threeRouters = `
ip netns add @r1
ip netns add @r2
ip netns add @r3
ip -n @r1 link add e12 type veth peer name e21 netns @r2
ip -n @r2 link add e23 type veth peer name e32 netns @r3
ip -n @r2 link set e23 mtu 1400
ip -n @r3 link set e32 mtu 1400
ip -n @r1 link set lo up
ip -n @r2 link set lo up
ip -n @r3 link set lo up
ip -n @r1 link set eth1 up
ip -n @r1 link set e12 up
ip -n @r2 link set e21 up
ip -n @r2 link set e23 up
ip -n @r3 link set e32 up
ip -n @r3 link set eth2 up
ip -n @r1 addr add 10.1.0.1/24 dev eth1
ip -n @r1 addr add 10.12.0.1/24 dev e12
ip -n @r2 addr add 10.12.0.2/24 dev e21
ip -n @r2 addr add 10.23.0.2/24 dev e23
ip -n @r3 addr add 10.23.0.3/24 dev e32
ip -n @r3 addr add 10.2.0.1/24 dev eth2
ip -n @r1 addr add 2001:db8:1::1/64 dev eth1 nodad
ip -n @r1 addr add 2001:db8:12::1/64 dev e12 nodad
ip -n @r2 addr add 2001:db8:12::2/64 dev e21 nodad
ip -n @r2 addr add 2001:db8:23::2/64 dev e23 nodad
ip -n @r3 addr add 2001:db8:23::3/64 dev e32 nodad
ip -n @r3 addr add 2001:db8:2::1/64 dev eth2 nodad
ip netns exec @r1 sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
ip netns exec @r2 sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
ip netns exec @r3 sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
ip -n @r1 route add default via 10.12.0.2
ip -n @r2 route add 10.1.0.0/24 via 10.12.0.1
ip -n @r2 route add 10.2.0.0/24 via 10.23.0.3
ip -n @r3 route add default via 10.23.0.2
ip -n @r2 route add unreachable 10.91.0.0/24
ip -n @r2 route add prohibit 10.92.0.0/24
ip -n @r2 route add blackhole 10.93.0.0/24
ip -n @r1 -6 route add default via 2001:db8:12::2
ip -n @r2 -6 route add 2001:db8:1::/64 via 2001:db8:12::1
ip -n @r2 -6 route add 2001:db8:2::/64 via 2001:db8:23::3
ip -n @r3 -6 route add default via 2001:db8:23::2
ip -n @r2 -6 route add unreachable 2001:db8:91::/64
ip -n @r2 -6 route add prohibit 2001:db8:92::/64
ip -n @r2 -6 route add blackhole 2001:db8:93::/64
`

// farEnd is a host behind the first (1) or the last (2) of the three routers.
func farEnd(k int) string {
	return fmt.Sprintf(`
ip -n @ addr add 10.%[1]d.0.2/24 dev eth0
ip -n @ addr add 2001:db8:%[1]d::2/64 dev eth0 nodad
ip -n @ route add default via 10.%[1]d.0.1
ip -n @ -6 route add default via 2001:db8:%[1]d::1
ip netns exec @ sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.ping_group_range="0 2147483647"`, k)
}

func row(t *testing.T, name string) (model, kernel *street) {
	t.Helper()
	model, kernel = both(t, name, threeRouters, end{"x", "r1/eth1", farEnd(1)}, end{"y", "r3/eth2", farEnd(2)})
	for _, s := range []*street{model, kernel} { // who waits for neighbours waits now
		s.reaches("x", "10.2.0.2")
		s.reaches("x", "2001:db8:2::2")
	}
	return model, kernel
}

// reaches pings until there is an answer.
func (s *street) reaches(end, host string) {
	s.t.Helper()
	out := ""
	for range 10 {
		if out = s.at(end, "ping -n -c 1 -W 1 "+host); strings.Contains(out, "1 received") {
			return
		}
	}
	s.t.Fatalf("%s of %s does not reach %s: %s", end, s.name, host, out)
}
