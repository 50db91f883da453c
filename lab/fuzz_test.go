package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"
)

// seedLabs adds commands of each tool.
func seedLabs(f *testing.F) {
	for _, s := range []string{"ip link\n", "ip -b - <<E\naddr\nE\n", "ping -c1 1.2.3.4", "ip r a 10/8 nexthop via 1.2.3.4", "probe raw send v0 'ff'", "sysctl -w a=b",
		"ip netns exec a ip netns exec b ip a", "bridge fdb show", "ip rule add sport 1-2 fwmark 1/2", "ip 'a b' \"c\\\"d\" e\\ f # g", "ip <<'A B'\n\nA B\nip l\r\n", "\\", "ip ''"} {
		f.Add(s)
	}
}

// FuzzLab feeds any text: lexing, parsing and running neither panic nor loop. What
// is no lab is refused with the file and one of its lines; a tool that fails says
// something, and one that refused its command line has changed nothing.
func FuzzLab(f *testing.F) {
	seedLabs(f)
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := Load("f.lab", text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.File != "f.lab" || e.Line < 1 || e.Line > strings.Count(text, "\n")+1 || e.Msg == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		m := &toy{names: []string{"a"}, ping: func(*Ping, func(PingEvent)) (PingResult, error) { return PingResult{}, nil }}
		for _, l := range lines {
			asked, names := len(m.asked), fmt.Sprint(m.names)
			_, perr := Parse(l)
			r, err := New(m).Run(l)
			if err != nil {
				t.Fatalf("Load took it, Run does not: %v", err)
			}
			if r.Exit < 0 || r.Exit > 255 || perr != nil && r.Stderr+r.Stdout == "" {
				t.Fatalf("%q: exit %d with nothing to say", l.Text, r.Exit)
			}
			if IsUsage(perr) && (len(m.asked) != asked || fmt.Sprint(m.names) != names) {
				t.Fatalf("%q does not parse and has an effect", l.Text)
			}
			_ = r.String() + r.Complaint()
		}
	})
}

// FuzzLex cuts any text into words: written again with every word quoted, it is
// cut into the same.
func FuzzLex(f *testing.F) {
	seedLabs(f)
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := Lex("f.lab", text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, l := range lines {
			for i, w := range l.Words {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString("'" + strings.ReplaceAll(w, "'", `'\''`) + "'")
			}
			if mark := "E"; l.Here {
				for slices.Contains(strings.Split(strings.ReplaceAll(l.Input, "\r", ""), "\n"), mark) {
					mark += "E"
				}
				b.WriteString(" <<" + mark + "\n" + l.Input + mark)
			}
			b.WriteByte('\n')
		}
		again, err := Lex("f.lab", b.String())
		if err != nil || len(again) != len(lines) {
			t.Fatalf("%q came back as %q: %d lines and %d, %v", text, b.String(), len(lines), len(again), err)
		}
		for i, l := range lines {
			if o := again[i]; !slices.Equal(l.Words, o.Words) || l.Input != o.Input || l.Here != o.Here {
				t.Fatalf("%+v came back as %+v", l, o)
			}
		}
	})
}

// parsed calls a parser that panics with a usage error.
func parsed[T any](parse func() T) (v T, err error) {
	defer recovered(&err)
	return parse(), nil
}

