package nsmodel

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// FuzzAddrPort reads any text as a socket's address: what is taken is what netip
// reads once the parts that were left out are there, what is refused is a
// net.OpError.
func FuzzAddrPort(f *testing.F) {
	for _, s := range []string{"10.0.0.1:53", ":7", "10.0.0.1:", ":", "", "10.0.0.1", "[::1]:7", "::1:7", "10.0.0.1:70000", "10.0.0.1:-1", "10.0.0.1:http", "[fe80::1%eth0]:7", "010.0.0.1:7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddrPort(s)
		if err != nil {
			var op *net.OpError
			if !errors.As(err, &op) || a.IsValid() {
				t.Fatalf("%q: %v, %v", s, a, err)
			}
			if _, dumb := netip.ParseAddrPort(s); dumb == nil {
				t.Fatalf("%q is an address: %v", s, err)
			}
			return
		}
		if again, err := parseAddrPort(a.String()); err != nil || again != a {
			t.Fatalf("%q is %v, that is %v: %v", s, a, again, err)
		}
		if dumb, err := netip.ParseAddrPort(s); err == nil && dumb != a {
			t.Fatalf("%q is %v, not %v", s, a, dumb)
		}
	})
}
