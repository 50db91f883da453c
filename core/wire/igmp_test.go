package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"nsmodel/core/wire"
)

func TestParseIGMP(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		ok        bool
		want      string
	}{
		{"v2 query", "1164ee9b00000000", true, "11 code 64 [0 0 0 0] v3 false"},
		{"v1 query", "1100eeff00000000", true, "11 code 0 [0 0 0 0] v3 false"},
		{"between v2 and v3", "1164ee9b0000000000", false, ""},
		{"v3 query", "1114ee13efffff010a7d0000", true, "11 code 14 [239 255 255 1] v3 true"},
		{"v3 query, a source", "11140000efffff01027d00010a000001", true, "11 code 14 [239 255 255 1] v3 true"},
		{"v3 query, a source too few", "11140000efffff01027d00020a000001", false, ""},
		{"leave", "1700f8feefff0001", true, "17 code 0 [239 255 0 1] v3 false"},
		{"short", "11640000000000", false, ""},
		{"v3 report", "2200e9fa0000000104000000efff0004", true, "22 code 0 [0 0 0 1] v3 true"},
		{"v3 report, a record too few", "2200e9fa0000000204000000efff0004", false, ""},
		{"v3 report, sources cut", "2200e9fa0000000104000001efff0004", false, ""},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := wire.ParseIGMP(b)
		if ok != c.ok {
			t.Errorf("%s: ok is %v", c.name, ok)
			continue
		}
		if !ok {
			continue
		}
		if got := fmt.Sprintf("%02x code %x %v v3 %v", m.Type(), m.Code(), m.Group(), m.V3()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestIGMPQueryFields(t *testing.T) {
	b, _ := hex.DecodeString("11140000efffff010a8f00020a0000010a000002")
	m, ok := wire.ParseIGMP(b)
	if !ok || !m.Suppress() || m.Robustness() != 2 || wire.IGMPTime(m.Interval()) != 31<<3 || m.NumSources() != 2 ||
		m.Source(1) != [4]byte{10, 0, 0, 2} {
		t.Errorf("%x: %v %v %d %d %d", b, ok, m.Suppress(), m.Robustness(), m.Interval(), m.NumSources())
	}
	for code, want := range map[uint8]int{0: 0, 127: 127, 128: 128, 0x8f: 248, 255: 31744} {
		if got := wire.IGMPTime(code); got != want {
			t.Errorf("%#x is %d, want %d", code, got, want)
		}
	}
}

func TestBuildIGMP(t *testing.T) {
	// Joining 239.255.0.4, and a v2 leave of 239.255.0.1; the checksums were added up by hand.
	b := wire.AppendGroupRecord(nil, wire.RecordToExclude, [4]byte{239, 255, 0, 4}, nil)
	wire.IGMP(b).FillChecksum()
	if got := hex.EncodeToString(b); got != "2200e9fa0000000104000000efff0004" {
		t.Errorf("report %s", got)
	}
	if got := hex.EncodeToString(wire.AppendIGMP(nil, wire.IGMPLeave, 0, [4]byte{239, 255, 0, 1})); got != "1700f8feefff0001" {
		t.Errorf("leave %s", got)
	}
	b = wire.AppendGroupRecord(b, wire.RecordAllow, [4]byte{232, 1, 1, 1}, [][4]byte{{10, 0, 0, 1}, {10, 0, 0, 2}})
	m, ok := wire.ParseIGMP(b)
	rs := m.Records()
	if !ok || len(rs) != 2 || rs[1].Type() != wire.RecordAllow || rs[1].Group() != [4]byte{232, 1, 1, 1} || rs[1].NumSources() != 2 ||
		rs[1].Source(1) != [4]byte{10, 0, 0, 2} {
		t.Errorf("%x: %v %v", b, ok, rs)
	}
}

func FuzzIGMP(f *testing.F) {
	seed(f, 34)
	for _, s := range []string{"1164ee9b00000000", "11140000efffff01027d00010a000001", "2200e9fa0000000104000001efff00040a000001",
		"2200000000000002010100010a0000010a0000020a00000302000000efff0004"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		m, ok := wire.ParseIGMP(b)
		if !ok {
			return
		}
		switch m.Type() {
		case wire.IGMPQuery:
			if m.V3() {
				_, _, _ = m.Suppress(), m.Robustness(), m.Interval()
			}
			for i := range m.NumSources() {
				_ = m.Source(i)
			}
		case wire.IGMPv3Report:
			var again []byte
			plain := true
			rs := m.Records()
			if len(rs) != int(b[6])<<8|int(b[7]) {
				t.Fatalf("%d records of %x", len(rs), b)
			}
			for _, r := range rs {
				var sources [][4]byte
				for i := range r.NumSources() {
					sources = append(sources, r.Source(i))
				}
				plain = plain && r[1] == 0
				again = wire.AppendGroupRecord(again, r.Type(), r.Group(), sources)
			}
			if plain && len(rs) > 0 && !bytes.Equal(again[8:], b[8:len(again)]) {
				t.Fatalf("%x came back as %x", b, again)
			}
		}
		if !bytes.Equal(before, b) {
			t.Fatal("reading wrote")
		}
	})
}
