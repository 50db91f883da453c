package conformance_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core/netlink"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netns"
)

// FuzzDirectives reads any text as a lab's head: what is refused names the file
// and a line of it, and what is taken is taken again, with the same meaning, when
// only its directives and its first command are left.
func FuzzDirectives(f *testing.F) {
	for _, text := range []string{"#: linux: skip no such thing\nip link\n", "#: needs tcpdump\n#: linux: uncounted for a reason\n",
		"#: linux: differs a reason\n#: - a.*b\n#: + c\nip addr\n", "ip link\n#: needs x\n", "#: - [", "#: linux: differs a\n#: - (\n", "#:\n", "#: linux:  skip   a b \n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := conformance.Parse("f.lab", text)
		lines := strings.Split(text, "\n")
		if err != nil {
			var e *lab.Error
			if !errors.As(err, &e) || e.File != "f.lab" || e.Line < 1 || e.Line > len(lines) {
				t.Fatalf("%v: no line of %d", err, len(lines))
			}
			return
		}
		var b strings.Builder
		for _, line := range lines {
			if strings.HasPrefix(line, "#:") {
				b.WriteString(line + "\n")
			}
		}
		again, err := conformance.Parse("f.lab", b.String())
		if err != nil {
			t.Fatalf("its directives alone: %v", err)
		}
		if fmt.Sprint(l.Explained()) != fmt.Sprint(again.Explained()) || fmt.Sprint(l.Needs) != fmt.Sprint(again.Needs) || len(l.Differs) != len(again.Differs) {
			t.Fatalf("%q is explained by %q and %q", text, l.Explained(), again.Explained())
		}
		for _, d := range l.Differs {
			for _, line := range d.Lines {
				if line.Mark != '-' && line.Mark != '+' || line.Want == nil {
					t.Fatalf("a difference that nothing can meet: %+v", line)
				}
			}
		}
	})
}

// FuzzPlaces reads any text as a placement: what is refused is EINVAL and changes
// nothing, and what is taken is what String says.
func FuzzPlaces(f *testing.F) {
	for _, text := range []string{"udp=tagged", "all=replicated", "neigh=default", "=tagged", "udp", "udp=", "all=all", "udp=tagged=tagged"} {
		f.Add(text, "fib=tagged")
	}
	f.Fuzz(func(t *testing.T, text, before string) {
		var p nsmodel.Places
		_ = p.Set(before) // any beginning will do
		was := p
		if err := p.Set(text); err != nil {
			if !errors.Is(err, syscall.EINVAL) || p != was {
				t.Fatalf("%q: %v, %v became %v", text, err, was, p)
			}
			return
		}
		word, value, _ := strings.Cut(text, "=")
		if where, err := netns.ParsePlacement(value); err != nil || where.String() != value {
			t.Fatalf("%q is %v: %v", value, where, err)
		}
		for _, part := range strings.Fields(p.String()) {
			w, v, _ := strings.Cut(part, "=")
			old := strings.Contains(" "+was.String()+" ", " "+part+" ")
			if hit := word == "all" || w == word; hit && v != value || !hit && !old {
				t.Fatalf("%q on %v is %v", text, was, p)
			}
		}
	})
}

// asked is a machine with two Nets that know nothing of each other.
func asked(t testing.TB, place netns.Placement) (*nsmodel.Machine, *lab.Interp) {
	m, err := nsmodel.New(nsmodel.Config{Seed: 3, Place: nsmodel.AllPlaces(place)})
	if err != nil {
		t.Fatal(err)
	}
	in := lab.New(host.New(m))
	for _, net := range []string{"a", "b"} {
		for _, line := range []string{"ip netns add $N", "ip -n $N link set lo up", "ip -n $N link add v0 type veth peer name v1", "ip -n $N link add br0 type bridge",
			"ip -n $N addr add 10.0.0.1/24 dev v0", "ip -n $N link set v0 up", "ip -n $N link set v1 up", "ip -n $N link set v1 master br0", "ip -n $N route add 10.9.0.0/16 via 10.0.0.2"} {
			say(t, in, strings.ReplaceAll(line, "$N", net))
		}
	}
	return m, in
}

// say carries out a command that must not fail.
func say(t testing.TB, in *lab.Interp, line string) string {
	t.Helper()
	lines, err := lab.Load("fuzz", line+"\n")
	if err != nil {
		t.Fatal(err)
	}
	r, err := in.Run(lines[0])
	if err != nil || r.Exit != 0 {
		t.Fatalf("%s: %v %s", line, err, r.Stderr)
	}
	return r.Stdout
}

