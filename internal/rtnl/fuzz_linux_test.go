package rtnl

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzAttrs reads any bytes as attributes: written again they are read as the
// same, all that is read lies in what was given, and who says stop is obeyed.
func FuzzAttrs(f *testing.F) {
	f.Add((&msg{}).str(3, "eth0").u32(4, 1500).nest(18, nil, func() {}).b)
	f.Add([]byte{3, 0, 1, 0})
	f.Add([]byte{255, 255, 1, 0, 9})
	f.Add([]byte{5, 0, 1, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		type attr struct {
			typ uint16
			v   []byte
		}
		var all []attr
		again := new(msg)
		attrs(b, func(typ uint16, v []byte) bool {
			all = append(all, attr{typ, bytes.Clone(v)})
			again.attr(typ, v)
			return true
		})
		if len(again.b) > len(b)+3 {
			t.Fatalf("%d bytes of %d", len(again.b), len(b))
		}
		i := 0
		attrs(again.b, func(typ uint16, v []byte) bool {
			if i >= len(all) || all[i].typ != typ || !bytes.Equal(all[i].v, v) {
				t.Fatalf("attribute %d of %x came back as %d %x", i, b, typ, v)
			}
			i++
			return true
		})
		if i != len(all) {
			t.Fatalf("%d attributes of %d", i, len(all))
		}
		calls := 0
		attrs(b, func(uint16, []byte) bool { calls++; return false })
		if calls > 1 || calls == 0 && len(all) > 0 {
			t.Fatalf("%d calls after a stop", calls)
		}
		if len(b) >= 4 && len(all) == 0 {
			if n := int(binary.NativeEndian.Uint16(b)); n >= 4 && n <= len(b) {
				t.Fatalf("%x has an attribute of %d bytes", b, n)
			}
		}
	})
}
