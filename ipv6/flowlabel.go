package ipv6

import (
	"maps"
	"sync"
	"syscall"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// What auto_flowlabels says. No socket here asks for labels by itself, so what is
// left to those that do is nobody's. Linux: IP6_AUTO_FLOW_LABEL_OFF to _FORCED.
const (
	labelsOff    = 0
	labelsOptOut = 1
	labelsForced = 3
)

// The labels that are made of hashes, where flowlabel_state_ranges keeps these
// apart from those that somebody leased. Linux: IPV6_FLOWLABEL_STATELESS_FLAG.
const statelessLabels = 0x80000

const flowLabels = 1 << 20 // there are so many

// reflectEcho is the bit of flowlabel_reflect for echo replies.
// Linux: FLOWLABEL_REFLECT_ICMPV6_ECHO_REPLIES.
const reflectEcho = 4

// flowLabel returns the label of a packet of ours: the one that it was to have, or
// else one that is the same for the whole flow and not 0 (RFC 6437 section 3). Neighbour
// discovery and multicast listeners have none. Linux: ip6_make_flowlabel.
func (s *Inet) flowLabel(n *netns.Net, want uint32, proto uint8, upper []byte, src, dst [16]byte) uint32 {
	auto := s.conf.Of(n).AutoFlowLabels.Load()
	if want != 0 || auto != labelsOptOut && auto != labelsForced || len(upper) < 4 {
		return want
	}
	var a, b uint16
	switch proto {
	case wire.ProtoICMPv6: // type and code stand where others have ports
		if upper[0] > wire.ICMP6EchoReply {
			return 0
		}
		a = uint16(upper[0])<<8 | uint16(upper[1])
	case wire.ProtoUDP, wire.ProtoTCP:
		a, b = wire.UDP(upper).SrcPort(), wire.UDP(upper).DstPort()
	}
	label := wire.FlowHash6(flowSeed, proto, src, dst, a, b) % flowLabels
	if s.conf.Of(n).FlowLabelStateRanges.Load() != 0 {
		label |= statelessLabels
	}
	return max(label, 1)
}

// flowSeed makes labels others than what the hash says elsewhere. It is the same
// for all: what a flow's label is depends on nobody's state.
const flowSeed = 0x666c6f77

// labels are what a Net's sockets have leased. Linux has one table for all, whose
// entries know their Net, and one limit. Linux: fl_ht, net/ipv6/ip6_flowlabel.c.
type labels struct {
	mu sync.Mutex
	of map[uint32]*labelLease
}

// A labelLease is a label that one socket alone may use. Linux: struct
// ip6_flowlabel of IPV6_FL_S_EXCL.
type labelLease struct {
	used  bool
	until time.Duration // without a user: when others may have it
}

const (
	maxLabels   = 4096            // Linux: FL_MAX_SIZE
	labelLinger = 6 * time.Second // Linux: FL_MIN_LINGER
)

// collect forgets the labels that may be given to others; under mu.
// Linux: ip6_fl_gc.
func (t *labels) collect(now time.Duration) {
	maps.DeleteFunc(t.of, func(_ uint32, l *labelLease) bool { return !l.used && now >= l.until })
}

// SetFlowLabel leases a label, of 0 one that nobody has, and sends the requests
// with it from now on. EPERM if somebody has it, or had it until a moment ago;
// ERANGE where flowlabel_state_ranges keeps it for hashes; ENOBUFS if there are too
// many; EBADF after Close. Linux: ipv6_flowlabel_get with IPV6_FL_S_EXCL.
func (g *Ping) SetFlowLabel(label uint32) (uint32, error) {
	st := g.inet.path.nets.Own(g.net)
	w := g.inet.Core.Enter()
	now := w.Now()
	w.Leave()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, syscall.EBADF
	}
	t := &st.labels
	t.mu.Lock()
	defer t.mu.Unlock()
	t.collect(now)
	switch {
	case label >= statelessLabels && g.inet.conf.Of(g.net).FlowLabelStateRanges.Load() != 0:
		return 0, syscall.ERANGE
	case label != 0 && t.of[label] != nil:
		return 0, syscall.EPERM
	case len(t.of) >= maxLabels:
		return 0, syscall.ENOBUFS
	}
	for label == 0 || t.of[label] != nil {
		label = uint32(g.net.Uint64N(flowLabels))
	}
	if t.of == nil {
		t.of = map[uint32]*labelLease{}
	}
	t.of[label] = &labelLease{used: true}
	g.label = label
	return label, nil
}

// release gives a label back, which lingers. Linux: fl_release.
func (t *labels) release(label uint32, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.of[label]; l != nil {
		l.used, l.until = false, now+labelLinger
	}
}
