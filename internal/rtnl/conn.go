//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Conn is a rtnetlink socket. It speaks to the namespace in which it was made,
// whichever thread uses it later. Its methods may be called concurrently.
type Conn struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	buf []byte
}

// Dial opens a Conn to the network namespace of the calling thread. For
// another one see Namespace.Dial.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("rtnl: socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("rtnl: bind", err)
	}
	return &Conn{fd: fd, buf: make([]byte, 1<<16)}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// do sends one request and reads its answers until the acknowledgement. Each
// other message is handed to each, which may be nil.
func (c *Conn) do(m *msg, flags uint16, each func(typ uint16, body []byte)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	ne := binary.NativeEndian
	ne.PutUint32(m.b[0:], uint32(len(m.b)))
	ne.PutUint16(m.b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	ne.PutUint32(m.b[8:], c.seq)
	if err := unix.Sendto(c.fd, m.b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for {
		n, err := unix.Read(c.fd, c.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for b := c.buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
			size := int(ne.Uint32(b))
			if size < unix.SizeofNlMsghdr || size > len(b) {
				return fmt.Errorf("message of %d bytes in %d: %w", size, len(b), unix.EBADMSG)
			}
			body, typ, seq := b[unix.SizeofNlMsghdr:size], ne.Uint16(b[4:]), ne.Uint32(b[8:])
			b = b[min(align(size), len(b)):]
			if seq != c.seq {
				continue // the answer to a request that was given up
			}
			switch {
			case (typ == unix.NLMSG_ERROR || typ == unix.NLMSG_DONE) && len(body) >= 4:
				if e := -int32(ne.Uint32(body)); e != 0 {
					return syscall.Errno(e)
				}
				return nil
			case each != nil:
				each(typ, body)
			}
		}
	}
}

// msg is a request under construction; the first 16 bytes are the nlmsghdr.
type msg struct{ b []byte }

func newMsg(typ uint16, body []byte) *msg {
	m := &msg{make([]byte, unix.SizeofNlMsghdr, 256)}
	binary.NativeEndian.PutUint16(m.b[4:], typ)
	m.b = append(m.b, body...)
	m.pad()
	return m
}

func align(n int) int { return (n + 3) &^ 3 }

func (m *msg) pad() { m.b = append(m.b, make([]byte, align(len(m.b))-len(m.b))...) }

// attr appends one attribute.
func (m *msg) attr(typ uint16, v []byte) *msg {
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(4+len(v)))
	m.b = binary.NativeEndian.AppendUint16(m.b, typ)
	m.b = append(m.b, v...)
	m.pad()
	return m
}

func (m *msg) str(typ uint16, s string) *msg { return m.attr(typ, append([]byte(s), 0)) }

func (m *msg) u32(typ uint16, v uint32) *msg {
	return m.attr(typ, binary.NativeEndian.AppendUint32(nil, v))
}

// nest appends an attribute whose value is what inside appends. Extra is put
// before the nested attributes (VETH_INFO_PEER begins with an ifinfomsg).
func (m *msg) nest(typ uint16, extra []byte, inside func()) *msg {
	at := len(m.b)
	m.attr(typ, extra)
	inside()
	binary.NativeEndian.PutUint16(m.b[at:], uint16(len(m.b)-at))
	return m
}

// attrs calls f for each attribute in b until f returns false.
func attrs(b []byte, f func(typ uint16, v []byte) bool) {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) || !f(binary.NativeEndian.Uint16(b[2:]), b[4:n]) {
			return
		}
		b = b[min(align(n), len(b)):]
	}
}
