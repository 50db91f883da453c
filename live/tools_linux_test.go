package live_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestLiveToolsTrace has the kernel's tools find their way through three routers of
// the model's, each a Net, and through three of the kernel's: the same lines.
// -w 5 has traceroute wait as long for every answer, whatever the others took.
func TestLiveToolsTrace(t *testing.T) {
	tools(t, "ip", "ping", "tracepath", "traceroute")
	t.Parallel()
	model, kernel := row(t, "tr")
	ask(model, kernel, []question{
		{"x", "tracepath -n 10.2.0.2", []string{"10.12.0.2", "pmtu 1400", "reached", "hops 4 back 4"}},
		{"x", "ip route get 10.2.0.2", []string{"mtu 1400"}},
		{"x", "tracepath -n -6 2001:db8:2::2", []string{"2001:db8:12::2", "pmtu 1400", "reached", "hops 4 back 4"}},
		{"x", "ip -6 route get 2001:db8:2::2", []string{"mtu 1400"}},
		{"y", "tracepath -n 10.1.0.2", []string{"10.2.0.1", "pmtu 1400", "10.12.0.1", "reached"}},
		{"y", "tracepath -n -6 2001:db8:1::2", []string{"2001:db8:2::1", "pmtu 1400", "reached"}},
		{"x", "tracepath -n 10.23.0.3", []string{"reached", "hops 3 back 3"}},
		{"x", "tracepath -n -6 2001:db8:23::3", []string{"reached", "hops 3 back 3"}},
		{"x", "tracepath -n -l 600 -p 5000 -m 2 10.2.0.2", []string{"Too many hops"}},
		{"x", "traceroute -w 5 -n 10.2.0.2", []string{" 1  10.1.0.1", " 2  10.12.0.2", " 3  10.23.0.3", " 4  10.2.0.2"}},
		{"x", "traceroute -w 5 -n -I 10.2.0.2", []string{" 3  10.23.0.3", " 4  10.2.0.2"}},
		{"x", "traceroute -w 5 -n -T -p 9 10.2.0.2", []string{" 3  10.23.0.3", " 4  10.2.0.2"}},
		{"x", "traceroute -w 5 -n -6 2001:db8:2::2", []string{" 3  2001:db8:23::3", " 4  2001:db8:2::2"}},
		{"x", "traceroute -w 5 -n -6 -I 2001:db8:2::2", []string{" 3  2001:db8:23::3", " 4  2001:db8:2::2"}},
		{"x", "traceroute -w 5 -n -f 2 -m 3 -q 2 -p 40000 10.2.0.2", []string{" 2  10.12.0.2", " 3  10.23.0.3"}},
		{"x", "traceroute -w 5 -n -I -f 2 -m 3 -q 1 10.2.0.2", []string{" 2  10.12.0.2", " 3  10.23.0.3"}},
		{"x", "traceroute -w 5 -n 10.23.0.3", []string{" 3  10.23.0.3"}},
		{"x", "traceroute -w 5 -n -I 10.23.0.3", []string{" 3  10.23.0.3"}},
		{"x", "traceroute -w 5 -n -6 2001:db8:23::3", []string{" 3  2001:db8:23::3"}},
		{"x", "traceroute -w 5 -n -6 -I 2001:db8:23::3", []string{" 3  2001:db8:23::3"}},
	})
	ask(model, kernel, []question{
		{"x", "ip route flush cache; ip -6 route flush cache; traceroute -w 5 -n --mtu 10.2.0.2", []string{"F=1400"}},
		{"x", "traceroute -w 5 -n -6 --mtu 2001:db8:2::2", []string{"F=1400"}},
	})
	model.w.end()
}

