package law

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"nsmodel/core"
	"nsmodel/netfilter"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A socket is one that a command has left open.
type socket struct {
	n    *netns.Net
	conn *udp.Conn
}

// op does what no tool does: what a program in a Net would, or the kernel's
// own code. NET is a Net's name, or init.
//
//	NET view                       all that can be seen of it
//	NET neighbours LOW MID HIGH    its thresholds, which have no name in a child
//	NET open S listen|dial ADDR:PORT [WORD]...   a socket that stays; a WORD is
//	                               reuseaddr, reuseport, broadcast, recverr, df,
//	                               from=ADDR:PORT, dev=D, mark=N, buf=N, ttl=N
//	NET send S TEXT [ADDR:PORT]    TEXT is *N for N bytes
//	NET burst S N ADDR:PORT...     N datagrams with their numbers, at once, to each by turns
//	NET recv S                     one datagram, without waiting
//	NET close S
//	NET raw S PROTO                a raw socket that stays; PROTO is a number
//	NET ping S                     a ping socket, of an identifier that is free
//	NET heard S                    one packet of either, without waiting
//	NET hook N drop|mark           a function at hook N: it drops every second
//	                               packet, or marks all with 1
//	NET unhook                     takes all of them away
//	NET arrive D HEX               a frame comes in from the wire at device D
//	NET proxy ADDR                 it answers for ADDR at every device
//	NET asked                      strangers ask it all they can, see bench.exercise
//	NET wild N                     every tunable that can be N is made so
//	NET hold H                     an alive reference, as an open file's
//	NET put H                      gives it back
func (b *bench) op(t fataler, words []string) string {
	name, verb, args := words[0], words[1], words[2:]
	if verb == "put" {
		return b.put(args[0])
	}
	n := b.net(name)
	if n == nil {
		return "not there\n"
	}
	defer n.Put()
	switch verb {
	case "view":
		return b.view(name)
	case "neighbours":
		var limits [3]int
		for i := range limits {
			limits[i], _ = strconv.Atoi(args[i])
		}
		b.m.IPv4.SetNeighLimits(n, limits)
		return ""
	case "open":
		return b.open(n, name+"/"+args[0], args[1:])
	case "send", "burst", "recv", "close":
		return b.use(n, verb, name+"/"+args[0], args[1:])
	case "raw", "ping", "heard":
		return b.rawOp(n, verb, name+"/"+args[0], args[1:])
	case "hook":
		return b.hook(n, args)
	case "unhook":
		for _, remove := range b.hooks[name] {
			b.m.Sys.Lock()
			remove()
			b.m.Sys.Unlock()
		}
		delete(b.hooks, name)
		return ""
	case "arrive":
		return b.arrive(n, args[0], args[1])
	case "proxy":
		b.m.Sys.Lock()
		defer b.m.Sys.Unlock()
		return errorText(b.m.Core.SetProxy(n, nil, netip.MustParseAddr(args[0])))
	case "asked":
		b.exercise(t, n)
		return ""
	case "wild":
		b.m.Sys.Lock()
		defer b.m.Sys.Unlock()
		for _, v := range b.m.Sysctl.All(n) {
			_ = b.m.Sysctl.Set(n, v.Name, args[0]) // some cannot be that
		}
		return ""
	case "hold":
		if b.held[args[0]] != nil {
			return "held\n"
		}
		n.Hold()
		b.held[args[0]] = n
		return ""
	}
	t.Fatalf("no op %q", words)
	return ""
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error() + "\n"
}

// arrive lets a frame come in at a device.
func (b *bench) arrive(n *netns.Net, dev, text string) string {
	b.m.Sys.Lock()
	d := b.m.Core.Device(n, dev)
	b.m.Sys.Unlock()
	frame, err := hex.DecodeString(text)
	if d == nil || err != nil || d.Flags()&core.FlagLoopback != 0 {
		return "nowhere\n"
	}
	b.feed(d, frame)
	b.settle()
	return ""
}

// feed puts frames into a device's backlog.
func (b *bench) feed(d *core.Device, frames ...[]byte) {
	w := b.m.Core.Enter()
	for _, f := range frames {
		p := w.NewFrame(len(f))
		copy(p.Bytes(), f)
		d.Queue(w, p)
	}
	w.Leave()
}