// dump is all that can be seen in a Net.
func dump(t testing.TB, m *nsmodel.Machine, in *lab.Interp, net string) string {
	var b strings.Builder
	for _, what := range []string{"ip -s -n $N link show", "ip -d -n $N link show", "ip -n $N addr show", "ip -n $N route show table all", "ip -n $N rule show",
		"ip -n $N neigh show", "ip -n $N neigh show proxy", "bridge -n $N fdb show", "ip netns exec $N sysctl net"} {
		b.WriteString(say(t, in, strings.ReplaceAll(what, "$N", net)))
	}
	n, err := m.Net(net)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	return b.String() + m.Core.Ledger(n).String()
}

// FuzzSysctl writes any text to any name in a: what is refused has an errno and
// changes nothing; what is taken can be read, and written as it was read without a
// change; b notices nothing.
func FuzzSysctl(f *testing.F) {
	m, in := asked(f, netns.Tagged)
	a, err := m.Net("a")
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range m.Sysctl.All(a) {
		f.Add(v.Name, v.Value)
	}
	for _, s := range [][2]string{{"net.ipv4.ip_forward", "0x1"}, {"net/ipv4/ip_default_ttl", "256"}, {"net.ipv4.ip_local_port_range", "5 4"}, {"net.ipv4.ip_local_port_range", "1 2 3"},
		{"net.ipv4.conf.*.rp_filter", "1"}, {"net.ipv4.conf..rp_filter", "1"}, {"net.ipv4.ipfrag_time", "-99999999999"}, {"net.ipv4.neigh.v0.retrans_time_ms", " 7 x"}, {"", ""}} {
		f.Add(s[0], s[1])
	}
	other := dump(f, m, in, "b")
	f.Fuzz(func(t *testing.T, name, value string) {
		before := fmt.Sprint(m.Sysctl.All(a))
		m.Sys.Lock()
		err := m.Sysctl.Set(a, name, value)
		m.Sys.Unlock()
		var errno syscall.Errno
		if err != nil {
			if !errors.As(err, &errno) {
				t.Fatalf("%q=%q: %v has no errno", name, value, err)
			}
			if after := fmt.Sprint(m.Sysctl.All(a)); after != before {
				t.Fatalf("%q=%q is refused and changes\n%s", name, value, differ(strings.ReplaceAll(before, "} {", "\n"), strings.ReplaceAll(after, "} {", "\n")))
			}
			return
		}
		got, err := m.Sysctl.Get(a, name)
		if err != nil {
			t.Fatalf("%q=%q is taken and cannot be read: %v", name, value, err)
		}
		before = fmt.Sprint(m.Sysctl.All(a))
		m.Sys.Lock()
		err = m.Sysctl.Set(a, name, got)
		m.Sys.Unlock()
		if after := fmt.Sprint(m.Sysctl.All(a)); err != nil || after != before {
			t.Fatalf("%q=%q written again: %v\n%s", name, got, err, differ(strings.ReplaceAll(before, "} {", "\n"), strings.ReplaceAll(after, "} {", "\n")))
		}
		if now := dump(t, m, in, "b"); now != other {
			t.Fatalf("%q=%q in a is seen in b:\n%s", name, value, differ(other, now))
		}
	})
}