// TestLiveToolsErrors has the tools see what a router says of the ways it has none
// for. Linux limits these whatever icmp_ratelimit says (ip_error), so the questions
// are few and each sends one packet at a time.
func TestLiveToolsErrors(t *testing.T) {
	tools(t, "ip", "tracepath", "traceroute", "ping")
	t.Parallel()
	model, kernel := row(t, "er")
	ask(model, kernel, []question{
		{"x", "traceroute -w 5 -n -q 1 -N 1 10.91.0.1", []string{"2  10.12.0.2", "!H"}},
		{"x", "traceroute -w 5 -n -q 1 -N 1 10.92.0.1", []string{"2  10.12.0.2", "!X"}},
		{"x", "tracepath -n 10.91.0.1", []string{"!H"}},
		{"x", "ping -n -c 1 -W 1 10.92.0.1", []string{"From 10.12.0.2 icmp_seq=1 Packet filtered"}},
		{"x", "traceroute -n -q 1 -N 1 -w 0.3 -m 3 10.93.0.1", []string{" 2  *"}},
		{"x", "traceroute -w 5 -n -6 -q 1 -N 1 2001:db8:91::1", []string{"!N"}},
		{"x", "traceroute -w 5 -n -6 -q 1 -N 1 2001:db8:92::1", []string{"!X"}},
		{"x", "tracepath -n -6 2001:db8:91::1", []string{"!N"}},
		{"x", "ping -n -c 1 -W 1 2001:db8:92::1", []string{"Destination unreachable: Administratively prohibited"}},
		{"x", "traceroute -n -6 -q 1 -N 1 -w 0.3 -m 3 2001:db8:93::1", []string{" 2  *"}},
	})
	model.w.end()
}

// TestLiveToolsPing has ping and its options cross three routers.
func TestLiveToolsPing(t *testing.T) {
	tools(t, "ip", "ping", "setpriv")
	t.Parallel()
	model, kernel := row(t, "pi")
	ask(model, kernel, []question{
		{"x", "ping -n -c 1 10.2.0.2", []string{"ttl=61", "1 received"}},
		{"x", "ping -n -c 1 -I eth0 10.23.0.3", []string{"ttl=62"}},
		{"x", "ping -n -c 1 -I 10.1.0.2 -s 0 10.2.0.2", []string{"8 bytes from"}},
		{"x", "ping -n -c 1 -W 1 -M do -s 1472 10.2.0.2", []string{"From 10.12.0.2 icmp_seq=1 Frag needed and DF set (mtu = 1400)"}},
		{"x", "ping -n -c 1 -W 1 -M do -s 1473 10.1.0.1", []string{"message too long, mtu=1500"}},
		{"x", "ping -n -c 1 -M do -s 1372 10.2.0.2", []string{"1380 bytes from"}},
		{"x", "ping -n -c 1 -M want -s 3000 10.2.0.2", []string{"3008 bytes from"}},
		{"x", "ping -n -c 1 -M dont -s 3000 10.23.0.3", []string{"3008 bytes from"}},
		{"x", "ping -n -c 1 -s 65507 10.23.0.3", []string{"65515 bytes from"}},
		{"x", "ping -n -c 1 -W 1 -t 1 10.2.0.2", []string{"From 10.1.0.1 icmp_seq=1 Time to live exceeded"}},
		{"x", "ping -n -c 1 -W 1 -t 3 10.2.0.2", []string{"From 10.23.0.3 icmp_seq=1 Time to live exceeded"}},
		{"x", "ping -n -c 1 -t 4 10.2.0.2", []string{"1 received"}},
		{"x", "ping -n -c 1 -Q 0x10 -p ff00 10.23.0.3", []string{"PATTERN", "1 received"}},
		{"x", "ping -n -c 1 -R 10.2.0.2", []string{"RR: ", "10.12.0.1", "10.23.0.2", "10.2.0.1"}},
		{"x", "ping -n -c 1 -R 10.23.0.3", []string{"RR: ", "10.12.0.1", "10.23.0.3"}},
		{"x", "setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs ping -n -c 1 10.23.0.3", []string{"1 received"}},
		{"x", "setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs ping -n -c 1 -W 1 -t 2 10.23.0.3", []string{"Time to live exceeded"}},
		{"x", "setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs ping -n -c 1 2001:db8:23::3", []string{"1 received"}},
		{"y", "ping -n -c 1 10.1.0.2", []string{"ttl=61"}},
		{"x", "ping -n -c 1 2001:db8:2::2", []string{"ttl=61"}},
		{"x", "ping -n -c 1 -I eth0 2001:db8:23::3", []string{"ttl=62"}},
		{"x", "ping -n -c 1 -W 1 -M do -s 1452 2001:db8:2::2", []string{"From 2001:db8:12::2 icmp_seq=1 Packet too big: mtu=1400"}},
		{"x", "ping -n -c 2 -i 0.05 -W 1 -M want -s 3000 2001:db8:2::2", nil},
		{"x", "ping -n -c 1 -W 1 -t 1 2001:db8:2::2", []string{"From 2001:db8:1::1 icmp_seq=1 Time exceeded: Hop limit"}},
		{"x", "ping -n -c 1 -W 1 -t 3 2001:db8:2::2", []string{"From 2001:db8:23::3 icmp_seq=1 Time exceeded: Hop limit"}},
		{"x", "ping -n -c 2 -i 0.05 -W 1 -Q 0x20 -F 0x12345 -s 65000 2001:db8:23::3", nil},
		{"x", "ping -n -c 1 ff02::1%eth0", []string{"bytes from fe80::"}},
		{"x", "ping -n -c 1 ff02::2%eth0", []string{"bytes from fe80::"}},
	})
	model.w.end()
}

