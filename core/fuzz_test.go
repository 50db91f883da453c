package core

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// FuzzName registers a device of any name, or template, in one Net and in
// another: what is refused has an errno and leaves nothing, what is taken is found
// under a name that a device can have, and both Nets choose the same.
func FuzzName(f *testing.F) {
	for _, s := range []string{"eth0", "v%d", "%d", "%", "%%d", "a%dx%d", "", ".", "..", "a b", "a/b", "a:b", "fifteen-bytes-x", "sixteen-bytes-xy", "fifteen-byte%d", "lo", "\xa0", "v%s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := newMachine(t, setup{})
		var chosen [2]string
		for i, net := range []string{"a", "b"} {
			n, err := m.sys.NewNet(net)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time a plain name is taken
				before := len(m.s.Devices(n))
				d, err := m.s.Register(n, DeviceSpec{Name: s})
				var errno syscall.Errno
				if err != nil {
					if !errors.As(err, &errno) || len(m.s.Devices(n)) != before {
						t.Fatalf("%q: %v, %d devices", s, err, len(m.s.Devices(n)))
					}
					continue
				}
				if name := d.Name(); !ValidName(name) || m.s.Device(n, name) != d || !strings.Contains(s, "%") && name != s {
					t.Fatalf("%q became %q", s, name)
				}
				chosen[i] += d.Name() + " "
			}
		}
		if chosen[0] != chosen[1] {
			t.Fatalf("%q is %q in one Net and %q in another", s, chosen[0], chosen[1])
		}
	})
}
