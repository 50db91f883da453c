package lab

import (
	"net/netip"
	"nsmodel/core/wire"
	"time"

	"nsmodel/core/netlink"
)

// A Machine is what commands act on: the model, or a test's toy. A Net is
// meant by its name, "" is the initial one. Errors are errnos, wrapped ones,
// or a *netlink.Error; of a Ping also an *os.SyscallError that names the call.
type Machine interface {
	// Netns adds or deletes the Net so named (EEXIST, ENOENT), checks that it
	// is there (ENOENT), or lists the names, the newest first.
	Netns(op NetnsOp, name string) ([]string, error)
	// Netlink does one request in net and returns the messages of a Get. The
	// message is the machine's to keep.
	Netlink(net string, req *netlink.Request) ([]netlink.Message, error)
	// Sysctl sets key (in dots, or in slashes where a name has a dot) to
	// *value, or, if value is nil, reads it and all that is below it; "" is
	// the whole tree. ENOENT, EINVAL, EACCES.
	Sysctl(net, key string, value *string) ([]Sysctl, error)
	// Ping sends echo requests and tells report what happens, in order; it
	// returns when a ping would end. An error means that nothing was sent.
	Ping(net string, p *Ping, report func(PingEvent)) (PingResult, error)
	// Probe does one probe command and returns the datagrams it shows. An
	// error of a probe ledger is what is out of balance.
	Probe(net string, p *Probe) ([]Datagram, error)
}

// A NetnsOp is what [Machine.Netns] is to do.
type NetnsOp uint8

// What Netns does.
const (
	NetnsList NetnsOp = iota
	NetnsCheck
	NetnsAdd
	NetnsDelete
)

// A Sysctl is one tunable and its value as its file has it, without the newline.
type Sysctl struct{ Key, Value string }

// A Ping is a ping command.
type Ping struct {
	Host      string        // as written
	Dst       netip.Addr    // Host; a zone is a device of an IPv6 address on its link
	Count     int           // -c; 0: until Deadline
	Interval  time.Duration // -i
	Timeout   time.Duration // -W: how long to wait for the last replies
	Deadline  time.Duration // -w; 0: none
	Size      int           // -s: bytes after the ICMP header
	TTL       int           // -t; 0: the system's
	TOS       int           // -Q
	Mark      uint32        // -m
	Source    netip.Addr    // -I ADDRESS
	Dev       string        // -I DEVICE
	PMTU      string        // -M: do, want or dont; "" is the system's choice
	Broadcast bool          // -b
	Quiet     bool          // -q
	HasFlow   bool          // -F
	Flow      uint32        // -F: a flow label of its own; 0: any

	only uint8 // -4, -6: unix.AF_*
}

// A PingEvent is something that a ping sees.
type PingEvent struct {
	Kind PingEventKind
	From netip.Addr    // who sent it, with a zone if it is on the link; of PingStart the source address chosen
	Seq  int           // from 1
	Size int           // of a reply: ICMP header and data
	TTL  int           // of a reply
	RTT  time.Duration // of a reply
	Dup  bool          // of a reply: it has been here before

	Broadcast bool // of PingStart: the destination is a broadcast address

	// Of a PingError: the ICMP error's type, code and second word
	// (mtu, pointer or gateway). Of PingStart Info is the flow label, if -F asked for one.
	Type, Code uint8
	Info       uint32

	// Of a PingLocal: the errno of a send (a number), or of the socket's error
	// queue, where Info is an MTU and Seq the request's.
	Err error
}

// A PingEventKind says what has happened.
type PingEventKind uint8

// What happens to a ping.
const (
	PingStart PingEventKind = iota // the socket is ready: the headline is printed
	PingReply
	PingError // an ICMP error about a request
	PingLocal // a send failed
)

// A PingResult is a ping's sums.
type PingResult struct {
	Sent    int
	Elapsed time.Duration // from the first request to the last event
	Pipe    int           // most requests under way at once
}

// A Datagram is one that a probe has received.
type Datagram struct {
	From netip.AddrPort
	Data string

	Err *SockError // what it is instead: an entry of the socket's error queue
}

// A Probe is a probe command; see the package's documentation.
type Probe struct {
	Verb   ProbeVerb
	Local  netip.AddrPort // echo, listen, show, close: the service; send: from (zero: any)
	Remote netip.AddrPort // send
	Data   string         // send: the datagram; raw send: the frame
	Wait   time.Duration  // send: how long for a reply; sleep: how long
	Dev    string         // raw send, capture; listen, echo: SO_BINDTODEVICE; send: IP_MULTICAST_IF; join...: the device
	File   string         // capture start

	Name   string     // tells sockets of one Local apart; "" is one, too
	Group  netip.Addr // join, leave, block, unblock: the group
	Source netip.Addr // the same: a source, or not valid; of mroute the origin
	Via    netip.Addr // the same: an address of the device, if Dev is ""

	Six  bool   // mroute: IPv6's
	Oifs string // mroute add: devices, with commas between them; see [Probe.OIFs]

	Reuse       bool   // echo, listen: SO_REUSEADDR
	OnlyJoined  bool   // echo, listen: IP_MULTICAST_ALL off
	HasTTL      bool   // send: there is a TTL, else it is as the system has it
	TTL         int    // send: IP_TTL and IP_MULTICAST_TTL
	NoLoop      bool   // send: IP_MULTICAST_LOOP off
	NoBroadcast bool   // send: without SO_BROADCAST
	RecvErr     bool   // send: IP_RECVERR, from a socket without a peer: show the error queue
	Discover    string // send: IP_MTU_DISCOVER: do, dont, want, probe; "": the system's choice
	Size        int    // send: how many octets, of which Data are the first; 0: Data

	RA wire.RAFields // ra: what is advertised, but for the source's hardware address
	// NoSource leaves the option with that address out.
	NoSource bool
	Target   netip.Addr // ndisc: whom to ask for; ra send: to whom, else all nodes
	Raw      *RawProbe  // raw listen, show, close, sendto: the rest of it; else nil
}

// A ProbeVerb is what a [Probe] does.
type ProbeVerb uint8

// The probe verbs.
const (
	UDPSend ProbeVerb = iota + 1
	UDPListen
	UDPEcho
	UDPShow
	UDPClose
	RawSend
	CaptureStart
	CaptureStop
	Sleep
	Ledger
	UDPJoin
	UDPLeave
	UDPBlock
	UDPUnblock
	RASend
	RAOn
	RAOff
	RSSend
	NDISC
	MrouteInit
	MrouteDone
	MrouteAddVIF
	MrouteDelVIF
	MrouteAdd
	MrouteDel
	RawListen
	RawShow
	RawClose
	RawSendTo
)