// TestLiveToolsNC has nc talk through the routers, to a host behind them and to
// one of them, both ways and in both families.
func TestLiveToolsNC(t *testing.T) {
	tools(t, "ip", "ping", "nc", "timeout", "ss")
	t.Parallel()
	model, kernel := row(t, "nc")
	var all []question
	for i, c := range []struct {
		from, to, option, host string
		size                   int
	}{
		{"x", "y", "", "10.2.0.2", 4000}, {"y", "x", "", "10.1.0.2", 4000}, // in fragments, which routers may cut again
		{"x", "y", "-6", "2001:db8:2::2", 1300}, {"y", "x", "-6", "2001:db8:1::2", 1300},
	} {
		for _, s := range []*street{model, kernel} {
			s.answersNC(c.to, c.option, 7000+i)
		}
		all = append(all, question{c.from, fmt.Sprintf("head -c %d /dev/zero | tr '\\0' k | timeout 5 nc %s -n -u -W 1 %s %d | wc -c", c.size, c.option, c.host, 7000+i), []string{fmt.Sprint(c.size)}})
	}
	ask(model, kernel, append(all,
		question{"x", "timeout 5 nc -n -v -z -u 10.23.0.3 9 || echo exit $?", nil},
		question{"x", "timeout 5 nc -6 -n -v -z -u 2001:db8:23::3 9 || echo exit $?", nil},
		question{"x", "timeout 5 nc -n -v -z 10.2.0.2 9; echo exit $?", []string{"refused"}},
	))
	// And to the model itself, which answers.
	model.middle("ip netns exec @r3 probe udp echo 7")
	model.middle("ip netns exec @r3 probe udp echo [::]:8")
	for _, to := range []string{"10.23.0.3 7", "-6 2001:db8:23::3 8"} {
		if got := model.at("x", "echo hello | timeout 5 nc -n -u -W 1 "+to); got != "hello" {
			t.Errorf("nc -u %s: %q comes back", to, got)
		}
	}
	model.w.end()
}

// answersNC has nc echo the first datagram that reaches a port, and waits until it listens.
func (s *street) answersNC(end, option string, port int) {
	s.t.Helper()
	fifo := fmt.Sprintf("%s/%s.%d", s.t.TempDir(), s.name, port)
	s.kernel("mkfifo " + fifo)
	c := exec.Command("ip", "netns", "exec", s.name+end, "sh", "-c",
		fmt.Sprintf("exec timeout 20 nc %s -n -u -l %d <>%s >%s", option, port, fifo, fifo))
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for last := time.Now().Add(10 * time.Second); !strings.Contains(s.at(end, "ss -Hnul"), fmt.Sprintf(":%d ", port)); {
		if time.Now().After(last) {
			s.t.Fatalf("nc does not listen on %d", port)
		}
	}
}