// FuzzAddress reads any text as an address and as a prefix: what is taken is what
// a dumb reading says, and is taken again as it is printed.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "10", "10/8", "10.0.0.1/255.255.0.0", "0x0a.010.1.1", "default", "any", "::1/64", "fe80::1%eth0", "1.2.3.4.5", "1..2", "256", "/", "10/33", "::1.2.3.4", "10/-1"} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(unix.AF_INET))
		f.Add(s, uint8(unix.AF_INET6))
	}
	f.Fuzz(func(t *testing.T, s string, family uint8) {
		if family != unix.AF_INET && family != unix.AF_INET6 {
			family = unix.AF_UNSPEC
		}
		if a, err := parsed(func() netip.Addr { return address(s, family) }); err == nil {
			if family != unix.AF_UNSPEC && familyOf(a) != family || a.Zone() != "" {
				t.Fatalf("%q of family %d is %v", s, family, a)
			}
			if again, err := parsed(func() netip.Addr { return address(a.String(), family) }); err != nil || again != a {
				t.Fatalf("%q is %v, that is %v: %v", s, a, again, err)
			}
		} else if _, dumb := netip.ParseAddr(s); dumb == nil && !strings.Contains(s, "%") && family == unix.AF_UNSPEC {
			t.Fatalf("%q is an address: %v", s, err)
		}
		p, err := parsed(func() netip.Prefix { p, _ := prefix(s, family); return p })
		if err != nil || !p.IsValid() {
			return
		}
		if again, err := parsed(func() netip.Prefix { p, _ := prefix(p.String(), family); return p }); err != nil || again != p {
			t.Fatalf("%q is %v, that is %v: %v", s, p, again, err)
		}
		if dumb, err := netip.ParsePrefix(s); err == nil && dumb != p {
			t.Fatalf("%q is %v and not %v", s, p, dumb)
		}
	})
}

// FuzzNumber reads any text as a number of so many bits, as C does.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "07", "08", "0x1F", "0XfF", "-1", "+1", " 1", "1_0", "0b1", "4294967296", "18446744073709551616", "", "0x", "00"} {
		f.Add(s, uint8(32))
	}
	f.Fuzz(func(t *testing.T, s string, bits uint8) {
		bits = bits%64 + 1
		got, ok := number(s, int(bits))
		// A dumb reading: a base by its beginning, then digits of it.
		digits, base := s, 10
		switch low := strings.ToLower(s); {
		case strings.HasPrefix(low, "0x"):
			digits, base = s[2:], 16
		case len(s) > 1 && s[0] == '0':
			digits, base = s[1:], 8
		}
		want, good := new(big.Int).SetString(digits, base)
		good = good && !strings.ContainsAny(digits, "+-_") && want.BitLen() <= int(bits)
		if ok != good || ok && want.Cmp(new(big.Int).SetUint64(got)) != 0 {
			t.Fatalf("%q in %d bits is %d, %v; want %v, %v", s, bits, got, ok, want, good)
		}
	})
}

// FuzzCapture writes any frames as pcapng: another reader finds the same, of the
// same interface and time.
func FuzzCapture(f *testing.F) {
	f.Add("v0", []byte("a frame of some bytes"), int64(1), byte(3))
	f.Add("red:v0", []byte{}, int64(1e18), byte(1))
	f.Fuzz(func(t *testing.T, name string, data []byte, at int64, cut byte) {
		if at < 0 || len(name) > 60000 || len(data) > 1<<18 {
			return // before the boot; longer than a name or a frame can be
		}
		var b bytes.Buffer
		c, err := NewCapture(&b, name)
		if err != nil {
			t.Fatal(err)
		}
		var frames [][]byte
		for size := int(cut)%100 + 1; len(data) > 0 && len(frames) < 50; data = data[min(size, len(data)):] {
			frames = append(frames, data[:min(size, len(data))])
		}
		for i, frame := range frames {
			if err := c.Write([]string{name, name + "2"}[i%2], time.Duration(at), frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		r, err := pcapgo.NewNgReader(&b, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		for i, frame := range frames {
			got, info, err := r.ReadPacketData()
			if err != nil || !bytes.Equal(got, frame) || info.InterfaceIndex != i%2 || info.Timestamp.UnixNano() != at {
				t.Fatalf("frame %d: %x %+v %v, want %x at %d", i, got, info, err, frame, at)
			}
		}
		if _, _, err := r.ReadPacketData(); err != io.EOF {
			t.Fatalf("after the last frame: %v", err)
		}
	})
}
