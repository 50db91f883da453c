package wire_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
)

// withOptions returns a datagram that is only a header with these options.
func withOptions(tb testing.TB, options []byte) wire.IPv4 {
	tb.Helper()
	f := wire.IPv4Fields{Options: options}
	ip, ok := wire.PutIPv4(make([]byte, f.HeaderLen()), f)
	if !ok {
		tb.Fatalf("options %x do not fit", options)
	}
	return ip
}

func TestCheckOptionsLikeLinux(t *testing.T) {
	file, err := os.Open("testdata/options-linux-6.18.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cases := 0
	for in := bufio.NewScanner(file); in.Scan(); {
		if strings.HasPrefix(in.Text(), "#") {
			continue
		}
		var octets string
		var want int
		if _, err := fmt.Sscan(in.Text(), &octets, &want); err != nil {
			t.Fatal(err)
		}
		ip := withOptions(t, unhex(t, octets))
		before := bytes.Clone(ip)
		if _, bad, ok := ip.CheckOptions(); bad != want || ok != (want == 0) {
			t.Errorf("%s: %d %v, Linux says %d", octets, bad, ok, want)
		}
		if !bytes.Equal(ip, before) {
			t.Errorf("%s: written to", octets)
		}
		cases++
	}
	if cases < 300 {
		t.Errorf("only %d cases", cases)
	}
}

func TestCheckOptions(t *testing.T) {
	for _, c := range []struct {
		name, octets string
		bad          int // 0: good
		set          wire.OptionSet
	}{
		{"none", "", 0, wire.OptionSet{}},
		{"no operations", "01010101", 0, wire.OptionSet{}},
		{"octets after the end of list", "00ffffff", 0, wire.OptionSet{}},
		{"loose route", "01 830704c0000201", 0, wire.OptionSet{SRR: 21}},
		{"strict route", "890704c0000201 00", 0, wire.OptionSet{SRR: 20, Strict: true}},
		{"both routes", "830704c0000201 890704c0000201", 27, wire.OptionSet{}},
		{"bad second route", "830704c0000201 890703c0000201", 29, wire.OptionSet{}},
		{"route without pointer", "8302 0000", 21, wire.OptionSet{}},
		{"route pointer", "830703c0000201 00", 22, wire.OptionSet{}},
		{"router alert", "94040000", 0, wire.OptionSet{RouterAlert: 20}},
		{"router alert of another value", "94040001", 0, wire.OptionSet{}},
		{"short router alert", "9403 00 00", 21, wire.OptionSet{}},
		{"record", "070704 00000000 00", 0, wire.OptionSet{RR: 20}},
		{"record, full", "070708 c0000201 00", 0, wire.OptionSet{RR: 20}},
		{"record, half a slot", "070706 00000000 00", 22, wire.OptionSet{}},
		{"record, twice", "070304 070304 0000", 23, wire.OptionSet{}},
		{"timestamp", "44080500 00000000", 0, wire.OptionSet{TS: 20}},
		{"timestamp with address, no room", "44080501 00000000", 22, wire.OptionSet{}},
		{"timestamp, pointer at length", "44040500", 0, wire.OptionSet{TS: 20}},
		{"timestamp, overflow full", "440405f0", 23, wire.OptionSet{}},
		{"timestamp, overflow not yet full", "440405e0", 0, wire.OptionSet{TS: 20}},
		{"timestamp, prespecified never overflows", "440405f3", 0, wire.OptionSet{TS: 20}},
		{"timestamp, unknown flag", "44080502 00000000", 0, wire.OptionSet{TS: 20}},
		{"short timestamp", "440305 00", 21, wire.OptionSet{}},
		{"unknown", "5e04abcd", 0, wire.OptionSet{}},
		{"CIPSO", "86060000 0001 0000", 0, wire.OptionSet{CIPSO: 20}},
		{"length 1", "01 5e01 00", 21, wire.OptionSet{}},
		{"length 0", "5e000000", 20, wire.OptionSet{}},
		{"length past the end", "5e050000", 20, wire.OptionSet{}},
		{"no length", "010101 5e", 23, wire.OptionSet{}},
	} {
		set, bad, ok := withOptions(t, unhex(t, c.octets)).CheckOptions()
		if bad != c.bad || ok != (c.bad == 0) || set != c.set {
			t.Errorf("%s: %+v %d %v, want %+v %d", c.name, set, bad, ok, c.set, c.bad)
		}
	}
}

func TestOptionIter(t *testing.T) {
	type step struct {
		kind     uint8
		at, size int
	}
	for _, c := range []struct {
		name, octets string
		want         []step
		end          int
		bad          bool
	}{
		{"none", "", nil, 0, false},
		{"all sorts", "01 94040000 5e02 00 07", []step{{1, 0, 1}, {wire.OptRA, 1, 4}, {94, 5, 2}}, 7, false},
		{"to the end", "01 94040000", []step{{1, 0, 1}, {wire.OptRA, 1, 4}}, 5, false},
		{"length 0", "01 9400", []step{{1, 0, 1}}, 1, true},
		{"too long", "9404 00", nil, 0, true},
		{"no length", "01 94", []step{{1, 0, 1}}, 1, true},
	} {
		var got []step
		it := wire.EachOption(unhex(t, c.octets))
		for it.Next() {
			got = append(got, step{it.Kind(), it.Offset(), len(it.Bytes())})
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || it.Offset() != c.end || it.Bad() != c.bad {
			t.Errorf("%s: %v to %d bad %v, want %v to %d bad %v", c.name, got, it.Offset(), it.Bad(), c.want, c.end, c.bad)
		}
		if it.Next() || it.Kind() != wire.OptEOL || len(it.Bytes()) != 0 || it.Bad() != c.bad {
			t.Errorf("%s: goes on after the end", c.name)
		}
	}
}

func TestOptionIterCoversOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 3, 4, 7, 68, 148, 255}), 0, 40).Draw(t, "b")
		var seen []byte
		it := wire.EachOption(b)
		for it.Next() {
			if it.Offset() != len(seen) {
				t.Fatalf("option at %d after %d octets", it.Offset(), len(seen))
			}
			seen = append(seen, it.Bytes()...)
		}
		if !bytes.HasPrefix(b, seen) || it.Offset() != len(seen) {
			t.Fatalf("saw %x of %x, stopped at %d", seen, b, it.Offset())
		}
		if !it.Bad() && len(seen) < len(b) && b[len(seen)] != wire.OptEOL {
			t.Fatalf("stopped early in %x, at %d", b, len(seen))
		}
	})
}