// put gives a reference back, and lets what died of it be buried.
func (b *bench) put(h string) string {
	n := b.held[h]
	if n == nil {
		return "not held\n"
	}
	delete(b.held, h)
	n.Put()
	b.m.Sys.Lock()
	b.m.Sys.Reap()
	b.m.Sys.Unlock()
	b.settle()
	b.h.Forget()
	return ""
}

// open makes a socket that stays open.
func (b *bench) open(n *netns.Net, key string, args []string) string {
	if b.socks[key] != nil {
		return "open\n"
	}
	var o udp.Options
	var from netip.AddrPort
	for _, w := range args[2:] {
		word, value, _ := strings.Cut(w, "=")
		num, _ := strconv.Atoi(value)
		switch word {
		case "reuseaddr":
			o.ReuseAddr = true
		case "reuseport":
			o.ReusePort = true
		case "broadcast":
			o.Broadcast = true
		case "recverr":
			o.RecvErr = true
		case "df":
			o.Discover = udp.DiscoverDo
		case "from":
			from = netip.MustParseAddrPort(value)
		case "dev":
			o.Device = value
		case "mark":
			o.Mark = uint32(num)
		case "buf":
			o.RcvBuf = num
		case "ttl":
			o.TTL = uint8(num)
		}
	}
	addr := netip.MustParseAddrPort(args[1])
	var c *udp.Conn
	var err error
	if args[0] == "listen" {
		c, err = b.m.UDP.Listen(n, addr, o)
	} else {
		c, err = b.m.UDP.Dial(n, from, addr, o)
	}
	if err != nil {
		return err.Error() + "\n"
	}
	b.socks[key] = &socket{n, c}
	return fmt.Sprintf("%v %v\n", c.LocalAddr(), c.RemoteAddr())
}

// use sends, receives or closes.
func (b *bench) use(n *netns.Net, verb, key string, args []string) string {
	s := b.socks[key]
	if s == nil {
		return "no socket\n"
	}
	var err error
	said := ""
	switch verb {
	case "send":
		text := []byte(args[0])
		if k, long := strings.CutPrefix(args[0], "*"); long {
			size, _ := strconv.Atoi(k)
			text = slices.Repeat([]byte("x"), size)
		}
		if len(args) > 1 {
			_, err = s.conn.WriteToAddrPort(text, netip.MustParseAddrPort(args[1]))
		} else {
			_, err = s.conn.Write(text)
		}
		b.settle()
	case "burst":
		k, _ := strconv.Atoi(args[0])
		for i := range k {
			if _, err = s.conn.WriteToAddrPort([]byte(strconv.Itoa(i)), netip.MustParseAddrPort(args[1+i%len(args[1:])])); err != nil {
				break
			}
		}
		b.settle()
	case "recv":
		buf := make([]byte, 70000)
		var k int
		var from netip.AddrPort
		if k, from, err = s.conn.TryReadFrom(buf); err == nil {
			said = fmt.Sprintf("%d bytes from %v: %.20q\n", k, from, buf[:k])
		}
	case "close":
		err = s.conn.Close()
		delete(b.socks, key)
	}
	if s.conn.Closed() { // by its Net's end: the name is free
		delete(b.socks, key)
	}
	if err != nil {
		return said + err.Error() + "\n"
	}
	return said
}

// hook registers a netfilter function.
func (b *bench) hook(n *netns.Net, args []string) string {
	number, _ := strconv.Atoi(args[0])
	seen := 0
	f := func(_ *core.Worker, p *core.Packet, _ *netfilter.State) netfilter.Verdict {
		seen++
		if args[1] == "mark" {
			p.Mark = 1
		} else if seen%2 == 0 {
			return netfilter.Drop
		}
		return netfilter.Accept
	}
	b.m.Sys.Lock()
	remove, err := b.m.Hooks.Register(n, netfilter.Entry{Family: syscall.AF_INET, Hook: netfilter.Hook(number), Func: f})
	b.m.Sys.Unlock()
	if err != nil {
		return err.Error() + "\n"
	}
	name := nameOf(n)
	b.hooks[name] = append(b.hooks[name], remove)
	return ""
}