// FuzzNetlink asks a for anything, typed messages with any values in them, under
// both placements: what is refused has an errno and, but for links, of which Linux
// too may have changed a part, changes nothing; both machines answer and look the
// same; b notices nothing; and a's end leaves nothing.
func FuzzNetlink(f *testing.F) {
	for kind := range byte(12) {
		f.Add([]byte{kind, 0x14, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
		f.Add([]byte{kind, 0x05, 2, 3, 2, 24, 0, 1, 10, 7, 3, 1, 0, 0, 1, 0, 254, 254, 1, 1, 9, 200, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, kind, 0x06, 2, 2, 2, 2, 2, 2, 2, 2, 2})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		var said [2][]string
		for i, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
			m, in := asked(t, place)
			other := dump(t, m, in, "b")
			said[i] = askAll(t, m, in, data)
			m.Advance(40 * time.Second)
			if now := dump(t, m, in, "b"); now != other {
				t.Fatalf("%v: b notices:\n%s", said[i], differ(other, now))
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if out := m.Core.Outstanding(); out != 0 {
				t.Fatalf("%v: %d packets are out", said[i], out)
			}
			if c := m.Sys.Census(); c.Memory != 1 {
				t.Fatalf("%v: %+v", said[i], c)
			}
		}
		if !reflect.DeepEqual(said[0], said[1]) {
			t.Fatalf("tagged:\n%s\nreplicated:\n%s", strings.Join(said[0], "\n"), strings.Join(said[1], "\n"))
		}
	})
}

// askAll makes requests of data, up to eight, and returns what came of them.
func askAll(t *testing.T, m *nsmodel.Machine, in *lab.Interp, data []byte) (said []string) {
	a, err := m.Net("a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Put()
	d := &dice{data}
	for k := 0; k < 8 && len(d.left) > 0; k++ {
		req := d.request()
		before := dump(t, m, in, "a")
		m.Sys.Lock()
		msgs, err := m.Netlink.Do(a, req)
		m.Sys.Unlock()
		line := fmt.Sprintf("%v: %d answers, %v", req, len(msgs), err)
		after := dump(t, m, in, "a") // before anything moves
		var errno syscall.Errno
		if err != nil && !errors.As(err, &errno) {
			t.Fatalf("%s: no errno; %+v", line, req.Msg)
		}
		if err != nil && req.Msg.Kind() != netlink.KindLink && after != before || req.Op == netlink.Get && after != before {
			t.Fatalf("%s changes, for %+v\n%s", line, req.Msg, differ(before, after))
		}
		m.Settle()
		if b := m.Core.TotalLedger(); !b.Balanced() {
			t.Fatalf("%s: %v", line, b)
		}
		said = append(said, line, dump(t, m, in, "a"))
	}
	return said
}

// dice draw values from bytes, zeros when they are used up.
type dice struct{ left []byte }

func (d *dice) byte() byte {
	if len(d.left) == 0 {
		return 0
	}
	b := d.left[0]
	d.left = d.left[1:]
	return b
}

func (d *dice) request() *netlink.Request {
	kind, how := d.byte(), d.byte()
	req := &netlink.Request{Op: []netlink.Op{netlink.New, netlink.New, netlink.Del, netlink.Get}[how&3], Flags: netlink.Flags(how >> 2 & 31)}
	switch kind % 6 {
	case 0:
		req.Msg = new(netlink.Link)
	case 1:
		req.Msg = new(netlink.Addr)
	case 2:
		req.Msg = new(netlink.Route)
	case 3:
		req.Msg = new(netlink.Neigh)
	case 4:
		req.Msg = new(netlink.Rule)
	case 5:
		req.Msg = new(netlink.NSID)
	}
	d.fill(reflect.ValueOf(req.Msg).Elem(), 0)
	return req
}

// fill draws a value: most are zero, small or one that means
// something, for else nothing gets far. No NIC is among them: a fuzzer opens no
// interface of the computer.
func (d *dice) fill(v reflect.Value, depth int) {
	switch x := v.Addr().Interface().(type) {
	case *netip.Addr:
		*x = []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255"),
			netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("::ffff:10.0.0.3"), netip.MustParseAddr("127.0.0.1")}[int(d.byte())%9]
		return
	case *netip.Prefix:
		var a netip.Addr
		d.fill(reflect.ValueOf(&a).Elem(), depth)
		*x = netip.PrefixFrom(a, int(int8(d.byte())))
		return
	case *netlink.MAC:
		*x = netlink.MAC{d.byte(), 0, 0, 0, 0, d.byte()}
		return
	case *time.Duration:
		*x = time.Duration(int8(d.byte())) * time.Second
		return
	}
	b := d.byte()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				d.fill(f, depth+1)
			}
		}
	case reflect.Pointer:
		if b&1 == 1 && depth < 3 {
			v.Set(reflect.New(v.Type().Elem()))
			d.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		for range b % 4 {
			e := reflect.New(v.Type().Elem()).Elem()
			d.fill(e, depth+1)
			v.Set(reflect.Append(v, e))
		}
	case reflect.String:
		v.SetString([]string{"", "lo", "v0", "v1", "br0", "w%d", "veth", "bridge", "passthrough", "b", "a", "x/y", "a-name-of-twenty-bytes"}[int(b)%13])
	case reflect.Bool:
		v.SetBool(b&1 == 1)
	case reflect.Int, reflect.Int32:
		v.SetInt([]int64{0, int64(b), int64(int8(b)), 1 << (b % 31)}[d.byte()&3])
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint([]uint64{uint64(b), uint64(b), unix.AF_INET, 1 << (b % uint8(v.Type().Bits()))}[d.byte()&3])
	}
}
