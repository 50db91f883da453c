package netlink_test

import (
	"testing"

	"nsmodel/core/netlink"
	"nsmodel/core/wire"
)

// FuzzMAC reads any text as a MAC address: both packages that read one agree, and
// what is taken is taken again as it is printed.
func FuzzMAC(f *testing.F) {
	for _, s := range []string{"02:00:00:00:00:0a", "2:0:0:0:0:a", "02:00:00:00:00:0A", "2:0:0:0:0:a:", ":::::", "02-00-00-00-00-0a", "002:0:0:0:0:0", " 2:0:0:0:0:0", "2:0:0:0:0:`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := netlink.ParseMAC(s)
		dumb, other := wire.ParseMAC(s)
		if (err == nil) != (other == nil) || netlink.MAC(dumb) != m {
			t.Fatalf("%q is %v (%v) to netlink and %v (%v) to wire", s, m, err, dumb, other)
		}
		if err != nil {
			return
		}
		if again, err := netlink.ParseMAC(m.String()); err != nil || again != m {
			t.Fatalf("%q: %v came back as %v", s, m, again)
		}
	})
}
