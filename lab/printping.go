package lab

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"syscall"
	"time"

	"nsmodel/core/netlink"
)

// pingSums is what ping's last lines are made of.
type pingSums struct {
	received, dups, errors int
	min, max, sum          int64 // microseconds
	sum2                   float64
}

func (p *Ping) run(t *tool) int {
	var s pingSums
	res, err := t.m.Ping(t.c.Net, p, func(e PingEvent) { p.event(t, &s, e) })
	if err != nil {
		return p.refused(t, err)
	}
	t.outf("\n--- %s ping statistics ---\n%d packets transmitted, %d received", p.Host, res.Sent, s.received)
	if s.dups > 0 {
		t.outf(", +%d duplicates", s.dups)
	}
	if s.errors > 0 {
		t.outf(", +%d errors", s.errors)
	}
	if res.Sent > 0 {
		t.outf(", %s%% packet loss", loss(res.Sent, s.received))
		t.outf(", time %dms", res.Elapsed.Milliseconds())
	}
	t.outf("\n")
	s.times(t, p, res.Pipe)
	if s.received == 0 || p.Deadline > 0 && s.received < p.Count {
		return 1
	}
	return 0
}

// hasAddress reports whether an address is that device's.
func (t *tool) hasAddress(dev string, a netip.Addr) bool {
	index, _ := t.index(dev)
	msgs, _ := t.dump(&netlink.Addr{Family: familyOf(a)})
	for _, m := range msgs {
		if m, ok := m.(*netlink.Addr); ok && m.Index == index && m.Local == a {
			return true
		}
	}
	return false
}

// loss writes a percentage as C's %g does.
func loss(sent, received int) string {
	return fmt.Sprintf("%.6g", float64(float32(float64(sent-received)*100/float64(sent))))
}

func (s *pingSums) times(t *tool, p *Ping, pipe int) {
	sep := ""
	if s.received > 0 && p.timed() {
		total := int64(s.received + s.dups)
		avg := s.sum / total
		dev := int64(math.Sqrt(math.Max(0, s.sum2/float64(total)-float64(s.sum)*float64(s.sum)/float64(total)/float64(total))))
		t.outf("rtt min/avg/max/mdev = %s/%s/%s/%s ms", ms(s.min), ms(avg), ms(s.max), ms(dev))
		sep = ", "
	}
	if pipe > 1 {
		t.outf("%spipe %d", sep, pipe)
	}
	t.outf("\n")
}

func ms(us int64) string { return fmt.Sprintf("%d.%03d", us/1000, us%1000) }

// timed reports whether the data has room for a time stamp.
func (p *Ping) timed() bool { return p.Size >= 16 }

// NoPingDevice is the error of a ping -6 -I of a device that there is not: its
// name. iputils: ping6_run, which says no errno.
type NoPingDevice string

// Error says what ping says.
func (d NoPingDevice) Error() string { return "unknown iface: " + string(d) }

// refused tells of a ping that could not begin.
func (p *Ping) refused(t *tool, err error) int {
	var call *os.SyscallError
	var none NoPingDevice
	if errors.As(err, &none) {
		return t.failf(2, "ping: unknown iface: %s\n", string(none))
	}
	if errors.As(err, &call) {
		if errnoOf(err) == syscall.EACCES && call.Syscall == "connect" {
			return t.failf(2, "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n")
		}
		return t.failf(2, "ping: %s: %s\n", call.Syscall, errText(err))
	}
	return t.failf(2, "ping: connect: %s\n", errText(err))
}

// event writes a line for what has happened.
func (p *Ping) event(t *tool, s *pingSums, e PingEvent) {
	switch e.Kind {
	case PingStart:
		if p.Dev != "" && !t.hasAddress(p.Dev, e.From.WithZone("")) {
			t.failf(0, "ping: Warning: source address might be selected on device other than: %s\n", p.Dev)
		}
		p.start(t, e)
	case PingReply:
		s.add(e)
		if p.Quiet {
			return
		}
		t.outf("%d bytes from %s: icmp_seq=%d ttl=%d", e.Size, e.From, e.Seq, e.TTL)
		if p.timed() {
			t.outf(" time=%s ms", replyTime(e.RTT))
		}
		if e.Dup {
			t.outf(" (DUP!)")
		}
		if p.Dst.Is4() && !p.Broadcast && !p.Dst.IsMulticast() && !p.Dst.IsUnspecified() && e.From != p.Dst {
			t.outf(" (DIFFERENT ADDRESS!)")
		}
		t.outf("\n")
	case PingError:
		if p.Dst.Is6() {
			s.errors++
			if !p.Quiet {
				t.outf("From %s icmp_seq=%d %s\n", e.From, e.Seq, icmp6Text(e))
			}
			return
		}
		if e.Type == 5 {
			if !p.Quiet {
				t.outf("From %s: icmp_seq=%d %s\n", e.From, e.Seq, icmpText(e))
			}
			return // advice, no error
		}
		s.errors++
		if !p.Quiet {
			t.outf("From %s icmp_seq=%d %s\n", e.From, e.Seq, icmpText(e))
		}
	case PingLocal:
		s.errors++
		if p.Quiet {
			return
		}
		if errnoOf(e.Err) == syscall.EMSGSIZE && p.Dst.Is6() {
			t.failf(0, "ping: local error: message too long, mtu: %d\n", e.Info)
		} else if errnoOf(e.Err) == syscall.EMSGSIZE {
			t.failf(0, "ping: local error: message too long, mtu=%d\n", e.Info)
		} else {
			t.failf(0, "ping: sendmsg: %s\n", errText(e.Err))
		}
	}
}

