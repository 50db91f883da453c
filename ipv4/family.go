package ipv4

import (
	"fmt"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// Socket types and protocols with Linux's values.
const (
	SockStream = 1
	SockDgram  = 2
	SockRaw    = 3

	ProtoICMP = 1
	ProtoTCP  = 6
	ProtoUDP  = 17
)

// Sockets are the socket types of AF_INET, which transports register.
// Linux: inetsw and inet_family_ops, net/ipv4/af_inet.c.
type Sockets struct {
	types []socketType
}

type socketType struct {
	typ, proto int
	create     func(n *netns.Net) (any, error)
}

// NewSockets registers AF_INET with s, before its boot.
func NewSockets(s *core.Stack) (*Sockets, error) {
	k := new(Sockets)
	if err := s.HandleFamily(core.AFInet, k.create); err != nil {
		return nil, err
	}
	return k, nil
}

// Handle lets create make sockets of a type and protocol, or of all protocols
// that nobody registered before if proto is 0.
// Linux: inet_register_protosw.
func (k *Sockets) Handle(typ, proto int, create func(n *netns.Net) (any, error)) {
	k.types = append(k.types, socketType{typ, proto, create})
}

// create makes a socket: ESOCKTNOSUPPORT for a type that nobody has built,
// EPROTONOSUPPORT for a protocol that the type does not have.
// Linux: inet_create.
func (k *Sockets) create(n *netns.Net, typ, proto int) (any, error) {
	errno := syscall.ESOCKTNOSUPPORT
	for _, t := range k.types {
		if t.typ != typ {
			continue
		}
		if proto == 0 && t.proto != 0 || proto != 0 && (proto == t.proto || t.proto == 0) {
			return t.create(n)
		}
		errno = syscall.EPROTONOSUPPORT
	}
	return nil, fmt.Errorf("socket: AF_INET type %d protocol %d: %w", typ, proto, errno)
}

// PortRange returns the first and the last port that n chooses for sockets
// without one. Linux: ip_local_port_range.
func (s *Inet) PortRange(n *netns.Net) (low, high uint16) { return s.conf.Of(n).PortRange() }
