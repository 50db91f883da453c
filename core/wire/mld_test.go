package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"nsmodel/core/wire"
)

const (
	group6hex  = "ff05000000000000000000000000aaaa"
	source6hex = "20010db8000000000000000000000008"
)

func TestParseMLD(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		ok        bool
		want      string
	}{
		{"v1 query", "8200000003e80000" + group6hex, true, "82 delay 1000 aa v2 false"},
		{"v1 query, an octet short", "8200000003e80000" + group6hex[:30], false, ""},
		{"between v1 and v2", "8200000003e80000" + group6hex + "020000", false, ""},
		{"v2 query", "8200000003e80000" + group6hex + "0a7d0000", true, "82 delay 1000 aa v2 true"},
		{"v2 query, a source", "8200000003e80000" + group6hex + "027d0001" + source6hex, true, "82 delay 1000 aa v2 true"},
		{"v2 query, a source too few", "8200000003e80000" + group6hex + "027d0002" + source6hex, false, ""},
		{"v1 report", "8300000000000000" + group6hex, true, "83 delay 0 aa v2 false"},
		{"v1 report, longer", "8300000000000000" + group6hex + "00000000", true, "83 delay 0 aa v2 true"},
		{"done", "8400000000000000" + group6hex, true, "84 delay 0 aa v2 false"},
		{"done, short", "8400000000000000", false, ""},
		{"short", "82000000000000", false, ""},
		{"another type", "8500000000000000" + group6hex, false, ""},
		{"v2 report", "8f00000000000001" + "04000000" + group6hex, true, "8f delay 0 00 v2 true"},
		{"v2 report, nothing in it", "8f00000000000000", true, ""},
		{"v2 report, a record too few", "8f00000000000002" + "04000000" + group6hex, false, ""},
		{"v2 report, sources cut", "8f00000000000001" + "04000001" + group6hex, false, ""},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := wire.ParseMLD(b)
		if ok != c.ok {
			t.Errorf("%s: ok is %v", c.name, ok)
			continue
		}
		if !ok || c.want == "" {
			continue
		}
		if got := fmt.Sprintf("%02x delay %d %02x v2 %v", m.Type(), m.MaxDelay(), m.Group()[15], m.V2()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMLDQueryFields(t *testing.T) {
	b, _ := hex.DecodeString("8200000003e80000" + group6hex + "0a8f0002" + source6hex + group6hex)
	m, ok := wire.ParseMLD(b)
	if !ok || !m.Suppress() || m.Robustness() != 2 || wire.IGMPTime(m.Interval()) != 31<<3 || m.NumSources() != 2 ||
		m.Source(0)[15] != 8 || m.Source(1)[15] != 0xaa {
		t.Errorf("%x: %v %v %d %d %d", b, ok, m.Suppress(), m.Robustness(), m.Interval(), m.NumSources())
	}
	for code, want := range map[uint16]int{0: 0, 32767: 32767, 0x8000: 32768, 0x8fff: 0x1fff << 3, 0xffff: 8387584} {
		if got := wire.MLDTime(code); got != want {
			t.Errorf("%#x is %d, want %d", code, got, want)
		}
	}
}

func TestBuildMLD(t *testing.T) {
	g := [16]byte{0: 0xff, 1: 5, 14: 0xaa, 15: 0xaa}
	b := wire.AppendGroupRecord6(nil, wire.RecordToExclude, g, nil)
	if got := hex.EncodeToString(b); got != "8f00000000000001"+"04000000"+group6hex {
		t.Errorf("report %s", got)
	}
	if got := hex.EncodeToString(wire.AppendMLD(nil, wire.ICMP6MLDDone, 0, g)); got != "8400000000000000"+group6hex {
		t.Errorf("done %s", got)
	}
	b = wire.AppendGroupRecord6(b, wire.RecordAllow, g, [][16]byte{{15: 1}, {15: 2}})
	m, ok := wire.ParseMLD(b)
	rs := m.Records()
	if !ok || len(rs) != 2 || rs[1].Type() != wire.RecordAllow || rs[1].Group() != g || rs[1].NumSources() != 2 || rs[1].Source(1)[15] != 2 {
		t.Errorf("%x: %v %v", b, ok, rs)
	}
	alert := wire.MLDAlert()
	o := wire.EachTLV(alert[:])
	if !o.Next() || o.Kind() != wire.TLVRouterAlert || !bytes.Equal(o.Data(), []byte{0, 0}) {
		t.Errorf("%x is no router alert for MLD", alert)
	}
}

// naiveMLD reads a message as RFC 3810 draws it, with a reader that knows nothing
// of this package, and says what is in it.
func naiveMLD(b []byte) string {
	r := bytes.NewReader(b)
	var h struct {
		Type, Code        uint8
		Sum, Delay, Count uint16
	}
	if binary.Read(r, binary.BigEndian, &h) != nil {
		return "bad"
	}
	var group [16]byte
	addrs := func(k int) (list [][16]byte, ok bool) {
		for range k {
			var a [16]byte
			if binary.Read(r, binary.BigEndian, &a) != nil {
				return nil, false
			}
			list = append(list, a)
		}
		return list, true
	}
	switch h.Type {
	case 130:
		if binary.Read(r, binary.BigEndian, &group) != nil {
			return "bad"
		}
		if r.Len() == 0 {
			return fmt.Sprint("query1 ", h.Delay, group)
		}
		var q struct {
			Flags, QQIC uint8
			N           uint16
		}
		if binary.Read(r, binary.BigEndian, &q) != nil {
			return "bad"
		}
		list, ok := addrs(int(q.N))
		if !ok {
			return "bad"
		}
		return fmt.Sprint("query2 ", h.Delay, group, q.Flags&8 != 0, q.Flags&7, q.QQIC, list)
	case 131, 132:
		if binary.Read(r, binary.BigEndian, &group) != nil {
			return "bad"
		}
		return fmt.Sprint("one ", h.Type, group)
	case 143:
		s := "report"
		for range h.Count {
			var rec struct {
				Type, Aux uint8
				N         uint16
				Group     [16]byte
			}
			if binary.Read(r, binary.BigEndian, &rec) != nil {
				return "bad"
			}
			list, ok := addrs(int(rec.N))
			if !ok || r.Len() < 4*int(rec.Aux) {
				return "bad"
			}
			_, _ = r.Seek(4*int64(rec.Aux), 1)
			s += fmt.Sprint(" ", rec.Type, rec.Group, list)
		}
		return s
	}
	return "bad"
}

func readMLD(b []byte) string {
	m, ok := wire.ParseMLD(b)
	if !ok {
		return "bad"
	}
	switch m.Type() {
	case wire.ICMP6MLDQuery:
		if !m.V2() {
			return fmt.Sprint("query1 ", m.MaxDelay(), m.Group())
		}
		var list [][16]byte
		for i := range m.NumSources() {
			list = append(list, m.Source(i))
		}
		return fmt.Sprint("query2 ", m.MaxDelay(), m.Group(), m.Suppress(), m.Robustness(), m.Interval(), list)
	case wire.ICMP6MLD2Report:
		s := "report"
		for _, r := range m.Records() {
			var list [][16]byte
			for i := range r.NumSources() {
				list = append(list, r.Source(i))
			}
			s += fmt.Sprint(" ", r.Type(), r.Group(), list)
		}
		return s
	}
	return fmt.Sprint("one ", m.Type(), m.Group())
}

func FuzzMLD(f *testing.F) {
	for _, s := range []string{"8200000003e80000" + group6hex, "8200000003e80000" + group6hex + "027d0001" + source6hex,
		"8f00000000000001" + "04000001" + group6hex + source6hex, "8300000000000000" + group6hex,
		"8f00000000000002" + "02010001" + group6hex + source6hex + "00000302" + "02000000" + group6hex} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		if got, want := readMLD(b), naiveMLD(b); got != want {
			t.Fatalf("%x: %s, want %s", b, got, want)
		}
		if !bytes.Equal(before, b) {
			t.Fatal("reading wrote")
		}
	})
}