func (p *Ping) start(t *tool, e PingEvent) {
	if e.Broadcast {
		t.failf(0, "WARNING: pinging broadcast address\n")
	}
	dst := p.Dst
	if dst.Is6() {
		t.outf("PING %s(%s) ", p.Host, dst)
		if p.HasFlow {
			t.outf(", flow 0x%05x, ", e.Info)
		}
		if p.Dev != "" || p.Source.IsValid() {
			dev := p.Dev
			if dev == "" {
				dev = p.Source.Zone() // which ping -I takes for it
			}
			t.outf("from %s %s: ", e.From, dev)
		}
		t.outf("%d data bytes\n", p.Size)
		return
	}
	if dst.IsUnspecified() {
		dst = e.From // its socket is connected to its own address
	}
	t.outf("PING %s (%s) ", p.Host, dst)
	if p.Dev != "" || p.Source.IsValid() {
		t.outf("from %s %s: ", e.From, p.Dev)
	}
	t.outf("%d(%d) bytes of data.\n", p.Size, p.Size+28)
}

func (s *pingSums) add(e PingEvent) {
	us := e.RTT.Microseconds()
	if s.received+s.dups == 0 || us < s.min {
		s.min = us
	}
	s.max = max(s.max, us)
	s.sum += us
	s.sum2 += float64(us) * float64(us)
	if e.Dup {
		s.dups++
	} else {
		s.received++
	}
}

// replyTime writes milliseconds with about three digits.
func replyTime(d time.Duration) string {
	us := d.Microseconds()
	switch {
	case us >= 100000-50:
		return fmt.Sprint((us + 500) / 1000)
	case us >= 10000-5:
		us += 50
		return fmt.Sprintf("%d.%d", us/1000, us%1000/100)
	case us >= 1000:
		us += 5
		return fmt.Sprintf("%d.%02d", us/1000, us%1000/10)
	}
	return ms(us)
}

var unreachable = [...]string{
	"Destination Net Unreachable", "Destination Host Unreachable", "Destination Protocol Unreachable",
	"Destination Port Unreachable", "", "Source Route Failed", "Destination Net Unknown", "Destination Host Unknown",
	"Source Host Isolated", "Destination Net Prohibited", "Destination Host Prohibited",
	"Destination Net Unreachable for Type of Service", "Destination Host Unreachable for Type of Service",
	"Packet filtered", "Precedence Violation", "Precedence Cutoff",
}

func redirectText(e PingEvent) string {
	what := fmt.Sprintf("Redirect, Bad Code: %d", e.Code)
	if kinds := [...]string{"Network", "Host", "Type of Service and Network", "Type of Service and Host"}; int(e.Code) < len(kinds) {
		what = "Redirect " + kinds[e.Code]
	}
	gw := netip.AddrFrom4([4]byte{byte(e.Info >> 24), byte(e.Info >> 16), byte(e.Info >> 8), byte(e.Info)})
	return fmt.Sprintf("%s(New nexthop: %s)", what, gw)
}

// icmpText says what an ICMP error means, in ping's words.
func icmpText(e PingEvent) string {
	switch {
	case e.Type == 3 && e.Code == 4:
		return fmt.Sprintf("Frag needed and DF set (mtu = %d)", e.Info)
	case e.Type == 3 && int(e.Code) < len(unreachable):
		return unreachable[e.Code]
	case e.Type == 3:
		return fmt.Sprintf("Dest Unreachable, Bad Code: %d", e.Code)
	case e.Type == 4:
		return "Source Quench"
	case e.Type == 5:
		return redirectText(e)
	case e.Type == 11 && e.Code == 0:
		return "Time to live exceeded"
	case e.Type == 11 && e.Code == 1:
		return "Frag reassembly time exceeded"
	case e.Type == 12:
		return fmt.Sprintf("Parameter problem: pointer = %d", e.Info)
	}
	return fmt.Sprintf("Bad ICMP type: %d", e.Type)
}

var unreachable6 = [...]string{
	"No route", "Administratively prohibited", "Beyond scope of source address", "Address unreachable", "Port unreachable",
	"Source address failed ingress/egress policy", "Reject route to destination",
}

// icmp6Text says what an ICMPv6 error means, in ping's words. iputils:
// print_icmp of ping6_common.c.
func icmp6Text(e PingEvent) string {
	switch e.Type {
	case 1:
		if int(e.Code) < len(unreachable6) {
			return "Destination unreachable: " + unreachable6[e.Code]
		}
		return fmt.Sprintf("Destination unreachable: Unknown code %d", e.Code)
	case 2:
		return fmt.Sprintf("Packet too big: mtu=%d", e.Info)
	case 3:
		switch e.Code {
		case 0:
			return "Time exceeded: Hop limit"
		case 1:
			return "Time exceeded: Defragmentation failure"
		}
		return fmt.Sprintf("Time exceeded: code %d", e.Code)
	case 4:
		what := [...]string{"Wrong header field ", "Unknown header ", "Unknown option "}
		if int(e.Code) < len(what) {
			return fmt.Sprintf("Parameter problem: %sat %d", what[e.Code], e.Info)
		}
		return fmt.Sprintf("Parameter problem: code %d at %d", e.Code, e.Info)
	}
	return fmt.Sprintf("Unknown icmp type: %d", e.Type)
}
